"""The log: pages, cursors, streams, proof that it is whole, the state at a moment, and what leaves it."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import apsw
import pytest

import roost
from roost.clock import ManualClock
from roost.connect import Project, connect
from roost.errors import Archived, BadCursor, EpochChanged, Forbidden, InvalidInput, UnknownAgent
from roost.history import archive
from roost.history.model import Event
from roost.history.rules import chain, cursor
from roost.hub import Hub
from roost.verbs import Sync

HubOf = Callable[[str], Hub[Sync]]
Edit = Callable[[str], None]


@pytest.fixture
def edit(project: Project) -> Edit:
    """Change the stored rows behind Roost's back."""

    def run(statement: str) -> None:
        assert project.store.path is not None
        connection = apsw.Connection(str(project.store.path))
        connection.execute(statement)
        connection.close()

    return run


def talk(hub: HubOf, count: int = 3) -> None:
    hub("builder")
    for number in range(count):
        hub("planner").messages.send(to="builder", text=f"line {number}")


def test_the_log_tells_every_change_once_and_in_order(hub: HubOf) -> None:
    talk(hub)
    page = hub("planner").history.since()
    assert [event.seq for event in page.events] == list(range(1, len(page.events) + 1))
    assert [event.name for event in page.events if event.kind == "message.sent"] == ["planner"] * 3
    assert page.cursor == hub("planner").history.head().cursor
    assert not page.more


def test_pages_follow_each_other_without_a_gap_or_a_repeat(hub: HubOf) -> None:
    talk(hub, 7)
    history, seen, place = hub("planner").history, list[int](), ""
    while True:
        page = history.since(place, limit=2)
        seen += [event.seq for event in page.events]
        place = page.cursor
        if not page.more:
            break
    assert seen == list(range(1, history.head().seq + 1))
    assert history.since(place).events == ()
    assert history.since(place).cursor == place


def test_an_event_says_where_to_go_on(hub: HubOf) -> None:
    talk(hub)
    history = hub("planner").history
    first, *rest = history.since().events
    assert list(history.since(first.cursor).events) == rest
    assert first.cursor == str(cursor(history.head().epoch, first.seq, first.hash))


def test_filters_choose_kinds_families_actors_and_objects(hub: HubOf) -> None:
    talk(hub)
    history = hub("planner").history
    sent = hub("builder").messages.send(to="planner", text="done")
    assert {event.kind for event in history.since(kinds=["message"]).events} == {"message.sent"}
    assert [event.object for event in history.since(kinds=["message.sent"], actor="builder").events] == [sent.id]
    assert [event.seq for event in history.since(object=sent.ref).events] == [sent.seq]
    assert {event.kind for event in history.since(actor="roost").events} == {"agent.added", "session.started"}
    assert history.since(kinds=["agent.add"]).events == ()


