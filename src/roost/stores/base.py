"""What a database must do for Roost, on one page.

A store runs *named queries*: `tx.one(Lease, "leases.get", key=key)` runs the statement `get` of its `sql/leases.sql`.
Every store has the same names with the same meaning; one conformance suite runs on each. A transaction knows its
project, its time and its caller, and collects what must happen after the commit.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from roost.config import Config
    from roost.sessions.model import Host, Me

T = TypeVar("T")
Row = Any
"""The values of one query: a struct, a mapping, or None with everything given by keyword."""


class Tx(Protocol):
    """One open transaction."""

    project: str
    now: int
    """Store clock, milliseconds; the same during the whole transaction."""
    wall: int
    """Wall clock that never runs backwards, milliseconds."""
    me: Me
    host: Host
    config: Config
    seq: int
    """The number of the last event, this transaction's own ones included: those are no rows yet."""
    messages: int
    """The number of the last message, likewise."""
    store_epoch: int
    """Grows with every restore; part of cursors and fencing tokens."""
    duties_due: bool
    secret: bytes
    """The project's 32 bytes, from which the keys that sign messages are derived."""
    memo: dict[Any, Any]
    """What this writer has read of agents, sessions and channels; empty whenever it could be out of date."""
    rung: list[str]
    """Bells to ring after the commit."""

    def one(self, kind: type[T], name: str, row: Row = None, /, **values: Any) -> T | None:
        """Run a named query and return its first row as `kind`, or None."""
        ...

    def all(self, kind: type[T], name: str, row: Row = None, /, **values: Any) -> list[T]:
        """Run a named query and return its rows as `kind`."""
        ...

    def value(self, name: str, row: Row = None, /, **values: Any) -> Any:
        """Run a named query and return the first column of its first row, or None."""
        ...

    def run(self, name: str, row: Row = None, /, **values: Any) -> int:
        """Run a named statement and return how many rows it changed."""
        ...

    def run_many(self, name: str, rows: Iterable[Row]) -> None:
        """Run a named statement once for each row."""
        ...

    def record(self, kind: str, object: str, data: dict[str, Any] | None = None) -> int:
        """Add one event to the project's log and return its sequence number."""
        ...

    def number_message(self) -> int:
        """Return the short number of one more message, which is to be recorded in this transaction."""
        ...

    def ring(self, bell: str) -> None:
        """Ring this bell after the commit."""
        ...

    def hurry(self, seconds: float) -> None:
        """Give this read transaction at most so long from now; past that it raises QueryTimeout."""
        ...

    def savepoint(self) -> AbstractContextManager[None]:
        """Undo everything inside, events and bells too, if it raises."""
        ...

    def is_lost(self, error: Exception) -> bool:
        """Say whether after this error nothing of the transaction can stand: the disk is full or broken, and it was
        not a call or statement that failed by itself."""
        ...


class Store(Protocol):
    """A database of one project, opened by this process."""

    def read(self) -> AbstractContextManager[Tx]:
        """Open a read transaction: one steady view, never blocked by writers."""
        ...

    def write(self) -> AbstractContextManager[Tx]:
        """Open a write transaction; it commits at the end of the block, or rolls back if the block raises.

        Raises StoreBusy, StoreFull, StoreIO, StoreReplaced, UnsafeSqlite.
        """
        ...

    def await_change(self, seconds: float) -> None:
        """Return when another process committed, at the latest after `seconds`."""
        ...

    def close(self) -> None: ...
