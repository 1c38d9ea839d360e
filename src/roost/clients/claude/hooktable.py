"""Which of the client's events call Roost, and how: the one source of the settings and of the plugin."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from roost.clients import launcher
from roost.clients.claude.events import CLIENT, WAITING_NOTICES

Group = dict[str, Any]
"""One entry of an event's list in the client's settings: an optional matcher and its handlers."""

EDIT_TOOLS = "Edit|MultiEdit|Write|NotebookEdit"
SHELL_TOOL = "Bash"

COMMAND = f"[ ! -x ~/{launcher.PLACE} ] || ~/{launcher.PLACE} {CLIENT}"
"""One for every settings file: a client runs equal commands of two files once. Silent where Roost is not installed."""
WAIT_COMMAND = f"{COMMAND} wait"

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


def groups(*, batch: bool = True) -> dict[str, list[Group]]:
    """Return the client's `hooks` settings; without `batch` for a client that has no PostToolBatch."""
    made: dict[str, list[Group]] = {}
    for hook in TABLE:
        used = FALLBACK if hook.event == "PostToolBatch" and not batch else hook
        made.setdefault(used.event, []).append(_group(used))
    return made


def plugin_text() -> str:
    """Return what the plugin's hooks/hooks.json holds; a test keeps the file to it."""
    told = {"description": "Brings messages of other agents and guards their leases.", "hooks": groups()}
    return json.dumps(told, indent=2) + "\n"


def is_ours(handler: object) -> bool:
    """Tell whether a handler in a settings file is one of Roost's."""
    return (
        isinstance(handler, dict)
        and handler.get("type") == "command"
        and handler.get("command") in (COMMAND, WAIT_COMMAND)
    )


def _group(hook: Hook) -> Group:
    handlers: list[dict[str, Any]] = [{"type": "command", "command": COMMAND, "timeout": hook.seconds}]
    if hook.waits:
        handlers.append({"type": "command", "command": WAIT_COMMAND, "asyncRewake": True, "timeout": WAIT_SECONDS})
    return {"matcher": hook.matcher, "hooks": handlers} if hook.matcher else {"hooks": handlers}
