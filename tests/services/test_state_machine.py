"""Any order of sends, looks, acknowledgements, crashes, restarts and clock jumps keeps the invariants."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from roost import workdir
from roost.clock import ManualClock
from roost.connect import Project, connect
from roost.deliveries.model import Delivery
from roost.errors import RoostError
from roost.hub import Hub
from roost.messages.model import Draft
from roost.messages.sending import Sender
from roost.verbs import Sync

AGENTS = ("ada", "bob", "cyd")
STEPS = 50
EXAMPLES = 200
OPEN = ("held", "pending", "offered")


class Boom(Exception):
    """A crash in the middle of a transaction."""


class Fleet(RuleBasedStateMachine):
    """Three agents, and a plain model of what they were told."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="machine-"))
        self.clock = ManualClock()
        self.answered: dict[str, str] = {}
        self.stages: dict[tuple[str, str], int] = {}
        self.keys: dict[tuple[str, str], str] = {}
        self.acknowledged: set[tuple[str, str]] = set()
        self.hubs: dict[str, Hub[Sync]] = {}
        self.project: Project

    @initialize()
    def start(self) -> None:
        workdir.create(self.folder / workdir.NAME)
        (self.folder / workdir.NAME / "roost.toml").write_text("[limits]\nrate_agent = 10000\n")
        self.open()

    def open(self) -> None:
        self.project = connect(self.folder, clock=self.clock)
        self.hubs = {name: self.project.joined(name) for name in AGENTS}

    def teardown(self) -> None:
        if hasattr(self, "project"):
            self.project.close()
        shutil.rmtree(self.folder)

    @rule(
        sender=st.sampled_from(AGENTS),
        to=st.sampled_from([*AGENTS, "all"]),
        requires_ack=st.booleans(),
        expires_in=st.sampled_from([None, None, 5.0, 600.0]),
        priority=st.sampled_from(["low", "normal", "urgent"]),
        key=st.sampled_from([None, "first-key", "second-key"]),
    )
    def send(
        self, sender: str, to: str, requires_ack: bool, expires_in: float | None, priority: str, key: str | None
    ) -> None:
        text = f"{sender} to {to}"
        try:
            sent = self.hubs[sender].messages.send(
                to=to,
                text=text,
                requires_ack=requires_ack,
                expires_in=expires_in,
                priority=priority,
                idempotency_key=key,
            )
        except RoostError as error:
            assert error.code == "IDEMPOTENCY_MISMATCH"
            return
        if key is not None:
            known = self.keys.setdefault((sender, key), sent.id)
            assert known == sent.id, "I24: a repeated key made another message"
        self.answered[sent.id] = text

    @rule(agent=st.sampled_from(AGENTS), limit=st.integers(1, 5))
    def look(self, agent: str, limit: int) -> None:
        for item in self.hubs[agent].messages.inbox(limit=limit).items:
            assert item.message.expires_at is None or item.message.expires_at > self.clock.wall_ms()
            if item.message.sender:  # Roost's own notices come beside what agents said
                assert self.answered[item.message.id] == item.message.body, "I2"

    @rule(agent=st.sampled_from(AGENTS), number=st.integers(1, 12))
    def acknowledge(self, agent: str, number: int) -> None:
        try:
            done = self.hubs[agent].deliveries.acknowledge(f"m{number}")
        except RoostError as error:
            assert error.code in ("UNKNOWN_MESSAGE", "WRONG_STATE")
            return
        self.acknowledged.add((done.message, done.recipient))

    @rule(agent=st.sampled_from(AGENTS))
    def crash_of_an_agent(self, agent: str) -> None:
        self.hubs[agent].turns.leave(reason="its process is gone")
        self.hubs[agent] = self.project.joined(agent)

    @rule(sender=st.sampled_from(AGENTS))
    def crash_in_a_transaction(self, sender: str) -> None:
        session = self.hubs[sender].sessions.me()
        with pytest.raises(Boom), self.project.store.write() as tx:
            tx.me = session
            Sender(tx).send(Draft(to=("all",), text="never answered"))
            raise Boom

    @rule()
    def restart(self) -> None:
        self.project.close()
        self.open()

    @rule(seconds=st.sampled_from([1, 10, 60, 700]))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule(seconds=st.sampled_from([-3600, 3600]))
    def somebody_sets_the_clock(self, seconds: int) -> None:
        self.clock.jump_wall(seconds)

    @rule()
    def duties(self) -> None:
        self.project.system().duties.tick()

    @precondition(lambda self: hasattr(self, "project"))
    @invariant()
    def nothing_answered_is_missing_and_nothing_else_is_there(self) -> None:
        log = self.project.system().messages.log(limit=500)
        ours = {message.id: message.body for message in log if message.sender}
        assert ours == self.answered, "I1, I2, I22, I23"
        assert [message.number for message in log] == list(range(1, len(log) + 1))

    @precondition(lambda self: hasattr(self, "project"))
    @invariant()
    def stages_never_go_back_and_acknowledgements_stay(self) -> None:
        for delivery in self.deliveries():
            key = (delivery.message, delivery.recipient)
            assert delivery.stage >= self.stages.get(key, 0), "I8"
            self.stages[key] = delivery.stage
            assert (delivery.state == "acknowledged") == (key in self.acknowledged), "I9"

    @precondition(lambda self: hasattr(self, "project"))
    @invariant()
    def a_message_is_delivered_at_most_once_into_a_context(self) -> None:
        for message in self.answered:
            seen = [
                (one.recipient, one.session, one.epoch, one.context)
                for one in self.project.system().deliveries.receipts(message)
                if one.kind == "delivered"
            ]
            assert len(seen) == len(set(seen)), "I7"

    @precondition(lambda self: hasattr(self, "project"))
    @invariant()
    def counts_equal_a_recount(self) -> None:
        waiting: dict[str, int] = {}
        for delivery in self.deliveries():
            waiting[delivery.recipient] = waiting.get(delivery.recipient, 0) + (delivery.state in OPEN)
        with self.project.store.read() as tx:
            kept = dict(tx._connection.execute("SELECT agent, waiting FROM mailbox"))
        assert {agent: count for agent, count in kept.items() if count} == {
            agent: count for agent, count in waiting.items() if count
        }, "I26"

    @precondition(lambda self: hasattr(self, "project"))
    @invariant()
    def the_log_verifies(self) -> None:
        assert not self.project.system().history.verify().problems, "I4, I25"

    def deliveries(self) -> list[Delivery]:
        hub = self.project.system()
        return [one for message in hub.messages.log(limit=500) for one in hub.deliveries.of(message.id)]


