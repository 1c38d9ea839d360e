"""The scratch HOME of a fleet: what a person's own would hold after the first start."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Not a key of anyone; the client asks about an unknown key, so its end is approved beforehand.
DUMMY_KEY = "dummy-key-for-the-scripted-model"
IDLE_NOTICE_MS = 3000


def make_home(home: Path, trusted: Sequence[Path]) -> None:
    """Create the folder with onboarding answered and the folders in `trusted` trusted."""
    (home / ".claude").mkdir(parents=True)
    project = {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}
    answers = {
        "hasCompletedOnboarding": True,
        "theme": "dark",
        "messageIdleNotifThresholdMs": IDLE_NOTICE_MS,
        "customApiKeyResponses": {"approved": [DUMMY_KEY[-20:]], "rejected": []},
        "projects": {str(folder): project for folder in trusted},
    }
    (home / ".claude.json").write_text(json.dumps(answers))
    (home / ".gitconfig").write_text(
        "[user]\n\tname = Test Person\n\temail = person@example.org\n[init]\n\tdefaultBranch = main\n"
    )


def write_settings(home: Path, settings: dict[str, Any]) -> Path:
    """Write the user's settings of Claude Code; a running client sees either the old or the new."""
    path = home / ".claude" / "settings.json"
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(settings, indent=2))
    partial.replace(path)
    return path
