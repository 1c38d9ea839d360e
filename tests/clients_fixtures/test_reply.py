"""What is said back to Claude Code."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.clients.base import Output
from roost.clients.claude import reply
from roost.turns.model import SILENT, ClientEvent, TurnReply

from .recordings import recorded

ALL = TurnReply(context="mail", deny="held by planner", keep_going=True, title="builder")


def said(event: ClientEvent, what: TurnReply = ALL) -> dict[str, Any]:
    output = reply.answer(event, what)
    assert (output.stderr, output.exit) == ("", 0)
    told: dict[str, Any] = json.loads(output.stdout)["hookSpecificOutput"] if output.stdout else {}
    return told


@pytest.mark.parametrize(
    ("scenario", "name", "fields"),
    [
        ("turn", "SessionStart", {"additionalContext", "sessionTitle"}),
        ("turn", "UserPromptSubmit", {"additionalContext", "sessionTitle"}),
        ("turn", "PreToolUse", {"additionalContext", "permissionDecision", "permissionDecisionReason"}),
        ("turn", "PostToolUse", {"additionalContext"}),
        ("turn", "PostToolUseFailure", {"additionalContext"}),
        ("turn", "PostToolBatch", {"additionalContext"}),
        ("turn", "Stop", {"additionalContext"}),
    ],
)
def test_each_event_says_what_it_can(scenario: str, name: str, fields: set[str]) -> None:
    told = said(recorded(scenario, name)[0])
    assert told.pop("hookEventName") == name
    assert set(told) == fields


@pytest.mark.parametrize(
    ("scenario", "name"),
    [
        ("turn", "SessionEnd"),
        ("compaction", "PreCompact"),
        ("compaction", "PostCompact"),
        ("api_error", "StopFailure"),
        ("subagent", "SubagentStop"),
    ],
)
def test_an_event_that_carries_nothing_prints_nothing(scenario: str, name: str) -> None:
    assert reply.answer(recorded(scenario, name)[0], ALL) == Output()


def test_nothing_to_say_prints_nothing() -> None:
    assert reply.answer(recorded("turn", "Stop")[0], SILENT) == Output()


def test_the_end_of_a_turn_says_nothing_unless_it_keeps_the_turn_going() -> None:
    stop = recorded("turn", "Stop")[0]
    assert said(stop, TurnReply(context="mail")) == {}
    assert said(stop, TurnReply(context="mail", keep_going=True)) == {
        "hookEventName": "Stop",
        "additionalContext": "mail",
    }


def test_a_refusal_names_its_reason() -> None:
    told = said(recorded("turn", "PreToolUse")[0], TurnReply(deny="a.txt is held by planner"))
    assert told == {
        "hookEventName": "PreToolUse",
        "permissionDecision": "deny",
        "permissionDecisionReason": "a.txt is held by planner",
    }


def test_a_subagent_is_refused_but_gets_no_mail() -> None:
    inside = next(event for event in recorded("subagent", "PreToolUse") if event.in_subagent)
    assert set(said(inside)) == {"hookEventName", "permissionDecision", "permissionDecisionReason"}


@given(st.text(alphabet="ab\u00e9\U0001f426\n", max_size=40), st.integers(0, 12_000))
def test_context_is_cut_where_the_client_would_replace_it(seed: str, length: int) -> None:
    text = (seed * (length // max(len(seed), 1) + 1))[:length]
    fitted = reply.fit(text)
    units = len(fitted.encode("utf-16-le")) // 2
    assert units <= reply.CONTEXT_UNITS_MAX
    assert fitted == text or fitted.endswith(reply.CUT_NOTE)
    assert fitted == text or text.startswith(fitted.removesuffix(reply.CUT_NOTE))


def test_a_waker_speaks_on_stderr_and_ends_with_2() -> None:
    assert reply.wake("mail") == Output(stderr="mail", exit=2)


def test_variables_for_the_shell_are_quoted() -> None:
    lines = reply.exports({"ROOST_SESSION": "s1", "ROOST_NOTE": "it's; rm -rf *"})
    assert lines == "export ROOST_SESSION=s1\nexport ROOST_NOTE='it'\"'\"'s; rm -rf *'\n"


def test_no_field_of_a_reply_is_forgotten() -> None:
    """A new field must be said by some event, or be the hook program's own business."""
    assert {field.name for field in msgspec.structs.fields(TurnReply)} == {
        *("context", "deny", "keep_going", "title"),
        "env",
    }
