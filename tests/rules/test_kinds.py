"""Types of messages, their aliases, and what may wake an agent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.errors import InvalidText
from roost.messages.kinds import ALIASES, KINDS, SEVERITIES, check_severity, check_type, kind_of, wakes

KNOWN_ELSEWHERE = (
    # the ten of a message queue
    "coordination task response status alert broadcast direct system validation feedback "
    # the seven and eight of a messaging system over panes
    "QUESTION REVIEW-REQUEST BLOCKED COMPLETED CHALLENGE INFO ACK "
    "TASK-DELEGATION TASK-RESULT CONFLICT NEGOTIATION "
    "CAPABILITY-QUERY CAPABILITY-RESPONSE REVIEW-FEEDBACK CONTEXT-UPDATE "
    # the eight of a chat-window queue
    "text broadcast onboarding agent_to_agent captain_to_agent system_to_agent human_to_agent multi_agent_request "
    # dotted ones of an event server
    "chat.message blocker review.request plan.created test.failed task.claimed lock.expired handshake.request"
)


@pytest.mark.parametrize("written", KNOWN_ELSEWHERE.split())
def test_every_type_people_know_from_elsewhere_has_one_spelling(written: str) -> None:
    name = check_type(written)
    assert name in KINDS
    assert check_type(name) == name


@pytest.mark.parametrize("written", ["deploy", "lock.auto_released", "Mine.Own-Type", "x" * 64])
def test_an_unknown_type_is_kept_without_its_case(written: str) -> None:
    assert check_type(written) == written.casefold()
    assert not kind_of(check_type(written)).asks


@pytest.mark.parametrize("written", ["", "two words", "x" * 65, "-x", "тask", "a\n", None, 3, 'a"b'])
def test_a_type_outside_the_rule_is_refused(written: object) -> None:
    with pytest.raises(InvalidText):
        check_type(written)


def test_aliases_lead_to_known_types_and_hide_none() -> None:
    assert set(ALIASES.values()) <= set(KINDS)
    assert not set(ALIASES) & set(KINDS)
    assert all(kind.severity in SEVERITIES for kind in KINDS.values())


def test_severity_is_one_of_four() -> None:
    assert [check_severity(one.upper()) for one in SEVERITIES] == list(SEVERITIES)
    for wrong in ("", "fatal", None, 3):
        with pytest.raises(InvalidText):
            check_severity(wrong)


def test_a_plain_message_of_an_agent_wakes_nobody() -> None:
    assert not wakes(type="message", priority=5, requires_ack=False, sender_kind="agent")
    assert not wakes(type="info", priority=9, requires_ack=False, sender_kind="service")


@pytest.mark.parametrize(
    ("type", "priority", "requires_ack", "sender_kind"),
    [
        ("message", 5, True, "agent"),
        ("question", 0, False, "agent"),
        ("blocker", 5, False, "agent"),
        ("message", 10, False, "agent"),
        ("message", 20, False, "service"),
        ("message", 0, False, "human"),
    ],
)
def test_what_asks_for_something_wakes(type: str, priority: int, requires_ack: bool, sender_kind: str) -> None:
    assert wakes(type=type, priority=priority, requires_ack=requires_ack, sender_kind=sender_kind)


@given(st.text(max_size=70))
def test_an_accepted_type_is_stable(written: str) -> None:
    try:
        name = check_type(written)
    except InvalidText:
        return
    assert check_type(name) == name
