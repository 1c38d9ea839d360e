"""What the driver's errors mean to a caller, and which SQLite must not write."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import apsw

from roost.errors import (
    QueryTimeout,
    RoostError,
    StoreBusy,
    StoreCorrupt,
    StoreFull,
    StoreIO,
    StoreVersion,
    UnsafeSqlite,
)

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""EFBIG is what a limit on the size of files (RLIMIT_FSIZE) says; it is treated like a full disk."""


@contextmanager
def translated(path: str | None, forget: Callable[[], int]) -> Iterator[None]:
    """Turn the driver's errors into Roost's.

    `forget` closes connections that are not to be trusted any more and returns the operating system's last error
    number.
    """
    try:
        yield
    except RoostError:
        raise
    except apsw.Error as error:
        raise meaning(error, path, forget) from error


def meaning(error: apsw.Error, path: str | None, forget: Callable[[], int]) -> RoostError:
    """Return what a driver's error means; what means nothing to a caller is raised as it is."""
    where = str(path or "the store in memory")
    if isinstance(error, apsw.FullError):
        return _full(where)
    if isinstance(error, (apsw.IOError, apsw.CantOpenError, apsw.ReadOnlyError, apsw.PermissionsError)):
        if forget() in NO_SPACE:
            return _full(where)
        return StoreIO(f"the disk refused {where}: {error}", hint="nothing was half done; try again")
    if isinstance(error, (apsw.CorruptError, apsw.NotADBError)):
        return corrupt(where, str(error))
    if isinstance(error, (apsw.BusyError, apsw.LockedError)):
        return StoreBusy(f"the store {where} is locked: {error}", hint="try again", retry_after=1.0)
    if isinstance(error, apsw.InterruptError):
        return QueryTimeout(f"a read of {where} took too long and was stopped", hint="ask for less at a time")
    if isinstance(error, apsw.SchemaChangeError):
        return StoreVersion(f"{where} changed its schema: {error}", hint="open the project again")
    raise error


def _full(where: str) -> StoreFull:
    return StoreFull(f"the disk is full: {where}", hint="nothing was stored; free some space, reading still works")


def corrupt(where: object, what: str) -> StoreCorrupt:
    """Return the error for a database that is not sound, with the way out."""
    return StoreCorrupt(
        f"{where} is not a sound database: {what}",
        hint="put the newest backup back with `roost restore`; the damaged file is kept aside",
    )


def unsafe(version: str) -> UnsafeSqlite | None:
    """Return the error for an SQLite with the WAL-reset defect, or None.

    Defective are 3.7.0 to 3.51.2 but for two repaired branches, and 3.52.0.
    """
    numbers = tuple(int(part) for part in version.split("."))[:3]
    repaired = numbers >= (3, 51, 3) or (3, 50, 7) <= numbers < (3, 51) or (3, 44, 6) <= numbers < (3, 45)
    if repaired and numbers != (3, 52, 0):
        return None
    return UnsafeSqlite(
        f"SQLite {version} can corrupt a database in WAL mode, so Roost does not write with it",
        hint="install apsw with its own SQLite (`pip install --force-reinstall apsw`)",
    )
