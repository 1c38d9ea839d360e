"""Operations: all targets or none, nobody in between, everybody after."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.clock import ManualClock
from roost.connect import Project, connect
from roost.errors import (
    Forbidden,
    InvalidInput,
    InvalidText,
    InvalidTtl,
    InvalidUtf8,
    LimitReached,
    OperationOpen,
    UnknownAgent,
    UnknownOperation,
    WrongState,
)
from roost.hub import Hub
from roost.operations import rules
from roost.verbs import Sync
from tests.services.conftest import HubOf
from tests.services.looks import held, received, texts

ROOT = Path(__file__).parents[2]


def test_others_messages_are_taken_held_and_follow_in_order(hub: HubOf) -> None:
    planner, worker = hub("planner"), hub("worker")
    operation = planner.operations.begin(["worker"], title="onboarding")
    held = hub("builder").messages.send(to="worker", text="foreign 1")
    planner.operations.add(operation.id, "step 1")
    hub("tester").messages.send(to="worker", text="foreign 2")
    planner.operations.add(operation.id, "step 2")
    assert texts(worker) == ["step 1", "step 2"]
    assert [(one.state, one.hold) for one in hub("builder").deliveries.of(held.ref)] == [("held", "operation")]
    planner.operations.seal(operation.id)
    assert received(worker) == ["foreign 1", "foreign 2"]
    assert planner.operations.get(operation.id).operation.state == "closed"


def test_mail_that_already_waited_is_held_back_too(hub: HubOf) -> None:
    planner, worker = hub("planner"), hub("worker")
    hub("builder").messages.send(to="worker", text="before")
    planner.operations.begin(["worker"])
    planner.operations.add("", "step")
    assert texts(worker) == ["step"]
    planner.operations.seal()
    assert received(worker) == ["before"]


def test_even_the_owners_own_other_messages_wait(hub: HubOf) -> None:
    planner = hub("planner")
    hub("worker")
    planner.operations.begin(["worker"])
    planner.messages.send(to="worker", text="by the way")
    planner.operations.add("", "step")
    assert texts(hub("worker")) == ["step"]


def test_urgent_mail_of_a_person_waits_as_well(hub: HubOf, person: Hub[Sync]) -> None:
    hub("worker"), hub("planner").operations.begin(["worker"])
    person.messages.send(to="worker", text="now!", priority="critical")
    assert texts(hub("worker")) == []


def test_mail_to_all_and_to_channels_waits_for_the_targets_only(hub: HubOf) -> None:
    hub("worker"), hub("other"), hub("planner").channels.create("build")
    hub("worker").channels.join("build"), hub("other").channels.join("build")
    hub("planner").operations.begin(["worker"])
    hub("planner").messages.send(to="#build", text="channel")
    hub("planner").messages.send(to="all", text="all")
    assert texts(hub("worker")) == []
    assert texts(hub("other")) == ["channel", "all"]


def test_an_offer_that_goes_back_during_an_operation_waits_for_its_end(hub: HubOf, project: Project) -> None:
    hub("worker")
    hub("builder").messages.send(to="worker", text="foreign")
    assert texts(hub("worker")) == ["foreign"]  # offered, not proved
    hub("planner").operations.begin(["worker"])
    hub("planner").operations.add("", "step")
    hub("worker").turns.leave()
    again = project.joined("worker")
    assert texts(again) == ["step"]
    hub("planner").operations.seal()
    assert received(again) == ["foreign"]


def test_a_dead_letter_that_is_redelivered_waits_too(hub: HubOf) -> None:
    hub("worker")
    sent = hub("builder").messages.send(to="worker", text="foreign")
    hub("builder").deliveries.cancel(sent.ref)
    hub("planner").operations.begin(["worker"])
    hub("builder").deliveries.redeliver(sent.ref)
    assert texts(hub("worker")) == []


def test_it_takes_all_its_targets_or_none(hub: HubOf) -> None:
    hub("a"), hub("b"), hub("c")
    hub("planner").operations.begin(["b"], title="first", ttl=60)
    with pytest.raises(OperationOpen) as refused:
        hub("builder").operations.begin(["a", "b", "c"])
    assert (refused.value.details["by"], refused.value.details["seconds_left"]) == ("planner", 60.0)
    assert "planner (first)" in str(refused.value)
    hub("builder").messages.send(to="a", text="free")
    assert texts(hub("a")) == ["free"]
    hub("tester").operations.begin(["a", "c"])


def test_a_target_that_nobody_knows_takes_none(hub: HubOf) -> None:
    hub("a")
    with pytest.raises(UnknownAgent):
        hub("planner").operations.begin(["a", "nobody-here"])
    hub("builder").operations.begin(["a"])


def test_a_closed_operation_leaves_its_targets_to_the_next(hub: HubOf) -> None:
    hub("worker"), hub("planner").operations.run(["worker"], ["one"])
    with pytest.raises(OperationOpen):
        hub("builder").operations.begin(["worker"])
    assert received(hub("worker")) == ["one"]
    hub("builder").operations.begin(["worker"])


def test_steps_go_to_every_target_or_to_some(hub: HubOf) -> None:
    hub("a"), hub("b"), hub("planner").operations.begin(["a", "b"])
    assert hub("planner").operations.add("", "both").recipients == ("a", "b")
    assert hub("planner").operations.add("", "only b", to="b").recipients == ("b",)
    hub("c")
    for stranger in ("c", "all"):
        with pytest.raises(InvalidInput, match="target"):
            hub("planner").operations.add("", "x", to=stranger)


def test_nobody_else_adds_a_step_by_whatever_door(hub: HubOf, person: Hub[Sync]) -> None:
    hub("worker")
    operation = hub("planner").operations.begin(["worker"])
    for stranger in (hub("builder"), person):
        with pytest.raises(Forbidden, match="planner"):
            stranger.operations.add(operation.id, "let me in")
        with pytest.raises(Forbidden, match="planner"):
            stranger.messages.send(to="worker", text="let me in", operation=operation.id)
        with pytest.raises(Forbidden, match="planner"):
            stranger.operations.seal(operation.id)
    with pytest.raises(UnknownOperation):
        hub("builder").messages.send(to="worker", text="x", operation="made-up")
    assert texts(hub("worker")) == []


def test_nothing_is_added_after_the_seal(hub: HubOf) -> None:
    hub("worker")
    operation = hub("planner").operations.run(["worker"], ["one"])
    with pytest.raises(WrongState, match="sealed"):
        hub("planner").operations.add(operation.id, "two")
    received(hub("worker"))
    with pytest.raises(WrongState, match="closed"):
        hub("planner").messages.send(to="worker", text="two", operation=operation.id)


def test_a_step_is_added_once_for_one_key(hub: HubOf) -> None:
    hub("worker"), hub("planner").operations.begin(["worker"])
    first = hub("planner").operations.add("", "one", idempotency_key="step-0001")
    assert hub("planner").operations.add("", "one", idempotency_key="step-0001").id == first.id
    assert hub("planner").operations.get().operation.steps == 1


def test_a_run_is_all_or_nothing(hub: HubOf) -> None:
    hub("worker")
    with pytest.raises(InvalidUtf8):
        hub("planner").operations.run(["worker"], ["one", "bad \0 text"])
    assert hub("planner").operations.list(ended=True) == ()
    assert texts(hub("worker")) == []


def test_a_nested_begin_neither_deadlocks_nor_ends_the_outer_one(hub: HubOf) -> None:
    planner, worker = hub("planner"), hub("worker")
    outer = planner.operations.begin(["worker"])
    inner = planner.operations.begin(["worker"])
    assert (inner.id, inner.depth) == (outer.id, 2)
    planner.operations.add(inner.id, "inner")
    assert planner.operations.seal(inner.id).state == "open"
    hub("builder").messages.send(to="worker", text="foreign")
    planner.operations.add(outer.id, "outer")
    assert received(worker) == ["inner", "outer"]
    assert planner.operations.seal(outer.id).state == "closed"
    assert received(worker) == ["foreign"]


def test_a_nested_begin_may_take_more_targets_and_more_time_never_less(hub: HubOf, clock: ManualClock) -> None:
    planner = hub("planner")
    hub("a"), hub("b")
    outer = planner.operations.begin(["a"], ttl=60)
    assert planner.operations.begin(["a", "b"], ttl=10).expires_at == outer.expires_at
    inner = planner.operations.begin(["b"], ttl=120)
    assert (inner.targets, inner.expires_at) == (("a", "b"), outer.expires_at + 60_000)
    with pytest.raises(OperationOpen):
        hub("builder").operations.begin(["b"])


def test_a_strangers_hold_does_not_let_anybody_in(hub: HubOf) -> None:
    hub("worker"), hub("planner").operations.begin(["worker"])
    with pytest.raises(OperationOpen):
        hub("builder").operations.begin(["worker"])
    hub("builder").messages.send(to="worker", text="foreign")
    assert texts(hub("worker")) == []


def test_two_operations_of_one_session_are_not_merged(hub: HubOf) -> None:
    hub("a"), hub("b"), hub("planner").operations.begin(["a"]), hub("planner").operations.begin(["b"])
    with pytest.raises(OperationOpen, match="another operation of yours"):
        hub("planner").operations.begin(["a", "b"])
    with pytest.raises(UnknownOperation, match="2 operations"):
        hub("planner").operations.add("", "which?")


def test_a_sealed_operation_is_not_entered_again(hub: HubOf) -> None:
    hub("worker"), hub("planner").operations.run(["worker"], ["one"])
    with pytest.raises(OperationOpen, match="sealed"):
        hub("planner").operations.begin(["worker"])


def test_a_step_is_not_handed_over_to_somebody_who_is_no_target(hub: HubOf, person: Hub[Sync]) -> None:
    hub("worker"), hub("heir"), hub("planner").operations.run(["worker"], ["one"])
    hub("builder").messages.send(to="worker", text="foreign")
    hub("worker").turns.leave()
    person.deliveries.hand_over("worker", "heir")
    assert texts(hub("heir")) == ["foreign"]
    assert hub("planner").operations.list()[0].state == "sealed"


def test_wrong_input_is_refused_and_changes_nothing(hub: HubOf, person: Hub[Sync]) -> None:
    begin = hub("planner").operations.begin
    hub("worker"), hub("gone").turns.leave(), person.agents.retire("gone")
    for targets in (list[str](), "worker"):
        with pytest.raises(InvalidInput, match="list of targets"):
            begin(targets)
    for ttl in (0, 0.5, 86_401, float("nan"), True, "60"):
        with pytest.raises(InvalidTtl):
            begin(["worker"], ttl=ttl)  # type: ignore[arg-type]
    with pytest.raises(InvalidText):
        begin(["worker"], title="two\nlines")
    with pytest.raises(UnknownAgent, match="retired"):
        begin(["gone"])
    with pytest.raises(UnknownOperation, match="no operation open"):
        hub("planner").operations.seal()
    for missing in ("nothing", "x" * 4_000):
        with pytest.raises(UnknownOperation):
            hub("planner").operations.get(missing)
    with pytest.raises(InvalidInput):
        hub("planner").operations.run(["worker"], [])
    assert hub("planner").operations.list(ended=True) == ()


def test_the_number_of_open_operations_and_steps_is_bounded(hub: HubOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "OPEN_MAX", 1)
    monkeypatch.setattr(rules, "STEPS_MAX", 2)
    hub("a"), hub("b"), hub("planner").operations.begin(["a"])
    with pytest.raises(LimitReached):
        hub("planner").operations.begin(["b"])
    for n in range(2):
        hub("planner").operations.add("", str(n))
    with pytest.raises(InvalidInput, match="2 steps"):
        hub("planner").operations.add("", "3")


def start(role: str, project: Project, name: str, count: int) -> subprocess.Popen[bytes]:
    assert project.place is not None
    command = [
        sys.executable,
        "-m",
        "tests.services.operation_process",
        role,
        str(project.place.path),
        name,
        str(count),
    ]
    return subprocess.Popen(command, cwd=ROOT)


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Project]:
    """Return a project on the clock of the host, which other processes share."""
    folder = tmp_path / ".roost"
    folder.mkdir(mode=0o700)
    opened = connect(folder)
    yield opened
    opened.store.close()


def test_eight_messages_stay_together_while_twelve_sources_send(real: Project) -> None:
    sources = [f"source-{n}" for n in range(12)]
    worker, owner = real.joined("worker"), real.joined("planner")
    running = [start("source", real, name, 5) for name in sources]
    got: list[str] = []
    while not got:
        got += texts(worker, limit=3)
    operation = owner.operations.begin(["worker"], title="soft onboarding")
    for n in range(8):
        while held(worker) < 3 * n and any(process.poll() is None for process in running):
            got += texts(worker, limit=3)
        owner.operations.add(operation.id, f"step {n}")
        got += texts(worker, limit=3)
    assert held(worker) >= 21
    owner.operations.seal(operation.id)
    assert [process.wait(60) for process in running] == [0] * 12
    got += received(worker, limit=3)
    first = got.index("step 0")
    assert got[first : first + 8] == [f"step {n}" for n in range(8)]
    for name in sources:
        assert [text for text in got if text.startswith(f"{name} ")] == [f"{name} {n}" for n in range(5)]
    assert len(got) == 12 * 5 + 8
    assert owner.operations.get(operation.id).operation.state == "closed"


def test_a_crash_of_its_owner_frees_the_targets_without_waiting_for_the_time(real: Project) -> None:
    worker, builder = real.joined("worker"), real.joined("builder")
    assert start("crash", real, "planner", 3).wait(60) == -9
    builder.messages.send(to="worker", text="foreign")
    assert received(worker) == ["foreign"]
    (over,) = builder.operations.list(ended=True)
    assert (over.state, "session of planner" in over.reason) == ("aborted", True)


def test_a_crash_of_its_owner_is_seen_by_the_next_who_begins(real: Project) -> None:
    real.joined("worker")
    assert start("crash", real, "planner", 1).wait(60) == -9
    assert real.joined("builder").operations.begin(["worker"]).state == "open"


def test_a_sealed_operation_resumes_when_every_process_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / ".roost"
    folder.mkdir(mode=0o700)
    before = connect(folder)
    before.joined("worker").turns.leave()
    assert start("seal", before, "planner", 8).wait(60) == -9
    before.store.close()
    after = connect(folder)
    after.joined("builder").messages.send(to="worker", text="foreign")
    assert received(after.joined("worker"), limit=3) == [*(f"step {n}" for n in range(8)), "foreign"]
    assert after.joined("builder").operations.list() == ()
    after.store.close()
