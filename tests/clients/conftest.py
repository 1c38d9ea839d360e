"""A fleet of real clients for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.harness import Fleet, Recorder


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    """The recorder hook's folder."""
    return Recorder(tmp_path / "recorder")


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """A namespace with a model server, a HOME and a repository."""
    with Fleet(tmp_path / "fleet") as started:
        yield started
