"""Where the parts are joined: a place and a name become a hub."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from roost import config as configuration
from roost import homes, keyfiles, reach, workdir
from roost.hub import Hub
from roost.runtimes.host import LocalHost
from roost.sessions.model import SYSTEM, Me, Session
from roost.sessions.service import identify
from roost.stores.base import Tx
from roost.stores.sqlite.store import SqliteStore
from roost.verbs import Async, InThread, InTx, Local, Service, Sync
from roost.wakeups.base import Silent, Wakeups
from roost.wakeups.local import Bells
from roost.whoami import SHELLS

if TYPE_CHECKING:
    from pathlib import Path

    from roost.briefings.model import GitFacts
    from roost.clock import Clock
    from roost.duties.model import Failing
    from roost.runtimes.worktree import Worktree
    from roost.stores.sqlite.backup import Copy
    from roost.stores.sqlite.moving import Moved

MEMORY = ":memory:"


def connect(
    path: str | os.PathLike[str] | None = None, *, clock: Clock | None = None, gate_seconds: float | None = None
) -> Project:
    """Open the project that serves `path` (default: here), or a new one in memory. Raises NoProject and store errors.

    `gate_seconds` is the longest wait for other writers, where it is not to be the configured one.
    """
    if path == MEMORY:
        return Project(None, SqliteStore(None, host=LocalHost(), clock=clock), Silent())
    found = reach.place_of(path)
    place = workdir.create(found)
    config = configuration.load(found)
    if gate_seconds is not None:
        config = msgspec.structs.replace(config, gate_seconds_max=gate_seconds)
    store = SqliteStore(
        place.at(workdir.STORE),
        host=LocalHost(place.at("beats")),
        clock=clock,
        config=config,
        gate=place.at(workdir.GATE),
        secret=workdir.secret(place),
    )
    project = Project(place, store, Bells(place.at("bells")))
    if not homes.is_noted(found):
        try:
            project.settle()
        except BaseException:
            project.close()
            raise
    return project


class Project:
    """An opened store and its surroundings, from which hubs are made."""

    def __init__(self, place: workdir.Workdir | None, store: SqliteStore, wakeups: Wakeups) -> None:
        self.place = place
        self.store = store
        self.wakeups = wakeups

    def settle(self) -> None:
        """Note where the project is at home. In a copy, where the processes of its sessions do not work, end those."""
        assert self.place is not None
        place = self.place.folder
        with homes.noting(place) as origin:
            if origin:
                homes.forget_daemon(place)
                for session in self._end_sessions(f"the project was copied from {origin}"):
                    keyfiles.drop(self.place.at("sessions"), session)

    def _end_sessions(self, reason: str) -> list[str]:
        from roost.turns.ending import end_session  # nobody else pays for its imports

        with self.store.write() as tx:
            tx.me = SYSTEM
            live = tx.all(Session, "sessions.live")
            for session in live:
                end_session(Service[Sync](InTx(tx)), session, reason)
        return [session.id for session in live]

    def system(self) -> Hub[Sync]:
        """Return a hub as Roost itself: for duties, hooks and joining."""
        return Hub(self._caller(lambda tx: SYSTEM), self.store.close)

    def as_session(self, session: str) -> Hub[Sync]:
        """Return a hub as a session that was proved to be the caller's."""
        return Hub(self.caller_of(session), self.store.close)

    def caller_of(self, session: str) -> Local:
        """Return what carries a session's calls."""
        return self._caller(lambda tx: identify(tx, session))

    def caller(self) -> Hub[Sync]:
        """Return a hub as whoever is calling, told from this process's surroundings. Raises WhoAreYou."""
        from roost.calling import session_of_caller

        return self.as_session(session_of_caller(self))

    def joined(self, name: str, *, takeover: bool = False) -> Hub[Sync]:
        """Join as `name` with this process and return the hub of that session. Raises AgentAlive, InvalidName."""
        process = LocalHost().process(os.getpid())
        session = self.system().turns.join(name, process=process, takeover=takeover)
        return self.as_session(session.id)

    def backup(self, to: Path, progress: Callable[[int, int], None] = lambda done, of: None) -> Copy:
        """Copy the store while it is in use; see `stores.sqlite.backup`."""
        from roost.stores.sqlite import backuplog
        from roost.stores.sqlite.backup import backup

        copy = backup(self.store, to, progress)
        if self.place is not None:
            backuplog.note_backup(self.place.folder, os.path.abspath(to), seq=copy.seq, epoch=copy.epoch)
        return copy

    def export(self, to: Path, progress: Callable[[int, int], None] = lambda done, of: None) -> Moved:
        """Write the whole project as JSON lines; see `stores.sqlite.moving`."""
        from roost.stores.sqlite.moving import export

        return export(self.store, to, progress)

    def import_(self, source: Path, progress: Callable[[int, int], None] = lambda done, of: None) -> Moved:
        """Fill this project, which must hold no messages, from an export."""
        from roost.stores.sqlite.moving import import_

        return import_(self.store, source, progress)

    def close(self) -> None:
        """Close the store, and with it every hub made from this project."""
        self.store.close()

    def _caller(self, who: Callable[[Tx], Me]) -> Local:
        return Local(self.store, self.wakeups, who, duties=do_what_is_due)


