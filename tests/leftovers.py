"""What a test may have left behind: daemons that still serve a scratch project."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

STOP_SECONDS_MAX = 60.0
"""Only that a hung test ends; no promise."""


def daemons_in(folder: Path) -> list[str]:
    """Return process and command line of the daemons that serve something under a folder."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # it ended meanwhile
        if any(map(_is_roost, words[1:3])) and any(word.startswith(f"{folder}/") for word in words):
            found.append(f"{pid}: {' '.join(words)}")
    return found


def _is_roost(word: str) -> bool:
    """Say whether a word after the interpreter makes it Roost's command line or daemon: a module, a script, or code."""
    return word.startswith("roost.") or os.path.basename(word) == "roost" or "roost.daemon" in word


def stop_daemons(place: str) -> None:
    """Stop whatever serves a place, and wait until it is gone.

    One that a caller started a moment ago has neither taken the lock nor said who it is: only the system knows it.
    """
    deadline = time.monotonic() + STOP_SECONDS_MAX
    while left := _serving(place) or _serving(place):  # one that forks meanwhile is missed by one look
        assert time.monotonic() < deadline, f"these did not stop: {left}"
        for line in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(line.partition(":")[0]), signal.SIGCONT)
                os.kill(int(line.partition(":")[0]), signal.SIGTERM)
        time.sleep(0.02)


def _serving(place: str) -> list[str]:
    return [line for line in daemons_in(Path(place).parent) if line.split()[-1] == place]
