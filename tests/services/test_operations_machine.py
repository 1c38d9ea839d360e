"""Operations in any order of calls: nobody in between, everybody after, in order, and nothing lost."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from roost.clock import ManualClock
from roost.connect import connect
from roost.errors import OperationOpen, RateLimited, UnknownOperation, WrongState
from roost.operations.model import Operation

TARGETS = ("left", "right")
OWNERS = ("planner", "builder")
owners, targets = st.sampled_from(OWNERS), st.sampled_from(TARGETS)
several = st.lists(targets, min_size=1, max_size=2, unique=True)


class Operating(RuleBasedStateMachine):
    """Two owners and a stranger before two targets; what each target gets is compared with what it must get."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.project = connect(":memory:", clock=self.clock)
        self.hubs = {name: self.project.joined(name) for name in (*TARGETS, *OWNERS, "stranger")}
        self.strange: dict[str, list[str]] = {name: [] for name in TARGETS}
        self.got: dict[str, list[str]] = {name: [] for name in TARGETS}
        self.count = 0

    def holder(self, target: str) -> Operation | None:
        live = [one for one in self.hubs["stranger"].operations.list() if target in one.targets]
        assert len(live) <= 1
        return live[0] if live else None

    @rule(owner=owners, names=several, ttl=st.sampled_from([5, 60]))
    def begin(self, owner: str, names: list[str], ttl: int) -> None:
        holders = {one.id: one for one in map(self.holder, names) if one is not None}
        strange = [one for one in holders.values() if one.owner_name != owner or one.state != "open"]
        try:
            self.hubs[owner].operations.begin(names, ttl=ttl)
            assert not strange and len(holders) <= 1
        except OperationOpen:
            assert strange or len(holders) > 1

    @rule(owner=owners)
    def add(self, owner: str) -> None:
        with suppress(UnknownOperation, WrongState, RateLimited):
            self.hubs[owner].operations.add("", f"{owner} step {self.count}")
            self.count += 1

    @rule(owner=owners, how=st.sampled_from(["seal", "seal", "seal", "abort"]))
    def finish(self, owner: str, how: str) -> None:
        with suppress(UnknownOperation, WrongState):
            getattr(self.hubs[owner].operations, how)()

    @rule(name=targets)
    def speak(self, name: str) -> None:
        try:
            self.hubs["stranger"].messages.send(to=name, text=f"foreign {self.count}")
        except RateLimited:
            return
        self.strange[name].append(f"foreign {self.count}")
        self.count += 1

    @rule(name=targets, limit=st.integers(1, 3))
    def look(self, name: str, limit: int) -> None:
        held = self.holder(name)
        page = self.hubs[name].messages.inbox(limit=limit)
        if held is not None and (again := self.holder(name)) is not None and again.id == held.id:
            assert all(item.message.operation == held.id for item in page.items)
        self.got[name] += [item.message.body for item in page.items]

    @rule(seconds=st.sampled_from([1, 4, 61]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule(owner=owners)
    def restart(self, owner: str) -> None:
        self.hubs[owner].turns.leave()
        self.hubs[owner] = self.project.joined(owner)

    @invariant()
    def strangers_are_heard_in_order_and_once(self) -> None:
        for target in TARGETS:
            heard = [text for text in self.got[target] if text.startswith("foreign")]
            assert heard == self.strange[target][: len(heard)]

    def teardown(self) -> None:
        self.clock.advance(120)
        for target in TARGETS:
            while page := self.hubs[target].messages.inbox().items:
                self.got[target] += [item.message.body for item in page]
            assert [text for text in self.got[target] if text.startswith("foreign")] == self.strange[target]
            steps = [text for text in self.got[target] if "step" in text]
            assert len(set(steps)) == len(steps)
        assert self.hubs["stranger"].operations.list() == ()
        self.project.store.close()


Operating.TestCase.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
test_operations_in_any_order = Operating.TestCase
