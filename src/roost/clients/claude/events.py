"""Claude Code's hook events, read: stdin and environment become a ClientEvent.

Only what is used is looked at; unknown events and fields pass, and a field of another type than expected is taken for
absent: the client changes often, and an agent must never be stopped by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from os.path import join, normpath
from typing import Any

import msgspec

from roost.clients.base import Unreadable
from roost.clients.claude.halves import decoded
from roost.turns.model import ClientEvent, EventKind

CLIENT = "claude"
STDIN_BYTES_MAX = 16 * 1024 * 1024
DETAIL_CHARS_MAX = 500
KEEP_GOING_MAX = 8
"""The client lets the ninth Stop in a row through, unless CLAUDE_CODE_STOP_HOOK_BLOCK_CAP says another number."""

KINDS: Mapping[str, EventKind] = {
    "SessionStart": "start",
    "UserPromptSubmit": "prompt",
    "PreToolUse": "tool_before",
    "PostToolUse": "tool_after",
    "PostToolUseFailure": "tool_after",
    "PostToolBatch": "tool_after",
    "Stop": "turn_end",
    "PreCompact": "compacting",
    "StopFailure": "turn_failed",
    "SessionEnd": "session_end",
    "PermissionRequest": "waiting",
}
# Of the notices only these mean that a person must answer before the agent goes on.
WAITING_NOTICES = frozenset(
    {
        "permission_prompt",
        "worker_permission_prompt",
        "elicitation_dialog",
        "elicitation_url_dialog",
        "agent_needs_input",
    }
)
TAKES_CONTEXT = frozenset(
    {"SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "PostToolUseFailure", "PostToolBatch", "Stop"}
)
EDIT_TOOLS = frozenset({"Edit", "MultiEdit", "Write", "NotebookEdit"})
# Every other tool may write files that it does not name: a shell, or one that is not known here.
NAMES_WHAT_IT_WRITES = EDIT_TOOLS | {"Read", "Glob", "Grep", "LS", "TodoWrite", "WebFetch", "WebSearch", "ToolSearch"}
AFTER_ANSWER = frozenset({"PostToolBatch", "UserPromptSubmit", "Stop"})
# What the client itself or a program gave as a prompt.
NOT_TYPED_SOURCES = frozenset({"system", "loop_wakeup", "schedule_wakeup", "poll_event"})
NOT_TYPED_STARTS = ("<task-notification>", "<roost-mail ", "<roost-says ")

SOURCES: Mapping[str, str] = {
    "SessionStart": "source",
    "UserPromptSubmit": "source",
    "SessionEnd": "reason",
    "StopFailure": "error",
    "PreCompact": "trigger",
    "PostCompact": "trigger",
    "Notification": "notification_type",
}
DETAILS: Mapping[str, str] = {
    "StopFailure": "error_details",
    "PostToolUseFailure": "error",
    "PreCompact": "custom_instructions",
    "Notification": "message",
}

Json = dict[str, Any]


def read(raw: bytes, environ: Mapping[str, str]) -> ClientEvent | Unreadable:
    """Read one hook call; Unreadable says why it is none."""
    if len(raw) > STDIN_BYTES_MAX:
        return Unreadable(reason=f"{len(raw)} bytes on stdin, more than {STDIN_BYTES_MAX}")
    try:
        told = decoded(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Unreadable(reason=f"stdin is not a JSON object: {error}")
    name, session, cwd = (_text(told, field) for field in ("hook_event_name", "session_id", "cwd"))
    if not (name and session and cwd.startswith("/")):
        return Unreadable(reason="stdin has no hook_event_name, no session_id or no absolute cwd")
    return _event(name, session, cwd, told, environ)


def _event(name: str, session: str, cwd: str, told: Json, environ: Mapping[str, str]) -> ClientEvent:
    kind = kind_of(name, told)
    tools = list(_tools(told))
    only = tools[0] if len(tools) == 1 else {}
    in_subagent = bool(_text(told, "agent_id"))
    return ClientEvent(
        client=CLIENT,
        name=name,
        kind=kind,
        client_session=session,
        cwd=cwd,
        transcript=_text(told, "transcript_path") or None,
        source=_text(told, SOURCES.get(name, "")),
        in_subagent=in_subagent,
        tool=_text(only, "tool_name"),
        paths=tuple(dict.fromkeys(path for tool in tools for path in _targets(tool, cwd))),
        command=_text(_object(only, "tool_input"), "command") if _text(only, "tool_name") == "Bash" else "",
        may_write=any(_text(tool, "tool_name") not in NAMES_WHAT_IT_WRITES for tool in tools),
        after_answer=name in AFTER_ANSWER,
        stop_active=told.get("stop_hook_active") is True,
        prompt_is_user=kind == "prompt" and _is_typed(told),
        client_pid=_pid(environ.get("CLAUDE_PID", "")),
        attended=_attended(environ),
        takes_context=name in TAKES_CONTEXT and not in_subagent,
        takes_denial=name == "PreToolUse",
        keep_going_max=_keep_going_max(environ) if name == "Stop" else 0,
        tmux=environ.get("TMUX", "").partition(",")[0],
        pane=environ.get("TMUX_PANE", ""),
        inbox=environ.get("CLAUDE_CODE_MESSAGING_SOCKET", ""),
        env_file=environ.get("CLAUDE_ENV_FILE", ""),
        detail=_text(told, DETAILS.get(name, ""))[:DETAIL_CHARS_MAX],
    )


def kind_of(name: str, told: Json) -> EventKind:
    """Return what an event means, by its name and, for a notice, its type."""
    if name == "Notification" and _text(told, "notification_type") in WAITING_NOTICES:
        return "waiting"
    return KINDS.get(name, "other")


def _tools(told: Json) -> Iterator[Json]:
    """List the event's tool calls: one, or those of a batch."""
    if "tool_name" in told:
        yield told
    batch = told.get("tool_calls")
    if isinstance(batch, list):
        yield from (call for call in batch if isinstance(call, dict))


def _targets(tool: Json, cwd: str) -> Iterator[str]:
    """List the files that one call of an edit tool writes."""
    if _text(tool, "tool_name") not in EDIT_TOOLS:
        return
    given = _object(tool, "tool_input")
    edits = given.get("edits")
    parts = [given, *(edit for edit in edits if isinstance(edit, dict))] if isinstance(edits, list) else [given]
    for part in parts:
        path = _text(part, "file_path") or _text(part, "notebook_path")
        if path:
            yield normpath(join(cwd, path))


def _is_typed(told: Json) -> bool:
    return _text(told, "source") not in NOT_TYPED_SOURCES and not _text(told, "prompt").startswith(NOT_TYPED_STARTS)


def _attended(environ: Mapping[str, str]) -> bool:
    said = environ.get("CLAUDE_CODE_SESSION_ATTENDED")
    return said == "1" if said is not None else environ.get("CLAUDE_CODE_ENTRYPOINT", "cli") == "cli"


def _keep_going_max(environ: Mapping[str, str]) -> int:
    said = environ.get("CLAUDE_CODE_STOP_HOOK_BLOCK_CAP", "")
    return int(said) if said.isascii() and said.isdigit() else KEEP_GOING_MAX


def _pid(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None


def _text(told: Json, field: str) -> str:
    value = told.get(field)
    return value if isinstance(value, str) else ""


def _object(told: Json, field: str) -> Json:
    value = told.get(field)
    return value if isinstance(value, dict) else {}
