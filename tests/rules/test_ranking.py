"""The order of waiting mail, and when an acknowledgement is asked for again."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from roost.deliveries.ranking import HEAD_START_MAX_MS, head_start, rank
from roost.deliveries.reminders import REMINDERS_MAX, next_step
from roost.priorities import NAMES, STRICT_FROM

MINUTE = 60_000
priorities = st.integers(min_value=0, max_value=255)
moments = st.integers(min_value=0, max_value=2**45)


def place(priority: int, sent_at: int, seq: int) -> tuple[int, int]:
    return (rank(priority, sent_at=sent_at), seq)


def strict(priority: int) -> bool:
    return priority >= STRICT_FROM


def test_names_have_the_head_starts_of_the_design() -> None:
    starts = {name: head_start(NAMES[name]) / MINUTE for name in ("low", "normal", "high", "urgent")}
    assert starts == {"low": 0, "normal": 1, "high": 10, "urgent": 60}
    assert [strict(NAMES[name]) for name in NAMES] == [False] * 4 + [True] * 2


@given(priorities, moments)
def test_a_rank_fits_a_signed_column(priority: int, sent_at: int) -> None:
    assert -(2**63) <= rank(priority, sent_at=sent_at) < 2**63


@given(priorities, priorities)
def test_a_higher_priority_never_has_the_smaller_head_start(one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert head_start(low) < head_start(high) or low == high


@given(priorities, st.lists(st.integers(min_value=0, max_value=100_000), min_size=2, max_size=20))
def test_within_a_priority_the_order_is_that_of_commits(priority: int, gaps: list[int]) -> None:
    now, line = 0, []
    for seq, gap in enumerate(gaps):
        now += gap  # the store clock may stand still between commits
        line.append(place(priority, now, seq))
    assert line == sorted(line)


@given(priorities, moments, priorities, st.integers(min_value=0, max_value=10 * HEAD_START_MAX_MS))
def test_nothing_starves_behind_ordinary_mail(waiting: int, sent_at: int, later: int, wait: int) -> None:
    overtakes = place(later, sent_at + wait, 2) < place(waiting, sent_at, 1)
    if not strict(later) and wait >= HEAD_START_MAX_MS:
        assert not overtakes
    if strict(later) and not strict(waiting):
        assert overtakes


def test_an_urgent_message_overtakes_an_hour_of_low_ones_and_no_more() -> None:
    urgent = place(NAMES["urgent"], 100 * MINUTE, 9)
    assert urgent < place(NAMES["low"], 41 * MINUTE, 1)
    assert urgent > place(NAMES["low"], 39 * MINUTE, 1)
    assert place(NAMES["system"], 100 * MINUTE, 9) < place(NAMES["critical"], 100 * MINUTE, 1)


def test_three_reminders_and_one_escalation_then_silence() -> None:
    last = 0
    steps: list[tuple[int, int, bool]] = []
    while step := next_step(last_at=last, done=len(steps)):
        steps.append((step.at, step.number, step.escalates))
        last = step.at
    assert steps == [(30_000, 1, False), (60_000, 2, False), (120_000, 3, False), (240_000, 4, True)]
    assert sum(not escalates for _, _, escalates in steps) == REMINDERS_MAX


@given(st.lists(st.integers(min_value=0, max_value=10**9), min_size=4, max_size=4))
def test_late_steps_never_come_as_a_burst(delays: list[int]) -> None:
    taken = [0]
    for done, delay in enumerate(delays):
        step = next_step(last_at=taken[-1], done=done)
        assert step is not None
        taken.append(step.at + delay)
    assert all(later - earlier >= 30_000 for earlier, later in pairwise(taken))
    assert next_step(last_at=taken[-1], done=4) is None
