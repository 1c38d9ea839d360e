"""The end of a connection that this side closed: what becomes of its last answer shows only afterwards."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import sys
import termios

from roost.interfaces.fates import Carrier

SECONDS_MAX = 10.0
"""So long a client may keep its end open, as pools of connections do; then what its system acknowledged decides."""
READ_BYTES = 65_536


def see_out(transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, carrier: Carrier) -> None:
    """Tell a carrier how the connection ended whose transport is being closed, once the client closes it too.

    Closing at once would leave nobody whom the client's system could tell that the client is gone, with the answer
    unread. TLS has waited for the client's last word already.
    """
    if transport.get_extra_info("sslcontext") is not None:
        carrier.ended(is_broken=False)
        return
    end = transport.get_extra_info("socket")
    try:
        file = os.dup(end.fileno())
    except OSError:
        carrier.ended(is_broken=True)
        return
    Parting(loop, file, carrier).begin(end)


class Parting:
    """Waits for the client to close its end, too."""

    def __init__(self, loop: asyncio.AbstractEventLoop, file: int, carrier: Carrier) -> None:
        self._loop = loop
        self._file = file
        self._carrier = carrier

    def begin(self, end: socket.socket) -> None:
        """Say that nothing more comes, and wait."""
        self._timer = self._loop.call_later(SECONDS_MAX, self._over)
        self._loop.add_reader(self._file, self._look)
        try:
            end.shutdown(socket.SHUT_WR)
        except OSError:
            self._end(is_broken=True)
        else:
            self._look()

    def _look(self) -> None:
        try:
            said = os.read(self._file, READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self._end(is_broken=True)
            return
        if not said:
            self._end(is_broken=False)

    def _over(self) -> None:
        self._end(is_broken=_is_anything_left(self._file))

    def _end(self, *, is_broken: bool) -> None:
        self._timer.cancel()
        self._loop.remove_reader(self._file)
        os.close(self._file)
        self._carrier.ended(is_broken=is_broken)


def _is_anything_left(file: int) -> bool:
    """Say whether the other side's system has not taken all; False also where nobody can tell."""
    if sys.platform != "linux":
        return False
    return fcntl.ioctl(file, termios.TIOCOUTQ, bytes(4)) != bytes(4)
