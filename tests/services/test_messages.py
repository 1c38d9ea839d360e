"""What a send promises: stored once, in order, for all or none, within limits, signed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roost.clock import ManualClock
from roost.connect import Project, connect
from roost.errors import (
    BodyTooLarge,
    Forbidden,
    IdempotencyMismatch,
    InboxFull,
    InvalidInput,
    InvalidPriority,
    LimitReached,
    RateLimited,
    RoostError,
    UnknownAgent,
    UnknownChannel,
    UnknownMessage,
)
from roost.hub import Hub
from roost.messages.model import Draft, Sent
from roost.messages.sending import Sender
from roost.sessions.service import identify
from roost.verbs import Sync
from tests.services.conftest import HubOf

KEY = "release-2026-11"


def texts(hub: Hub[Sync], limit: int = 50) -> list[str]:
    return [item.message.body for item in hub.messages.inbox(limit=limit).items]


def test_i3_the_same_key_and_body_is_the_same_message(hub: HubOf) -> None:
    hub("builder")
    first = hub("planner").messages.send(to="builder", text="ship it", idempotency_key=KEY)
    again = hub("planner").messages.send(to="builder", text="ship it", idempotency_key=KEY)
    assert (again.id, again.duplicate, again.recipients) == (first.id, True, ("builder",))
    assert texts(hub("builder")) == ["ship it"]


def test_i3_the_same_key_with_another_body_is_refused(hub: HubOf) -> None:
    hub("builder")
    hub("planner").messages.send(to="builder", text="ship it", idempotency_key=KEY)
    with pytest.raises(IdempotencyMismatch, match="m1"):
        hub("planner").messages.send(to="builder", text="do not ship it", idempotency_key=KEY)
    assert hub("planner").messages.last_number() == 1


def test_a_key_is_its_senders_own_and_free_again_after_seven_days(hub: HubOf, clock: ManualClock) -> None:
    builder, planner = hub("builder"), hub("planner")
    planner.messages.send(to="builder", text="one", idempotency_key=KEY)
    builder.messages.send(to="planner", text="two", idempotency_key=KEY)
    clock.advance(7 * 86_400 + 1)
    assert not planner.messages.send(to="builder", text="three", idempotency_key=KEY).duplicate


def test_i6_equal_priorities_come_in_the_order_of_sending(hub: HubOf) -> None:
    hub("builder")
    for number in range(20):
        hub("planner").messages.send(to="builder", text=str(number))
    assert texts(hub("builder")) == [str(number) for number in range(20)]


def test_a_higher_priority_comes_first_and_a_lower_one_does_not_starve(
    hub: HubOf, person: Hub[Sync], clock: ManualClock
) -> None:
    hub("builder")
    hub("planner").messages.send(to="builder", text="low", priority="low")
    clock.advance(2 * 3_600)
    hub("planner").messages.send(to="builder", text="urgent", priority="urgent")
    hub("planner").messages.send(to="builder", text="normal")
    person.messages.send(to="builder", text="critical", priority="critical")
    assert texts(hub("builder")) == ["critical", "low", "urgent", "normal"]


def test_reading_some_leaves_the_rest_as_it_is(hub: HubOf) -> None:
    hub("builder")
    for number in range(8):
        hub("planner").messages.send(to="builder", text=str(number))
    assert texts(hub("builder"), limit=5) == ["0", "1", "2", "3", "4"]
    assert texts(hub("builder"), limit=5) == ["5", "6", "7"]


def test_i17_a_broadcast_reaches_every_member_once_and_offline_ones_too(hub: HubOf, project: Project) -> None:
    project.system().agents.add("sleeper")
    hub("builder"), hub("tester"), hub("planner")
    sent = hub("planner").messages.send(to="all", text="hello")
    assert sent.recipients == ("builder", "sleeper", "tester")
    hub("late")
    assert texts(hub("late")) == []
    assert texts(hub("sleeper")) == ["hello"]
    assert texts(hub("builder")) == ["hello"]


def test_i17_one_unknown_name_sends_nothing_to_anybody(hub: HubOf) -> None:
    hub("builder")
    with pytest.raises(UnknownAgent, match="did you mean builder"):
        hub("planner").messages.send(to=["builder", "bilder"], text="hello")
    assert texts(hub("builder")) == []
    with pytest.raises(UnknownChannel):
        hub("planner").messages.send(to="#nowhere", text="hello")


def test_hold_keeps_mail_for_the_first_who_joins_by_that_name(hub: HubOf) -> None:
    hub("planner").messages.send(to="newcomer", text="welcome", hold=True)
    assert hub("planner").agents.get("newcomer").reserved
    assert texts(hub("newcomer")) == ["welcome"]
    assert not hub("planner").agents.get("newcomer").reserved


def test_an_alias_reaches_its_agent_and_an_old_name_forwards(hub: HubOf) -> None:
    hub("builder").agents.add_alias("Agent-4")
    hub("builder").agents.rename("mason")
    for name in ("agent-4", "AGENT-4", "builder", "mason"):
        hub("planner").messages.send(to=name, text=name)
    assert len(texts(hub("builder"))) == 4


@pytest.mark.parametrize("settings", ["[limits]\ninbox_messages_max = 2\n"])
def test_an_inbox_that_is_full_refuses_and_drops_nothing(hub: HubOf) -> None:
    hub("builder")
    planner = hub("planner")
    planner.messages.send(to="builder", text="1"), planner.messages.send(to="builder", text="2")
    with pytest.raises(InboxFull, match="builder has 2 messages"):
        planner.messages.send(to="builder", text="3")
    assert planner.messages.last_number() == 2


def test_i18_a_message_waits_until_its_prerequisites_are_delivered(hub: HubOf) -> None:
    builder, planner = hub("builder"), hub("planner")
    planner.messages.send(to="builder", text="first", requires_ack=True)
    planner.messages.send(to="builder", text="then", depends_on=["m1"])
    assert texts(builder) == ["first"]
    assert texts(builder) == []
    builder.deliveries.acknowledge("m1")
    assert texts(builder) == ["then"]


def test_a_prerequisite_that_ends_undelivered_ends_what_waits_for_it_visibly(hub: HubOf, clock: ManualClock) -> None:
    hub("builder")
    planner = hub("planner")
    planner.messages.send(to="builder", text="first", expires_in=60)
    planner.messages.send(to="builder", text="then", depends_on=["m1"])
    clock.advance(61)
    planner.sessions.beat("idle")
    (after,) = planner.deliveries.of("m2")
    assert (after.state, after.last_error) == ("cancelled", "it waited for m1, which is expired")


def test_prerequisites_must_exist_and_are_few(hub: HubOf) -> None:
    hub("builder")
    with pytest.raises(UnknownMessage):
        hub("planner").messages.send(to="builder", text="x", depends_on=["m9"])
    with pytest.raises(LimitReached):
        hub("planner").messages.send(to="builder", text="x", depends_on=[f"m{n}" for n in range(65)])


def test_what_expired_is_never_offered_even_if_no_duty_ran(hub: HubOf, clock: ManualClock) -> None:
    hub("builder")
    hub("planner").messages.send(to="builder", text="soon", expires_in=10)
    hub("planner").messages.send(to="builder", text="later", not_before=clock.wall_ms() + 60_000)
    clock.advance(10)
    assert texts(hub("builder")) == []
    clock.advance(50)
    assert texts(hub("builder")) == ["later"]


def test_thirty_messages_pass_in_a_minute_whichever_process_sends_them(
    hub: HubOf, project: Project, clock: ManualClock
) -> None:
    hub("builder"), hub("planner")
    assert project.place is not None
    other = connect(project.place.path, clock=clock)
    twice = [hub("planner"), other.joined("planner")]
    for number in range(30):
        twice[number % 2].messages.send(to="builder", text=str(number))
    with pytest.raises(RateLimited) as refused:
        twice[0].messages.send(to="builder", text="one too many")
    assert 0 < refused.value.details["retry_after"] <= 60
    clock.advance(60)
    twice[1].messages.send(to="builder", text="again")
    other.close()


def test_a_broadcast_counts_for_each_of_its_recipients(hub: HubOf) -> None:
    for number in range(16):
        hub(f"agent-{number}")
    hub("planner").messages.send(to="all", text="one")
    with pytest.raises(RateLimited):
        hub("planner").messages.send(to="all", text="two")


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("text", "x" * (1 << 20) + "x", BodyTooLarge),
        ("priority", 256, InvalidPriority),
        ("priority", True, InvalidPriority),
        ("priority", "huge", InvalidPriority),
        ("priority", "critical", Forbidden),
        ("expires_in", float("nan"), InvalidInput),
        ("expires_in", 0.5, InvalidInput),
        ("idempotency_key", "short", InvalidInput),
        ("metadata", {"x": float("inf")}, InvalidInput),
        ("tags", "urgent", InvalidInput),
        ("to", [], InvalidInput),
        ("to", ["all", "builder"], InvalidInput),
    ],
)
def test_a_wrong_field_is_refused_and_nothing_is_sent(
    hub: HubOf, field: str, value: object, error: type[Exception]
) -> None:
    hub("builder")
    call: dict[str, object] = {"to": "builder", "text": "hello", field: value}
    with pytest.raises(error):
        hub("planner").messages.send(**call)  # type: ignore[arg-type]
    assert hub("planner").messages.last_number() == 0


@pytest.mark.parametrize(
    "change",
    ["body = 'send me the key'", "priority = 200", "sender = 'somebody-else'", "requires_ack = 1", "subject = 'x'"],
)
def test_i28_a_message_that_was_changed_in_the_store_is_not_genuine(hub: HubOf, project: Project, change: str) -> None:
    hub("builder")
    hub("planner").messages.send(to="builder", text="hello")
    assert hub("builder").messages.verified("m1")
    with project.store.write() as tx:
        tx._connection.execute(f"UPDATE message SET {change}")
    assert not hub("builder").messages.verified("m1")


drafts = st.builds(
    Draft,
    to=st.sampled_from([("builder",), ("builder", "tester"), ("all",), ("nobody",), ("#build",), ("fresh",)]),
    text=st.sampled_from(["hello", "", "x" * 300, "ümlaut"]),
    priority=st.sampled_from(["low", "normal", "urgent", "critical", 7]),
    requires_ack=st.booleans(),
    idempotency_key=st.sampled_from([None, None, "key-number-one", "key-number-two"]),
    expires_in=st.sampled_from([None, 60.0, -1.0]),
    hold=st.booleans(),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["planner", "scout"]), drafts), max_size=8))
def test_sending_many_is_sending_each(calls: list[tuple[str, Draft]]) -> None:
    assert _all_at_once(calls) == _one_by_one(calls)


def _all_at_once(calls: list[tuple[str, Draft]]) -> object:
    project, sessions = _scene()
    with project.store.write() as tx:
        callers = {name: identify(tx, session) for name, session in sessions.items()}
        answers = Sender(tx).send_each([(callers[name], draft) for name, draft in calls])
    return [_plain(answer) for answer in answers], _rows(project)


def _one_by_one(calls: list[tuple[str, Draft]]) -> object:
    project, sessions = _scene()
    hubs, answers = {name: project.as_session(session) for name, session in sessions.items()}, []
    for name, draft in calls:
        try:
            answers.append(_plain(hubs[name].messages.send_batch([draft])[0]))
        except RoostError as error:
            answers.append(_plain(error))
    return answers, _rows(project)


def _scene() -> tuple[Project, dict[str, str]]:
    project = connect(":memory:", clock=ManualClock())
    for name in ("builder", "tester"):
        project.system().agents.add(name)
    planner, scout = project.joined("planner"), project.joined("scout")
    planner.channels.create("build")
    return project, {"planner": planner.sessions.me().session, "scout": scout.sessions.me().session}


def _plain(answer: object) -> object:
    if isinstance(answer, Sent):
        return ("sent", answer.number, answer.recipients, answer.channel, answer.duplicate)
    return (type(answer).__name__, str(answer))


def _rows(project: Project) -> object:
    with project.store.read() as tx:
        ask = tx._connection.execute
        return [
            list(ask("SELECT number, type, priority, body, recipients, channel FROM message ORDER BY number")),
            list(ask("SELECT number, state, hold, size, rank FROM delivery ORDER BY number, state")),
            list(ask("SELECT a.name, waiting, bytes FROM mailbox m JOIN agent a ON a.id = m.agent ORDER BY 1")),
            list(ask("SELECT a.name, spent FROM quota q JOIN agent a ON a.id = q.agent ORDER BY 1")),
            list(ask("SELECT count(*) FROM event WHERE kind = 'message.sent'")),
        ]
