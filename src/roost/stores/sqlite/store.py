"""The SQLite store: connections, transactions, and what is checked around each of them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from roost.clock import Clock, Reading, SystemClock, read
from roost.config import Config
from roost.errors import (
    RoostError,
    StoreBusy,
    StoreCorrupt,
    StoreFull,
    StoreIO,
    StoreReplaced,
    StoreVersion,
    UnsafeSqlite,
)
from roost.ids import new_id
from roost.sessions.model import Host
from roost.stores.sqlite import schema
from roost.stores.sqlite.gate import Gate
from roost.stores.sqlite.tx import SqliteTx

POLL_SECONDS = 0.02
"""How often a waiting process looks whether somebody committed; one look costs about 5 us."""
CHECKPOINT_PAGES_MIN = 1_000
"""A WAL longer than this (4 MB) is copied back by a passive checkpoint, off the commit path."""
STATEMENTS_MAX = 300
_PRAGMAS = {"foreign_keys": 1, "busy_timeout": 10_000, "mmap_size": 0, "wal_autocheckpoint": 0}
_SYNCHRONOUS = {"FULL": 2, "NORMAL": 1}


class SqliteStore:
    """One project in one SQLite file, or in memory with `path=None`."""

    def __init__(
        self,
        path: Path | None,
        *,
        host: Host,
        clock: Clock | None = None,
        config: Config | None = None,
        gate: Path | None = None,
        secret: bytes = b"",
        sqlite_version: str | None = None,
    ) -> None:
        self.path = path
        self._host = host
        self._clock = clock or SystemClock()
        self.config = config or Config()
        self._secret = secret or os.urandom(32)
        self._sqlite = sqlite_version or apsw.sqlite_lib_version()
        self._gate = Gate(gate if path else None, self.config.gate_seconds_max)
        self._reading = threading.Lock()
        self._seen = threading.local()
        self._commits = 0
        self._checkpointer: threading.Thread | None = None
        self._wal_pages = 0
        self._checkpoint_pages = CHECKPOINT_PAGES_MIN
        self._writer: apsw.Connection | None = None
        self._reader: apsw.Connection | None = None
        self._opened_by = os.getpid()
        with _translated(self):
            self._create_or_upgrade()

    # --- transactions -------------------------------------------------------------------------------------------------

    @contextmanager
    def read(self) -> Iterator[SqliteTx]:
        lock = self._reading if self.path else self._gate_as_lock()
        with lock, _translated(self):
            connection = self._read_connection()
            self._check_identity()
            connection.execute("BEGIN")
            try:
                yield self._transaction(connection)
            finally:
                connection.execute("ROLLBACK")

    @contextmanager
    def write(self) -> Iterator[SqliteTx]:
        refuse_unsafe(self._sqlite)
        self._gate.enter()
        try:
            with _translated(self):
                connection = self._write_connection()
                self._check_identity()
                yield from self._commit_after(connection)
        finally:
            self._gate.leave()
        self._checkpoint_if_long()

    def _commit_after(self, connection: apsw.Connection) -> Iterator[SqliteTx]:
        connection.execute("BEGIN IMMEDIATE")
        try:
            before = connection.total_changes()
            tx = self._transaction(connection)
            yield tx
            if tx.finish() or connection.total_changes() != before:
                self._save_clock(connection, tx)
                connection.execute("COMMIT")
                self._commits += 1
            else:
                connection.execute("ROLLBACK")  # nothing was written: no sync to wait for
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _transaction(self, connection: apsw.Connection) -> SqliteTx:
        row = connection.execute(
            "SELECT s.epoch, s.boot_id, s.clock_offset, s.clock_last, s.wall_last, s.duties_at, p.id, p.seq, p.head"
            " FROM store s, project p"
        ).fetchone()
        if row is None:
            raise StoreCorrupt(f"{self.path} has no store row", hint="put the newest backup back with `roost restore`")
        reading = read(Reading(*row[1:5]), self._clock)
        return SqliteTx(connection, reading=reading, row=row, host=self._host, config=self.config, secret=self._secret)

    def _save_clock(self, connection: apsw.Connection, tx: SqliteTx) -> None:
        clock = tx.reading
        connection.execute(
            "UPDATE store SET boot_id = ?, clock_offset = ?, clock_last = ?, wall_last = ?, duties_at = ?",
            (clock.boot_id, clock.offset, clock.last, clock.wall, tx.duties_at),
        )

    def _gate_as_lock(self) -> _GateLock:
        return _GateLock(self._gate)

    # --- waiting ------------------------------------------------------------------------------------------------------

    def await_change(self, seconds: float) -> None:
        """Return when somebody committed since this thread's last call, at the latest after `seconds`."""
        deadline = time.monotonic() + seconds
        while True:
            version = self._version()
            if version != getattr(self._seen, "version", None):
                self._seen.version = version
                return
            left = deadline - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(POLL_SECONDS, left))

    def _version(self) -> tuple[int, int]:
        if not self.path:
            return 0, self._commits
        with self._reading, _translated(self):
            return int(self._read_connection().pragma("data_version") or 0), self._commits

    # --- files --------------------------------------------------------------------------------------------------------

    def _create_or_upgrade(self) -> None:
        connection = self._write_connection()
        have = schema.version_of(connection)
        if have == schema.version():
            return
        if have > schema.version():
            schema.refuse_newer(connection)
            return
        refuse_unsafe(self._sqlite)
        self._gate.enter()
        try:
            schema.upgrade(connection)
            if connection.execute("SELECT count(*) FROM store").get == 0:
                self._found(connection)
        finally:
            self._gate.leave()

    def _found(self, connection: apsw.Connection) -> None:
        wall = self._clock.wall_ms()
        offset = wall - self._clock.monotonic_ms()
        root = str(self.path.parent.parent) if self.path else ":memory:"
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(
            "INSERT INTO store VALUES (1, ?, 1, ?, ?, ?, ?, ?, ?, 0)",
            (new_id(), schema.OLDEST_READER, schema.OLDEST_WRITER, self._clock.boot_id(), offset, wall, wall),
        )
        connection.execute(
            "INSERT INTO project VALUES (?, ?, ?, 0, x'', 0, NULL, NULL, ?)",
            (new_id(), os.path.basename(root) or "project", root, wall),
        )
        connection.execute("COMMIT")

    def _write_connection(self) -> apsw.Connection:
        self._check_process()
        if self._writer is None:
            self._writer = self._connect()
            self._writer.set_wal_hook(self._note_wal)
        return self._writer

    def _read_connection(self) -> apsw.Connection:
        if not self.path:
            return self._write_connection()
        self._check_process()
        if self._reader is None:
            self._reader = self._connect()
            self._reader.pragma("query_only", 1)
        return self._reader

    def _connect(self) -> apsw.Connection:
        connection = apsw.Connection(str(self.path or ":memory:"), statementcachesize=STATEMENTS_MAX)
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)  # short processes must not pay for a checkpoint
        wanted: dict[str, Any] = dict(_PRAGMAS, synchronous=_SYNCHRONOUS[self.config.synchronous])
        if self.path:
            wanted["journal_mode"] = "wal"
        for name, value in wanted.items():
            connection.pragma(name, value)
            if (got := connection.pragma(name)) not in (value, None) and self.path:
                raise StoreIO(f"PRAGMA {name} reads back {got!r} where {value!r} was set", hint="see `roost doctor`")
        if self.path:
            found = os.stat(self.path)
            self._identity = (found.st_dev, found.st_ino)
        return connection

    def _check_identity(self) -> None:
        """A database that was deleted or replaced under us would take writes that nobody ever sees (PROMISES F12)."""
        if not self.path:
            return
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            raise self._replaced("is gone") from None
        if (found.st_dev, found.st_ino) != self._identity:
            raise self._replaced("is another file now")

    def _replaced(self, what: str) -> StoreReplaced:
        return StoreReplaced(f"the store {self.path} {what}", hint="nothing was written; open the project again")

    def _check_process(self) -> None:
        if os.getpid() == self._opened_by:
            return
        # After a fork: closing the parent's connections here would drop its locks, so they are kept and never used.
        _forked.append((self._writer, self._reader))
        self._writer = self._reader = None
        self._opened_by = os.getpid()

    # --- checkpoints and the end --------------------------------------------------------------------------------------

    def _checkpoint_if_long(self) -> None:
        if self._wal_pages < self._checkpoint_pages or (self._checkpointer and self._checkpointer.is_alive()):
            return
        # If a reader keeps the WAL from being copied back whole, ask again only when it has grown by a quarter.
        self._checkpoint_pages = max(CHECKPOINT_PAGES_MIN, self._wal_pages * 5 // 4)
        self._checkpointer = threading.Thread(target=self.checkpoint, name="roost-checkpoint")
        self._checkpointer.start()

    def _note_wal(self, connection: apsw.Connection, database: str, pages: int) -> int:
        if pages < self._wal_pages:
            self._checkpoint_pages = CHECKPOINT_PAGES_MIN  # the WAL began again
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def checkpoint(self) -> None:
        """Copy the WAL back into the database without waiting for readers, under the gate."""
        try:
            self._gate.enter()
        except StoreBusy:
            return  # busy writers come first; the next commit asks again
        try:
            connection = self._connect()
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            connection.close()
        finally:
            self._gate.leave()

    def close(self) -> None:
        """Close the connections; waits for a checkpoint that is under way."""
        if self._checkpointer:
            self._checkpointer.join()
        for connection in (self._writer, self._reader):
            if connection is not None and os.getpid() == self._opened_by:
                connection.close()
        self._writer = self._reader = None
        self._gate.close()

    def forget_connections(self) -> None:
        """After an I/O error SQLite's caches are not to be trusted: begin again with new connections."""
        for connection in (self._writer, self._reader) if self.path else ():
            if connection is not None:
                connection.close(force=True)
        if self.path:
            self._writer = self._reader = None


_forked: list[Any] = []


class _GateLock:
    """The gate as a context manager, for reads of a store in memory."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def __enter__(self) -> None:
        self._gate.enter()

    def __exit__(self, *exc: object) -> None:
        self._gate.leave()


def refuse_unsafe(version: str) -> None:
    """Raise UnsafeSqlite for the versions with the WAL-reset defect: 3.7.0 to 3.51.2, but for two repaired branches."""
    numbers = tuple(int(part) for part in version.split("."))[:3]
    repaired = numbers >= (3, 51, 3) or (3, 50, 7) <= numbers < (3, 51) or (3, 44, 6) <= numbers < (3, 45)
    if not repaired or numbers == (3, 52, 0):
        raise UnsafeSqlite(
            f"SQLite {version} can corrupt a database in WAL mode, so Roost does not write with it",
            hint="install apsw with its own SQLite (`pip install --force-reinstall apsw`)",
        )


@contextmanager
def _translated(store: SqliteStore) -> Iterator[None]:
    """Turn the driver's errors into Roost's."""
    try:
        yield
    except RoostError:
        raise
    except apsw.FullError as error:
        raise StoreFull(f"the disk is full: {store.path}", hint="free some space; reading still works") from error
    except (apsw.IOError, apsw.CantOpenError, apsw.ReadOnlyError, apsw.PermissionsError) as error:
        store.forget_connections()
        raise StoreIO(f"the disk refused {store.path}: {error}", hint="nothing was half done; try again") from error
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise StoreCorrupt(
            f"{store.path} is not a sound database: {error}", hint="put the newest backup back with `roost restore`"
        ) from error
    except (apsw.BusyError, apsw.LockedError) as error:
        raise StoreBusy(f"the store {store.path} is locked: {error}", hint="try again", retry_after=1.0) from error
    except apsw.SchemaChangeError as error:
        raise StoreVersion(f"the store changed its schema: {error}", hint="try again") from error
