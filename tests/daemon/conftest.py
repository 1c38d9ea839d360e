"""What the tests of the daemon share: a scratch project that it serves, and the proof that none is left behind."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.leftovers import daemons_in

from .served import Served, serving

GOING_SECONDS_MAX = 60.0
"""A process ends a moment after it let its lock go; only a guard, on a machine that has much else to do."""


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A project with a daemon that runs already."""
    with serving(tmp_path, monkeypatch) as made:
        yield made.start()


@pytest.fixture
def unserved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A project whose daemon is not started yet."""
    with serving(tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture(autouse=True)
def no_daemon_is_left(tmp_path: Path) -> Iterator[None]:
    """Fail where a test leaves a daemon of its scratch folder behind."""
    yield
    deadline = time.monotonic() + GOING_SECONDS_MAX
    while left := daemons_in(tmp_path):
        assert time.monotonic() < deadline, left
        time.sleep(0.02)
