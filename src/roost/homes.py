"""Whether a `.roost` is the one that was made, or a copy of it: each keeps a note of where it is at home.

A copy has everybody's sessions, keys and leases, and their processes live; but they work in the original.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

from roost.reach import SOCKET, mark_of

HOME = "home"
"""The file of that note: the mark of the folder, its path, and of a copy the path of what it was copied from."""
READ_BYTES_MAX = 16_384
OF_DAEMON = (SOCKET, "run.json", "port")
"""What says where a daemon listens: that of the original."""


def is_noted(place: str) -> bool:
    """Say whether a `.roost` is where its note says."""
    mark, path, _ = _read(os.path.join(place, HOME))
    return mark == mark_of(place) and (path == place or _is_there(path, mark))


def copied_from(place: str) -> str:
    """Return what a `.roost` was found to be a copy of; '' for one that is none."""
    return _read(os.path.join(place, HOME))[2]


@contextlib.contextmanager
def noting(place: str) -> Iterator[str]:
    """Note that a `.roost` is at home where it is, after the block; yield the path of what it is a new copy of, or ''.

    It is a copy if another folder is still there by the path and the mark that were noted; else it was moved, or it is
    the same one by another mount, which may have another device. Others who open it wait meanwhile.
    """
    path = os.path.join(place, HOME)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        mark, noted, before = _read(path)
        is_other = mark not in ("", mark_of(place)) and _is_there(noted, mark) and not _is_seen(file, noted)
        origin = noted if is_other else ""
        yield origin
        os.ftruncate(file, 0)
        os.pwrite(file, "\n".join((mark_of(place), place, origin or before, "")).encode("utf-8", "surrogateescape"), 0)
    finally:
        os.close(file)


def forget_daemon(place: str) -> None:
    """Take out of a copy what says where the original's daemon listens."""
    for name in OF_DAEMON:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(place, name))


def _is_seen(file: int, place: str) -> bool:
    """Say whether what is written into one note, at its end, is read in that of `place`: they are one file."""
    written = b"%b\n" % os.urandom(8).hex().encode()
    os.pwrite(file, written, os.fstat(file).st_size)
    os.fsync(file)  # between mounts nothing else brings it across
    try:
        with open(os.path.join(place, HOME), "rb") as other:
            return other.read(READ_BYTES_MAX).endswith(written)
    except OSError:
        return False


def _is_there(path: str, mark: str) -> bool:
    try:
        return mark_of(path) == mark
    except (OSError, ValueError):  # a path with NUL in it
        return False


def _read(path: str) -> tuple[str, str, str]:
    """Return mark, path and origin; '' for what is not noted."""
    try:
        with open(path, "rb") as file:
            lines = file.read(READ_BYTES_MAX).decode("utf-8", "surrogateescape").split("\n")
    except OSError:
        return "", "", ""
    mark, noted, origin, *_ = [*lines, "", "", ""]
    return mark, noted, origin
