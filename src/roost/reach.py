"""Reaching a project from outside: by its daemon when one runs, by the file when not.

A short process imports only what its way needs: the daemon's way needs no database driver.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import threading
import time
from typing import TYPE_CHECKING

from roost import keyfiles, workdir
from roost.errors import NoProject, Unavailable
from roost.hub import Hub

if TYPE_CHECKING:
    from roost.interfaces.wire.address import Address
    from roost.interfaces.wire.client import Introduce, Remote, Revive
    from roost.interfaces.wire.frames import Hello
    from roost.verbs import Async, Sync

SOCKET = "socket"
"""The one-line file in `.roost` that says where the daemon listens."""
SWITCH = "ROOST_DAEMON"
"""`off` keeps this process on the file, `auto` (the default) takes the daemon when it runs."""
START_SECONDS_MAX = 10.0
STUCK_SECONDS = 5.0
"""Who has the right to start a daemon for so long, and none answers, does not get on: it was stopped, or hangs."""
START_AGAIN_SECONDS = 3.0
REVIVE_SECONDS = 2.0
"""Who asks where the daemon is twice in this time found nobody there."""
VARIABLE = "ROOST_SESSION"
LOG = "daemon.log"
STARTING = "starting"
"""The file in `.roost` whose lock a daemon has from its spawn until it serves or ends: others wait, and spawn none."""
KEPT = (
    "HOME", "PATH", "LANG", "LC_", "TZ", "TMPDIR", "USER", "LOGNAME", "XDG_RUNTIME_DIR", "GIT_CONFIG", "PYTHON",
    "ROOST_DAEMON", "ROOST_DIR", "ROOST_GATE_SECONDS", "OTEL_",
)  # fmt: skip
"""Variables that a daemon gets of who starts it: it serves all, so it gets nobody's session and nobody's keys."""


def is_wanted() -> bool:
    """Say whether this process may use the daemon."""
    return os.environ.get(SWITCH, "auto") != "off"


def socket_of(place: str) -> str:
    """Return where the daemon of a `.roost` says that it listens, or ''.

    The folder of a socket bears the mark of its `.roost`: what lies in a copy of one leads to the daemon of the other.
    """
    try:
        with open(os.path.join(place, SOCKET), encoding="utf-8", errors="surrogateescape") as file:
            path = file.readline().strip()
        return path if f"/{mark_of(place)}/" in path else ""
    except OSError:
        return ""


def mark_of(place: str) -> str:
    """Return what tells a `.roost` from every other one, and stays when it is moved: its device and inode."""
    facts = os.stat(place)
    return f"{facts.st_dev:x}-{facts.st_ino:x}"


def place_of(path: str | os.PathLike[str] | None = None) -> str:
    """Return the `.roost` that serves a folder (default: the current one). Raises NoProject."""
    start = os.path.abspath(path) if path is not None else os.getcwd()
    is_place = os.path.basename(start) == workdir.NAME and os.path.isdir(start)
    found = start if is_place else workdir.locate(start, os.environ)
    if found is None:
        raise _no_project(start)
    return found


def _no_project(start: str) -> NoProject:
    """Return why no `.roost` serves a folder: none is named, none is there, or one is there that is not taken."""
    if named := os.environ.get("ROOST_DIR", ""):
        return NoProject(f"ROOST_DIR is {named}, and there is no .roost", hint="correct it, or unset it", start=start)
    if refused := workdir.passed_over(start):
        place, why = refused
        hint = "make a project of your own elsewhere with `roost init`, or ask its owner"
        return NoProject(f"{place} is not taken for a project: {why}", hint=hint, start=start)
    if not os.path.isdir(start):
        return NoProject(f"there is no folder {start}", hint="correct the path", start=start)
    return NoProject(f"no .roost folder leads from {start}", hint="make one with `roost init`", start=start)


def is_running(place: str) -> bool:
    """Say whether a daemon answers at this place."""
    import socket

    path = socket_of(place)
    if not path:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as end:
        end.settimeout(1.0)
        try:
            end.connect(path)
        except OSError:
            return False
    return True


def answers(place: str, *, seconds: float = 3.0) -> bool:
    """Say whether the daemon of a place answers a hello in time: one that hangs can be connected to all the same."""
    import socket

    import msgspec

    from roost.interfaces.wire import frames

    hello = frames.encode(frames.Hello(caller=os.urandom(12).hex()))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as end:
        end.settimeout(seconds)
        try:
            end.connect(socket_of(place))
            end.sendall(frames.frame(frames.Request(0, frames.HELLO, msgspec.Raw(hello))))
            return bool(end.recv(1))
        except OSError:
            return False


def hub(place: str, *, as_: str = "", takeover: bool = False) -> Hub[Sync] | None:
    """Return a hub over the daemon of a `.roost`, or None where none runs or is wanted. Raises what it refuses with."""
    return remote(place, as_=as_, takeover=takeover) if is_wanted() and is_running(place) else None


def remote(place: str, *, as_: str = "", takeover: bool = False) -> Hub[Sync]:
    """Return a hub over the daemon of a `.roost`, which is started if none runs. Raises what it refuses with."""
    caller = caller_of(place, as_=as_, takeover=takeover)
    caller.open()
    return Hub(caller, caller.close)


async def aremote(place: str, *, as_: str = "", takeover: bool = False) -> Hub[Async]:
    """Return the same for asyncio: one connection for all its calls."""
    return await _opened(reviver(place), introducer(place, as_=as_, takeover=takeover))


def caller_of(place: str, *, as_: str = "", takeover: bool = False) -> Remote:
    """Return what carries calls to the daemon of a `.roost`, which is started where it ended."""
    from roost.interfaces.wire.client import Remote

    return Remote(reviver(place), introducer(place, as_=as_, takeover=takeover))


def reviver(place: str) -> Revive:
    """Return what finds the daemon of a place, and starts it."""
    from roost.interfaces.wire.address import Address

    asked_at = 0.0

    def revive() -> Address:
        nonlocal asked_at
        again, asked_at = time.monotonic() - asked_at < REVIVE_SECONDS, time.monotonic()
        path = socket_of(place)
        if not path or (again and not is_running(place)):
            start(place)
            path = socket_of(place)
        return Address(path=path)

    return revive


def introducer(place: str, *, as_: str = "", takeover: bool = False) -> Introduce:
    """Return what says who this process is."""

    def introduce() -> Hello:
        from roost import __version__
        from roost.interfaces.wire.frames import Hello

        session = os.environ.get(VARIABLE, "")
        return Hello(
            caller="",
            roost=__version__,
            session=session,
            key=keyfiles.read(os.path.join(place, "sessions"), session) if session else "",
            name=as_,
            takeover=takeover,
            terminal=os.isatty(0) or os.isatty(1),
        )

    return introduce


def is_url(path: object) -> bool:
    """Say whether a place is given as the address of a daemon."""
    return isinstance(path, str) and path.startswith("roost+")


def at(url: str, *, as_: str = "", takeover: bool = False) -> Hub[Sync]:
    """Return a hub over the daemon at a URL; see `interfaces.wire.address`. Raises InvalidInput, Unavailable."""
    from roost.interfaces.wire.client import Remote

    caller = Remote(*_ways(url, as_, takeover))
    caller.open()
    return Hub(caller, caller.close)


async def aat(url: str, *, as_: str = "", takeover: bool = False) -> Hub[Async]:
    """Return the same for asyncio."""
    return await _opened(*_ways(url, as_, takeover))


async def _opened(revive: Revive, introduce: Introduce) -> Hub[Async]:
    from roost.interfaces.wire.aclient import AsyncRemote

    caller = AsyncRemote(revive, introduce)
    await caller.reopened()
    return Hub(caller, caller.close)


def place_behind(path: str) -> str:
    """Return the `.roost` whose session keys go with a socket: the one that this process's surroundings lead to."""
    return (workdir.locate(os.getcwd(), os.environ) or "") if path else ""


