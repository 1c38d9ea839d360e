"""Waiting for leases on a real store: who comes next, who gives up, and whose wait can have no end."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from roost.errors import (
    Cycle,
    LeaseHeld,
    LeaseLost,
    LimitReached,
    TimedOut,
)
from roost.hub import Hub
from roost.leases import rules
from roost.verbs import Async, InThread
from tests.services.lease_fleet import Fleet


def test_waiters_come_in_the_order_of_asking_and_nobody_overtakes(fleet: Fleet) -> None:
    fleet.planner.leases.acquire("src/a.py")
    first = fleet.builder.leases.stand(["src/*.py"])
    second = fleet.tester.leases.stand(["src/a.py"])
    assert first.held_by == ("planner",)
    assert second.behind == ("builder",)
    fleet.planner.leases.release("src/a.py")
    with pytest.raises(LeaseHeld, match="builder asked for it earlier"):
        fleet.planner.leases.acquire("src/a.py")
    assert fleet.tester.leases.claim(second.number) == ()
    assert [lease.key for lease in fleet.builder.leases.claim(first.number)] == ["src/*.py"]
    assert fleet.tester.leases.claim(second.number) == ()
    fleet.builder.leases.release("src/*.py")
    assert fleet.tester.leases.look(second.number).ready
    assert fleet.tester.leases.claim(second.number)
    assert fleet.tester.leases.queue() == ()


def test_standing_again_keeps_the_place(fleet: Fleet) -> None:
    fleet.planner.leases.acquire("a.py")
    first = fleet.builder.leases.stand(["a.py"])
    fleet.tester.leases.stand(["a.py"])
    assert fleet.builder.leases.stand(["a.py"]).number == first.number


def test_a_waiter_who_falls_silent_loses_its_place(fleet: Fleet) -> None:
    fleet.planner.leases.acquire("a.py", ttl=3600)
    gone = fleet.builder.leases.stand(["a.py"], patience=30)
    patient = fleet.tester.leases.stand(["a.py"], patience=120)
    fleet.clock.advance(30)
    fleet.planner.leases.release("a.py")
    with pytest.raises(LeaseLost):
        fleet.builder.leases.claim(gone.number)
    assert fleet.tester.leases.claim(patient.number)


def test_a_dead_waiter_holds_nobody_up(fleet: Fleet) -> None:
    fleet.planner.leases.acquire("a.py")
    fleet.builder.leases.stand(["a.py"], patience=3600)
    patient = fleet.tester.leases.stand(["a.py"])
    fleet.kill("builder")
    fleet.planner.leases.release("a.py")
    assert fleet.tester.leases.claim(patient.number)


def test_several_keys_are_waited_for_together(fleet: Fleet) -> None:
    fleet.planner.leases.acquire("a.py")
    ticket = fleet.builder.leases.stand(["a.py", "b.py"])
    with pytest.raises(LeaseHeld):
        fleet.tester.leases.acquire("b.py")
    fleet.planner.leases.release("a.py")
    assert [lease.key for lease in fleet.builder.leases.claim(ticket.number)] == ["a.py", "b.py"]


def test_a_wait_that_closes_a_ring_is_refused_with_its_names(fleet: Fleet) -> None:
    for name in ("planner", "builder", "tester"):
        getattr(fleet, name).leases.acquire(f"{name}.py")
    fleet.planner.leases.stand(["builder.py"])
    fleet.builder.leases.stand(["tester.py"])
    with pytest.raises(Cycle) as refused:
        fleet.tester.leases.stand(["planner.py"])
    assert refused.value.details["cycle"] == ["tester", "planner", "builder"]
    assert "tester waits for planner waits for builder waits for tester" in str(refused.value)
    assert len(fleet.tester.leases.queue()) == 2


def test_a_ring_through_a_dead_session_is_none(fleet: Fleet) -> None:
    fleet.planner.leases.acquire("a.py")
    fleet.builder.leases.acquire("b.py")
    fleet.planner.leases.stand(["b.py"])
    fleet.kill("planner")
    assert fleet.builder.leases.stand(["a.py"]).ready


def test_giving_up_a_place_lets_the_next_one_in(fleet: Fleet) -> None:
    ticket = fleet.builder.leases.stand(["a.py"])
    with pytest.raises(LeaseHeld):
        fleet.tester.leases.acquire("a.py")
    fleet.tester.leases.leave(ticket.number)
    assert fleet.builder.leases.look(ticket.number).ready
    fleet.builder.leases.leave(ticket.number)
    fleet.builder.leases.leave(ticket.number)
    fleet.tester.leases.acquire("a.py")


def test_a_release_rings_those_who_wait_and_nobody_else(fleet: Fleet) -> None:
    fleet.planner.leases.acquire_all(["a.py", "b.py"])
    fleet.builder.leases.stand(["a.py"])
    fleet.tester.leases.stand(["b.py"])
    assert fleet.rung(lambda leases: leases.release("a.py"), as_="planner") == ["builder"]


def test_a_holder_learns_who_waits_and_a_waiter_when_it_is_its_turn(fleet: Fleet) -> None:
    fleet.planner.leases.acquire("src/")
    fleet.builder.leases.stand(["src/a.py"])
    ((lease, waiter),) = fleet.roost(lambda leases: leases.waited_for(fleet.sessions["planner"]))
    assert (lease.key, waiter.waiter) == ("src/", "builder")
    fleet.planner.leases.release("src/")
    found: list[str] = []
    fleet.rung(lambda leases: found.extend(key for ticket in leases.ready() for key in ticket.keys), as_="builder")
    assert found == ["src/a.py"]


def test_wait_returns_as_soon_as_the_lease_is_free(tmp_path: Path, fleet: Fleet) -> None:
    fleet.planner.leases.acquire("a.py")
    got: list[str] = []
    builder = fleet.builder
    waiting = threading.Thread(target=lambda: got.append(builder.leases.wait("a.py", timeout=60).holder))
    waiting.start()
    while not fleet.planner.leases.queue():
        fleet.store.await_change(0.05)
    fleet.planner.leases.release("a.py")
    waiting.join(60)
    assert got == ["builder"]


def test_a_wait_in_vain_ends_with_who_is_in_the_way_and_leaves_the_queue(fleet: Fleet) -> None:
    fleet.planner.leases.acquire("a.py")
    with pytest.raises(TimedOut, match="held by planner"):
        fleet.builder.leases.wait("a.py", timeout=0)
    assert fleet.builder.leases.queue() == ()


def test_waiting_works_off_the_event_loop(fleet: Fleet) -> None:
    async def both() -> str:
        hub: Hub[Async] = Hub(InThread(fleet.builder._caller))
        lease, _ = await asyncio.gather(hub.leases.wait("a.py", timeout=60), asyncio.to_thread(release_when_waited_for))
        return str(lease.holder)

    def release_when_waited_for() -> None:
        while not fleet.planner.leases.queue():
            fleet.store.await_change(0.05)
        fleet.planner.leases.release("a.py")

    fleet.planner.leases.acquire("a.py")
    assert asyncio.run(both()) == "builder"


def test_the_queue_has_an_end(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "WAITS_MAX", 1)
    fleet.planner.leases.stand(["a.py"])
    with pytest.raises(LimitReached):
        fleet.planner.leases.stand(["b.py"])
    monkeypatch.setattr(rules, "QUEUE_MAX", 1)
    with pytest.raises(LimitReached):
        fleet.builder.leases.stand(["b.py"])
