"""What a test may have left behind: daemons that still serve a scratch project."""

from __future__ import annotations

import os
from pathlib import Path


def daemons_in(folder: Path) -> list[str]:
    """Return process and command line of the daemons that serve something under a folder."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # it ended meanwhile
        if any("roost" in word for word in words[:3]) and any(word.startswith(f"{folder}/") for word in words):
            found.append(f"{pid}: {' '.join(words)}")
    return found
