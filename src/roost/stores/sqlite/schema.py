"""Brings a database file up to date: numbered migrations, applied once each, in one transaction."""

from __future__ import annotations

import os
from functools import lru_cache

import apsw

from roost.errors import StoreCorrupt, StoreVersion

_FOLDER = os.path.join(os.path.dirname(__file__), "migrations")
APPLICATION_ID = 0x526F6F73  # "Roos": tells a Roost store from any other SQLite file


def migrations() -> list[tuple[int, str]]:
    """List the migrations: (number, path), in order."""
    names = sorted(entry for entry in os.listdir(_FOLDER) if entry.endswith(".sql"))
    return [(int(name[:4]), os.path.join(_FOLDER, name)) for name in names]


@lru_cache(maxsize=1)
def version() -> int:
    """The schema this program knows: the number of its last migration."""
    return max(int(entry[:4]) for entry in os.listdir(_FOLDER) if entry.endswith(".sql"))


def version_of(connection: apsw.Connection) -> int:
    """The schema a file has; 0 for a new one."""
    return int(connection.pragma("user_version") or 0)


def is_old(connection: apsw.Connection) -> bool:
    """Say whether a file lacks migrations."""
    return version_of(connection) < version()


def upgrade(connection: apsw.Connection, to: int | None = None) -> None:
    """Apply what is missing, up to number `to` (default: all), in one transaction. The caller holds the gate."""
    have, last = version_of(connection), to or version()
    if have >= last:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for number, path in migrations():
            if have < number <= last:
                with open(path, encoding="utf-8") as file:
                    connection.execute(file.read())
        connection.execute("UPDATE store SET oldest_reader = ?, oldest_writer = ?", (OLDEST_READER, OLDEST_WRITER))
        connection.pragma("user_version", last)
        connection.pragma("application_id", APPLICATION_ID)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def refuse_foreign(path: str) -> None:
    """Raise StoreCorrupt for a database of some other program, before anything in it is changed."""
    connection = apsw.Connection(path)
    try:
        tables = connection.execute("SELECT count(*) FROM sqlite_schema").get
        if tables and connection.pragma("application_id") != APPLICATION_ID:
            raise StoreCorrupt(
                f"{path} is a database of another program", hint="move it away, or set ROOST_DIR to another folder"
            )
    finally:
        connection.close()


def refuse_reading(connection: apsw.Connection) -> None:
    """Raise StoreVersion when the file says that a program like this one cannot read it."""
    oldest = connection.execute("SELECT oldest_reader FROM store").get
    if oldest is not None and int(oldest) > version():
        raise _too_old(int(oldest), "read")


def refuse_writing(oldest_writer: int) -> None:
    """Raise StoreVersion when the file says that a program like this one must not write it."""
    if oldest_writer > version():
        raise _too_old(oldest_writer, "written")


def _too_old(oldest: int, done: str) -> StoreVersion:
    return StoreVersion(
        f"this store can be {done} by schema {oldest} or newer, and this Roost knows {version()}",
        hint="upgrade Roost (`pip install -U roost`)",
    )


OLDEST_READER = 4
OLDEST_WRITER = 4
