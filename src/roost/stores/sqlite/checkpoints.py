"""When the WAL is copied back into the database: in a thread, under the gate, never inside somebody's commit."""

from __future__ import annotations

import threading
from collections.abc import Callable

PAGES_MIN = 4_000
"""A WAL longer than this (16 MB) is copied back. At 1,000 pages a busy daemon did so 17 times a second: a page that
many messages touch is copied once a round."""


class Checkpointer:
    """Follows the length of the WAL and has it copied back when it is long."""

    def __init__(self, checkpoint: Callable[[], None]) -> None:
        self._checkpoint = checkpoint
        self._thread: threading.Thread | None = None
        self._pages = 0
        self._pages_due = PAGES_MIN

    def note(self, pages: int) -> None:
        """Learn from a commit how many pages the WAL has."""
        if pages < self._pages:
            self._pages_due = PAGES_MIN  # the WAL began again
        self._pages = pages

    def run_if_long(self) -> None:
        """Start a checkpoint if the WAL is long and none is under way."""
        if self._pages < self._pages_due or (self._thread and self._thread.is_alive()):
            return
        # If a reader keeps the WAL from being copied back whole, ask again only when it has grown by a quarter.
        self._pages_due = max(PAGES_MIN, self._pages * 5 // 4)
        thread = threading.Thread(target=self._checkpoint, name="roost-checkpoint")
        try:
            thread.start()
        except RuntimeError:
            return  # no thread is to be had now: what was committed is, and a longer WAL asks again
        self._thread = thread

    def join(self) -> None:
        """Wait for the checkpoint that is under way."""
        if self._thread and self._thread is not threading.current_thread():
            self._thread.join()
