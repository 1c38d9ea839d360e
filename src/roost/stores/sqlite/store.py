"""The SQLite store: transactions, and what is checked around each of them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import apsw

from roost.clock import Clock, Reading, SystemClock, read
from roost.config import Config
from roost.errors import RoostError, StoreIO
from roost.ids import new_id
from roost.sessions.model import Host
from roost.stores.sqlite import files, forks, schema
from roost.stores.sqlite.checkpoints import Checkpointer
from roost.stores.sqlite.connections import Connections
from roost.stores.sqlite.faults import NO_SPACE, corrupt, meaning, translated, unsafe
from roost.stores.sqlite.gate import Gate
from roost.stores.sqlite.tx import READ_SECONDS_MAX, SqliteTx

POLL_SECONDS = 0.02
"""How often a waiting process looks whether somebody committed; one look costs about 5 us."""
FAILURES_MAX = 3
"""After so many I/O errors in a row this process stops writing until the project is opened again."""
CHECKED_BYTES_MAX = 64 * 1024 * 1024
"""A database up to this size is checked when it is opened first after a boot; about 1 ms per MB."""
FORK_SECONDS_MAX = 1.0
MEMO_MAX = 10_000
"""Things that are remembered from one write transaction to the next."""
_FAILED_SYNCS = frozenset({apsw.SQLITE_IOERR_FSYNC, apsw.SQLITE_IOERR_DIR_FSYNC})


class SqliteStore:
    """One project in one SQLite file, or in memory with `path=None`.

    `gate` is the file whose flock serialises writers, `sqlite_version` and `vfs` (the name of a registered apsw VFS)
    are for tests.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        *,
        host: Host,
        clock: Clock | None = None,
        config: Config | None = None,
        gate: str | os.PathLike[str] | None = None,
        secret: bytes = b"",
        sqlite_version: str | None = None,
        vfs: str | None = None,
    ) -> None:
        self.path = os.fspath(path) if path else None
        self.config = config or Config()
        self._host = host
        self._clock = clock or SystemClock()
        self._secret = secret or os.urandom(32)
        self._unsafe = unsafe(sqlite_version or apsw.sqlite_lib_version())
        self._gate = Gate(os.fspath(gate) if path and gate else None, self.config.gate_seconds_max)
        self._reading = threading.Lock()
        self._seen = threading.local()
        self._commits = 0
        self._failures = 0
        self._checkpointer = Checkpointer(self.checkpoint)
        self.connections = Connections(
            self.path, synchronous=self.config.synchronous, vfs=vfs, note_wal=self._checkpointer.note
        )
        self._memo: dict[Any, Any] = {}
        self._memo_version: Any = None
        self._held: tuple[bool, bool] = (False, False)
        with translated(self.path, self._forget_writer):
            self._open()
        forks.watch(self)

    @contextmanager
    def read(self) -> Iterator[SqliteTx]:
        with self._reading if self.path else self.gate(), translated(self.path, self.connections.forget_reader):
            connection = self.connections.reader()
            self.connections.check_files()
            until = self.connections.read_until = time.monotonic() + READ_SECONDS_MAX
            connection.execute("BEGIN")
            try:
                tx = self._transaction(connection, until=until)
                self._seen.version = connection.pragma("data_version"), self._commits
                yield tx
            finally:
                _roll_back(connection)

    def enter_gate(self, *, wait: bool = True) -> bool:
        """Take the gate for a `write(entered=True)` that follows, or say that it is not open now. Raises StoreBusy."""
        if not wait:
            return self._gate.try_enter()
        self._gate.enter()
        return True

    @contextmanager
    def write(self, *, entered: bool = False) -> Iterator[SqliteTx]:
        """See `stores.base.Store`; `entered` says that the caller took the gate, which is left here in any case."""
        if not entered:
            self._gate.enter()
        try:
            self._refuse_writing()
            with translated(self.path, self._forget_writer):
                connection = self.connections.writer()
                yield from self._commit_after(connection)
        finally:
            self._gate.leave()
        self._checkpointer.run_if_long()

    def _commit_after(self, connection: apsw.Connection) -> Iterator[SqliteTx]:
        connection.execute("BEGIN IMMEDIATE")
        try:
            before = connection.total_changes()
            tx = self._transaction(connection, memo=self._remembered(connection))
            schema.refuse_writing(tx.oldest_writer)
            yield tx
            if tx.finish() or connection.total_changes() != before:
                self._save_clock(connection, tx)
                self._commit(connection, tx)
            else:
                connection.execute("ROLLBACK")  # nothing was written: no sync to wait for
        except BaseException:
            self._memo.clear()
            _roll_back(connection)
            raise

    def _remembered(self, connection: apsw.Connection) -> dict[Any, Any]:
        """Return what earlier transactions of this connection read, unless another one committed since."""
        version = id(connection), connection.pragma("data_version")
        if version != self._memo_version or len(self._memo) > MEMO_MAX:
            self._memo.clear()
            self._memo_version = version
        return self._memo

    def _commit(self, connection: apsw.Connection, tx: SqliteTx) -> None:
        try:
            connection.execute("COMMIT")
        except apsw.IOError as error:
            number = connection.system_errno
            if number not in NO_SPACE:  # a disk that is full is free again some day
                self._failures += 1
            if getattr(error, "extendedresult", 0) in _FAILED_SYNCS:
                # No later look proves anything: after a failed sync the kernel may have dropped what it shows us still.
                self._forget_writer()
                raise StoreIO(
                    f"the disk failed to sync {self.path}, so it is in doubt whether this was stored: {error}",
                    hint="repeat it with the same idempotency key, which is always safe",
                    in_doubt=True,
                ) from error
            if not self._is_stored_nevertheless(tx):
                raise meaning(error, self.path, lambda: number) from error
        else:
            self._failures = 0
        # Also for what was replaced before: what was written into a lost file is not answered.
        self.connections.check_files()
        self._commits += 1

    def _is_stored_nevertheless(self, tx: SqliteTx) -> bool:
        """Look by key what became of a COMMIT that failed: is the head ours? Nobody else passed the gate meanwhile.

        A commit that may lie in an unsynced WAL is not stored yet, so one more must succeed on top of it.
        """
        self._forget_writer()
        with suppress(apsw.Error):
            connection = self.connections.writer()
            if tx.recorded and connection.execute("SELECT seq, head FROM project").fetchone() == (tx.seq, tx.head):
                connection.execute("BEGIN IMMEDIATE; UPDATE store SET one = 1; COMMIT")
                return True
        return False

    def _transaction(
        self, connection: apsw.Connection, *, until: float = 0.0, memo: dict[Any, Any] | None = None
    ) -> SqliteTx:
        row = connection.execute(
            "SELECT s.boot_id, s.clock_offset, s.clock_last, s.wall_last, s.epoch, s.duties_at, s.oldest_writer,"
            " p.id, p.seq, p.head, p.messages FROM store s, project p"
        ).fetchone()
        if row is None:
            raise corrupt(self.path, "it has no project")
        reading = read(Reading(*row[:4]), self._clock)
        return SqliteTx(
            connection,
            reading=reading,
            row=row[4:],
            host=self._host,
            config=self.config,
            secret=self._secret,
            until=until,
            hurry=self._hurry,
            memo=memo,
        )

    def _hurry(self, seconds: float) -> None:
        self.connections.read_until = min(self.connections.read_until, time.monotonic() + seconds)

    def _save_clock(self, connection: apsw.Connection, tx: SqliteTx) -> None:
        clock = tx.reading
        connection.execute(
            "UPDATE store SET boot_id = ?, clock_offset = ?, clock_last = ?, wall_last = ?, duties_at = ?",
            (clock.boot_id, clock.offset, clock.last, clock.wall, tx.duties_at),
        )

    def _refuse_writing(self) -> None:
        if self._unsafe:
            raise self._unsafe
        if self._failures >= FAILURES_MAX:
            raise StoreIO(
                f"the disk refused {self.path} {self._failures} times in a row, so this process only reads it now",
                hint="look at the disk (`roost doctor`), then open the project again",
            )

    def _forget_writer(self) -> int:
        self._memo.clear()
        return self.connections.forget_writer()

    def await_change(self, seconds: float) -> None:
        """Return when somebody committed since this thread's last read or call, at the latest after `seconds`."""
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

    def version(self) -> Any:
        """Return what changes with each commit of another process; one look costs about 5 us."""
        return self._version()[0]

    def _version(self) -> tuple[Any, int]:
        if not self.path:
            return 0, self._commits
        with self._reading, translated(self.path, self.connections.forget_reader):
            self.connections.check_files()
            return self.connections.reader().pragma("data_version"), self._commits

    def _open(self) -> None:
        if self.path:
            files.create(self.path)
        if not self.path or not files.in_wal_mode(self.path) or schema.is_old(self.connections.writer()):
            self._bring_up_to_date()
        schema.refuse_reading(self.connections.writer())
        self._check_after_boot(self.connections.writer())

    def _bring_up_to_date(self) -> None:
        if self._unsafe:
            raise self._unsafe
        with self.gate():
            if self.path:
                schema.refuse_foreign(self.path)
            connection = self.connections.writer()
            schema.upgrade(connection)
            if connection.execute("SELECT count(*) FROM store").get == 0:
                self._found(connection)

    def _found(self, connection: apsw.Connection) -> None:
        wall = self._clock.wall_ms()
        offset = wall - self._clock.monotonic_ms()
        root = os.path.dirname(os.path.dirname(self.path)) if self.path else ":memory:"
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

    def _check_after_boot(self, connection: apsw.Connection) -> None:
        """The first to open a store after a boot looks whether the disk kept its word: one that lies about syncs shows
        here.
        """
        if not self.path or os.stat(self.path).st_size > CHECKED_BYTES_MAX:
            return
        is_first = connection.execute("SELECT boot_id FROM store").get != self._clock.boot_id()
        if is_first and (found := self.connections.problems()):
            raise corrupt(self.path, found[0])

    def before_fork(self) -> None:
        """Wait for the transactions of other threads, then close the connections."""
        self._held = self._gate.hold(FORK_SECONDS_MAX), self._reading.acquire(timeout=FORK_SECONDS_MAX)
        if self.path and all(self._held):
            self.connections.close()

    def after_fork(self, *, child: bool) -> None:
        """Go on, each with locks of its own."""
        gate, reading = self._held
        if child:
            self._gate.begin_again()
            self._reading = threading.Lock()
            if not self.path:
                self.connections.orphan = "a store in memory stays in the process that opened it"
            elif not (gate and reading):
                self.connections.orphan = f"this process was forked inside a transaction on {self.path}"
            return
        if gate:
            self._gate.let_go()
        if reading:
            self._reading.release()

    def checkpoint(self) -> None:
        """Copy the WAL back into the database without waiting for readers: most of it beside the writers, the rest
        under the gate, so that the WAL can begin again.

        Beside writers it is safe because a SQLite with the WAL-reset defect is refused for writing.
        """
        # It runs in a thread that nobody asks for an answer. A later commit tries again, and of a WAL that stays long
        # `roost doctor` tells.
        with suppress(RoostError), self.connections.aside() as connection:
            if not self._unsafe:
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            with self.gate():
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)

    @contextmanager
    def gate(self) -> Iterator[None]:
        """Keep every writer out for the length of the block. Raises StoreBusy."""
        self._gate.enter()
        try:
            yield
        finally:
            self._gate.leave()

    def close(self) -> None:
        """Close the connections; waits for a checkpoint that is under way."""
        self._checkpointer.join()
        self.connections.close()
        self._gate.close()


def _roll_back(connection: apsw.Connection) -> None:
    with suppress(apsw.ConnectionClosedError):  # closed after an I/O error, which ended the transaction too
        if connection.in_transaction:
            connection.execute("ROLLBACK")