def _ways(url: str, as_: str, takeover: bool) -> tuple[Revive, Introduce]:
    import msgspec

    from roost.interfaces.wire.address import parse

    address = parse(url)
    introduce = introducer(place_behind(address.path), as_=as_, takeover=takeover)
    if address.token:
        return lambda: address, lambda: msgspec.structs.replace(introduce(), token=address.token, name="")
    return lambda: address, introduce


def start(place: str, *, seconds: float = START_SECONDS_MAX) -> None:
    """Start the daemon of a place and wait until it answers; one that runs already, or that somebody else starts, is
    as good. Raises Unavailable, also where what somebody else started failed; NoProject; OSError where nothing can be
    started.
    """
    refuse_gone(place)
    begins, is_tried, right = _length(os.path.join(place, LOG)), False, _right(place)
    began, pause = time.monotonic(), 0.01
    deadline = began + seconds
    while not is_running(place):
        if time.monotonic() > began + STUCK_SECONDS:
            _pass_over(place, right)
        if not _is_starting(place) and not is_running(place):
            why = _why(place, begins)
            if is_tried or why:
                raise Unavailable(f"the daemon could not start{why}", hint="see `roost logs`")
            is_tried = spawn(place)
        if time.monotonic() > deadline:
            raise Unavailable(f"the daemon did not start within {seconds:g} s", hint="see `roost logs`")
        time.sleep(pause)
        pause = min(0.1, pause * 1.5)


