"""The tmux program of this machine."""

from __future__ import annotations

import shutil
import subprocess

VERSION_SECONDS_MAX = 2.0


def version() -> str:
    """Return what `tmux -V` says (`tmux 3.4`), '' where there is none or it does not answer."""
    program = shutil.which("tmux")
    if program is None:
        return ""
    try:
        done = subprocess.run([program, "-V"], capture_output=True, text=True, timeout=VERSION_SECONDS_MAX, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
