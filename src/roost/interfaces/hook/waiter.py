"""The waker of an idle session: a hook that sits beside it until mail comes that asks for something (asyncRewake).

One per session: the newest takes over, so each event re-arms it. While nothing happens it looks at a few small files
four times a second; what needs the library is done in a child, so that forty waiting sessions stay small. It is also
what keeps time while no daemon runs: every half minute one of a project's waiters lets Roost do what is due.
"""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False  # `typing` itself costs a waiter more than all the rest of it
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ParamSpec

    P = ParamSpec("P")

POLL_SECONDS = 0.25
TICK_SECONDS = 30.0
"""How often one of a project's waiters lets Roost do what is due."""
LOOK_SECONDS = 300.0
"""How often a waiter looks for mail whose bell it may have missed."""
RETRY_SECONDS = 5.0
"""After a look that failed."""
IDLE_MS_MIN = 300
"""How long a session must have been idle: its last hook may still be printing."""
PATIENCE_SECONDS = 86_000.0
TEXT_BYTES_MAX = 64 * 1024


def wait(place: str, client: str, bell: str, raw: bytes) -> int:
    """Wait beside a session; return 2 with the mail on stderr to wake it, else 0."""
    process = _in_child(_client_process, client, raw) if bell else ""
    if not process:
        return 0  # a run without a person ends with its turn, and a waker would only hold it open
    lives = _life_of(int(process), os.getppid())
    ours = _take_over(place, bell)
    deadline, look_at, seen = time.monotonic() + PATIENCE_SECONDS, time.monotonic() + LOOK_SECONDS, 0
    while time.monotonic() < deadline and _holds(place, bell, ours) and lives():
        rung, due = _rung_at(place, bell), time.monotonic() >= look_at
        if _is_idle(place, bell) and (due or (rung and rung != seen) or _tick_is_due(place)):
            seen, look_at = rung, time.monotonic() + LOOK_SECONDS
            text = _in_child(_mail, place, client, bell, rung)
            if text:
                sys.stderr.write(text)
                sys.stderr.flush()
                return 2
        time.sleep(POLL_SECONDS)
    return 0


def _client_process(client: str, raw: bytes) -> str:
    """Return the process to sit beside; '' for a run without a person."""
    from roost.clients.base import Unreadable
    from roost.clients.named import named

    event = named(client).event(raw, os.environ)
    if isinstance(event, Unreadable) or not event.attended:
        return ""
    return str(event.client_pid or 0)


def _life_of(process: int, parent: int) -> Callable[[], bool]:
    """Return a question: are the client and the process that started us still there? A pid is used again, a start time
    not."""
    started = _started(process)

    def lives() -> bool:
        return os.getppid() == parent and (not started or _started(process) == started)

    return lives


def _started(process: int) -> bytes:
    fields = _read(f"/proc/{process}/stat", 1024).rpartition(b")")[2].split()
    return fields[19] if len(fields) > 19 and fields[0] not in (b"Z", b"X") else b""


def _take_over(place: str, bell: str) -> bytes:
    ours = b"%d %d" % (os.getpid(), time.monotonic_ns())
    fresh = f"{place}/waiters/{bell}.{os.getpid()}"
    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    os.write(file, ours)
    os.close(file)
    os.replace(fresh, f"{place}/waiters/{bell}")
    return ours


def _holds(place: str, bell: str, ours: bytes) -> bool:
    return _read(f"{place}/waiters/{bell}") == ours


def _rung_at(place: str, bell: str) -> int:
    try:
        return os.stat(f"{place}/bells/{bell}").st_mtime_ns
    except OSError:
        return 0


def _tick_is_due(place: str) -> bool:
    """Say whether it is this waiter that must look at the clock now; whoever renews the file first has done it."""
    path = f"{place}/waiters/tick"
    try:
        if 0 <= time.time() - os.stat(path).st_mtime < TICK_SECONDS:
            return False
        os.utime(path)
    except FileNotFoundError:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        return False
    return True


def _is_idle(place: str, bell: str) -> bool:
    parts = _read(f"{place}/beats/{bell}").split()
    if len(parts) != 2 or parts[1] != b"idle" or not parts[0].isdigit():
        return False
    return time.monotonic_ns() // 1_000_000 - int(parts[0]) >= IDLE_MS_MIN


def _read(path: str, most: int = 256) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(most)
    except OSError:
        return b""


def _mail(place: str, client: str, bell: str, rung: int) -> str:
    from roost.interfaces.hook.waking import wake

    try:
        return wake(place, client, bell, rung)
    except Exception as error:
        from roost.interfaces.hook.journal import complain

        complain(place, error, waiter=bell)
        time.sleep(RETRY_SECONDS)
        _ring_again(place, bell)
        return ""


def _ring_again(place: str, bell: str) -> None:
    """Let the bell look as if it rang just now, so that the next look comes soon."""
    try:
        os.utime(f"{place}/bells/{bell}")
    except FileNotFoundError:
        return


def _in_child(work: Callable[P, str], *args: P.args, **kwargs: P.kwargs) -> str:
    """Do some work in a child of our own and return what it says."""
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receive)
        from roost.interfaces.hook.begin import library

        try:
            library()
            os.write(send, work(*args, **kwargs).encode("utf-8", "replace"))
        finally:
            os._exit(0)
    os.close(send)
    text = b""
    while part := os.read(receive, TEXT_BYTES_MAX):
        text += part
    os.close(receive)
    os.waitpid(child, 0)
    return text.decode("utf-8", "replace")
