"""The client that docs/reference/wire.md shows works at a real daemon."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from roost.connect import connect
from tests.daemon.served import Served

TEXT = (Path(__file__).parents[2] / "docs" / "reference" / "wire.md").read_text()
PROGRAM = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)[-1]
SECONDS_MAX = 30
"""Only that a hung test ends."""


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Served:
    """A project with a daemon and a person."""
    for variable in ("ROOST_SESSION", "ROOST_DIR", "ROOST_AGENT"):
        monkeypatch.delenv(variable, raising=False)
    made = Served(tmp_path)
    project = connect(made.place)
    project.system().turns.person("ada")
    project.close()
    return made


def test_the_client_of_the_native_protocol_speaks_it(served: Served) -> None:
    try:
        served.start()
        said = _run(PROGRAM, served.folder)
    finally:
        served.end()
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
