"""Recorded hook calls of a real client, read as events."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.clients.base import Unreadable
from roost.clients.claude import events
from roost.turns.model import ClientEvent

from .recordings import SCENARIOS, hook_calls, read, recorded


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_recorded_call_is_read(scenario: str) -> None:
    for call in hook_calls(scenario):
        event = read(call)
        assert (event.client, event.name) == ("claude", call["event"])
        assert event.client_session == call["env"]["CLAUDE_CODE_SESSION_ID"]
        assert event.client_pid == int(call["env"]["CLAUDE_PID"])
        assert event.cwd == "/scratch/repo"
        assert event.transcript is not None
        assert event.transcript.endswith(f"/{event.client_session}.jsonl")
        # A client that leaves has closed its inbox; one that only clears its context has not.
        is_gone = event.kind == "session_end" and event.source != "clear"
        assert event.inbox == ("" if is_gone else f"/run/fleet/cc-socks/{event.client_pid}.sock")


@pytest.mark.parametrize(
    ("scenario", "name", "kind", "source"),
    [
        ("turn", "SessionStart", "start", "startup"),
        ("turn", "UserPromptSubmit", "prompt", ""),
        ("turn", "PreToolUse", "tool_before", ""),
        ("turn", "PostToolUse", "tool_after", ""),
        ("turn", "PostToolUseFailure", "tool_after", ""),
        ("turn", "PostToolBatch", "tool_after", ""),
        ("turn", "Stop", "turn_end", ""),
        ("turn", "SessionEnd", "session_end", "other"),
        ("compaction", "PreCompact", "compacting", "manual"),
        ("compaction", "SessionEnd", "session_end", "prompt_input_exit"),
        ("api_error", "StopFailure", "turn_failed", "unknown"),
        ("subagent", "SubagentStart", "other", ""),
    ],
)
def test_a_call_means_the_same_for_every_client(scenario: str, name: str, kind: str, source: str) -> None:
    event = recorded(scenario, name)[0]
    assert (event.kind, event.source) == (kind, source)


def test_clear_ends_one_client_session_and_starts_another_in_the_same_process() -> None:
    end, start = recorded("clear", "SessionEnd")[0], recorded("clear", "SessionStart")[1]
    assert (end.source, start.source) == ("clear", "clear")
    assert end.client_session != start.client_session
    assert end.client_pid == start.client_pid


def test_compaction_keeps_the_client_session() -> None:
    first, again = recorded("compaction", "SessionStart")
    assert again.source == "compact"
    assert again.client_session == first.client_session


def test_resume_keeps_the_client_session_in_a_new_process_and_a_fork_is_another() -> None:
    first, resumed, fork = recorded("resume", "SessionStart")
    assert (resumed.source, fork.source) == ("resume", "fork")
    assert resumed.client_session == first.client_session != fork.client_session
    assert resumed.client_pid != first.client_pid


def test_the_targets_of_edit_tools_are_absolute_paths() -> None:
    before = {event.tool: event.paths for event in recorded("edits", "PreToolUse")}
    assert before == {
        "Read": (),
        "Edit": ("/scratch/repo/a.txt",),
        "Write": ("/scratch/repo/b.txt",),
        "NotebookEdit": ("/scratch/repo/n.ipynb",),
    }


def test_a_batch_names_all_files_and_no_single_tool() -> None:
    edit = {"tool_name": "Edit", "tool_input": {"file_path": "/scratch/repo/a.txt"}}
    write = {"tool_name": "Write", "tool_input": {"file_path": "sub/../b.txt"}}
    batch = hook_calls("parallel", "PostToolBatch")[0]
    event = read(batch | {"stdin": batch["stdin"] | {"tool_calls": [edit, write, edit]}})
    assert (event.tool, event.paths) == ("", ("/scratch/repo/a.txt", "/scratch/repo/b.txt"))


def test_an_edit_of_several_places_names_each_file_once() -> None:
    call = hook_calls("edits", "PreToolUse")[1]
    many = {"file_path": "/x/a.txt", "edits": [{"old_string": "a"}, {"file_path": "/x/b.txt"}, "odd"]}
    event = read(call | {"stdin": call["stdin"] | {"tool_name": "MultiEdit", "tool_input": many}})
    assert event.paths == ("/x/a.txt", "/x/b.txt")


def test_a_shell_command_is_read() -> None:
    assert recorded("turn", "PreToolUse")[0].command == "echo one"


def test_events_inside_a_subagent_are_known_and_get_no_context() -> None:
    inside = [event for event in recorded("subagent", "PreToolUse") if event.in_subagent]
    assert [event.command for event in inside] == ["echo inside"]
    assert not inside[0].takes_context
    assert inside[0].takes_denial


def test_prompts_of_a_person_are_told_from_wakers_and_pushed_mail() -> None:
    rewake = [event.prompt_is_user for event in recorded("rewake", "UserPromptSubmit")]
    assert rewake == [True, False, True, False]
    call = hook_calls("turn", "UserPromptSubmit")[0]
    assert read(call).prompt_is_user
    pushed = '<roost-mail to="builder" messages="1">'
    assert not read(call | {"stdin": call["stdin"] | {"prompt": pushed}}).prompt_is_user
    assert not read(call | {"stdin": call["stdin"] | {"source": "system"}}).prompt_is_user


def test_a_turn_that_a_hook_kept_going_or_a_waker_began_says_so() -> None:
    assert [event.stop_active for event in recorded("turn", "Stop")] == [False, True]
    assert [event.stop_active for event in recorded("rewake", "Stop")] == [False, True, False]


def test_a_run_without_a_terminal_is_not_attended() -> None:
    assert not recorded("turn", "SessionStart")[0].attended
    assert recorded("rewake", "SessionStart")[0].attended


def test_an_older_client_tells_by_its_entry_point_whether_it_is_attended() -> None:
    call = hook_calls("turn", "SessionStart")[0]
    env = {name: value for name, value in call["env"].items() if name != "CLAUDE_CODE_SESSION_ATTENDED"}
    assert not read(call | {"env": env}).attended
    assert read(call | {"env": env | {"CLAUDE_CODE_ENTRYPOINT": "cli"}}).attended


def test_only_a_dialog_counts_as_waiting_for_a_person() -> None:
    assert recorded("rewake", "SessionStart")[0].kind == "start"
    call = hook_calls("turn", "Stop")[0]
    for kind, expected in (("permission_prompt", "waiting"), ("idle_prompt", "other")):
        told = {"hook_event_name": "Notification", "notification_type": kind, "message": "hm"}
        event = read(call | {"stdin": call["stdin"] | told})
        assert (event.kind, event.source, event.detail) == (expected, kind, "hm")


def test_the_terminal_and_the_environment_file_are_found() -> None:
    call = hook_calls("turn", "SessionStart")[0]
    event = read(call, TMUX="/run/tmux/default,12,0", TMUX_PANE="%3", CLAUDE_ENV_FILE="/run/env.sh")
    assert (event.tmux, event.pane, event.env_file) == ("/run/tmux/default", "%3", "/run/env.sh")


def test_the_clients_own_limit_for_keeping_a_turn_going_is_known() -> None:
    call = hook_calls("turn", "Stop")[0]
    assert read(call).keep_going_max == 8
    assert read(call, CLAUDE_CODE_STOP_HOOK_BLOCK_CAP="3").keep_going_max == 3
    assert read(call, CLAUDE_CODE_STOP_HOOK_BLOCK_CAP="many").keep_going_max == 8


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"not json",
        b"[]",
        b"\xff\xfe",
        b"{}",
        b'{"hook_event_name":"Stop","session_id":"s","cwd":"relative"}',
        b'{"hook_event_name":"Stop","session_id":7,"cwd":"/x"}',
        b" " * (events.STDIN_BYTES_MAX + 1),
    ],
)
def test_what_is_no_hook_call_is_unreadable_and_says_why(raw: bytes) -> None:
    found = events.read(raw, {})
    assert isinstance(found, Unreadable)
    assert found.reason


@pytest.mark.parametrize(
    ("cut", "shown"),
    [
        (r"cut \ud83d", "cut \ufffd"),
        (r"\ude00 cut", "\ufffd cut"),
        (r"\ud83d\ud83d\ude00\ude00", "\ufffd😀\ufffd"),
        (r"\uD83D and \uDE00", "\ufffd and \ufffd"),
        (r"\\\\ud83d \\n \"\ud83d\"", '\\\\ud83d \\n "\ufffd"'),
    ],
)
def test_text_that_was_cut_inside_a_character_is_read(cut: str, shown: str) -> None:
    raw = f'{{"hook_event_name": "PreToolUse", "session_id": "a", "cwd": "/", "tool_name": "Bash", "x": "{cut}"'
    event = events.read(f'{raw}, "tool_input": {{"command": "{cut}"}}}}'.encode(), {})
    assert isinstance(event, ClientEvent)
    assert event.command == shown


def test_an_event_of_a_later_version_passes() -> None:
    raw = b'{"hook_event_name":"Dreaming","session_id":"s","cwd":"/x","tool_input":3,"tool_calls":{},"source":[1]}'
    found = events.read(raw, {})
    assert isinstance(found, ClientEvent)
    assert (found.kind, found.takes_context, found.transcript) == ("other", False, None)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from(sorted(events.KINDS)),
    st.dictionaries(
        st.sampled_from(["tool_name", "tool_input", "tool_calls", "source", "prompt", "agent_id", "stop_hook_active"]),
        json_values,
    ),
)
def test_no_field_of_an_unexpected_type_breaks_the_reading(name: str, fields: dict[str, Any]) -> None:
    raw = json.dumps({"hook_event_name": name, "session_id": "s", "cwd": "/x", **fields}).encode()
    assert isinstance(events.read(raw, {}), ClientEvent)


def test_a_shell_or_an_unknown_tool_may_have_written_what_it_does_not_name() -> None:
    assert recorded("turn", "PostToolBatch")[0].may_write
    assert not any(event.may_write for event in recorded("edits", "PostToolBatch"))
    call = hook_calls("parallel", "PostToolBatch")[0]
    unknown = call | {"stdin": call["stdin"] | {"tool_calls": [{"tool_name": "Read"}, {"tool_name": "mcp__x__y"}]}}
    assert read(unknown).may_write


def test_only_hooks_after_a_whole_answer_are_a_sign_of_one() -> None:
    seen = {event.name: event.after_answer for event in map(read, hook_calls("turn"))}
    assert {name for name, after in seen.items() if after} == {"UserPromptSubmit", "PostToolBatch", "Stop"}
