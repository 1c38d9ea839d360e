"""A store that is open when its process forks: the child goes on with connections of its own, or is told why not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from roost.errors import StoreReplaced
from roost.runtimes.host import LocalHost
from roost.stores.sqlite.store import SqliteStore


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    return SqliteStore(tmp_path / "store.db", host=LocalHost(), gate=tmp_path / "gate")


def seen_by_child(store: SqliteStore) -> str:
    """Fork; return what the child gets of the store."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, _seen(store).encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading, encoding="utf-8") as file:
        return file.read()


def _seen(store: SqliteStore) -> str:
    try:
        with store.write() as tx:
            return f"epoch {tx.store_epoch}"
    except StoreReplaced as error:
        return str(error)


def test_parent_and_child_both_go_on(store: SqliteStore) -> None:
    assert seen_by_child(store) == _seen(store) == "epoch 1"


def test_a_child_of_a_process_inside_a_transaction_is_refused(store: SqliteStore) -> None:
    with store.read() as tx:
        assert "forked inside a transaction" in seen_by_child(store)
        assert tx.store_epoch == 1
    assert _seen(store) == "epoch 1"


def test_a_store_in_memory_stays_with_its_parent() -> None:
    store = SqliteStore(None, host=LocalHost())
    assert "stays in the process that opened it" in seen_by_child(store)
    assert _seen(store) == "epoch 1"
