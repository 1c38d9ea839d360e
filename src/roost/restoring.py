"""Putting a backup in the place of a store, also of one that cannot be opened any more; and trying that out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from roost import config, workdir
from roost.calling import caller_without_store, session_of_caller
from roost.connect import Project, connect
from roost.daemon.places import Lock
from roost.errors import Conflict, Forbidden, RoostError, StoreCorrupt, StoreIO, StoreVersion, WhoAreYou
from roost.runtimes.host import LocalHost
from roost.stores.sqlite import backup, backuplog
from roost.stores.sqlite.backup import Copy, Restored
from roost.stores.sqlite.gate import Gate
from roost.stores.sqlite.store import SqliteStore
from roost.wakeups.base import Silent
from roost.whoami import IsNobody, IsPerson

UNREADABLE = (StoreCorrupt, StoreIO, StoreVersion)
EPOCHS_LEFT_OUT = 100
"""Where the store cannot say its epoch, it may have been restored or moved before without a note of it."""


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True):
    """A backup that was put into a scratch folder, opened and verified: what it holds, and the problem if there is
    one.
    """

    copy: Copy
    problem: str = ""


def refuse_agents(place: workdir.Workdir) -> None:
    """Raise Forbidden unless the project's person calls; WhoAreYou where that cannot be told."""
    try:
        project = connect(place.folder)
    except UNREADABLE:
        _refuse_strangers()
        return
    try:
        me = project.as_session(session_of_caller(project)).sessions.me()
    finally:
        project.close()
    if me.kind != "human":
        raise Forbidden(f"{me.name} is no person, and only the project's person puts a backup back", hint="ask them")


def look(copy: Path) -> Copy:
    """Say what a backup holds. Raises StoreCorrupt for one that is not sound, InvalidInput where there is none."""
    return backup.inspect(copy)


def restore(place: workdir.Workdir, copy: Path, *, force: bool = False) -> Restored:
    """Put a copy in the place of the store, under an epoch that makes cursors and tokens from before void.

    The replaced store is kept beside it, also a damaged one. Processes that have it open find out at their next call
    (StoreReplaced). Raises Conflict while a daemon runs, WrongState while sessions live (unless `force`), StoreCorrupt
    for a copy that is not sound, InvalidInput for none.
    """
    found = look(copy)
    with _without_daemon(place):
        epoch = max(found.epoch, backuplog.read(place.folder).epoch, _epoch(place, force=force)) + 1
        gate = Gate(place.at(workdir.GATE), config.Config().gate_seconds_max)
        gate.enter()
        try:
            kept = backup.replace(place.store, found, epoch)
        finally:
            gate.leave()
            gate.close()
        backuplog.note_epoch(place.folder, epoch)
    return Restored(copy=found, epoch=epoch, kept=kept)


def rehearse(place: workdir.Workdir, copy: Path) -> Rehearsal:
    """Try a restore in a scratch folder: put the copy there, open it, and verify its whole log. It is noted for doctor.

    Raises InvalidInput where there is no such file, StoreCorrupt for one that is not sound.
    """
    path = os.path.abspath(copy)
    try:
        found = look(copy)
        problem = _tried(place, found)
    except StoreCorrupt as error:
        backuplog.note_rehearsal(place.folder, path, problem=error.message)
        raise
    backuplog.note_rehearsal(place.folder, path, problem=problem)
    return Rehearsal(copy=found, problem=problem)


def _tried(place: workdir.Workdir, found: Copy) -> str:
    with TemporaryDirectory(prefix=".rehearsal-", dir=place.folder) as folder:
        scratch = Path(folder) / workdir.STORE
        backup.prepare(found.path, scratch, found.epoch + 1)
        store = SqliteStore(scratch, host=LocalHost(), secret=workdir.secret(place))
        project = Project(None, store, Silent())
        try:
            verdict = project.system().history.verify()
        finally:
            project.close()
    return verdict.problems[0].what if verdict.problems else ""


def _refuse_strangers() -> None:
    caller = caller_without_store()
    if isinstance(caller, IsNobody):
        raise WhoAreYou(caller.why, hint=caller.hint)
    if not isinstance(caller, IsPerson):
        raise Forbidden("only the project's person puts a backup back", hint="ask them")


@contextmanager
def _without_daemon(place: workdir.Workdir) -> Iterator[None]:
    lock = Lock(place.folder)
    if not lock.take():
        raise Conflict("a daemon runs for this project", hint="stop it first: `roost down`")
    try:
        yield
    finally:
        lock.release()


def _epoch(place: workdir.Workdir, *, force: bool) -> int:
    """Return the epoch of the store that is to be replaced, or a number that it cannot have reached."""
    try:
        project = connect(place.folder)
    except UNREADABLE:
        return EPOCHS_LEFT_OUT + backuplog.read(place.folder).epoch
    try:
        return backup.epoch_of(project.store, force=force)
    except RoostError as error:
        if isinstance(error, UNREADABLE):
            return EPOCHS_LEFT_OUT + backuplog.read(place.folder).epoch
        raise
    finally:
        project.close()
