"""The name of the project's person: what git says, else the login name."""

from __future__ import annotations

import os

from roost.names import slug

FALLBACK = "operator"


def name_of_person() -> str:
    """Return `git config user.name` as a name (`Ada Lovelace`: `ada-lovelace`), else the login name, else
    `operator`."""
    return slug(_git_user_name()) or slug(_login()) or FALLBACK


def _git_user_name() -> str:
    import subprocess

    try:
        answer = subprocess.run(
            ["git", "config", "user.name"], capture_output=True, text=True, errors="replace", timeout=5, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip()


def _login() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may run as a user that nobody wrote down
        return ""
