"""Places to measure in: a project with Roost, and a database with the same rows written by the bare driver."""

from __future__ import annotations

import hashlib
import itertools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from roost import workdir
from roost.connect import Project, connect
from roost.ids import new_id
from roost.stores.sqlite import schema

BODY = "m" * 500
SETTINGS = (
    "[limits]\nrate_agent = 10000\nrate_human = 10000\ninbox_messages_max = 2000000\ninbox_bytes_max = 8000000000\n"
)


@contextmanager
def project() -> Iterator[Project]:
    """A new project on the disk of this checkout; limits of count are raised, all checks stay on."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=Path.cwd(), ignore_cleanup_errors=True) as scratch:
        place = workdir.create(Path(scratch) / workdir.NAME)
        (place.path / "roost.toml").write_text(SETTINGS)
        opened = connect(Path(scratch))
        try:
            yield opened
        finally:
            opened.close()


class Raw:
    """The rows of a send by the bare driver: WAL, FULL, the same tables and indexes, nothing checked, signed or
    chained."""

    def __init__(self, folder: Path) -> None:
        self._connection = apsw.Connection(str(folder / "raw.db"), statementcachesize=100)
        for name, value in {"journal_mode": "wal", "synchronous": 2, "wal_autocheckpoint": 1000}.items():
            self._connection.pragma(name, value)
        schema.upgrade(self._connection)
        self._numbers = itertools.count(1)
        self._inserts = _inserts(self._connection)
        self._connection.execute("INSERT INTO store VALUES (1, 'x', 1, 1, 1, 'b', 0, 0, 0, 0)")
        self._connection.execute("INSERT INTO project VALUES ('p', 'p', '/', 0, x'', 0, NULL, NULL, 0)")

    def send(self, count: int = 1) -> None:
        """Write the rows of `count` messages in one transaction."""
        db = self._connection
        rows = [self._row(next(self._numbers)) for _ in range(count)]
        db.execute("BEGIN IMMEDIATE")
        for table in ("message", "delivery", "event"):
            db.executemany(self._inserts[table], [row[table] for row in rows])
        db.execute("INSERT INTO mailbox VALUES ('p', 'r', 1, 500) ON CONFLICT DO UPDATE SET waiting = waiting + 1")
        db.execute("INSERT INTO quota VALUES ('p', 's', '[[1,1]]') ON CONFLICT DO UPDATE SET spent = excluded.spent")
        db.execute("UPDATE project SET seq = seq + 1, messages = messages + 1")
        db.execute("UPDATE store SET clock_last = clock_last + 1")
        db.execute("COMMIT")

    def _row(self, number: int) -> dict[str, dict[str, object]]:
        message, hashed = new_id(), hashlib.sha256(b"%d" % number).digest()
        return {
            "message": {
                "id": message,
                "number": number,
                "seq": number,
                "body": BODY,
                "body_hash": hashed,
                "thread": message,
            },
            "delivery": {"message": message, "number": number, "seq": number, "rank": number},
            "event": {"seq": number, "object": message, "hash": hashed},
        }

    def close(self) -> None:
        self._connection.close()


_FIXED: dict[str, dict[str, object]] = {
    "message": {
        "project": "p", "sender": "s", "sender_session": "t", "channel": "", "recipients": 1, "type": "message",
        "severity": "info", "priority": 5, "subject": "", "tags": "[]", "parent": "", "depends_on": "[]",
        "requires_ack": 0, "hops": 0, "fingerprint": b"f" * 32, "operation": "", "metadata": "{}", "key_id": "1.1.s",
        "signature": b"s" * 32, "sent_at": 1, "wall": 1,
    },
    "delivery": {
        "project": "p", "recipient": "r", "state": "pending", "size": 500,
    },
    "event": {"project": "p", "at": 1, "wall": 1, "kind": "message.sent", "actor": "s", "session": "t", "data": "{}"},
}  # fmt: skip
_CHANGING = {
    "message": ("id", "number", "seq", "body", "body_hash", "thread"),
    "delivery": ("message", "number", "seq", "rank"),
    "event": ("seq", "object", "hash"),
}


def _inserts(connection: apsw.Connection) -> dict[str, str]:
    """Return an INSERT for every column of the three tables, so that the bare driver writes rows of the same size."""
    made = {}
    for table, changing in _CHANGING.items():
        values = []
        for _, name, kind, notnull, *_ in connection.execute(f"PRAGMA table_info({table})"):
            fixed = _FIXED[table].get(
                name, (0 if kind == "INTEGER" else b"" if kind == "BLOB" else "") if notnull else None
            )
            values.append(f":{name}" if name in changing else apsw.format_sql_value(fixed))
        made[table] = f"INSERT INTO {table} VALUES ({', '.join(values)})"
    return made


@contextmanager
def raw() -> Iterator[Raw]:
    """A bare database in a scratch folder on the same disk."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=Path.cwd(), ignore_cleanup_errors=True) as scratch:
        bare = Raw(Path(scratch))
        try:
            yield bare
        finally:
            bare.close()
