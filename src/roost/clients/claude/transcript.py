"""Reading Claude Code's transcript file: a bounded window from a remembered offset."""

from __future__ import annotations

import os
import stat

import msgspec

READ_BYTES_MAX = 16 * 1024 * 1024
"""The most that one look reads; a transcript grows by far less between two hooks."""


class Window(msgspec.Struct, frozen=True):
    """Bytes of a transcript and the offset of the first; `skipped` says that some before them were left out."""

    data: bytes
    start: int
    skipped: bool = False


def read(path: str, offset: int) -> Window:
    """Read from `offset` to the end, at most READ_BYTES_MAX; a file that is shorter or another one is read from 0.

    Raises OSError for a file that cannot be read or is none.
    """
    # Not blocking: a path may name a pipe, and nobody would ever write to it.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise OSError(f"{path} is not a regular file")
        start = offset if _continues(handle, offset, facts.st_size) else 0
        skip = max(facts.st_size - start - READ_BYTES_MAX, 0)
        data = os.pread(handle, READ_BYTES_MAX, start + skip)
    finally:
        os.close(handle)
    if not skip:
        return Window(data, start)
    first = data.find(b"\n") + 1
    return Window(data[first:], start + skip + first, skipped=True)


def _continues(handle: int, offset: int, size: int) -> bool:
    """Tell whether the remembered offset still is the beginning of a line of this file."""
    return offset == 0 or (offset <= size and os.pread(handle, 1, offset - 1) == b"\n")
