"""Where a daemon lives: its lock, its sockets, and the files that say where they are."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import stat
import tempfile
import time
from typing import Any

import msgspec

from roost.errors import StoreReplaced, TimedOut, UnsafeFolder
from roost.reach import SOCKET, mark_of
from roost.runtimes.host import LocalHost

LOCK, RUN, PORT = "daemon.lock", "run.json", "port"
NATIVE, HTTP = "native.sock", "http.sock"
PATH_BYTES_MAX = 107
"""sun_path holds 108 bytes with its end (unix(7))."""
STOP_POLL_SECONDS = 0.02


class Lock:
    """The daemon's lease on its project: a lock that ends with the process, however it ends."""

    def __init__(self, place: str) -> None:
        self._path = os.path.join(place, LOCK)
        self._file = -1

    def take(self) -> bool:
        """Take the lock, or say that another daemon has it."""
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            self._file = -1
            return False
        return True

    def release(self) -> None:
        """Let another daemon run."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class Ground:
    """The `.roost` that a daemon began on: moved, removed or replaced, it is not there any more."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._mark = mark_of(place)

    def is_lost_by(self, error: BaseException) -> bool:
        """Say whether a call failed because the project is not where it was."""
        return isinstance(error, StoreReplaced) or self._is_gone()

    def _is_gone(self) -> bool:
        try:
            return mark_of(self._place) != self._mark
        except OSError:
            return True


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What `run.json` says of a daemon that runs: its process, and where it listens ('' and 0: not there).

    `trouble` says what the configuration wants and the daemon cannot: a door to the network, or traces.
    """

    pid: int
    version: str
    since: float
    socket: str
    http_socket: str = ""
    host: str = ""
    port: int = 0
    tls_port: int = 0
    is_tls: bool = False
    trouble: str = ""

    @property
    def url(self) -> str:
        """Where HTTP is served; '' where it is not."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.is_tls else 'http'}://{host}:{self.port}" if self.port else ""


def sockets(place: str) -> str:
    """Return the folder for a project's sockets, made for this user alone. Raises UnsafeFolder."""
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    if base and os.path.isabs(base) and os.path.isdir(base):
        root = os.path.join(base, "roost")
    else:
        root = os.path.join(tempfile.gettempdir(), f"roost-{os.geteuid()}")
    folder = os.path.join(root, mark_of(place))
    if len(os.path.join(folder, NATIVE).encode()) > PATH_BYTES_MAX:
        raise UnsafeFolder(f"{folder} is too long for a socket", hint="set XDG_RUNTIME_DIR to a shorter folder")
    for made in (root, folder):
        with contextlib.suppress(FileExistsError):
            os.mkdir(made, 0o700)
        _refuse_foreign(made)
    return folder


def tell(place: str, run: Run) -> None:
    """Write down where the daemon listens; `.roost/socket` comes last, and says that it answers."""
    if run.port:
        process = LocalHost().process(run.pid)
        _tell_port(place, run.port, *((process.pid, process.started) if process is not None else ()))
    _write(os.path.join(place, RUN), msgspec.json.encode(run))
    _write(os.path.join(place, SOCKET), run.socket.encode() + b"\n")


def untell(place: str) -> None:
    """Take away what says where the daemon listens; its port is kept for the next one."""
    for name in (SOCKET, RUN):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(place, name))
    if port := kept_port(place):
        _tell_port(place, port)


def now(place: str) -> str:
    """Return where the `.roost` is to which this process, a daemon that works in the project's folder, was started."""
    with contextlib.suppress(FileNotFoundError):  # the folder was removed
        return os.path.join(os.getcwd(), os.path.basename(place))
    return place


def kept_port(place: str) -> int:
    """Return the port at which a daemon of this project served last, or 0: what clients were told of it stays true."""
    try:
        with open(os.path.join(place, PORT), encoding="ascii") as file:
            port = int(file.readline().split()[0])
    except (OSError, ValueError, IndexError):
        return 0
    return port if 0 < port < 65_536 else 0


def told(place: str) -> Run | None:
    """Return what a daemon wrote down, whether or not it still runs; None where nothing is."""
    try:
        with open(os.path.join(place, RUN), "rb") as file:
            return msgspec.json.decode(file.read(), type=Run)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def stop(place: str, *, seconds: float) -> int:
    """Stop the daemon of a place, wait until it wrote its last word, and return its process; 0 where none runs.

    Raises TimedOut after so long.
    """
    lock, told_to, deadline = Lock(place), 0, time.monotonic() + seconds
    while not lock.take():
        run = told(place)
        if run is not None and told_to not in (0, run.pid):
            break  # whoever still calls has started the next one
        if run is not None and not told_to:
            told_to = run.pid
            with contextlib.suppress(ProcessLookupError):
                os.kill(told_to, signal.SIGTERM)
        if time.monotonic() > deadline:
            kill = f"; `kill -9 {told_to}` ends it, and loses nothing that was answered" if told_to else ""
            raise TimedOut(f"the daemon did not stop within {seconds:g} s", hint=f"see `roost logs`{kill}")
        time.sleep(STOP_POLL_SECONDS)
    lock.release()
    return told_to


def facts(run: Run) -> dict[str, Any]:
    """Return what a person is told of a daemon."""
    return {**msgspec.structs.asdict(run), "age_seconds": round(time.time() - run.since)}


def _tell_port(place: str, *numbers: int) -> None:
    """Write the port and, while it is served, the process and its start: the launcher reads them (see 018)."""
    _write(os.path.join(place, PORT), " ".join(map(str, numbers)).encode() + b"\n")


def _refuse_foreign(folder: str) -> None:
    facts = os.lstat(folder)
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o077:
        raise UnsafeFolder(
            f"{folder} is not a folder of this user alone", hint="remove it, or set XDG_RUNTIME_DIR", path=folder
        )


def _write(path: str, data: bytes) -> None:
    fresh = f"{path}.{os.getpid()}"
    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.write(file, data)
        os.replace(fresh, path)
    except OSError:
        os.unlink(fresh)
        raise
    finally:
        os.close(file)