def test_a_cursor_moves_over_what_the_filters_skip(hub: HubOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roost.history.service.SCANNED_MAX", 4)
    talk(hub, 9)
    history = hub("planner").history
    page = history.since(kinds=["lease"])
    steps = 1
    while page.more:
        assert page.events == ()
        page = history.since(page.cursor, kinds=["lease"])
        steps += 1
    assert page.cursor == history.head().cursor
    assert steps == -(-history.head().seq // 4)


@pytest.mark.parametrize(
    "text", ["7", "1-2", "1-2-zzzzzzzz", "1-2-", "0-0-00000000", "1-2-0011223344", "é", "-1-2-00112233"]
)
def test_what_was_never_a_cursor_is_refused(hub: HubOf, text: str) -> None:
    with pytest.raises(BadCursor):
        hub("planner").history.since(text)


def test_a_cursor_of_another_epoch_or_another_history_is_refused(hub: HubOf) -> None:
    talk(hub)
    history = hub("planner").history
    epoch, seq, mark = history.head().cursor.split("-")
    for foreign in (f"2-{seq}-{mark}", f"{epoch}-{seq}-00000000", f"{epoch}-ffff-{mark}"):
        with pytest.raises(EpochChanged) as refused:
            history.since(foreign)
        assert refused.value.code == "EPOCH"


def test_wrong_filters_are_told(hub: HubOf) -> None:
    history = hub("planner").history
    for wrong in ({"kinds": ["message sent"]}, {"kinds": "message"}, {"limit": 0}, {"limit": 501}, {"limit": True}):
        with pytest.raises(InvalidInput):
            history.since(**wrong)
    with pytest.raises(UnknownAgent):
        history.since(actor="nobody")


def test_a_follower_sees_what_is_committed_while_it_waits(project: Project, hub: HubOf) -> None:
    talk(hub)
    stream = hub("builder").history.follow(kinds=["message.sent"])
    sender = threading.Timer(0.05, lambda: talk(hub, 2))
    sender.start()
    seen = list(islice(stream, 2))
    sender.join()
    assert [event.kind for event in seen] == ["message.sent"] * 2
    assert list(islice(hub("builder").history.follow(seen[0].cursor, kinds=["message.sent"]), 1)) == seen[1:]


def test_an_async_follower_sees_the_same() -> None:
    async def scene() -> list[Event]:
        async with await roost.aopen(":memory:", as_="planner") as hub:
            await hub.agents.add("builder")
            await hub.messages.send(to="builder", text="x")
            seen = []
            async for event in hub.history.follow(""):
                seen.append(event)
                if event.kind == "message.sent":
                    break
            return seen

    seen = asyncio.run(scene())
    assert [event.seq for event in seen] == list(range(1, len(seen) + 1))


def test_a_log_that_nobody_touched_is_good(hub: HubOf) -> None:
    talk(hub, 5)
    verdict = hub("planner").history.verify()
    assert verdict.good
    assert (verdict.first, verdict.last, verdict.messages) == (1, hub("planner").history.head().seq, 5)
    assert verdict.events == verdict.last


@pytest.mark.parametrize(
    ("crime", "seq", "told"),
    [
        ("UPDATE event SET data = replace(data, 'm', 'M') WHERE seq = 6", 6, "was edited"),
        ("UPDATE event SET actor = 'x' WHERE seq = 6", 6, "was edited"),
        ("UPDATE event SET wall = wall + 1 WHERE seq = 6", 6, "was edited"),
        ("UPDATE event SET hash = zeroblob(32) WHERE seq = 6", 6, "was edited"),
        ("DELETE FROM event WHERE seq = 6", 7, "event 6 is missing"),
        ("DELETE FROM event WHERE seq IN (5, 6)", 7, "events 5-6 are missing"),
        ("DELETE FROM event WHERE seq > 6", 7, "ends with event 6"),
        ("DELETE FROM event WHERE seq <= 6", 1, "no seal says why"),
        ("DELETE FROM event", 1, "no seal says why"),
        ("UPDATE project SET head = zeroblob(32)", 9, "project's head"),
        ("UPDATE message SET body = 'other' WHERE number = 2", 6, "body of message m2 was edited"),
        ("UPDATE message SET body = body || x'0a', body_hash = zeroblob(32) WHERE number = 2", 6, "was edited"),
        (
            "UPDATE message SET body_hash = CAST(zeroblob(16) || substr(body_hash, 17) AS BLOB) WHERE number = 2",
            6,
            "was edited",
        ),
        ("UPDATE message SET body_hash = substr(body_hash, 17) WHERE number = 2", 6, "was edited"),
        ("UPDATE message SET id = 'other' WHERE number = 2", 6, "not the one that event 6 tells of"),
        ("DELETE FROM message WHERE number = 2", 6, "is missing"),
    ],
)
def test_verification_finds_what_was_done_to_the_rows(hub: HubOf, edit: Edit, crime: str, seq: int, told: str) -> None:
    talk(hub, 5)
    history = hub("planner").history
    assert [event.seq for event in history.since(kinds=["message.sent"]).events] == [5, 6, 7, 8, 9]
    edit(crime)
    verdict = history.verify()
    assert not verdict.good
    assert verdict.problems[0].seq == seq
    assert told in "; ".join(problem.what for problem in verdict.problems)


def test_who_reads_the_log_cannot_try_out_what_others_said(hub: HubOf) -> None:
    """The hash of a body in the log is salted: short words would be guessed from a bare one."""
    hub("builder")
    for _ in range(2):
        hub("planner").messages.send(to="builder", text="yes")
    told = [event.data["body"] for event in hub("tester").history.since(kinds=["message.sent"]).events]
    assert len(set(told)) == 2 and hashlib.sha256(b"yes").hexdigest() not in told
    mine = [hub("builder").messages.get(ref).body_hash for ref in ("m1", "m2")]
    assert told == [hashlib.sha256(salt[:16] + b"yes").hexdigest() for salt in mine], "whom it was sent to can check it"


def test_verification_finds_a_reorder(hub: HubOf, edit: Edit) -> None:
    talk(hub, 5)
    edit("UPDATE event SET seq = 1000 WHERE seq = 6")
    edit("UPDATE event SET seq = 6 WHERE seq = 7")
    edit("UPDATE event SET seq = 7 WHERE seq = 1000")
    assert [problem.seq for problem in hub("planner").history.verify().problems][:2] == [6, 7]


def test_a_chain_that_was_computed_anew_shows_in_a_head_noted_elsewhere(
    hub: HubOf, project: Project, edit: Edit
) -> None:
    talk(hub, 2)
    history = hub("planner").history
    noted = history.head()
    line = history.lines(noted.seq - 1)[0]
    before = history.lines(noted.seq - 2)[0].hash
    forged = chain(
        before, noted.project, line.seq, line.at, line.wall, line.kind, "x", line.session, line.object, line.data
    )
    edit(f"UPDATE event SET actor = 'x', hash = x'{forged.hex()}' WHERE seq = {line.seq}")
    edit(f"UPDATE project SET head = x'{forged.hex()}'")
    assert history.verify().good
    assert history.head().hash != noted.hash
    with pytest.raises(EpochChanged):
        history.since(noted.cursor)


def test_the_state_at_a_moment_is_read_out_of_the_log(hub: HubOf) -> None:
    talk(hub, 2)
    history = hub("planner").history
    waiting = history.head().seq
    hub("builder").leases.acquire("src/app.py", ttl=60)
    held = history.head().seq
    hub("builder").messages.inbox()
    hub("builder").leases.release("src/app.py")
    hub("builder").messages.inbox()

    then = history.at(seq=waiting)
    assert sorted(then.agents.values()) == ["builder", "planner"]
    assert [session.epoch for session in then.sessions] == [1, 1]
    assert [(each.number, each.state) for each in then.deliveries] == [(1, "pending"), (2, "pending")]
    assert then.leases == ()
    assert [lease.what for lease in history.at(seq=held).leases] == ["path:src/app.py"]
    now = history.at()
    assert now.leases == ()
    assert now.deliveries == ()
    assert now.done == 2
    assert history.at(seq=0).sessions == ()
    with pytest.raises(InvalidInput):
        history.at(seq=now.seq + 1)


def test_the_state_at_a_time_holds_what_had_happened_by_then(hub: HubOf, project: Project, clock: ManualClock) -> None:
    talk(hub, 1)
    with project.store.read() as tx:
        noon = tx.wall
    clock.advance(60)
    talk(hub, 1)
    history = hub("planner").history
    assert len(history.at(wall=noon).deliveries) == 1
    assert len(history.at(wall=noon + 60_000).deliveries) == 2


def read_all(hub: HubOf) -> None:
    hub("builder").messages.inbox()
    hub("builder").messages.inbox()


def test_what_is_archived_leaves_the_log_and_the_rest_still_verifies(
    project: Project, hub: HubOf, tmp_path: Path
) -> None:
    talk(hub, 5)
    read_all(hub)
    history = project.system().history
    before, last = history.at(), history.head().seq
    seal = archive.archive(history, tmp_path / "archive", until=last - 2)
    assert seal is not None
    assert (seal.first, seal.last) == (1, last - 2)
    assert [line.seq for line in archive.read(tmp_path / "archive" / seal.archive)] == list(range(1, last - 1))
    assert history.head().first == last - 1
    assert history.verify().good
    assert archive.problems(history, tmp_path / "archive") == ()
    assert history.at().sessions == before.sessions
    assert history.at().done == before.done
    with pytest.raises(Archived):
        history.at(seq=1)


def test_a_reader_behind_the_cut_is_told_and_one_at_the_cut_goes_on(
    project: Project, hub: HubOf, tmp_path: Path
) -> None:
    talk(hub, 5)
    read_all(hub)
    history = project.system().history
    places = {event.seq: event.cursor for event in history.since().events}
    seal = archive.archive(history, tmp_path / "archive", until=6)
    assert seal is not None
    assert history.since(places[6]).events[0].seq == 7
    assert history.since().events[0].seq == 7
    with pytest.raises(Archived) as told:
        history.since(places[5])
    assert told.value.details["first"] == 7


def test_several_seals_follow_each_other(project: Project, hub: HubOf, tmp_path: Path) -> None:
    talk(hub, 5)
    read_all(hub)
    history = project.system().history
    for until in (4, 7, 9):
        assert archive.archive(history, tmp_path, until=until) is not None
    assert [(seal.first, seal.last) for seal in history.seals()] == [(1, 4), (5, 7), (8, 9)]
    assert history.verify().good
    assert archive.problems(history, tmp_path) == ()


def test_what_is_not_final_is_never_sealed(project: Project, hub: HubOf, tmp_path: Path) -> None:
    talk(hub, 2)
    read_all(hub)
    waiting = hub("planner").messages.send(to="builder", text="unread")
    talk(hub, 1)
    history = project.system().history
    seal = archive.archive(history, tmp_path)
    assert seal is not None
    assert seal.last == waiting.seq - 1
    assert archive.archive(history, tmp_path) is None
    with pytest.raises(Forbidden):
        hub("planner").history.cut(seal.last)


@pytest.mark.parametrize(
    ("crime", "told"),
    [
        ("DELETE FROM seal", "no seal says why"),
        ("UPDATE seal SET head = zeroblob(32)", "not the one that the log tells of"),
        ("UPDATE seal SET state = replace(state, 'builder', 'ghost')", "not the one that the log tells of"),
    ],
)
def test_an_edited_seal_is_found(
    project: Project, hub: HubOf, tmp_path: Path, edit: Edit, crime: str, told: str
) -> None:
    talk(hub, 5)
    read_all(hub)
    history = project.system().history
    assert archive.archive(history, tmp_path, until=6) is not None
    edit(crime)
    assert told in history.verify().problems[0].what


def test_an_altered_or_missing_archive_is_found(project: Project, hub: HubOf, tmp_path: Path) -> None:
    talk(hub, 5)
    read_all(hub)
    history = project.system().history
    seal = archive.archive(history, tmp_path, until=6)
    assert seal is not None
    file = tmp_path / seal.archive
    file.write_bytes(file.read_bytes()[:-1])
    assert "altered" in archive.problems(history, tmp_path)[0].what
    file.unlink()
    assert "missing" in archive.problems(history, tmp_path)[0].what


def test_history_in_memory_is_the_same(tmp_path: Path) -> None:
    memory = connect(":memory:")
    planner = memory.joined("planner")
    planner.agents.add("builder")
    planner.messages.send(to="builder", text="x")
    assert planner.history.verify().good
    memory.store.close()
