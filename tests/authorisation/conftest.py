"""What the tests of who may share: one daemon for a file of them, with every door open."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .stage import Stage


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    made = Stage(tmp_path_factory.mktemp("stage"))
    yield made
    made.close()
