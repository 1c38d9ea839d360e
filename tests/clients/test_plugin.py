"""The plugin, added to the real client from its folder: it brings the hooks, and `roost init` leaves them to it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from roost.clients.claude.install import PLUGIN_FOLDER
from tests.clients.harness import Fleet, say
from tests.clients.harness.fleet import INSTALLED

pytestmark = pytest.mark.clients

SCRIPTS = Path(sys.executable).parent


def test_the_plugin_makes_a_session_join_once_and_teaches_it_the_command(tmp_path: Path) -> None:
    with Fleet(tmp_path / "fleet", path=[SCRIPTS]) as fleet:
        for command in (
            (str(INSTALLED), "plugin", "validate", str(PLUGIN_FOLDER)),
            (str(INSTALLED), "plugin", "marketplace", "add", str(PLUGIN_FOLDER)),
            (str(INSTALLED), "plugin", "install", "roost@roost"),
            ("roost", "init", "--yes", "--me", "ada"),
        ):
            done = fleet.run(*command)
            assert done.returncode == 0, done.stdout + done.stderr
        assert '"hooks"' not in (fleet.home / ".claude" / "settings.json").read_text()
        fleet.ask("one", "hello", script=[say("done")])
        asked = fleet.wait_request("one", 1)
        assert asked.count("You are claude-1") == 1
        assert asked.count("roost:roost") == 1
