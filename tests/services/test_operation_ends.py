"""The ends of operations: closed with the last proof, aborted, out of time, or failed, and always seen."""

from __future__ import annotations

import pytest

from roost.clock import ManualClock
from roost.connect import Project
from roost.errors import (
    Forbidden,
    OperationOpen,
    WrongState,
)
from roost.hub import Hub
from roost.operations.service import Operations
from roost.verbs import InTx, Sync
from tests.services.conftest import HubOf
from tests.services.looks import received, texts


def test_it_closes_with_the_last_proof_in_the_same_transaction(hub: HubOf) -> None:
    hub("worker")
    operation = hub("planner").operations.run(["worker"], ["one", "two"])
    held = hub("builder").messages.send(to="worker", text="foreign")
    hub("worker").messages.inbox(limit=1)
    hub("worker").messages.inbox(limit=1)  # proves "one", offers "two"
    assert hub("planner").operations.get(operation.id).operation.state == "sealed"
    hub("worker").deliveries.acknowledge("m2")
    assert hub("planner").operations.get(operation.id).operation.state == "closed"
    assert [one.state for one in hub("builder").deliveries.of(held.ref)] == ["pending"]


def test_it_waits_for_every_target(hub: HubOf) -> None:
    hub("a"), hub("b")
    operation = hub("planner").operations.run(["a", "b"], ["one"])
    assert received(hub("a")) == ["one"]
    hub("builder").messages.send(to="a", text="foreign")
    assert texts(hub("a")) == []
    progress = hub("planner").operations.get(operation.id)
    assert (progress.deliveries, progress.delivered, progress.waiting, progress.failed) == (2, 1, 1, 0)
    assert received(hub("b")) == ["one"]
    assert received(hub("a")) == ["foreign"]


def test_an_empty_operation_closes_at_its_seal(hub: HubOf) -> None:
    hub("worker"), hub("planner").operations.begin(["worker"])
    assert hub("planner").operations.seal().state == "closed"


def test_delivered_is_enough_where_an_acknowledgement_is_asked_for(hub: HubOf) -> None:
    hub("worker"), hub("planner").operations.begin(["worker"])
    hub("planner").operations.add("", "one", requires_ack=True)
    hub("planner").operations.seal()
    received(hub("worker"))
    assert hub("planner").operations.list() == ()


def test_abort_ends_what_has_not_arrived_and_lets_the_others_go(hub: HubOf) -> None:
    planner = hub("planner")
    hub("worker")
    operation = planner.operations.begin(["worker"])
    sent = [planner.operations.add(operation.id, text) for text in ("one", "two")]
    hub("builder").messages.send(to="worker", text="foreign")
    ended = planner.operations.abort(operation.id, reason="wrong agent")
    assert (ended.state, ended.reason) == ("aborted", "aborted by planner: wrong agent")
    for one in sent:
        (delivery,) = planner.deliveries.of(one.ref)
        assert (delivery.state, "wrong agent" in delivery.last_error) == ("cancelled", True)
    assert received(hub("worker")) == ["foreign"]
    with pytest.raises(WrongState):
        planner.operations.abort(operation.id)


def test_a_person_may_abort_any_and_another_agent_none(hub: HubOf, person: Hub[Sync]) -> None:
    hub("worker")
    operation = hub("planner").operations.begin(["worker"])
    with pytest.raises(Forbidden):
        hub("builder").operations.abort(operation.id)
    assert person.operations.abort(operation.id).reason == "aborted by ada"


def test_a_step_in_flight_is_ended_without_claiming_more_than_is_known(hub: HubOf) -> None:
    hub("worker"), hub("planner").operations.begin(["worker"])
    sent = hub("planner").operations.add("", "one")
    texts(hub("worker"))
    hub("planner").operations.abort()
    (delivery,) = hub("planner").deliveries.of(sent.ref)
    assert delivery.state == "cancelled"
    assert "whether it arrived is not known" in delivery.last_error


