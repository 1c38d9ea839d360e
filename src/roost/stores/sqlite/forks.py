"""What happens to open stores when the process forks: SQLite's connections and locks must not pass to the child.

SQLite keeps the locks of a process in its memory, and a child that inherits this memory believes to hold what it does
not. So the connections are closed before the fork and opened again by whoever needs one.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forking(Protocol):
    """An open store."""

    def before_fork(self) -> None: ...

    def after_fork(self, *, child: bool) -> None: ...


_stores: weakref.WeakSet[Forking] = weakref.WeakSet()


def watch(store: Forking) -> None:
    """Tell this store of every fork while it exists."""
    _stores.add(store)


def _before() -> None:
    for store in list(_stores):
        store.before_fork()


def _in_parent() -> None:
    for store in list(_stores):
        store.after_fork(child=False)


def _in_child() -> None:
    for store in list(_stores):
        store.after_fork(child=True)


os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
