"""How the command line says how far a message got."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from roost.deliveries.model import Delivery, Outlook, Receipt
from roost.interfaces.cli import words
from roost.messages.model import Sent
from roost.sessions.model import Moment

NOON = 1_767_268_800_000  # 2026-01-01 12:00 UTC
MOMENT = Moment(now=NOON, wall=NOON)
HOUR = 3_600_000


@pytest.fixture(autouse=True)
def utc() -> Any:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


def seen(**facts: Any) -> str:
    known: dict[str, Any] = {"recipient": "builder", "kind": "agent", "state": "pending", "session_state": "busy"}
    return words.outlook(Outlook(**{**known, "client": "claude", "wakes": True, **facts}), MOMENT)


def test_what_is_said_follows_what_the_recipient_does() -> None:
    assert seen() == "builder is busy, gets it at its next tool call"
    assert seen(session_state="idle") == "builder is idle, waking it"
    assert seen(session_state="offline", since=NOON - HOUR) == "builder has no live session since 11:00; it waits"
    assert seen(session_state="offline") == "builder has never joined; it waits"
    assert seen(session_state="waiting") == "builder is waiting for a person, gets it when it goes on"
    assert seen(session_state="paused") == "builder is paused; it waits"
    assert seen(session_state="starting") == "builder is starting, gets it with its first turn"
    assert seen(session_state="exhausted") == "builder is out of its client's allowance; it waits"
    assert seen(session_state="stalled", since=NOON - HOUR) == "builder is stalled since 11:00; gets it if it goes on"


def test_an_idle_agent_that_is_not_woken_is_said_to_be_so() -> None:
    said = seen(session_state="idle", wakes=False, wake_refused="it asks for nothing")
    assert said == "builder is idle and is not woken: it asks for nothing; gets it at its next turn"


def test_who_reads_its_mail_itself_is_promised_no_tool_call() -> None:
    assert seen(client="shell", reads_itself=True) == "builder reads its mail itself (shell); it waits in its inbox"
    assert "terminal" in seen(client="terminal", reads_itself=True, session_state="idle", kind="human")
    assert "itself (codex)" in seen(client="codex", reads_itself=True, session_state="idle")


@pytest.mark.parametrize(
    ("hold", "said"),
    [
        ("dependency", "builder: held until what it depends on is delivered"),
        ("not_before", "builder: held until its time comes"),
        ("operation", "builder: held while an operation has its input"),
        ("paused", "builder: held because it is paused"),
    ],
)
def test_held_mail_says_why(hold: str, said: str) -> None:
    assert seen(state="held", hold=hold) == said


def test_a_message_is_stored_under_its_short_name_and_a_repetition_says_so() -> None:
    one = Sent(id="x", number=7, seq=1, recipients=("builder",))
    assert words.stored(one) == "stored as m7"
    assert words.stored(Sent(id="x", number=7, seq=1, recipients=("a", "b"))) == "stored as m7 for 2"
    assert words.stored(Sent(id="x", number=7, seq=1, recipients=(), channel="build")).endswith("#build: 0 recipients")
    assert "for all: 1 recipient" in words.stored(Sent(id="x", number=7, seq=1, recipients=("a",), channel="all"))
    assert "before as m7" in words.stored(Sent(id="x", number=7, seq=1, recipients=("a",), duplicate=True))


def standing(receipts: list[Receipt] | None = None, **facts: Any) -> str:
    row: dict[str, Any] = {"message": "x", "recipient": "a", "seq": 1, "number": 7, "rank": 0, "size": 1}
    return words.standing(Delivery(**{**row, **facts}), "builder", receipts or [], MOMENT)


def test_a_standing_names_the_proof() -> None:
    proof = Receipt(message="x", recipient="a", n=2, kind="delivered", at=NOON, proof="its transcript: tool batch")
    said = standing([proof], state="delivered", delivered_at=NOON)
    assert said == "builder: delivered at 12:00, proved by its transcript: tool batch"


def test_a_standing_without_proof_claims_no_delivery() -> None:
    offered = standing(state="offered", rung="hook", offered_at=NOON - 120_000, attempts=2)
    assert offered == "builder: offered between two of its tool calls 2 min ago; no proof yet (offered 2 times)"
    assert standing(state="pending", last_error="its transcript does not show it").endswith("does not show it")
    assert standing(state="held", hold="paused") == "builder: held because it is paused"


def test_a_dead_letter_says_why_and_what_to_do() -> None:
    said = standing(state="dead", last_error="offered 8 times without proof")
    assert said == "builder: dead: offered 8 times without proof; `roost dead redeliver m7` tries again"
