"""Duties that fail: each is undone, noted and tried again, and refuses neither the others nor anybody's call."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import apsw
import pytest

from roost import connect as connecting
from roost.clock import ManualClock
from roost.connect import Project
from roost.deliveries.ledger import Ledger
from roost.deliveries.model import Delivery
from roost.duties import due, rules, trying
from roost.duties.model import Failing
from roost.duties.service import EXPIRE, Duties
from roost.errors import StoreFull
from roost.hub import Hub
from roost.leases.service import Leases
from roost.messages.model import Draft
from roost.sessions.model import SYSTEM
from roost.verbs import InTx, Sync

HubOf = Callable[[str], Hub[Sync]]
BROKEN = "remind of acknowledgements"


def broken(duty: Duties[Sync]) -> int:
    """Change something, say something, and fail."""
    duty.tx.record("planted", "x")
    duty.tx.ring("planted")
    raise ZeroDivisionError("planted")


@pytest.fixture
def held(hub: HubOf, clock: ManualClock) -> None:
    """A lease whose time has passed, so that something is due."""
    hub("builder").leases.acquire("a.py", ttl=1)
    clock.advance(5)


@pytest.mark.usefixtures("held")
def test_a_duty_that_fails_refuses_no_call_and_no_other_duty(
    project: Project, hub: HubOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Duties, "_remind", broken)
    assert hub("planner").messages.send(to="builder", text="x").ref == "m1"
    assert project.system().leases.list() == ()
    kinds = [event.kind for event in project.system().history.since().events]
    assert ("lease.expired" in kinds, "planted" in kinds) == (True, False)
    assert project.system().history.verify().problems == ()


@pytest.mark.usefixtures("held")
def test_it_is_noted_with_where_it_failed_until_it_works_again(
    project: Project, hub: HubOf, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as planted:
        planted.setattr(Duties, "_remind", broken)
        project.system().duties.tick()
        first = project.system().duties.failing()
        project.system().duties.tick()
        assert project.system().duties.failing() == first, "it is not tried again at once"
        clock.advance(rules.AGAIN_MS / 1000)
        project.system().duties.tick()
    (failing,) = hub("planner").status.report().failing
    assert (failing.duty, failing.count, failing.since) == (BROKEN, 2, first[0].since)
    assert failing.error.startswith("ZeroDivisionError: planted (test_duties.py:")
    clock.advance(rules.AGAIN_MS / 1000)
    project.system().duties.tick()
    assert project.system().duties.failing() == ()


@pytest.mark.usefixtures("held")
def test_a_statement_that_fails_is_the_fault_of_its_duty(
    project: Project, hub: HubOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def misspelt(duty: Duties[Sync]) -> int:
        return int(duty.tx.raw("SELECT nothing FROM nowhere").fetchone()[0])  # type: ignore[attr-defined]

    monkeypatch.setattr(Duties, "_remind", misspelt)
    hub("planner").messages.send(to="builder", text="x")
    assert [one.duty for one in project.system().duties.failing()] == [BROKEN]


@pytest.mark.usefixtures("held")
def test_where_nobody_can_look_what_is_due_each_duty_looks_for_itself(
    project: Project, hub: HubOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def blind(*_: object) -> bool:
        raise OSError("planted")

    monkeypatch.setattr(due, "is_alive", blind)
    hub("planner").messages.send(to="builder", text="x")
    assert [one.duty for one in project.system().duties.failing()] == ["end sessions that live no more"]
    assert project.system().leases.list() == ()


@pytest.mark.usefixtures("held")
def test_a_full_disk_in_a_duty_fails_the_transaction(
    project: Project, hub: HubOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(leases: Leases[Sync]) -> int:
        raise apsw.FullError("planted")

    monkeypatch.setattr(Leases, "overdue", full)
    with pytest.raises(StoreFull):
        project.system().agents.add("planner")
    monkeypatch.undo()
    assert [agent.name for agent in project.system().agents.list()] == ["builder"]
    assert project.system().duties.failing() == ()


@pytest.mark.usefixtures("held")
def test_a_savepoint_of_a_transaction_that_ended_itself_says_why(project: Project) -> None:
    with pytest.raises(StoreFull), project.store.write() as tx, tx.savepoint():
        tx.raw("ROLLBACK")  # what SQLite does by itself when the disk is full
        raise apsw.FullError("planted")


def test_of_a_duty_that_keeps_failing_a_log_hears_now_and_then(
    project: Project, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[tuple[int, str]] = []

    def hear(failing: Failing, error: Exception) -> None:
        heard.append((failing.count, type(error).__name__))

    monkeypatch.setattr(Duties, "_remind", broken)
    monkeypatch.setattr(due, "is_anything_due", lambda tx: True)
    for _ in range(rules.TOLD_EVERY + 1):
        with project.store.write() as tx:
            tx.me = SYSTEM
            connecting.do_what_is_due(tx, hear)
        clock.advance(rules.AGAIN_MS / 1000)
    assert heard == [(1, "ZeroDivisionError"), (rules.TOLD_EVERY + 1, "ZeroDivisionError")]


EXPIRES_SECONDS = 5


@pytest.fixture
def overdue(hub: HubOf, clock: ManualClock) -> list[str]:
    """Messages whose time has passed, by id; there are a few more than may be set aside."""
    hub("builder")
    drafts = [Draft(to=("builder",), text=str(n), expires_in=EXPIRES_SECONDS) for n in range(trying.ASIDE_MAX + 3)]
    sent = [one.id for one in hub("planner").messages.send_batch(drafts)]
    clock.advance(EXPIRES_SECONDS + 1)
    return sent


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Messages at which whoever lets them expire fails."""
    found, expire = set[str](), Ledger.expire_if_due

    def expire_if_due(ledger: Ledger, delivery: Delivery) -> bool:
        if delivery.message in found:
            raise ZeroDivisionError("planted")
        return expire(ledger, delivery)

    monkeypatch.setattr(Ledger, "expire_if_due", expire_if_due)
    return found


