"""Retention's mechanism: events leave the store into compressed JSONL files that prove what they hold."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from roost.history.model import Line, Problem, Seal
from roost.history.rules import breaks
from roost.history.service import History
from roost.history.whole import CHUNK
from roost.verbs import Sync

FORMAT = 1


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

    The file is on the disk before the seal is committed, and the seal before anything is deleted; a crash in between
    costs a file or a second copy. At most 50,000 events go at a time. Raises Forbidden for agents.
    """
    first, most = history.sealable()
    last = most if until is None else min(until, most)
    if last < first:
        return None
    header = Header(project=history.head().project, first=first, last=last, before=history.sealed_head(first - 1).hex())
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"events-{first:012}-{last:012}.jsonl.gz"
    digest = _write(path, header, history)
    state = history.at(seq=last)
    seal = history.seal(last, archive=path.name, archive_hash=digest, state=state)
    history.cut(last)
    return seal


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
    """Compare the archives with the seals that the log keeps: each file there, unaltered, whole, and following the
    last.
    """
    return tuple(problem for seal in history.seals() for problem in _problems(seal, folder))


def _problems(seal: Seal, folder: Path) -> Iterator[Problem]:
    path = folder / seal.archive
    if not path.exists():
        yield Problem(seq=seal.first, what=f"the archive {path} of events {seal.first}-{seal.last} is missing")
    elif hashlib.sha256(path.read_bytes()).hexdigest() != seal.archive_hash:
        yield Problem(seq=seal.first, what=f"the archive {path} was altered")
    else:
        about = header(path)
        lines = list(read(path))
        yield from breaks(about.project, about.first - 1, bytes.fromhex(about.before), lines)
        if not lines or lines[-1].hash != seal.head:
            yield Problem(seq=seal.last, what=f"the archive {path} does not end as its seal says")


def _write(path: Path, about: Header, history: History[Sync]) -> str:
    part = path.with_suffix(f".part-{os.getpid()}")
    file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "wb") as raw:
        with gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as packed:
            packed.write(msgspec.json.encode(about) + b"\n")
            for after in range(about.first - 1, about.last, CHUNK):
                lines = history.lines(after, min(CHUNK, about.last - after))
                packed.writelines(msgspec.json.encode(line) + b"\n" for line in lines)
        raw.flush()
        os.fsync(raw.fileno())
    digest = hashlib.sha256(part.read_bytes()).hexdigest()
    part.replace(path)
    _sync_folder(path.parent)
    return digest


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
