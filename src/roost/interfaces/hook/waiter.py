"""The waker of an idle session: a hook that sits beside it until mail comes that asks for something (asyncRewake).

One per session: the newest takes over, so each event re-arms it. While nothing happens it looks at two small files four times a
second; what needs the library is done in a child, so that forty waiting sessions stay small. It is also what keeps time while
no daemon runs: every half minute it lets Roost do what is due.
"""

from __future__ import annotations

import os
import sys
import time

POLL_SECONDS = 0.25
TICK_SECONDS = 30.0
IDLE_MS_MIN = 300
"""How long a session must have been idle: its last hook may still be printing."""
PATIENCE_SECONDS = 86_000.0
TEXT_BYTES_MAX = 64 * 1024


def wait(place: str, client: str, bell: str, raw: bytes) -> int:
    """Wait beside a session; return 2 with the mail on stderr to wake it, else 0."""
    if not bell or not _is_attended(client, raw):
        return 0  # a run without a person ends with its turn, and a waker would only hold it open
    parent, ours = os.getppid(), _take_over(place, bell)
    deadline, tick_at, seen = time.monotonic() + PATIENCE_SECONDS, time.monotonic() + TICK_SECONDS, 0
    while time.monotonic() < deadline and os.getppid() == parent and _holds(place, bell, ours):
        rung = _rung_at(place, bell)
        due = time.monotonic() >= tick_at
        if (rung and rung != seen or due) and _is_idle(place, bell):
            seen, tick_at = rung, time.monotonic() + TICK_SECONDS
            text = _in_child(place, client, bell, rung)
            if text:
                sys.stderr.write(text)
                return 2
        time.sleep(POLL_SECONDS)
    return 0


def _is_attended(client: str, raw: bytes) -> bool:
    from roost.clients.base import Unreadable
    from roost.clients.named import named

    event = named(client).event(raw, os.environ)
    return not isinstance(event, Unreadable) and event.attended


def _take_over(place: str, bell: str) -> bytes:
    ours = b"%d %d" % (os.getpid(), time.monotonic_ns())
    file = os.open(f"{place}/waiters/{bell}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    os.write(file, ours)
    os.close(file)
    return ours


def _holds(place: str, bell: str, ours: bytes) -> bool:
    return _read(f"{place}/waiters/{bell}") == ours


def _rung_at(place: str, bell: str) -> int:
    try:
        return os.stat(f"{place}/bells/{bell}").st_mtime_ns
    except OSError:
        return 0


def _is_idle(place: str, bell: str) -> bool:
    parts = _read(f"{place}/beats/{bell}").split()
    if len(parts) != 2 or parts[1] != b"idle" or not parts[0].isdigit():
        return False
    return time.monotonic_ns() // 1_000_000 - int(parts[0]) >= IDLE_MS_MIN


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(256)
    except OSError:
        return b""


def _in_child(place: str, client: str, bell: str, rung: int) -> str:
    """Look for mail with the whole library in a child of our own, and return what it says."""
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receive)
        _look(place, client, bell, rung, send)
    os.close(send)
    text = b""
    while part := os.read(receive, TEXT_BYTES_MAX):
        text += part
    os.close(receive)
    os.waitpid(child, 0)
    return text.decode("utf-8", "replace")


def _look(place: str, client: str, bell: str, rung: int, send: int) -> None:
    try:
        from roost.interfaces.hook.waking import wake

        os.write(send, wake(place, client, bell, rung).encode())
    except Exception as error:
        from roost.interfaces.hook.journal import complain

        complain(place, error, waiter=bell)
    finally:
        os._exit(0)
