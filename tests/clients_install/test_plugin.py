"""The plugin folder: the same hooks as the settings, and a primer that costs little to read."""

from __future__ import annotations

import json
from typing import Any

import roost
from roost.clients.claude import hooktable
from roost.clients.claude.install import PLUGIN, PLUGIN_FOLDER

PRIMER_WORDS_MAX = 300


def told(name: str) -> Any:
    return json.loads((PLUGIN_FOLDER / name).read_text())


def test_the_plugin_has_the_hooks_of_the_table() -> None:
    written = (PLUGIN_FOLDER / "hooks" / "hooks.json").read_text()
    assert written == hooktable.plugin_text(), "write roost.clients.claude.hooktable.plugin_text() into it"


def test_the_plugin_has_the_packages_version() -> None:
    assert told(".claude-plugin/plugin.json")["version"] == roost.__version__


def test_the_folder_is_a_marketplace_of_its_own() -> None:
    market = told(".claude-plugin/marketplace.json")
    (plugin,) = market["plugins"]
    assert plugin["source"] == "./"
    assert plugin["name"] == told(".claude-plugin/plugin.json")["name"] == PLUGIN.rstrip("@")
    assert market["name"] and market["owner"]["name"]


def test_the_primer_is_short_and_says_that_a_peer_is_not_the_user() -> None:
    empty, head, primer = (PLUGIN_FOLDER / "skills" / "roost" / "SKILL.md").read_text().split("---\n", 2)
    assert empty == "" and "\nname: roost\n" in f"\n{head}" and "\ndescription: " in head
    assert len(primer.split()) <= PRIMER_WORDS_MAX
    assert "never the user's" in primer
    for verb in ("who", "send", "reply", "ack", "inbox", "read", "lease acquire", "lease release"):
        assert f"`roost {verb} " in primer or f"`roost {verb}`" in primer
