"""The gate: one flock around every write transaction and checkpoint of a store.

SQLite's own busy timeout starves writers (27:1 between the luckiest and the unluckiest of 32 was measured; the gate gave 1.07:1),
and serialised checkpoints also keep SQLite's WAL-reset defect away. A blocked flock has no deadline, so a thread waits for it.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from pathlib import Path

from roost.errors import StoreBusy


class Gate:
    """A lock between threads and processes with a deadline in seconds."""

    def __init__(self, path: Path | None, seconds_max: float) -> None:
        self._seconds_max = seconds_max
        self._threads = threading.Lock()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600) if path else -1

    def enter(self) -> None:
        """Take the gate, or raise StoreBusy when it does not open in time."""
        deadline = time.monotonic() + self._seconds_max
        if not self._threads.acquire(timeout=self._seconds_max):
            raise self._busy()
        if self._file < 0 or self._try():
            return
        if not self._wait(deadline):
            self._threads.release()
            raise self._busy()

    def leave(self) -> None:
        """Let the next one in."""
        if self._file >= 0:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self._threads.release()

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _try(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _wait(self, deadline: float) -> bool:
        # The waiting thread has its own descriptor: if we give up first, closing it gives the lock back whenever it comes.
        file = os.open(f"/proc/self/fd/{self._file}", os.O_RDWR | os.O_CLOEXEC)
        ours = _Ticket()
        thread = threading.Thread(target=ours.stand, args=(file,), daemon=True)
        thread.start()
        if not ours.granted.wait(max(0.0, deadline - time.monotonic())) and ours.give_up():
            return False
        os.close(self._file)
        self._file = file
        return True

    def _busy(self) -> StoreBusy:
        return StoreBusy(
            f"the store's write gate did not open within {self._seconds_max:g} s",
            hint="another process holds it; try again, and see `roost doctor` if it lasts",
            retry_after=1.0,
        )


class _Ticket:
    """One thread's place in the queue for the lock."""

    def __init__(self) -> None:
        self.granted = threading.Event()
        self._lock = threading.Lock()
        self._gone = False

    def stand(self, file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)
        with self._lock:
            if self._gone:
                os.close(file)
            else:
                self.granted.set()

    def give_up(self) -> bool:
        """Return whether we left before the lock came."""
        with self._lock:
            self._gone = not self.granted.is_set()
            return self._gone
