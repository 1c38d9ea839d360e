"""Copies of a store: made while others write, looked at, and put in its place under a new epoch."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import apsw
import msgspec

from roost.errors import AlreadyExists, InvalidInput, WrongState
from roost.sessions.model import Session
from roost.stores.sqlite import schema
from roost.stores.sqlite.faults import corrupt, translated
from roost.stores.sqlite.store import SqliteStore

PAGES_AT_ONCE = 256
"""Pages copied between two looks at progress: 1 MB."""
SUFFIXES = ("", "-wal", "-shm")

Progress = Callable[[int, int], None]
"""Is told how many pages are copied, and of how many."""


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """A sound copy of a store: where, its size, and up to which event of which store epoch."""

    path: Path
    bytes: int
    seq: int
    epoch: int
    messages: int


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What was put back, under which new epoch, and where the store that it replaced is kept."""

    copy: Copy
    epoch: int
    kept: Path | None


def backup(store: SqliteStore, to: Path, progress: Progress = lambda done, of: None) -> Copy:
    """Copy a store that is in use: one consistent moment, readable by its owner only, synced before this returns.

    Raises AlreadyExists if there is a file at `to`, InvalidInput for a store in memory, StoreIO, StoreFull.
    """
    if store.path is None:
        raise InvalidInput("a store in memory cannot be backed up", hint="open a project on disk")
    if to.exists():
        raise AlreadyExists(f"there is a file at {to}", hint="name a new one; a backup never replaces anything")
    os.close(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        with translated(store.path, lambda: 0):
            _copy(store, to, progress)
        return inspect(to)
    except BaseException:
        with suppress(FileNotFoundError):
            to.unlink()
        raise


def inspect(path: Path) -> Copy:
    """Look at a copy without changing it. Raises StoreCorrupt if it is no sound store, InvalidInput if missing."""
    if not path.is_file():
        raise InvalidInput(f"there is no backup at {path}", hint="name the file that `roost backup` made")
    try:
        connection = apsw.Connection(f"file:{path}?immutable=1", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
        if connection.pragma("application_id") != schema.APPLICATION_ID:
            raise corrupt(path, "it is no store of Roost's")
        if (found := connection.pragma("quick_check")) != "ok":
            raise corrupt(path, str(found))
        row = connection.execute("SELECT s.epoch, p.seq, p.messages FROM store s, project p").fetchone()
        connection.close()
    except apsw.Error as error:
        raise corrupt(path, str(error)) from error
    if row is None:
        raise corrupt(path, "it has no project")
    return Copy(path=path, bytes=path.stat().st_size, epoch=row[0], seq=row[1], messages=row[2])


def replace(place: Path, copy: Copy, epoch: int) -> Path:
    """Put a copy in the place of a store, whatever lies there; return where that is kept. The caller has the gate."""
    fresh = place.with_name(f".{place.name}.restoring")
    prepare(copy.path, fresh, epoch)
    kept = place.with_name(f"{place.name}.replaced-{time.strftime('%Y%m%d-%H%M%S')}")
    for suffix in SUFFIXES:
        with suppress(FileNotFoundError):
            os.replace(f"{place}{suffix}", f"{kept}{suffix}")
    os.replace(fresh, place)
    _sync_folder(place.parent)
    return kept


def epoch_of(store: SqliteStore, *, force: bool) -> int:
    """Return the epoch of a store that is to be replaced. Raises WrongState while sessions live, unless `force`."""
    with store.read() as tx:
        live = [one for one in tx.all(Session, "sessions.live") if one.process and tx.host.alive(one.process)]
        epoch = tx.store_epoch
    if live and not force:
        who = "a session lives" if len(live) == 1 else f"{len(live)} sessions live"
        raise WrongState(
            f"{who} and would lose what was done since the backup",
            hint="end them first, or say --force",
            sessions=[one.id for one in live],
        )
    return epoch


def _copy(store: SqliteStore, to: Path, progress: Progress) -> None:
    source, target = store.connections.new(), apsw.Connection(str(to))
    try:
        with target.backup("main", source, "main") as copying:
            while not copying.done:
                copying.step(PAGES_AT_ONCE)
                progress(copying.page_count - copying.remaining, copying.page_count)
        target.pragma("journal_mode", "delete")  # one file, with nothing beside it that could be forgotten
    finally:
        target.close()
        source.close()
    file = os.open(to, os.O_RDONLY)
    os.fsync(file)
    os.close(file)


def prepare(copy: Path, fresh: Path, epoch: int) -> None:
    """Make the file that will be the store: a copy in WAL mode, of the newest schema, with the new epoch."""
    for suffix in SUFFIXES:
        with suppress(FileNotFoundError):
            os.unlink(f"{fresh}{suffix}")
    source = apsw.Connection(str(copy), flags=apsw.SQLITE_OPEN_READONLY)
    target = apsw.Connection(str(fresh))
    os.chmod(fresh, 0o600)
    with target.backup("main", source, "main") as copying:
        copying.step(-1)
    source.close()
    schema.upgrade(target)
    target.execute("UPDATE store SET epoch = ?", (epoch,))
    target.execute(
        "UPDATE session SET ended_at = started_at, end_reason = 'an older state was restored' WHERE ended_at IS NULL"
    )
    target.pragma("journal_mode", "delete")
    target.close()
    file = os.open(fresh, os.O_RDONLY)
    os.fsync(file)
    os.close(file)


def _sync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(file)
    os.close(file)
