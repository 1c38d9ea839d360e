"""Brings a database file up to date: numbered migrations, applied once each, in one transaction."""

from __future__ import annotations

import os

import apsw

from roost.errors import StoreVersion

_FOLDER = os.path.join(os.path.dirname(__file__), "migrations")
APPLICATION_ID = 0x526F6F73  # "Roos": tells a Roost store from any other SQLite file


def migrations() -> list[tuple[int, str]]:
    """List the migrations: (number, path), in order."""
    names = sorted(entry for entry in os.listdir(_FOLDER) if entry.endswith(".sql"))
    return [(int(name[:4]), os.path.join(_FOLDER, name)) for name in names]


def version() -> int:
    """The schema this program knows: the number of its last migration."""
    return max(int(entry[:4]) for entry in os.listdir(_FOLDER) if entry.endswith(".sql"))


def version_of(connection: apsw.Connection) -> int:
    """The schema a file has; 0 for a new one."""
    return int(connection.pragma("user_version") or 0)


def upgrade(connection: apsw.Connection) -> None:
    """Apply what is missing. The caller holds the gate."""
    have = version_of(connection)
    connection.execute("BEGIN IMMEDIATE")
    try:
        for number, path in migrations():
            if number > have:
                with open(path, encoding="utf-8") as file:
                    connection.execute(file.read())
        connection.pragma("user_version", version())
        connection.pragma("application_id", APPLICATION_ID)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def refuse_newer(connection: apsw.Connection) -> None:
    """Raise StoreVersion when the file says that a program like this one must not write it."""
    oldest = connection.execute("SELECT oldest_writer FROM store").get
    if oldest is not None and int(oldest) > version():
        raise StoreVersion(
            f"this store needs schema {oldest} or newer to be written, and this Roost knows {version()}",
            hint="upgrade Roost (`pip install -U roost`)",
        )


OLDEST_READER = 1
OLDEST_WRITER = 1
