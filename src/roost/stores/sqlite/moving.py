"""A whole project as JSON lines: out of one store and into an empty one, with the log's chain unbroken.

The first line says what it is; each other line is one row of one table. The project's secret stays behind: without a
copy of `.roost/secret` the signatures of what was moved cannot be checked.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import apsw
import msgspec

from roost.errors import AlreadyExists, InvalidInput, StoreVersion, WrongState
from roost.stores.sqlite import schema
from roost.stores.sqlite.store import SqliteStore
from roost.stores.sqlite.tx import SqliteTx

FORMAT = 1
LINE_BYTES_MAX = 4 * 1024 * 1024
TABLES = tuple(
    "project agent alias session endpoint message delivery receipt dependency quota mailbox reaction channel member"  # noqa: SIM905
    " operation operation_target lease lease_wait checkpoint looked event seal archived leaving".split()
)
"""Everything but the store's own row, the search index, which is made anew, and what turns remember."""

Progress = Callable[[int, int], None]


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of an export."""

    roost_export: int
    schema: int
    project: str
    epoch: int
    seq: int
    messages: int
    rows: int


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """What an export or import holds."""

    path: Path
    rows: int
    seq: int
    messages: int


def export(store: SqliteStore, to: Path, progress: Progress = lambda done, of: None) -> Moved:
    """Write a project as JSON lines, as of one moment, readable by its owner only. Raises AlreadyExists, StoreIO."""
    if to.exists():
        raise AlreadyExists(f"there is a file at {to}", hint="name a new one; an export never replaces anything")
    part = to.with_name(f".{to.name}.part")
    connection = store.connections.new()
    try:
        connection.execute("BEGIN")  # one moment, however long it takes
        header = _header(connection)
        with open(part, "wb", opener=_private) as file:
            file.write(msgspec.json.encode(header) + b"\n")
            for done, line in enumerate(_rows(connection), 1):
                file.write(line + b"\n")
                if done % 1_000 == 0:
                    progress(done, header.rows)
            file.flush()
            os.fsync(file.fileno())
    finally:
        connection.close()
    os.replace(part, to)
    return Moved(path=to, rows=header.rows, seq=header.seq, messages=header.messages)


def import_(store: SqliteStore, source: Path, progress: Progress = lambda done, of: None) -> Moved:
    """Fill a project that has no messages yet from an export, all of it or nothing, under a new store epoch.

    Sessions of the export are over; its agents, mail, leases' tokens and log go on. Raises InvalidInput for a file
    that is no whole export, StoreVersion for one of another schema, WrongState for a project that holds messages.
    """
    with open(source, "rb") as file:
        header = _read_header(file.readline(LINE_BYTES_MAX), source)
        with store.write() as tx:
            if tx.value("messages.last_number"):
                raise WrongState("this project holds messages already", hint="import into a new one: `roost init`")
            _clear(tx)
            count = _fill(tx, _lines(file), header, progress)
            if count != header.rows:
                raise InvalidInput(f"{source} ends after {count} of {header.rows} rows", hint="export it again")
            tx.raw("UPDATE store SET epoch = ?", (max(header.epoch, tx.store_epoch) + 1,))
    return Moved(path=source, rows=count, seq=header.seq, messages=header.messages)


def _header(connection: apsw.Connection) -> Header:
    row = connection.execute("SELECT p.id, p.seq, p.messages, s.epoch FROM project p, store s").fetchone()
    assert row is not None
    count = sum(int(connection.execute(f"SELECT count(*) FROM {table}").get) for table in TABLES)  # noqa: S608
    return Header(
        roost_export=FORMAT,
        schema=schema.version(),
        project=row[0],
        epoch=row[3],
        seq=row[1],
        messages=row[2],
        rows=count,
    )


def _rows(connection: apsw.Connection) -> Iterator[bytes]:
    for table in TABLES:
        for row in connection.execute(f"SELECT * FROM {table}"):  # noqa: S608
            yield msgspec.json.encode([table, [_plain(value) for value in row]])


def _plain(value: Any) -> Any:
    return {"hex": value.hex()} if isinstance(value, bytes) else value


def _value(value: Any) -> Any:
    return bytes.fromhex(value["hex"]) if isinstance(value, dict) else value


def _read_header(line: bytes, source: Path) -> Header:
    try:
        header = msgspec.json.decode(line, type=Header)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        what = f"{source} is no export of Roost's: {error}"
        raise InvalidInput(what, hint="name a file of `roost history export`") from None
    if (header.roost_export, header.schema) != (FORMAT, schema.version()):
        raise StoreVersion(
            f"{source} has schema {header.schema}, and this Roost knows {schema.version()}",
            hint="export and import with the same version",
        )
    return header


def _clear(tx: SqliteTx) -> None:
    for table in TABLES:
        tx.raw(f"DELETE FROM {table}")  # noqa: S608
    tx.raw("DELETE FROM search_document")
    tx.raw("INSERT INTO search_index (search_index) VALUES ('delete-all')")


def _fill(tx: SqliteTx, lines: Iterable[Any], header: Header, progress: Progress) -> int:
    count = 0
    for count, (table, row) in enumerate(lines, 1):
        if table not in TABLES:
            raise InvalidInput(f"row {count} is of the unknown table {table!r}", hint="export it again")
        places = ", ".join("?" * len(row))
        tx.raw(f"INSERT INTO {table} VALUES ({places})", tuple(map(_value, row)))  # noqa: S608
        if count % 1_000 == 0:
            progress(count, header.rows)
    tx.raw("UPDATE session SET ended_at = started_at, end_reason = 'moved to another store' WHERE ended_at IS NULL")
    return count


def _lines(file: Iterable[bytes]) -> Iterator[Any]:
    for number, line in enumerate(file, 2):
        try:
            yield msgspec.json.decode(line, type=tuple[str, list[Any]])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidInput(f"line {number} is no row: {error}", hint="export it again") from None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