def left(project: Project, messages: Sequence[str]) -> list[str]:
    """Return those that wait still."""
    return [one for one in messages if project.system().deliveries.of(one)[0].state == "pending"]


def test_a_row_that_fails_is_set_aside_and_told_and_the_others_are_done(
    project: Project, clock: ManualClock, overdue: list[str], poison: set[str]
) -> None:
    duties = project.system().duties
    poison |= {overdue[0], overdue[2]}
    duties.tick()
    assert left(project, overdue) == sorted(poison)
    assert {one.duty for one in duties.failing()} == {f"{EXPIRE}: {one}" for one in poison}
    assert duties.failing()[0].error.startswith("ZeroDivisionError: planted (test_duties.py:")
    clock.advance(rules.AGAIN_MS / 1000)
    poison.remove(overdue[0])
    duties.tick()
    assert left(project, overdue) == [overdue[2]]
    assert [(one.duty, one.count) for one in duties.failing()] == [(f"{EXPIRE}: {overdue[2]}", 2)]
    assert not project.system().history.verify().problems


def test_rows_that_are_set_aside_keep_no_others_from_their_turn(
    project: Project, overdue: list[str], poison: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trying, "ROWS_MAX", 1)
    poison |= {*overdue[:3]}
    for _ in overdue:
        project.system().duties.tick()
    assert left(project, overdue) == overdue[:3]


def test_a_row_that_is_not_due_any_more_is_forgotten(
    project: Project, hub: HubOf, overdue: list[str], poison: set[str]
) -> None:
    poison.add(overdue[0])
    project.system().duties.tick()
    assert project.system().duties.failing()
    hub("planner").deliveries.cancel(overdue[0])
    project.system().duties.tick()
    assert project.system().duties.failing() == ()


def test_where_too_many_rows_fail_the_duty_does(project: Project, overdue: list[str], poison: set[str]) -> None:
    poison |= {*overdue}
    project.system().duties.tick()
    assert [one.duty for one in project.system().duties.failing()] == [EXPIRE]
    assert left(project, overdue) == overdue


def test_a_log_hears_of_rows_or_of_their_duty_and_not_of_both(
    project: Project, overdue: list[str], poison: set[str]
) -> None:
    heard: list[str] = []

    def play() -> None:
        with project.store.write() as tx:
            tx.me = SYSTEM
            Duties[Sync](InTx(tx)).do(lambda failing, error: heard.append(failing.duty))

    poison |= {*overdue}
    play()
    assert heard == [EXPIRE]