def do_what_is_due(tx: Tx, tell: Callable[[Failing, Exception], None] = lambda failing, error: None) -> None:
    """Do the duties whose time has come, as part of a write transaction, and `tell` of one that failed.

    None of them refuses the transaction, but for what leaves nothing of it, like a full disk.
    """
    if tx.config.features.in_transaction_duties and _is_anything_due(tx):
        from roost.duties.service import Duties  # a command with nothing to do does not pay for its imports

        Duties[Sync](InTx(tx)).do(tell)


def _is_anything_due(tx: Tx) -> bool:
    from roost.duties.due import is_anything_due

    try:
        return is_anything_due(tx)
    except Exception as error:
        if tx.is_lost(error):
            raise
        return True  # then each duty looks for itself, and the one that cannot is noted


def open(path: str | os.PathLike[str] | None = None, *, as_: str = "", takeover: bool = False) -> Hub[Sync]:
    """Open a project as someone and return its hub.

    `path` is a folder in the project (default: the current one), whose daemon is taken if it runs and whose file if
    not; the address of a daemon (`roost+unix://`, `roost+tls://`); or `:memory:`. `as_` names the agent that this
    process is; without it the caller is told from its surroundings, as for the CLI. Raises NoProject, WhoAreYou,
    AgentAlive, InvalidName, StoreVersion.
    """
    if reach.is_url(path):
        return reach.at(os.fspath(path or ""), as_=as_, takeover=takeover)
    if path != MEMORY and (hub := reach.hub(reach.place_of(path), as_=as_, takeover=takeover)):
        return hub
    project = connect(path)
    return project.joined(as_, takeover=takeover) if as_ else project.caller()


async def aopen(path: str | os.PathLike[str] | None = None, *, as_: str = "", takeover: bool = False) -> Hub[Async]:
    """Open a project as `open` does; each verb of the hub is awaitable."""
    import asyncio

    if reach.is_url(path):
        return await reach.aat(os.fspath(path or ""), as_=as_, takeover=takeover)
    if path != MEMORY and reach.is_wanted() and reach.is_running(place := reach.place_of(path)):
        return await reach.aremote(place, as_=as_, takeover=takeover)
    hub = await asyncio.to_thread(open, path, as_=as_, takeover=takeover)
    return Hub(InThread(hub._caller), hub.close)


def bells_of(place: str) -> Bells:
    """Return the bells in a `.roost` folder; opening its store is not needed to ring one or take it down."""
    return Bells(f"{place}/bells")


def worktree_of(folder: str) -> Worktree:
    """Return the checkout around a folder."""
    from roost.runtimes import worktree

    return worktree.worktree_of(folder)


def head_of(top: str) -> str:
    """Return the commit that a checkout stands at."""
    from roost.runtimes import worktree

    return worktree.head_of(top)


def client_above(pid: int) -> int:
    """Return the nearest process from `pid` upwards that is no shell: what started a hook through one."""
    host = LocalHost()
    return next((one.pid for one in host.parents(pid) if host.command(one.pid) not in SHELLS), pid)


def git_facts(folder: str) -> GitFacts:
    """Return what a briefing shows of the repository around a folder."""
    from roost.runtimes import git

    return git.facts(folder)
