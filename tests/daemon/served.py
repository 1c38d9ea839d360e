"""A scratch project with a daemon of its own, which surely ends with the test."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from roost import reach
from roost.connect import Project, connect
from roost.daemon.places import Lock, Run, told
from roost.hub import Hub
from roost.interfaces.wire import frames
from roost.interfaces.wire.frames import HELLO, Answer, Frames, Hello, Request
from roost.runtimes.host import LocalHost
from roost.verbs import Sync
from tests.leftovers import stop_daemons

GUARD_SECONDS = 60.0
"""Only that a hung test ends; no promise."""
SETTINGS = """\
[daemon]
http = false
idle_seconds = 600
[limits]
rate_agent = 10000
rate_human = 10000
inbox_messages_max = 1000000
"""


def eventually(is_so: Callable[[], Any], what: str, seconds: float = GUARD_SECONDS) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)


class Served:
    """One project: its folder, its daemon by turns, and processes that use it."""

    def __init__(self, folder: Path, settings: str = SETTINGS) -> None:
        self.folder = folder
        self.path = folder / ".roost"
        self.path.mkdir(mode=0o700)
        self.place = str(self.path)
        self.configure(settings)
        self._projects: list[Project] = []
        self._hubs: list[Hub[Sync]] = []
        self._children: list[subprocess.Popen[str]] = []
        self._ends: list[socket.socket] = []
        self._pids: set[int] = set()

    def configure(self, settings: str) -> None:
        """Write the configuration that the next daemon reads."""
        (self.path / "roost.toml").write_text(settings)

    def start(self) -> Served:
        """Start the daemon, unless one runs."""
        reach.start(self.place)
        self._pids.add(self.pid)
        return self

    @property
    def run(self) -> Run:
        """What the daemon wrote down of itself."""
        found = told(self.place)
        assert found is not None, self.log
        return found

    @property
    def pid(self) -> int:
        return self.run.pid

    @property
    def log(self) -> str:
        """What the daemons of this project wrote down."""
        file = self.path / "daemon.log"
        return file.read_text() if file.exists() else ""

    @property
    def serves(self) -> bool:
        """Whether some daemon has the lock."""
        lock = Lock(self.place)
        is_free = lock.take()
        lock.release()
        return not is_free

    def kill(self, number: int = signal.SIGKILL) -> int:
        """Send the daemon a signal; return its process."""
        pid = self.pid
        self._pids.add(pid)
        os.kill(pid, number)
        return pid

    def crash(self) -> None:
        """Kill the daemon, and wait until it is gone: its lock may be free while its sockets are still being closed."""
        pid = self.kill()
        eventually(lambda: not is_alive(pid), "the killed daemon is gone")

    def stop(self) -> None:
        """Stop the daemon, and wait until its lock is free."""
        self.kill(signal.SIGTERM)
        eventually(lambda: not self.serves, "the daemon stopped")

    def hub(self, name: str) -> Hub[Sync]:
        """Join as an agent with this process, through the daemon, which is started where none runs."""
        made = reach.remote(self.place, as_=name)
        self._hubs.append(made)
        return made

    def project(self) -> Project:
        """Open the file itself."""
        self._projects.append(connect(self.place))
        return self._projects[-1]

    def system(self) -> Hub[Sync]:
        """Return Roost's own hub on the file."""
        return self.project().system()

    def child(self, *words: str, daemon: str = "auto", **environment: str) -> subprocess.Popen[str]:
        """Run a Python program on this project, with pipes for its input and output; it ends with the test."""
        around = {**os.environ, "ROOST_DAEMON": daemon, **environment}
        made = subprocess.Popen(
            [sys.executable, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=around
        )
        self._children.append(made)
        return made

    def raw(self) -> socket.socket:
        """Connect to the native socket without a word."""
        end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._ends.append(end)
        end.settimeout(GUARD_SECONDS)
        end.connect(self.run.socket)
        return end

    def wire(self, name: str = "", *, caller: str = "", resume: str = "") -> Wire:
        """Connect, and say hello as a caller."""
        return Wire(self.raw(), Hello(caller=caller or os.urandom(12).hex(), name=name, resume=resume))

    def end(self) -> None:
        """Stop everything that runs for this project."""
        for hub in self._hubs:
            hub.close()
        for end in self._ends:
            end.close()
        for child in self._children:
            child.kill()
            child.communicate()
        for project in self._projects:
            project.close()
        stop_daemons(self.place)
        for pid in self._pids:
            eventually(lambda pid=pid: not is_alive(pid), f"process {pid} is gone")  # type: ignore[misc]


@contextlib.contextmanager
def serving(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """Make a project in a folder, which is made too, for a process that is nobody yet; nothing of it is left behind."""
    for variable in ("ROOST_SESSION", "ROOST_DIR", "ROOST_AGENT"):
        monkeypatch.delenv(variable, raising=False)
    folder.mkdir(exist_ok=True)
    made = Served(folder)
    try:
        yield made
    finally:
        made.end()


class Wire:
    """A connection of the native protocol by hand: what a caller says, and when it hangs up, is the test's."""

    def __init__(self, end: socket.socket, hello: Hello) -> None:
        self.end = end
        self._frames = Frames(frames.FRAME_BYTES_MAX)
        self._arrived: list[Answer] = []
        self.send(0, HELLO, hello)
        self.welcome = self.answer(0)

    def send(self, id: int, name: str, args: Any, *, done: int = 0) -> None:
        """Send one request."""
        self.end.sendall(frames.frame(Request(id, name, msgspec.Raw(frames.encode(args)), done)))

    def answer(self, id: int) -> Any:
        """Return the body of the next answer to a request; other answers are dropped."""
        status, body = self.said(id)
        assert status == frames.ANSWER, body
        return body

    def said(self, id: int) -> tuple[int, Any]:
        """Return status and body of the next answer to a request."""
        while True:
            while self._arrived:
                answer = self._arrived.pop(0)
                if answer.id == id:
                    return answer.status, msgspec.msgpack.decode(answer.body)
            data = self.end.recv(1 << 18)
            if not data:
                raise EOFError("the daemon hung up")
            self._arrived += frames.read_answers(self._frames, data)

    def close(self) -> None:
        self.end.close()


def is_alive(pid: int) -> bool:
    """Say whether a process runs; one that ended and that nobody waited for does not."""
    return LocalHost().process(pid) is not None
