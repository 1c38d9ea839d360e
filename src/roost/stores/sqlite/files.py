"""The files of a store: made for their owner only, on a disk whose locks work, and still the ones we opened."""

from __future__ import annotations

import os

from roost.errors import StoreReplaced, UnsafeFolder

NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "drvfs", "davfs", "vboxsf", "fuse.sshfs", "fuse.s3fs"}
)
"""File systems on which locks or shared memory do not hold between machines, so that WAL mode can corrupt a
database.
"""
MOUNTS = "/proc/self/mountinfo"

Identity = tuple[int, int]


class Files:
    """A database, its WAL and its WAL index, as they were when the first connection opened them."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._paths = (path, f"{path}-wal", f"{path}-shm")
        self._seen: list[Identity] = []

    def remember(self) -> None:
        """Learn which files a new connection opened. Raises StoreReplaced if the database is another one than
        before.
        """
        found = [self._identity(path) for path in self._paths]
        if self._seen and found[0] != self._seen[0]:
            raise _replaced(self._paths[0])
        self._seen = found

    def check(self) -> None:
        """Raise StoreReplaced if one of them was deleted or replaced: nobody would ever see what is written."""
        for path, seen in zip(self._paths, self._seen, strict=True):
            if self._identity(path) != seen:
                raise _replaced(path)

    def _identity(self, path: str) -> Identity:
        try:
            found = os.stat(path)
        except FileNotFoundError:
            hint = "the project was moved or removed: open it where it is now, and look what is stored there"
            raise StoreReplaced(f"the store's file {path} is gone", hint=hint) from None
        return found.st_dev, found.st_ino


def create(path: str) -> None:
    """Make the database file, readable by its owner only; an existing one is kept. Raises UnsafeFolder."""
    if os.path.exists(path):
        return
    folder = os.path.dirname(path)
    kind = filesystem(folder, mounts())
    if kind in NETWORK:
        raise UnsafeFolder(
            f"{folder} lies on {kind}, where SQLite's locks do not hold",
            hint="set ROOST_DIR to a folder on a disk of this machine",
            path=folder,
        )
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))


def mounts() -> str:
    """Return the text of /proc/self/mountinfo, '' where there is none."""
    try:
        with open(MOUNTS, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def filesystem(folder: str, mounts: str) -> str:
    """Return the type of the file system that holds a folder, by the text of /proc/self/mountinfo (proc(5)); '' if
    unknown.
    """
    real = os.path.realpath(folder)
    best, kind = "", ""
    for line in mounts.splitlines():
        mount, _, source = line.partition(" - ")
        point = mount.split(" ")[4].replace("\\040", " ")
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, source.split(" ")[0]
    return kind


def in_wal_mode(path: str) -> bool:
    """Say whether a database is in WAL mode already, by the two version bytes of its header (SQLite file format,
    1.3.3).
    """
    with open(path, "rb") as file:
        file.seek(18)
        return file.read(2) == b"\x02\x02"


def _replaced(path: str) -> StoreReplaced:
    hint = "what was written meanwhile may be lost; open the project again"
    return StoreReplaced(f"the store's file {path} is another file now", hint=hint)
