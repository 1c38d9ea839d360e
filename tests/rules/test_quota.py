"""The rate limit against a log that is searched by brute force."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from roost.messages.quota import WINDOW_MS, Limited, Passed, Spent, charge, left, limit_of

gaps = st.one_of(st.integers(min_value=0, max_value=5_000), st.sampled_from([0, 1, 59_999, 60_000, 60_001, 200_000]))
calls = st.lists(st.tuples(gaps, st.integers(min_value=1, max_value=90)), max_size=60)
small_calls = st.lists(st.tuples(gaps, st.integers(min_value=1, max_value=8)), max_size=120)


def spread(at: int, cost: int, limit: int) -> list[tuple[int, int]]:
    """Lay one cost out as the promise says it: a full window each, the rest in the last."""
    log = []
    while cost > 0:
        log.append((at, min(cost, limit)))
        at, cost = at + WINDOW_MS, cost - limit
    return log


def used(log: list[tuple[int, int]], end: int) -> int:
    """Add up what lies in the window that ends at `end`, its last moment included."""
    return sum(cost for at, cost in log if end - WINDOW_MS < at <= end)


def play(
    steps: list[tuple[int, int]], limit: int
) -> tuple[list[tuple[int, int]], list[tuple[int, int, Spent, Limited]], Spent]:
    now = 1_000_000
    spent: Spent = ()
    log: list[tuple[int, int]] = []
    refusals: list[tuple[int, int, Spent, Limited]] = []
    for gap, cost in steps:
        now += gap
        outcome = charge(spent, cost=cost, limit=limit, now=now)
        if isinstance(outcome, Passed):
            spent = outcome.spent
            log += spread(now, cost, limit)
        else:
            refusals.append((now, cost, spent, outcome))
    return log, refusals, spent


@given(calls, st.integers(min_value=1, max_value=40))
@settings(max_examples=300)
def test_no_sliding_window_ever_holds_more_than_the_limit(steps: list[tuple[int, int]], limit: int) -> None:
    log, _, _ = play(steps, limit)
    assert all(used(log, end) <= limit for end, _ in log)


@given(calls, st.integers(min_value=1, max_value=40))
@settings(max_examples=300)
def test_a_refused_message_passes_at_the_moment_it_was_told_and_not_before(
    steps: list[tuple[int, int]], limit: int
) -> None:
    for now, cost, spent, refusal in play(steps, limit)[1]:
        assert refusal.retry_at > now
        assert isinstance(charge(spent, cost=cost, limit=limit, now=refusal.retry_at), Passed)
        assert isinstance(charge(spent, cost=cost, limit=limit, now=refusal.retry_at - 1), Limited)
        assert refusal.retry_after(now) == (refusal.retry_at - now) / 1_000


@given(small_calls)
@settings(max_examples=300)
def test_for_an_agent_nothing_passes_or_fails_that_the_brute_force_log_would_not(steps: list[tuple[int, int]]) -> None:
    limit, now = 30, 0
    spent: Spent = ()
    log: list[tuple[int, int]] = []
    for gap, cost in steps:
        now += gap
        outcome = charge(spent, cost=cost, limit=limit, now=now)
        assert isinstance(outcome, Passed) == (used(log, now) + cost <= limit)
        if isinstance(outcome, Passed):
            spent = outcome.spent
            log.append((now, cost))
            assert outcome.left == limit - used(log, now) == left(spent, limit=limit, now=now)


@given(st.lists(st.tuples(st.integers(min_value=0, max_value=300), st.just(1)), min_size=500, max_size=900))
@settings(max_examples=20)
def test_the_row_of_a_busy_person_stays_small_and_never_lets_too_much_pass(steps: list[tuple[int, int]]) -> None:
    log, _, spent = play(steps, 600)
    assert len(spent) <= 70
    assert all(used(log, end) <= 600 for end, _ in log)


def test_thirty_pass_at_once_and_the_next_after_a_minute() -> None:
    spent: Spent = ()
    for _ in range(30):
        outcome = charge(spent, cost=1, limit=30, now=5_000)
        assert isinstance(outcome, Passed)
        spent = outcome.spent
    assert spent == ((5_000, 30),)
    assert charge(spent, cost=1, limit=30, now=5_001) == Limited(retry_at=65_000, left=0)
    assert isinstance(charge(spent, cost=1, limit=30, now=65_000), Passed)


def test_a_message_dearer_than_the_window_passes_untouched_and_is_paid_off_before_the_next() -> None:
    outcome = charge((), cost=75, limit=30, now=0)
    assert isinstance(outcome, Passed)
    assert outcome.left == 0
    assert charge(outcome.spent, cost=1, limit=30, now=119_999) == Limited(retry_at=120_000, left=0)
    after = charge(outcome.spent, cost=15, limit=30, now=120_000)
    assert isinstance(after, Passed)
    assert after.left == 0
    refused = charge(after.spent, cost=31, limit=30, now=120_001)
    assert refused == Limited(retry_at=180_000, left=0)


def test_a_dear_message_waits_until_its_window_is_untouched() -> None:
    first = charge((), cost=1, limit=30, now=0)
    assert isinstance(first, Passed)
    assert charge(first.spent, cost=31, limit=30, now=10) == Limited(retry_at=60_000, left=29)
    assert isinstance(charge(first.spent, cost=31, limit=30, now=60_000), Passed)


def test_a_message_to_nobody_costs_nothing() -> None:
    assert charge(((0, 30),), cost=0, limit=30, now=1) == Passed(spent=((0, 30),), left=0)


def test_the_limit_goes_by_kind() -> None:
    assert [limit_of(kind) for kind in ("agent", "human", "service")] == [30, 600, 600]
    assert limit_of("agent", agent=5) == 5


def test_a_lowered_limit_holds_at_once() -> None:
    outcome = charge((), cost=30, limit=30, now=0)
    assert isinstance(outcome, Passed)
    assert charge(outcome.spent, cost=1, limit=10, now=1) == Limited(retry_at=60_000, left=0)
