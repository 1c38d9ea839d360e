"""docs/daemon.md names every setting with its default."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import msgspec

from roost.config import Config, Daemon

TEXT = (Path(__file__).parents[2] / "docs" / "daemon.md").read_text()


def test_the_settings_that_are_shown_are_all_there_are_at_their_defaults() -> None:
    shown = re.search(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    assert shown is not None
    table = tomllib.loads(shown[1])
    assert table["daemon"].keys() == {field.encode_name for field in msgspec.structs.fields(Daemon)}
    assert msgspec.convert(table, Config) == Config()
