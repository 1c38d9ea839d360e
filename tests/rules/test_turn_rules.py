"""What a client's event means, what proves an offer, when mail may go on, and who changed a file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.sessions.model import Session, State
from roost.turns import rules
from roost.turns.model import ClientEvent, EventKind, LeasedFile, Looked

HOUR = 3_600_000


def event(kind: EventKind, **fields: object) -> ClientEvent:
    given = {"client": "claude", "name": "X", "kind": kind, "client_session": "s", "cwd": "/x"} | fields
    return ClientEvent(**given)  # type: ignore[arg-type]


def session(**fields: object) -> Session:
    given = {"id": "s", "agent": "a", "epoch": 1, "client": "claude", "bell": "b", "started_at": 0, "beat_at": 0}
    return Session(**(given | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "source", "state"),
    [
        ("start", "startup", "idle"),
        ("prompt", "", "busy"),
        ("tool_before", "", "busy"),
        ("turn_end", "", "idle"),
        ("waiting", "", "waiting"),
        ("compacting", "auto", "busy"),
        ("turn_failed", "rate_limit", "exhausted"),
        ("turn_failed", "server_error", "idle"),
    ],
)
def test_an_event_says_what_its_session_does_next(kind: EventKind, source: str, state: State) -> None:
    assert rules.state_after(event(kind, source=source), session(state="busy"))[0] == state


@pytest.mark.parametrize("state", ["idle", "busy"])
def test_a_compaction_that_a_person_asked_for_leaves_the_session_as_it_was(state: State) -> None:
    assert rules.state_after(event("compacting", source="manual"), session(state=state))[0] == state
    assert rules.state_after(event("start", source="compact"), session(state=state))[0] == state


def test_a_turn_that_is_kept_going_stays_busy() -> None:
    assert rules.state_after(event("turn_end"), session(), keeps_going=True) == ("busy", "producing")


@pytest.mark.parametrize(
    ("kind", "after_answer", "in_subagent", "proves"),
    [
        ("tool_after", True, False, True),
        ("tool_after", False, False, False),
        ("tool_after", True, True, False),
        ("prompt", True, False, True),
        ("turn_end", True, False, True),
        ("tool_before", True, False, False),
        ("start", True, False, False),
        ("session_end", True, False, False),
        ("turn_failed", True, False, False),
    ],
)
def test_only_a_hook_after_an_answer_proves(
    kind: EventKind, after_answer: bool, in_subagent: bool, proves: bool
) -> None:
    asked = event(kind, after_answer=after_answer, in_subagent=in_subagent)
    assert bool(rules.fallback_proof(asked)) == proves


@given(st.lists(st.integers(0, 10 * HOUR), max_size=30), st.integers(0, 12))
def test_no_hour_holds_more_wakes_than_allowed(asked: list[int], most: int) -> None:
    wakes: tuple[int, ...] = ()
    for now in sorted(asked):
        one = session(wakes=wakes)
        if rules.may_wake(one, now, per_hour_max=most):
            wakes = (*rules.recent_wakes(one, now), now)
        assert len([at for at in wakes if at > now - HOUR]) <= most


@given(st.integers(0, 20), st.integers(0, 12))
def test_a_chain_of_stops_ends_before_the_clients_own_cap(stops: int, cap: int) -> None:
    asked = event("turn_end", takes_context=True, stop_active=True, keep_going_max=cap)
    assert rules.may_keep_going(asked, session(stops=stops), 0, per_hour_max=12) == (stops < cap - 1)


def test_a_turns_first_stop_begins_a_new_chain() -> None:
    asked = event("turn_end", takes_context=True, stop_active=False, keep_going_max=8)
    assert rules.may_keep_going(asked, session(stops=7), 0, per_hour_max=12)


@given(
    known=st.sampled_from(["", "old", "new"]),
    is_holder=st.booleans(),
    was_edited=st.booleans(),
    at_work=st.booleans(),
)
def test_nobody_is_accused_without_a_change_that_can_only_be_somebody_elses(
    known: str, is_holder: bool, was_edited: bool, at_work: bool
) -> None:
    change = rules.change_of(
        LeasedFile(path="a", token=1, stamp=known, digest=known),
        Looked(path="a", token=1, stamp="new", digest="new"),
        is_holder=is_holder,
        was_edited=was_edited,
        holder_is_at_work=at_work,
    )
    assert (change == "violation") == (known == "old" and was_edited and not is_holder and not at_work)
    assert (change == "own") == (known != "new" and was_edited and is_holder)
