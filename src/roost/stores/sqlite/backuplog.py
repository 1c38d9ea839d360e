"""What is remembered of backups beside the store, so that it is there when the store is not."""

from __future__ import annotations

import os
import time

import msgspec

NAME = "backups.json"


class Noted(msgspec.Struct, frozen=True, kw_only=True):
    """The last backup, the last rehearsal of a restore and what was wrong with it, and the newest store epoch.

    Times are in milliseconds since 1970, 0 for never; `path` is '' before the first backup.
    """

    path: str = ""
    at: int = 0
    seq: int = 0
    rehearsed: str = ""
    rehearsed_at: int = 0
    problem: str = ""
    epoch: int = 0


def read(folder: str) -> Noted:
    """Return what is noted in a `.roost`; nothing where the file is missing or is none of ours."""
    try:
        with open(os.path.join(folder, NAME), "rb") as file:
            return msgspec.json.decode(file.read(), type=Noted)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return Noted()


def note_backup(folder: str, path: str, *, seq: int, epoch: int) -> None:
    """Remember a backup that was just made."""
    noted = read(folder)
    made = msgspec.structs.replace(noted, path=path, at=_now(), seq=seq, epoch=max(epoch, noted.epoch), problem="")
    _write(folder, made)


def note_rehearsal(folder: str, path: str, *, problem: str) -> None:
    """Remember that putting a backup back was tried, and what was wrong ('' for nothing)."""
    _write(folder, msgspec.structs.replace(read(folder), rehearsed=path, rehearsed_at=_now(), problem=problem))


def note_epoch(folder: str, epoch: int) -> None:
    """Remember the epoch of a store that was put back."""
    _write(folder, msgspec.structs.replace(read(folder), epoch=epoch))


def _now() -> int:
    return time.time_ns() // 1_000_000


def _write(folder: str, noted: Noted) -> None:
    path = os.path.join(folder, NAME)
    fresh = f"{path}.{os.getpid()}"
    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(file, "wb") as raw:
        raw.write(msgspec.json.encode(noted))
        raw.flush()
        os.fsync(raw.fileno())
    os.replace(fresh, path)
