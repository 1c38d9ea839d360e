"""Retention's mechanism: events leave the store into compressed JSONL files that prove what they hold."""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from roost.errors import InvalidInput, WrongState
from roost.history.model import Line, Problem, Seal
from roost.history.rules import breaks
from roost.history.service import History
from roost.history.whole import CHUNK
from roost.verbs import Sync

FORMAT = 1
LOCK = "lock"


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of an archive: whose events these are, and the hash that the first of them follows."""

    roost: str = "events"
    version: int = FORMAT
    project: str
    first: int
    last: int
    before: str


def archive(history: History[Sync], folder: Path, *, until: int | None = None) -> Seal | None:
    """Move the oldest events, up to number `until`, into a new file of `folder`; return its seal, None if none may go.

    The file is on the disk before the seal is committed, and the seal before anything is deleted; what a crash leaves
    undone is done first. At most 50,000 events go at a time. Raises Forbidden for agents, WrongState while another
    process does the same.
    """
    with locked(folder):
        finish_cuts(history)
        return archive_events(history, folder, until=until)


def archive_events(
    history: History[Sync], folder: Path, *, until: int | None = None, pause: Callable[[], None] = lambda: None
) -> Seal | None:
    """Do what `archive` does, for who holds the lock; `pause` is called between two transactions."""
    first, most = history.sealable()
    last = most if until is None else min(until, most)
    if last < first:
        return None
    for stray in folder.glob(f"events-{first:012}-*.jsonl.gz"):
        stray.unlink()  # of a run that ended before its seal: what begins with the first event here was never sealed
    about = Header(project=history.head().project, first=first, last=last, before=history.sealed_head(first - 1).hex())
    path = folder / f"events-{first:012}-{last:012}.jsonl.gz"
    digest = write(path, about, _event_lines(history, about, pause))
    seal = history.seal(last, archive=path.name, archive_hash=digest, state=history.at(seq=last))
    finish_cuts(history, pause=pause)
    return seal


def finish_cuts(history: History[Sync], *, pause: Callable[[], None] = lambda: None) -> None:
    """Delete what is sealed and still here, in pieces."""
    for seal in history.uncut():
        while history.cut(seal.last):
            pause()


def read(path: Path) -> Iterator[Line]:
    """Yield the events of an archive."""
    with gzip.open(path, "rb") as file:
        file.readline()
        for text in file:
            yield msgspec.json.decode(text, type=Line)


def header(path: Path) -> Header:
    """Return what an archive says of itself."""
    with gzip.open(path, "rb") as file:
        return msgspec.json.decode(file.readline(), type=Header)


def problems(history: History[Sync], folder: Path) -> tuple[Problem, ...]:
    """Compare the archives with what the store keeps of them: each file there, unaltered, whole, and following the
    last.
    """
    seals = tuple(problem for seal in history.seals() for problem in _problems(seal, folder))
    files = [(made.archive, made.archive_hash) for made in history.archives()]
    return seals + tuple(problem for name, digest in files for problem in _file_problems(folder, name, digest))


def _problems(seal: Seal, folder: Path) -> Iterator[Problem]:
    wrong = list(_file_problems(folder, seal.archive, seal.archive_hash, seq=seal.first))
    yield from wrong
    if wrong:
        return
    path = folder / seal.archive
    about = header(path)
    lines = list(read(path))
    yield from breaks(about.project, about.first - 1, bytes.fromhex(about.before), lines)
    if not lines or lines[-1].hash != seal.head:
        yield Problem(seq=seal.last, what=f"the archive {path} does not end as its seal says")


def _file_problems(folder: Path, name: str, digest: str, *, seq: int = 0) -> Iterator[Problem]:
    path = folder / name
    if not path.exists():
        yield Problem(seq=seq, what=f"the archive {path} is missing")
    elif _digest(path) != digest:
        yield Problem(seq=seq, what=f"the archive {path} was altered")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep every other process out of a folder of archives, which is made if it is not there.

    Raises WrongState while another has it, InvalidInput for a store in memory, which has none.
    """
    if folder == Path():
        raise InvalidInput("a store in memory has no archives", hint="open a project on disk")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _sync_folder(folder.parent)  # else power loss takes the folder, and what it held was deleted from the store
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _take(lock)
        os.utime(lock)  # says when somebody last looked what may leave
        for stray in folder.glob("*.part"):
            stray.unlink()
        yield
    finally:
        os.close(lock)


def _take(lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise WrongState("another process fills the archives now", hint="it is done in a while") from None


def write(path: Path, header: msgspec.Struct, lines: Iterable[bytes]) -> str:
    """Write an archive so that it is on the disk under its name, whole, or not at all; return its SHA-256."""
    part = path.with_name(f"{path.name}.part")
    file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(file, "wb") as raw:
        with gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as packed:
            packed.write(msgspec.json.encode(header) + b"\n")
            packed.writelines(line + b"\n" for line in lines)
        raw.flush()
        os.fsync(raw.fileno())
    digest = _digest(part)
    os.replace(part, path)
    _sync_folder(path.parent)
    return digest


def _event_lines(history: History[Sync], about: Header, pause: Callable[[], None]) -> Iterator[bytes]:
    for after in range(about.first - 1, about.last, CHUNK):
        pause()
        for line in history.lines(after, min(CHUNK, about.last - after)):
            yield msgspec.json.encode(line)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
