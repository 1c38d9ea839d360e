"""The client that docs/reference/wire.md shows works at a real daemon."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.connect import connect
from tests.daemon.served import Served, serving

TEXT = (Path(__file__).parents[2] / "docs" / "reference" / "wire.md").read_text()
PROGRAM = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)[-1]
SECONDS_MAX = 30
"""Only that a hung test ends."""


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A project with a person and a daemon that runs."""
    with serving(tmp_path, monkeypatch) as made:
        project = connect(made.place)
        project.system().turns.person("ada")
        project.close()
        yield made.start()


def test_the_client_of_the_native_protocol_speaks_it(served: Served) -> None:
    said = _run(PROGRAM, served.folder)
    assert {line.split(" ", 2)[1] for line in said[:2]} == {"ok"}
    assert said[2].startswith("message.sent ")


def _run(program: str, folder: Path) -> list[str]:
    environ = {**os.environ, "ROOST_DAEMON": "auto"}
    words = [sys.executable, "-c", program]
    done = subprocess.run(
        words, cwd=folder, env=environ, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
