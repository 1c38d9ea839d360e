"""The gate: one flock around every write transaction and checkpoint of a store.

SQLite's own busy timeout starves writers (27:1 between the luckiest and the unluckiest of 32 was measured; the gate
gave 1.07:1), and serialised checkpoints also keep SQLite's WAL-reset defect away. A blocked flock has no deadline, so
a thread waits for it.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time

from roost.errors import StoreBusy, StoreIO


class Gate:
    """A lock between threads and processes with a deadline in seconds; without a path, between threads only."""

    def __init__(self, path: str | None, seconds_max: float) -> None:
        self._path = path
        self._seconds_max = seconds_max
        self._threads = threading.Lock()
        self._queued: _Ticket | None = None
        self._file = -1
        self._open()

    def enter(self) -> None:
        """Take the gate, or raise StoreBusy when it does not open in time."""
        deadline = time.monotonic() + self._seconds_max
        if not self._threads.acquire(timeout=self._seconds_max):
            raise self._busy()
        try:
            entered = self._file < 0 or self._try() or self._wait(deadline)
        except BaseException:
            self._threads.release()
            raise
        if not entered:
            self._threads.release()
            raise self._busy()

    def try_enter(self) -> bool:
        """Take the gate if it is open now; never waits."""
        if not self._threads.acquire(blocking=False):
            return False
        is_in = False
        try:
            is_in = self._file < 0 or self._try()
        finally:
            if not is_in:
                self._threads.release()
        return is_in

    def leave(self) -> None:
        """Let the next one in; any thread may, for the one that entered."""
        if self._file >= 0:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self._threads.release()

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def hold(self, seconds: float) -> bool:
        """Keep this process's threads out while it forks; say whether they were out in time."""
        return self._threads.acquire(timeout=seconds)

    def let_go(self) -> None:
        """End `hold`."""
        self._threads.release()

    def begin_again(self) -> None:
        """In the child of a fork: a lock and a descriptor of its own.

        The inherited descriptor is the parent's lock too: a LOCK_UN through it would open the parent's gate, and
        while it stays open, the gate of a killed parent would never open.
        """
        self._threads = threading.Lock()
        self._queued = None
        self.close()
        self._open()

    def _open(self) -> None:
        if self._path:
            self._file = _opened(self._path)

    def _try(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _wait(self, deadline: float) -> bool:
        assert self._path is not None
        ticket = self._queued
        if ticket is None or not ticket.take_up():
            ticket = _Ticket(self._descriptor())
        self._queued = None
        if not ticket.granted.wait(max(0.0, deadline - time.monotonic())) and ticket.give_up():
            self._queued = ticket  # the next to wait takes over its place, so at most one thread stands in the queue
            return False
        os.close(self._file)
        self._file = ticket.file
        return True

    def _descriptor(self) -> int:
        assert self._path is not None
        try:
            return _opened(self._path)
        except OSError as error:
            raise StoreIO(f"nobody can wait for {self._path}: {error}", hint="nothing was changed; try again") from None

    def _busy(self) -> StoreBusy:
        return StoreBusy(
            f"the store's write gate did not open within {self._seconds_max:g} s",
            hint="another process holds it; try again, and see `roost doctor` if it lasts",
            retry_after=1.0,
        )


def _opened(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


class _Ticket:
    """A place in the queue for the lock, kept by a thread with a descriptor of its own."""

    def __init__(self, file: int) -> None:
        self.file = file
        self.granted = threading.Event()
        self._lock = threading.Lock()
        self._wanted = True
        self._over = False
        threading.Thread(target=self._stand, name="roost-gate", daemon=True).start()

    def give_up(self) -> bool:
        """Stop waiting; False when the lock came first."""
        with self._lock:
            self._wanted = self.granted.is_set()
            return not self._wanted

    def take_up(self) -> bool:
        """Wait again in the same place; False when the lock came and went meanwhile."""
        with self._lock:
            self._wanted = not self._over
            return self._wanted

    def _stand(self) -> None:
        fcntl.flock(self.file, fcntl.LOCK_EX)
        with self._lock:
            if self._wanted:
                self.granted.set()
            else:
                self._over = True
                os.close(self.file)
