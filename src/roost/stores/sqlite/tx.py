"""One transaction on SQLite: named queries, the log, bells and savepoints."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import apsw
import msgspec

from roost.clock import Reading
from roost.config import Config
from roost.errors import InvalidUtf8, QueryTimeout
from roost.history.rules import chain
from roost.sessions.model import SYSTEM, Host
from roost.stores.base import Row
from roost.stores.sqlite.queries import sql
from roost.stores.sqlite.rows import bindings, placed, reader

T = TypeVar("T")

DUTIES_EVERY_MS = 1_000
"""Without a daemon, one write transaction a second also does what is due."""

READ_SECONDS_MAX = 30.0
"""A read that lasts longer is stopped: while it lives, the WAL cannot begin again and grows."""

REMEMBERED = ("agent.", "session.", "channel.")
"""Every change of what `memo` may hold writes an event of one of these families, in its own transaction."""

OF_A_STATEMENT = (
    apsw.BindingsError, apsw.ConstraintError, apsw.MismatchError, apsw.RangeError, apsw.SQLError, apsw.TooBigError,
)  # fmt: skip
"""The driver's errors that say something about one statement, and nothing about the disk or the transaction."""

_encode = msgspec.json.encode


class SqliteTx:
    """See `stores.base.Tx`."""

    def __init__(
        self,
        connection: apsw.Connection,
        *,
        reading: Reading,
        row: Any,
        host: Host,
        config: Config,
        secret: bytes,
        until: float = 0.0,
        hurry: Callable[[float], None] = lambda seconds: None,
        memo: dict[Any, Any] | None = None,
    ) -> None:
        self._connection = connection
        self.reading = reading
        self.now = reading.last
        self.wall = reading.wall
        self.store_epoch: int
        self.project: str
        self.seq: int
        self.head: bytes
        self._duties_at: int
        self.oldest_writer: int
        self.messages: int
        self.store_epoch, self._duties_at, self.oldest_writer, self.project, self.seq, self.head, self.messages = row
        self.messages_before = self.messages
        self.recorded = False
        self._changes_before = connection.total_changes()
        self._until = until
        self.hurry = hurry
        self._events: list[tuple[Any, ...]] = []
        self.me = SYSTEM
        self.host = host
        self.config = config
        self.secret = secret
        self.rung: list[str] = []
        self.memo = {} if memo is None else memo

    def one(self, kind: type[T], name: str, row: Row = None, /, **values: Any) -> T | None:
        cursor = self._execute(name, row, values)
        found = cursor.fetchone()
        if found is None:
            return None
        made: T = reader(kind, _columns(name, cursor))(found)
        return made

    def all(self, kind: type[T], name: str, row: Row = None, /, **values: Any) -> list[T]:
        cursor = self._execute(name, row, values)
        found = cursor.fetchone()
        if found is None:
            return []
        make = reader(kind, _columns(name, cursor))
        return [make(found), *map(make, cursor)]

    def value(self, name: str, row: Row = None, /, **values: Any) -> Any:
        found = self._execute(name, row, values).fetchone()
        return None if found is None else found[0]

    def run(self, name: str, row: Row = None, /, **values: Any) -> int:
        self._execute(name, row, values)
        return self._connection.changes()

    def run_many(self, name: str, rows: Iterable[Row]) -> None:
        self._connection.executemany(*placed(sql(name), self.project, rows))

    def raw(self, statement: str, values: tuple[Any, ...] = ()) -> apsw.Cursor:
        """Run a statement of the store's own, which no feature knows."""
        return self._connection.execute(statement, values)

    def _execute(self, name: str, row: Row, values: dict[str, Any]) -> apsw.Cursor:
        if self._until and time.monotonic() > self._until:
            raise QueryTimeout(
                f"a read took more than {READ_SECONDS_MAX:g} s and was stopped", hint="ask for less at a time"
            )
        try:
            return self._connection.execute(sql(name), self._bound(row, values))
        except UnicodeEncodeError as wrong:
            shown = ascii(wrong.object)[:80]
            raise InvalidUtf8(f"{shown} holds half of a character", hint="give text that is valid Unicode") from None

    def _bound(self, row: Row, values: dict[str, Any]) -> dict[str, Any]:
        bound = bindings(row, values)
        bound["project"] = self.project
        return bound

    def record(self, kind: str, object: str, data: dict[str, Any] | None = None) -> int:
        text = _encode(data).decode() if data else "{}"
        me = self.me
        if kind.startswith(REMEMBERED):
            self.memo.clear()
        self.seq += 1
        self.head = chain(
            self.head, self.project, self.seq, self.now, self.wall, kind, me.agent, me.session, object, text
        )
        self._events.append(
            (self.project, self.seq, self.now, self.wall, kind, me.agent, me.session, object, text, self.head)
        )
        return self.seq

    def number_message(self) -> int:
        self.messages += 1
        return self.messages

    def ring(self, bell: str) -> None:
        if bell not in self.rung:
            self.rung.append(bell)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        before = len(self._events), self.seq, self.head, self.messages, list(self.rung)
        self._connection.execute("SAVEPOINT call")
        try:
            yield
        except BaseException:
            if self._connection.in_transaction:  # a full disk may have ended all of it
                self._connection.execute("ROLLBACK TO call; RELEASE call")
            self.memo.clear()
            del self._events[before[0] :]
            _, self.seq, self.head, self.messages, self.rung = before
            raise
        self._connection.execute("RELEASE call")

    def is_lost(self, error: Exception) -> bool:
        own = isinstance(error, apsw.Error) and not isinstance(error, OF_A_STATEMENT)
        return own or not self._connection.in_transaction

    @property
    def duties_due(self) -> bool:
        return self.now >= self._duties_at

    @duties_due.setter
    def duties_due(self, due: bool) -> None:
        self._duties_at = self.now if due else self.now + DUTIES_EVERY_MS

    @property
    def duties_at(self) -> int:
        """Store clock, ms, of the next look at what is due."""
        return self._duties_at

    @property
    def has_changes(self) -> bool:
        """Say whether there is anything to commit so far."""
        return bool(self._events) or self._connection.total_changes() != self._changes_before

    def finish(self) -> bool:
        """Write the log's new events; return whether there were any."""
        if not self._events:
            return False
        self._connection.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", self._events)
        self._connection.execute(
            "UPDATE project SET seq = ?, head = ?, messages = ? WHERE id = ?",
            (self.seq, self.head, self.messages, self.project),
        )
        self._events = []
        self.recorded = True
        return True


_known_columns: dict[str, tuple[str, ...]] = {}


def _columns(name: str, cursor: apsw.Cursor) -> tuple[str, ...]:
    try:
        return _known_columns[name]
    except KeyError:
        return _known_columns.setdefault(name, tuple(part[0] for part in cursor.get_description()))
