"""Which of the client's events call Roost, and how: the one source of the settings and of the plugin."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from roost.clients import launcher
from roost.clients.claude.events import CLIENT, WAITING_NOTICES

Handler = dict[str, Any]
Group = dict[str, Any]
"""One entry of an event's list in the client's settings: an optional matcher and its handlers."""

EDIT_TOOLS = "Edit|MultiEdit|Write|NotebookEdit"
SHELL_TOOL = "Bash"

COMMAND = f"[ ! -x ~/{launcher.PLACE} ] || ~/{launcher.PLACE} {CLIENT}"
"""One for every settings file: a client runs equal commands of two files once. Silent where Roost is not installed."""
HTTP_COMMAND = f"{COMMAND} http"
"""For events that a client which Roost launched tells of by HTTP: there it ends at once, while a daemon hears them."""
WAIT_COMMAND = f"{COMMAND} wait"

# Seconds. The hook program ends itself long before; these are for a machine that stands still. A waiter sits beside an
# idle session, and what outlives it cannot be woken until its next event: an evening and a night are not too long.
START_SECONDS = 10
EVENT_SECONDS = 5
HTTP_SECONDS = 3
WAIT_SECONDS = 24 * 3600


class Hook(msgspec.Struct, frozen=True):
    """One event that calls Roost; `waits` adds the waiter that wakes the session while it is idle.

    Not `by_http` is what must also happen without a daemon, and what writes the client's environment file.
    """

    event: str
    matcher: str = ""
    seconds: int = EVENT_SECONDS
    waits: bool = False
    by_http: bool = True


TABLE = (
    Hook("SessionStart", seconds=START_SECONDS, waits=True, by_http=False),
    Hook("UserPromptSubmit", waits=True),
    Hook("PreToolUse", matcher=EDIT_TOOLS, by_http=False),
    Hook("PreToolUse", matcher=SHELL_TOOL, by_http=False),
    Hook("PostToolBatch"),
    Hook("Stop", waits=True),
    Hook("StopFailure"),
    Hook("PreCompact"),
    Hook("Notification", matcher="|".join(sorted(WAITING_NOTICES))),
    Hook("PermissionRequest"),
    Hook("SessionEnd", by_http=False),
)
FALLBACK = Hook("PostToolUse")
"""Takes the place of PostToolBatch in a client that does not know that event."""


def groups(*, batch: bool = True) -> dict[str, list[Group]]:
    """Return the client's `hooks` settings; without `batch` for a client that has no PostToolBatch."""
    made: dict[str, list[Group]] = {}
    for hook in _used(batch):
        made.setdefault(hook.event, []).append(_group(hook))
    return made


def http_groups(url: str, key: str, *, batch: bool = True) -> dict[str, list[Group]]:
    """Return the hooks of a client that Roost launched: what it tells of by HTTP, beside the commands."""
    made: dict[str, list[Group]] = {}
    for hook in _used(batch):
        if hook.by_http:
            made.setdefault(hook.event, []).append(_matched(hook, [_http(url, key)]))
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
        and handler.get("command") in (COMMAND, HTTP_COMMAND, WAIT_COMMAND)
    )


def _used(batch: bool) -> list[Hook]:
    return [FALLBACK if hook.event == "PostToolBatch" and not batch else hook for hook in TABLE]


def _group(hook: Hook) -> Group:
    command = HTTP_COMMAND if hook.by_http else COMMAND
    handlers: list[Handler] = [{"type": "command", "command": command, "timeout": hook.seconds}]
    if hook.waits:
        handlers.append({"type": "command", "command": WAIT_COMMAND, "asyncRewake": True, "timeout": WAIT_SECONDS})
    return _matched(hook, handlers)


def _http(url: str, key: str) -> Handler:
    return {"type": "http", "url": url, "headers": {"Authorization": f"Bearer {key}"}, "timeout": HTTP_SECONDS}


def _matched(hook: Hook, handlers: list[Handler]) -> Group:
    return {"matcher": hook.matcher, "hooks": handlers} if hook.matcher else {"hooks": handlers}
