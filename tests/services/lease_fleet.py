"""Several agents on one real store, with a clock and processes that a test moves."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

from roost.clock import ManualClock
from roost.connect import Project
from roost.hub import Hub
from roost.leases.service import Leases
from roost.sessions.model import Beat, Process
from roost.sessions.service import identify
from roost.stores.sqlite.store import SqliteStore
from roost.verbs import InTx, Sync
from roost.wakeups.base import Silent

T = TypeVar("T")


class FakeHost:
    """A host whose processes live until a test kills them."""

    def __init__(self) -> None:
        self.dead: set[int] = set()

    def alive(self, process: Process) -> bool | None:
        return None if process.host == "elsewhere" else process.pid not in self.dead

    def process(self, pid: int) -> Process | None:
        return Process(host="here", boot_id="boot-1", pid=pid, started=1)

    def beat(self, bell: str) -> Beat | None:
        return None


Open = Callable[[], Project]


@contextmanager
def opened(open_project: Open) -> Iterator[Project]:
    """Open a project by its file."""
    project = open_project()
    yield project
    project.close()


class Fleet:
    """One project; `fleet.builder` and so on are hubs of agents that joined it. `reach` opens the way to it."""

    def __init__(self, folder: Path | None, reach: Callable[[Open], AbstractContextManager[Project]] = opened) -> None:
        self.clock = ManualClock()
        self.host = FakeHost()
        self._folder = folder
        self._way = ExitStack()
        self.project = self._way.enter_context(reach(self.open))
        self.store = self.project.store
        self._hubs: dict[str, Hub[Sync]] = {}
        self._pids: dict[str, int] = {}
        self._fresh_pids = itertools.count(1000)
        self.sessions: dict[str, str] = {}
        self.bells: dict[str, str] = {}

    def open(self) -> Project:
        """Open the project once more."""
        path = self._folder / "store.db" if self._folder else None
        gate = self._folder / "gate" if self._folder else None
        return Project(None, SqliteStore(path, host=self.host, clock=self.clock, gate=gate), Silent())

    def close(self) -> None:
        self._way.close()

    def join(self, name: str, *, host: str = "here", worktree: str = "", kind: str = "agent") -> Hub[Sync]:
        """Begin a session of an agent, in a process of its own."""
        self._pids[name] = next(self._fresh_pids)
        process = Process(host=host, boot_id="boot-1", pid=self._pids[name], started=1)
        session = self.project.system().turns.join(
            name,
            kind=kind,  # type: ignore[arg-type]
            process=process,
            worktree=worktree,
            takeover=True,
        )
        self.sessions[name] = session.id
        self.bells[name] = session.bell
        self._hubs[name] = self.project.as_session(session.id)
        return self._hubs[name]

    def __getattr__(self, name: str) -> Hub[Sync]:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._hubs.get(name) or self.join(name)

    def kill(self, name: str) -> None:
        """Let the process of an agent's session die without a word."""
        self.host.dead.add(self._pids[name])

    def roost(self, call: Callable[[Leases[Sync]], T]) -> T:
        """Call what only Roost itself may, in one write transaction."""
        with self.store.write() as tx:
            return call(Leases[Sync](InTx(tx)))

    def log(self, *kinds: str) -> list[tuple[str, str]]:
        """Return the log's lease events: (kind without `lease.`, object)."""
        with self.store.read() as tx:
            rows = tx._connection.execute("SELECT kind, object FROM event ORDER BY seq").fetchall()
        events = [(str(kind).partition(".")[2], str(thing)) for kind, thing in rows if str(kind).startswith("lease.")]
        return [event for event in events if not kinds or event[0] in kinds]

    def rung(self, call: Callable[[Leases[Sync]], object], *, as_: str) -> list[str]:
        """Call a verb as an agent and return the names of those whose bells it rings."""
        with self.store.write() as tx:
            tx.me = identify(tx, self.sessions[as_])
            call(Leases[Sync](InTx(tx)))
            bells = {self.bells[name]: name for name in self.bells}
            return [bells[bell] for bell in tx.rung]