def refuse_gone(place: str) -> None:
    """Raise NoProject where a `.roost` is not there any more: no daemon can be started for it."""
    if not os.path.isdir(place):
        hint = "it was moved or removed: open it where it is now"
        raise NoProject(f"{place} is not there any more", hint=hint, in_doubt=True)


def _right(place: str) -> int:
    """Return the inode of the file whose lock is the right to start a daemon: another one after it was passed over."""
    try:
        return os.stat(os.path.join(place, STARTING)).st_ino
    except OSError:
        return 0


def _pass_over(place: str, right: int) -> None:
    """Take the right to start a daemon from who has it and does not get on, unless another one took it just now. What
    that starts all the same leaves.
    """
    if _right(place) != right:
        return
    with contextlib.suppress(OSError):  # also where another one is at this very step
        folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _right(place) == right:
                os.rename(os.path.join(place, STARTING), os.path.join(place, f"{STARTING}.stuck"))
        finally:
            os.close(folder)


def _is_starting(place: str) -> bool:
    """Say whether a daemon is on its way."""
    lock = _starting(place)
    if lock >= 0:
        os.close(lock)
    return lock < 0


def _starting(place: str) -> int:
    """Take the right to start a daemon: return the file whose lock it is, or -1 where somebody else has it."""
    flags = os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    file = os.open(os.path.join(place, STARTING), flags, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return -1
    return file


def _why(place: str, begins: int) -> str:
    """Return the last complaint of a daemon that wrote into the log from there on, or ''."""
    try:
        with open(os.path.join(place, LOG), encoding="utf-8", errors="replace") as file:
            file.seek(begins)
            lines = [line for line in file.read().splitlines() if " INFO " not in line]
    except OSError:
        return ""
    return f": {lines[-1].partition(' ERROR ')[2] or lines[-1]}" if lines else ""


def _length(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def spawn(place: str) -> bool:
    """Start the daemon of a place in a session of its own and do not wait; say False where one is on its way already.

    It has the lock of `starting` as its stdin: a caller that ends at once, or is killed, lets nobody else start one.
    Raises OSError.
    """
    lock = _starting(place)
    if lock < 0:
        return False
    try:
        if is_running(place):
            return False
        threading.Thread(target=_wait_for, args=(_spawned(place, lock),), daemon=True).start()
    finally:
        os.close(lock)
    return True


def _spawned(place: str, lock: int) -> int:
    """Spawn what becomes the daemon, untouched by which signals this process ignores or blocks; return its process."""
    import sys

    log, flags = os.path.join(place, LOG), os.O_WRONLY | os.O_CREAT | os.O_APPEND
    os.close(os.open(log, flags, 0o600))  # posix_spawn says of a file that it cannot open that the program is missing
    actions = [
        (os.POSIX_SPAWN_DUP2, lock, 0),
        (os.POSIX_SPAWN_OPEN, 1, log, flags, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    kept = {name: value for name, value in os.environ.items() if name.startswith(KEPT)}
    words = [sys.executable, "-m", "roost.daemon", "--starting", place]
    return os.posix_spawn(
        sys.executable, words, kept, file_actions=actions, setsid=True, setsigmask=(), setsigdef=(signal.SIGCHLD,)
    )


def _wait_for(pid: int) -> None:
    """See a child end: what was spawned forks and ends at once, so that the daemon is no child of a caller's, which
    would have to wait for it in the end."""
    with contextlib.suppress(ChildProcessError):  # this process ignores its children, or waits for each of them itself
        os.waitpid(pid, 0)


def start_soon(place: str) -> None:
    """Start the daemon for the next caller, where that is wanted; this one goes on with the file."""
    if not is_wanted() or _was_started_just_now(place):
        return
    from roost import config

    if config.load(place).daemon.autostart:
        with contextlib.suppress(OSError):  # whoever needs a daemon starts it with `start`, and hears why it cannot
            spawn(place)


def _was_started_just_now(place: str) -> bool:
    """Say whether somebody tried a moment ago: a daemon that fails at its start is not tried at each call."""
    try:
        return -1.0 < time.time() - os.stat(os.path.join(place, LOG)).st_mtime < START_AGAIN_SECONDS
    except OSError:
        return False
