"""Looks at the store: its SQLite, its settings, its file, its log, and its backups."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import apsw

from roost import homes, workdir
from roost.checkup.model import Check, judged
from roost.connect import Project
from roost.runtimes.host import LocalHost
from roost.stores.sqlite import backuplog, faults, schema
from roost.stores.sqlite.readers import readers

WAL_BYTES_MOST = 64 * 1024 * 1024
READER_SECONDS = 0.2
BACKUP_DAYS_MOST = 7
REHEARSAL_DAYS_MOST = 90
DAY_MS = 86_400_000
RESTORE = "put the newest backup back: roost restore FILE"


def sqlite(project: Project) -> Iterator[Check]:
    """Is the linked SQLite one that may write?"""
    linked = apsw.sqlite_lib_version()
    unsafe = faults.unsafe(linked)
    said = unsafe.message if unsafe else f"SQLite {linked}, without the WAL-reset defect"
    yield judged("sqlite", said, well=unsafe is None, otherwise="fail", to_do=unsafe.hint if unsafe else "")


def durability(project: Project) -> Iterator[Check]:
    """Are the settings those that survive the loss of power, read back from a connection?"""
    settings = project.store.connections.pragmas()
    journal, synchronous = settings.get("journal_mode"), settings.get("synchronous")
    yield judged(
        "durability",
        f"journal {journal}, synchronous {synchronous}, as read back",
        well=journal == "wal" and synchronous == 2,
        to_do='what is answered may not survive the loss of power: set synchronous = "FULL"',
    )


def integrity(project: Project) -> Iterator[Check]:
    """Does SQLite's quick check find anything wrong, now?"""
    began = time.monotonic()
    problems = project.store.connections.problems()
    took = f"in {time.monotonic() - began:.1f} s, just now"
    said = problems[0] if problems else f"the quick check finds nothing wrong ({took})"
    yield judged("integrity", said, well=not problems, otherwise="fail", to_do=RESTORE)


def versions(project: Project) -> Iterator[Check]:
    """Does this Roost know all of the store's schema?"""
    connection = project.store.connections.new()
    have, known = schema.version_of(connection), schema.version()
    connection.close()
    with project.store.read() as tx:
        epoch = tx.store_epoch
    yield judged(
        "schema",
        f"schema {have} (this Roost knows {known}), store epoch {epoch}",
        well=have <= known,
        to_do="a newer Roost was here: upgrade this one (pip install -U roost)",
    )


def wal(project: Project) -> Iterator[Check]:
    """Is the write-ahead log short, and does no reader hold it open?"""
    assert project.place is not None
    path = Path(f"{project.place.store}-wal")
    size = path.stat().st_size if path.exists() else 0
    staying = _staying(str(project.place.store))
    said = f"the write-ahead log has {size // 1024:,} KiB; " + (
        f"read for {READER_SECONDS:g} s and longer by {staying}" if staying else "nobody reads for long"
    )
    to_do = f"an old reader keeps it from being copied back: end {staying or 'long-running readers'}"
    yield judged("wal", said, well=size <= WAL_BYTES_MOST, to_do=to_do)


def identity(place: workdir.Workdir) -> Iterator[Check]:
    """Has the store's file one name only? By two names it has two write-ahead logs, which corrupts it."""
    facts = os.lstat(place.store)
    alone = os.path.isfile(place.store) and not os.path.islink(place.store) and facts.st_nlink == 1
    said = f"{place.store} is inode {facts.st_ino} of device {facts.st_dev}"
    yield judged(
        "file",
        said if alone else f"{place.store} is a link, or has {facts.st_nlink} names",
        well=alone,
        otherwise="fail",
        to_do="end everything that uses it, and put one plain file in its place",
    )


def copy(place: workdir.Workdir) -> Iterator[Check]:
    """Is the project a copy of another one?"""
    if origin := homes.copied_from(place.folder):
        said = f"this project is a copy of {origin}, whose sessions ended here; mail and tokens are in both"
        yield Check(name="copy", grade="note", said=said, to_do="roost token list, and revoke what is not for this one")


def backups(place: workdir.Workdir) -> Iterator[Check]:
    """Is there a young backup, and was its restore rehearsed?"""
    noted, now = backuplog.read(place.folder), time.time_ns() // 1_000_000
    if not noted.path:
        young = now - os.stat(place.secret).st_mtime * 1000 < DAY_MS
        yield judged(
            "backup", "there is no backup", well=False, otherwise="note" if young else "warn", to_do="roost backup"
        )
        return
    days = (now - noted.at) // DAY_MS
    there = os.path.exists(noted.path)
    said = f"the last one is {days} days old: {noted.path}" if there else f"the last one is gone: {noted.path}"
    yield judged("backup", said, well=there and days <= BACKUP_DAYS_MOST, to_do="roost backup")
    if there:
        yield _rehearsal(noted, now)


def _rehearsal(noted: backuplog.Noted, now: int) -> Check:
    to_do = f"roost restore {noted.path} --dry-run"
    if noted.problem:
        said = f"putting it back was tried and failed: {noted.problem}"
        return judged("restore", said, well=False, otherwise="fail", to_do="make a new backup, and try that one")
    if not noted.rehearsed_at:
        return judged("restore", "putting it back was never tried", well=False, otherwise="note", to_do=to_do)
    days = (now - noted.rehearsed_at) // DAY_MS
    said = f"putting one back was tried {days} days ago, and worked"
    return judged("restore", said, well=days <= REHEARSAL_DAYS_MOST, to_do=to_do)


def _staying(path: str) -> str:
    """Name the processes that read all through a short while."""
    first = readers(path)
    if not first:
        return ""
    time.sleep(READER_SECONDS)
    host = LocalHost()
    return ", ".join(f"{host.command(pid) or '?'} ({pid})" for pid in readers(path) if pid in first)