@pytest.mark.parametrize("sealed", [False, True])
def test_its_time_is_a_predicate_and_needs_no_sweep(hub: HubOf, clock: ManualClock, sealed: bool) -> None:
    hub("worker"), hub("planner").operations.begin(["worker"], ttl=60)
    step = hub("planner").operations.add("", "step")
    if sealed:
        hub("planner").operations.seal()
    hub("builder").messages.send(to="worker", text="foreign")
    clock.advance(59.999)
    with pytest.raises(OperationOpen):
        hub("tester").operations.begin(["worker"])
    clock.advance(0.001)
    assert hub("planner").operations.list() == ()
    assert texts(hub("worker")) == ["foreign"]
    (delivery,) = hub("planner").deliveries.of(step.ref)
    assert (delivery.state, "its time passed" in delivery.last_error) == ("expired", True)
    hub("tester").operations.begin(["worker"])


def test_a_sweep_tidies_what_nobody_touches(hub: HubOf, project: Project, clock: ManualClock) -> None:
    hub("worker"), hub("planner").operations.begin(["worker"], ttl=60)
    step = hub("planner").operations.add("", "step")
    clock.advance(61)
    with project.store.write() as tx:
        assert Operations[Sync](InTx(tx)).tidy() == 1
        assert Operations[Sync](InTx(tx)).tidy() == 0
    assert hub("planner").deliveries.of(step.ref)[0].state == "expired"


def test_the_end_of_one_step_ends_the_rest_visibly(hub: HubOf) -> None:
    planner = hub("planner")
    hub("a"), hub("b")
    operation = planner.operations.begin(["a", "b"])
    first, second = planner.operations.add("", "one", to="a"), planner.operations.add("", "two")
    planner.operations.seal()
    planner.deliveries.cancel(first.ref)
    ended = planner.operations.get(operation.id).operation
    assert (ended.state, ended.reason.startswith(f"its step {first.ref} is cancelled")) == ("aborted", True)
    assert {one.state for one in planner.deliveries.of(second.ref)} == {"cancelled"}
    assert texts(hub("a")) == texts(hub("b")) == []


def test_a_dead_step_ends_the_operation(hub: HubOf, project: Project) -> None:
    hub("worker")
    hub("planner").operations.run(["worker"], ["poison", "rest"])
    worker = hub("worker")
    for _ in range(8):
        assert texts(worker, limit=1) == ["poison"]
        worker.turns.leave()
        worker = project.joined("worker")
    assert texts(worker) == []
    (over,) = hub("planner").operations.list(ended=True)
    assert over.state == "aborted" and "dead" in over.reason


def test_the_owner_hears_of_a_failed_operation_once(hub: HubOf, project: Project, clock: ManualClock) -> None:
    hub("worker")
    hub("planner").operations.begin(["worker"], ttl=60)
    for n in range(8):
        hub("planner").operations.add("", f"step {n}")
    clock.advance(61)
    texts(hub("worker"))
    clock.advance(2)
    hub("planner").sessions.beat("idle")  # any write does what is due
    told = hub("planner").messages.peek(states=()).items
    assert [item.message.type for item in told] == ["system"]


def test_the_end_of_its_owners_session_aborts_it_before_the_seal(hub: HubOf) -> None:
    hub("worker"), hub("planner").operations.begin(["worker"])
    hub("planner").operations.add("", "step")
    hub("builder").messages.send(to="worker", text="foreign")
    hub("planner").turns.leave()
    assert received(hub("worker")) == ["foreign"]
    (over,) = hub("builder").operations.list(ended=True)
    assert "session of planner" in over.reason


def test_after_the_seal_it_survives_its_owners_session(hub: HubOf) -> None:
    hub("worker"), hub("planner").operations.run(["worker"], ["one", "two"])
    hub("planner").turns.leave()
    hub("builder").messages.send(to="worker", text="foreign")
    assert received(hub("worker"), limit=1) == ["one", "two", "foreign"]
