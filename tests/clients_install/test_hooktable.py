"""The table of events."""

from __future__ import annotations

from roost.clients.claude import events, hooktable


def handlers(event: str, *, batch: bool = True) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for group in hooktable.groups("L", batch=batch).get(event, []):
        found += group["hooks"]
    return found


def test_every_event_is_one_that_we_can_read() -> None:
    assert set(hooktable.groups("L")) <= {*events.KINDS, "Notification"}


def test_every_handler_has_its_own_limit_in_seconds() -> None:
    for event in hooktable.groups("L"):
        for handler in handlers(event):
            assert handler["timeout"] == (86_400 if "asyncRewake" in handler else 10 if event == "SessionStart" else 5)


def test_a_waiter_is_armed_at_the_start_at_each_prompt_and_at_each_end_of_a_turn() -> None:
    waiting = {e for e in hooktable.groups("L") for h in handlers(e) if h["command"] == "L wait" and h["asyncRewake"]}
    assert waiting == {"SessionStart", "UserPromptSubmit", "Stop"}


def test_edits_and_shell_commands_are_seen_before_they_run() -> None:
    matchers = [group["matcher"] for group in hooktable.groups("L")["PreToolUse"]]
    assert [set(matcher.split("|")) for matcher in matchers] == [set(events.EDIT_TOOLS), {"Bash"}]


def test_single_tool_calls_take_the_place_of_batches_only_in_old_clients() -> None:
    assert handlers("PostToolBatch") and not handlers("PostToolUse")
    assert handlers("PostToolUse", batch=False) and not handlers("PostToolBatch", batch=False)


def test_only_notices_that_mean_waiting_are_taken() -> None:
    (group,) = hooktable.groups("L")["Notification"]
    assert set(group["matcher"].split("|")) == events.WAITING_NOTICES
