"""The launcher: the one command that clients' settings name, so that an upgrade of Roost changes none of them."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import roost

PLACE = ".local/share/roost/hook"
"""Where it lies under the home folder; fixed, whatever XDG_DATA_HOME says (docs/decisions/005-launcher.md)."""

MODE = 0o700


def path(home: Path) -> Path:
    """Return where the launcher of this user lies."""
    return home / PLACE


def program() -> Path:
    """Return the hook program of this installation."""
    return Path(roost.__file__).parent / "interfaces" / "hook" / "program.py"


def render(python: Path | None = None, hook_program: Path | None = None) -> bytes:
    """Return the launcher for an interpreter (default: this one) and a hook program (default: this installation's).

    Raises ValueError for a path that is not absolute: it would mean another file in each folder.
    """
    used = {"@PYTHON@": python or Path(sys.executable), "@PROGRAM@": hook_program or program()}
    text = Path(__file__).with_name("launcher.sh").read_text(encoding="utf-8")
    for mark, target in used.items():
        if not target.is_absolute():
            raise ValueError(f"{target} is no absolute path")
        text = text.replace(mark, shlex.quote(str(target)), 1)
    return text.encode("utf-8", "surrogateescape")
