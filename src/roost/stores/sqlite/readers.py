"""Who reads a database now, by the locks that SQLite holds on the WAL index (SQLite's "WAL-mode File Format")."""

from __future__ import annotations

import os

LOCKS = "/proc/locks"
READ_BYTES = range(123, 128)
"""The bytes of the index that readers lock, each for one state of the database."""


def readers(path: str) -> tuple[int, ...]:
    """Return the processes inside a read transaction on a database, as far as /proc/locks (proc(5)) shows them."""
    try:
        inode = os.stat(f"{path}-shm").st_ino
        with open(LOCKS, encoding="ascii", errors="replace") as file:
            text = file.read()
    except OSError:
        return ()
    return readers_of(inode, text)


def readers_of(inode: int, text: str) -> tuple[int, ...]:
    """Return the same by the inode of the index and the text of /proc/locks."""
    found = set[int]()
    for line in text.splitlines():
        words = line.split()
        if len(words) != 8 or words[1] == "->" or not words[5].endswith(f":{inode}"):
            continue
        first, last = int(words[6]), int(words[7]) if words[7].isdigit() else 1 << 62
        if first <= READ_BYTES[-1] and last >= READ_BYTES[0] and int(words[4]) > 0:
            found.add(int(words[4]))
    return tuple(sorted(found))
