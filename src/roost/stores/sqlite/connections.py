"""The connections of this process to one store: every setting made and read back, on the files that were opened."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import apsw

from roost.errors import StoreCorrupt, StoreIO, StoreReplaced
from roost.stores.sqlite.faults import translated
from roost.stores.sqlite.files import Files

STATEMENTS_MAX = 300
PROGRESS_STEPS = 20_000
"""Steps of SQLite's machine between two looks whether a read took too long."""
_WAL_KEPT_BYTES = 16 * 1024 * 1024
_PRAGMAS = {
    "foreign_keys": 1,
    "busy_timeout": 10_000,
    "mmap_size": 0,
    "wal_autocheckpoint": 0,
    "journal_size_limit": _WAL_KEPT_BYTES,
}
_SYNCHRONOUS = {"FULL": 2, "NORMAL": 1}


class Connections:
    """One connection that writes, one that reads, and new ones for what stands beside them.

    In memory, with `path=None`, there is one for everything. `synchronous` is FULL or NORMAL, `vfs` the name of a
    registered apsw VFS; `note_wal` learns after each commit how many pages the WAL has.
    """

    def __init__(
        self,
        path: str | None,
        *,
        synchronous: str,
        vfs: str | None,
        note_wal: Callable[[int], None],
    ) -> None:
        self.read_until = 0.0
        """When the reader is stopped, in seconds of the monotonic clock."""
        self.orphan = ""
        """Why this process, a child of the one that opened the store, must not use it; '' if it may."""
        self._path = path
        self._synchronous = _SYNCHRONOUS[synchronous]
        self._vfs = vfs
        self._note_wal = note_wal
        self._files = Files(path) if path else None
        self._writer: apsw.Connection | None = None
        self._reader: apsw.Connection | None = None
        self._errno = 0

    def writer(self) -> apsw.Connection:
        """Return the connection that writes. Raises StoreReplaced."""
        self._refuse_orphan()
        if self._writer is None:
            self._writer = self.new()
            self._writer.set_wal_hook(self._committed)
            self._errno = 0
        return self._writer

    def reader(self) -> apsw.Connection:
        """Return the connection that reads, and only for so long. Raises StoreReplaced."""
        if not self._path:
            return self.writer()
        self._refuse_orphan()
        if self._reader is None:
            self._reader = self.new()
            self._reader.pragma("query_only", 1)
            self._reader.set_progress_handler(lambda: time.monotonic() > self.read_until, PROGRESS_STEPS)
        return self._reader

    def new(self) -> apsw.Connection:
        """Return a new connection, which the caller closes: for backups, exports and checks.

        Raises StoreIO for a setting that does not hold, StoreReplaced.
        """
        connection = apsw.Connection(self._path or ":memory:", statementcachesize=STATEMENTS_MAX, vfs=self._vfs)
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)  # short processes must not pay for a checkpoint
        # Without it a SQLite with STAT4, as the driver brings, compiles a statement anew whenever a bound value changes
        # that is compared with an indexed column: 40 us a query, half the time of a busy daemon.
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        wanted: dict[str, Any] = dict(_PRAGMAS, synchronous=self._synchronous)
        if self._path:
            wanted["journal_mode"] = "wal"
        for name, value in wanted.items():
            connection.pragma(name, value)
            if self._path and (got := connection.pragma(name)) not in (value, None):
                raise StoreIO(f"PRAGMA {name} reads back {got!r} where {value!r} was set", hint="see `roost doctor`")
        if self._files:
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()  # the first read opens the WAL
            self._files.remember()
        return connection

    @contextmanager
    def aside(self) -> Iterator[apsw.Connection]:
        """Open a connection for the length of the block; in memory it is the one there is."""
        if not self._path:
            yield self.writer()
            return
        with translated(self._path, lambda: 0):
            connection = self.new()
            try:
                yield connection
            finally:
                connection.close()

    def pragmas(self) -> dict[str, Any]:
        """Return the settings that durability hangs on, as a connection reads them back."""
        with self.aside() as connection:
            return {name: connection.pragma(name) for name in ("journal_mode", "synchronous", *_PRAGMAS)}

    def problems(self) -> list[str]:
        """Return what SQLite's quick check finds wrong with the database; nothing is good."""
        try:
            with self.aside() as connection:
                found = [str(row[0]) for row in connection.execute("PRAGMA quick_check(5)")]
        except StoreCorrupt as error:  # so much that the check itself cannot read it
            return [str(error.__cause__ or error)]
        return [] if found == ["ok"] else found

    def check_files(self) -> None:
        """Raise StoreReplaced if a file of the store is not the one that was opened."""
        if self._files:
            self._files.check()

    def forget_writer(self) -> int:
        """After an I/O error SQLite's caches are not to be trusted: begin again. Returns the system's error number."""
        if self._path and self._writer is not None:
            self._errno = self._writer.system_errno
            self._writer.close(force=True)
            self._writer = None
        return self._errno

    def forget_reader(self) -> int:
        """Do the same for the connection that reads."""
        if not self._path or self._reader is None:
            return 0
        number = self._reader.system_errno
        self._reader.close(force=True)
        self._reader = None
        return number

    def close(self) -> None:
        """Close both; whoever needs one opens it again."""
        for connection in (self._writer, self._reader):
            if connection is not None:
                connection.close()
        self._writer = self._reader = None

    def _committed(self, connection: apsw.Connection, database: str, pages: int) -> int:
        self._note_wal(pages)
        return apsw.SQLITE_OK

    def _refuse_orphan(self) -> None:
        if self.orphan:
            raise StoreReplaced(self.orphan, hint="open the project in this process")