CALM = settings(max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None)
# Whether it turns red is asked, not by which smallest story.
PLANTED = settings(
    max_examples=30, stateful_step_count=15, deadline=None, phases=(Phase.generate,), database=None, derandomize=True
)
TestFleet = pytest.mark.timeout(600)(Fleet.TestCase)
TestFleet.settings = CALM


class ForgetsItsMail(Fleet):
    """A planted bug: a look at the inbox loses what it does not show."""

    @rule(agent=st.sampled_from(AGENTS))
    def lose(self, agent: str) -> None:
        with self.project.store.write() as tx:
            tx._connection.execute("DELETE FROM message WHERE rowid = (SELECT max(rowid) FROM message)")


class CallsItDelivered(Fleet):
    """A planted bug: acknowledged without the addressee's word."""

    @rule()
    def claim(self) -> None:
        with self.project.store.write() as tx:
            tx._connection.execute("UPDATE delivery SET state = 'acknowledged', stage = 3 WHERE state = 'pending'")


class RewritesHistory(Fleet):
    """A planted bug: an event is changed afterwards."""

    @rule()
    def rewrite(self) -> None:
        with self.project.store.write() as tx:
            tx._connection.execute("UPDATE event SET data = '{}' WHERE kind = 'message.sent'")


@pytest.mark.parametrize("planted", [ForgetsItsMail, CallsItDelivered, RewritesHistory])
def test_the_machine_turns_red_on_a_planted_bug(planted: type[Fleet]) -> None:
    with pytest.raises((AssertionError, KeyError, RoostError)):
        run_state_machine_as_test(planted, settings=PLANTED)
