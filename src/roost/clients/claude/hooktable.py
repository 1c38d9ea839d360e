"""Which of the client's events call Roost, and how: the one source of the settings and of the plugin."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import msgspec

from roost.clients import launcher
from roost.clients.claude.events import CLIENT, WAITING_NOTICES

Group = dict[str, Any]
"""One entry of an event's list in the client's settings: an optional matcher and its handlers."""

EDIT_TOOLS = "Edit|MultiEdit|Write|NotebookEdit"
SHELL_TOOL = "Bash"

WAIT = "wait"
"""The word after the command that makes it a waiter."""

# Seconds. The hook program ends itself long before; these are for a machine that stands still. A waiter sits beside an
# idle session, and what outlives it cannot be woken until its next event: an evening and a night are not too long.
START_SECONDS = 10
EVENT_SECONDS = 5
WAIT_SECONDS = 24 * 3600


class Hook(msgspec.Struct, frozen=True):
    """One event that calls Roost; `waits` adds the waiter that wakes the session while it is idle."""

    event: str
    matcher: str = ""
    seconds: int = EVENT_SECONDS
    waits: bool = False


TABLE = (
    Hook("SessionStart", seconds=START_SECONDS, waits=True),
    Hook("UserPromptSubmit", waits=True),
    Hook("PreToolUse", matcher=EDIT_TOOLS),
    Hook("PreToolUse", matcher=SHELL_TOOL),
    Hook("PostToolBatch"),
    Hook("Stop", waits=True),
    Hook("StopFailure"),
    Hook("PreCompact"),
    Hook("Notification", matcher="|".join(sorted(WAITING_NOTICES))),
    Hook("PermissionRequest"),
    Hook("SessionEnd"),
)
FALLBACK = Hook("PostToolUse")
"""Takes the place of PostToolBatch in a client that does not know that event."""


def groups(command: str, *, batch: bool = True) -> dict[str, list[Group]]:
    """Return the client's `hooks` settings, in which each handler is `command`, and a waiter `command` and `wait`."""
    made: dict[str, list[Group]] = {}
    for hook in TABLE:
        used = FALLBACK if hook.event == "PostToolBatch" and not batch else hook
        made.setdefault(used.event, []).append(_group(used, command))
    return made


def own_command(home: Path) -> str:
    """Return the command for this user's own settings: an absolute path, which no environment can turn elsewhere."""
    return f"{shlex.quote(str(launcher.path(home)))} {CLIENT}"


SHARED_COMMAND = f'[ ! -x "$HOME/{launcher.PLACE}" ] || "$HOME/{launcher.PLACE}" {CLIENT}'
"""The command for settings that several people share; silent where Roost is not installed."""


def is_ours(handler: object) -> bool:
    """Tell whether a handler in a settings file is one of Roost's, whoever's home it names."""
    if not isinstance(handler, dict) or handler.get("type") != "command":
        return False
    command = handler.get("command")
    if not isinstance(command, str):
        return False
    if command in {SHARED_COMMAND, f"{SHARED_COMMAND} {WAIT}"}:
        return True
    try:
        words = shlex.split(command)
    except ValueError:
        return False
    return words[1:] in ([CLIENT], [CLIENT, WAIT]) and words[0].endswith(f"/{launcher.PLACE}")


def _group(hook: Hook, command: str) -> Group:
    handlers: list[dict[str, Any]] = [{"type": "command", "command": command, "timeout": hook.seconds}]
    if hook.waits:
        handlers.append(
            {"type": "command", "command": f"{command} {WAIT}", "asyncRewake": True, "timeout": WAIT_SECONDS}
        )
    return {"matcher": hook.matcher, "hooks": handlers} if hook.matcher else {"hooks": handlers}
