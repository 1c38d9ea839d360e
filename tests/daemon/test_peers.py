"""Writing to a connection at once: it arrives in this very turn of the loop, in its order and whole."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Callable
from typing import Any

import pytest
import uvloop

from roost.daemon.peers import file_of, peer_of, write_now

LOOPS: tuple[Callable[[], asyncio.AbstractEventLoop], ...] = (asyncio.new_event_loop, uvloop.new_event_loop)


class Ended(asyncio.Protocol):
    """Notes that its connection is lost."""

    def __init__(self) -> None:
        self.is_lost = asyncio.Event()

    def connection_lost(self, error: Exception | None) -> None:
        self.is_lost.set()


async def pair() -> tuple[asyncio.Transport, socket.socket, Ended]:
    """Return a transport, the other end of its socket, and its protocol."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    transport: Any
    transport, protocol = await asyncio.get_running_loop().connect_accepted_socket(Ended, ours)
    return transport, theirs, protocol


def run(loop: Callable[[], asyncio.AbstractEventLoop], play: Any) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(play())


@pytest.mark.parametrize("loop", LOOPS)
def test_what_is_written_now_is_there_before_the_loop_turns(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def play() -> None:
        transport, end, _ = await pair()
        write_now(transport, file_of(transport), b"at once")
        assert end.recv(100) == b"at once"
        transport.close()
        end.close()

    run(loop, play)


@pytest.mark.parametrize("loop", LOOPS)
def test_what_is_written_now_and_later_stays_in_its_order_and_whole(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def play() -> None:
        transport, end, _ = await pair()
        file, luck, waited = file_of(transport), random.Random(7), 0
        parts = [bytes([number % 251]) * luck.choice((1, 900, 70_000)) for number in range(400)]
        for part in parts:
            if luck.random() < 0.5:
                write_now(transport, file, part)
            else:
                transport.write(part)
            waited = max(waited, transport.get_write_buffer_size())
        assert waited > 0, "the socket took everything: nothing was tried"
        arrived, whole = bytearray(), b"".join(parts)
        async with asyncio.timeout(60):
            while len(arrived) < len(whole):
                arrived += await asyncio.get_running_loop().sock_recv(end, 1 << 16)
                if not transport.get_write_buffer_size():
                    await asyncio.sleep(0)
        assert arrived == whole
        transport.close()
        end.close()

    run(loop, play)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_peer_that_is_gone_ends_the_connection_and_nothing_else(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def play() -> None:
        transport, end, protocol = await pair()
        end.close()
        write_now(transport, file_of(transport), b"to nobody")
        async with asyncio.timeout(30):
            await protocol.is_lost.wait()

    run(loop, play)


def test_a_socket_that_is_no_unix_socket_is_left_to_its_transport() -> None:
    async def play() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
        transport, _ = await loop.create_connection(asyncio.Protocol, *server.sockets[0].getsockname())
        assert file_of(transport) == -1 and peer_of(transport) == (0, -1)
        write_now(transport, -1, b"later")
        transport.close()
        server.close()

    asyncio.run(play())
