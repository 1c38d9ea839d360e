"""Retention: what is final and old leaves for archives that prove what they hold; what is not final never does."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost import config
from roost.clock import ManualClock
from roost.config import Config
from roost.connect import Project, connect
from roost.errors import Archived, Forbidden, InvalidInput, UnknownMessage, WrongState
from roost.history import archive, retaining
from roost.history.keeping import DAY_MS, Facts, in_ms, reason_to_stay
from roost.history.model import Left, Retained
from roost.homes import HOME
from roost.hub import Hub
from roost.sessions.model import Session
from roost.verbs import Sync, Verb

HubOf = Callable[[str], Hub[Sync]]
DAY = 86_400.0
KILLER = Path(__file__).with_name("retention_killed.py")


@pytest.fixture
def system(project: Project) -> Hub[Sync]:
    return project.system()


def folder_of(project: Project) -> Path:
    assert project.place is not None
    return project.place.path / "archives"


def talk(hub: HubOf, count: int = 3, **more: Any) -> list[str]:
    """Let planner tell builder some things, which arrive; return their full ids."""
    hub("builder")
    sent = [hub("planner").messages.send(to="builder", text=f"line {number}", **more).id for number in range(count)]
    for _ in range(2):
        hub("builder").messages.inbox(limit=100)
    return sent


def of(done: Retained, kind: str) -> Left:
    return next(one for one in done.kinds if one.kind == kind)


def archived_messages(folder: Path) -> list[dict[str, Any]]:
    found = list[dict[str, Any]]()
    for path in sorted(folder.glob("messages-*.jsonl.gz")):
        with gzip.open(path, "rb") as file:
            file.readline()
            found += [json.loads(line) for line in file]
    return found


def assert_whole(project: Project) -> None:
    history = project.system().history
    assert history.verify().problems == ()
    assert archive.problems(history, folder_of(project)) == ()


def test_a_message_leaves_whole_after_its_time_and_the_log_still_verifies(
    project: Project, hub: HubOf, clock: ManualClock, system: Hub[Sync]
) -> None:
    sent = talk(hub)
    clock.advance(89 * DAY)
    assert of(system.history.retain(), "messages").count == 0
    clock.advance(2 * DAY)
    done = of(system.history.retain(), "messages")
    assert (done.count, done.more, done.files) == (3, False, ("messages-000001.jsonl.gz",))
    lines = archived_messages(folder_of(project))
    assert [(line["id"], line["body"]) for line in lines] == [(id_, f"line {n}") for n, id_ in enumerate(sent)]
    assert [receipt["kind"] for receipt in lines[0]["receipts"]] == ["offered", "delivered"]
    assert lines[0]["deliveries"][0]["name"] == "builder"
    assert system.messages.log() == ()
    with pytest.raises(UnknownMessage):
        hub("planner").messages.get("m1")
    assert_whole(project)


def test_the_folder_of_archives_is_on_the_disk_before_anything_leaves(
    project: Project, hub: HubOf, clock: ManualClock, system: Hub[Sync], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is on the disk is not found after power loss while its folder's own entry is not there."""
    synced, fsync = list[Path](), os.fsync

    def noted(descriptor: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    talk(hub)
    clock.advance(91 * DAY)
    assert of(system.history.retain(), "messages").count == 3
    folder = folder_of(project)
    assert synced[0] == folder.parent and folder in synced


def test_the_index_of_words_forgets_what_left_and_finds_what_stays(
    hub: HubOf, clock: ManualClock, system: Hub[Sync]
) -> None:
    planner = hub("planner")
    talk(hub, 1)
    assert planner.messages.search("line")
    clock.advance(91 * DAY)
    hub("builder").messages.send(to="planner", text="a younger line")
    system.history.retain()
    assert [found.message.body for found in planner.messages.search("line")] == ["a younger line"]


def test_events_leave_after_theirs_and_moments_before_are_archived(
    project: Project, hub: HubOf, clock: ManualClock, system: Hub[Sync]
) -> None:
    talk(hub)
    last = system.history.head().seq
    clock.advance(181 * DAY)
    assert of(system.history.retain(dry_run=True), "events").count == last - 1  # the last event stays
    done = of(system.history.retain(), "events")
    assert (done.count, len(done.files)) == (last, 1)
    assert system.history.head().first == last + 1
    with pytest.raises(Archived):
        system.history.at(seq=1)
    assert sorted(system.history.at().agents.values()) == ["builder", "planner"]
    assert_whole(project)


def test_an_ended_session_leaves_but_never_the_newest_of_its_agent(
    project: Project, clock: ManualClock, system: Hub[Sync]
) -> None:
    for _ in range(3):
        project.joined("builder").turns.leave()
    clock.advance(181 * DAY)
    done = of(system.history.retain(), "sessions")
    assert done.count == 2
    with project.store.read() as tx:
        builder = tx.value("history.agent_id", name="builder", alias="builder")
        newest = tx.one(Session, "sessions.last_of", agent=builder)
    assert newest is not None
    assert newest.epoch == 3
    assert_whole(project)


def test_an_operation_leaves_once_its_messages_have_left(hub: HubOf, clock: ManualClock, system: Hub[Sync]) -> None:
    hub("builder")
    operation = hub("planner").operations.begin(["builder"], title="steps")
    hub("planner").messages.send(to="builder", text="step", operation=operation.id)
    hub("planner").operations.seal(operation.id)
    hub("builder").messages.inbox()
    hub("builder").messages.inbox()
    clock.advance(181 * DAY)
    done = system.history.retain()
    assert (of(done, "messages").count, of(done, "operations").count) == (1, 1)


def test_what_is_not_final_stays_however_old_it_is(
    project: Project, hub: HubOf, clock: ManualClock, system: Hub[Sync]
) -> None:
    planner = hub("planner")
    planner.agents.add("later")
    waiting = planner.messages.send(to="later", text="unread")
    talk(hub, 1, requires_ack=True)
    operation = planner.operations.begin(["builder"], title="open", ttl=DAY)
    clock.advance(DAY / 2)
    dead = planner.messages.send(to="later", text="x")
    with project.store.write() as tx:
        later = tx.value("history.agent_id", name="later", alias="later")
        tx.run("deliveries.end", message=dead.id, recipient=later, state="dead", reason="test", told=True)
    thread = talk(hub, 1)[0]
    planner.messages.reply(thread, "and more")
    clock.advance(400 * DAY)
    done = of(system.history.retain(), "messages")
    assert done.count == 0
    assert done.stays == {"on its way": 2, "not acknowledged": 1, "a dead letter": 1}
    assert of(system.history.retain(), "events").count <= waiting.seq - 1
    assert operation.id
    assert_whole(project)


def test_a_thread_leaves_as_a_whole_or_not_at_all(hub: HubOf, clock: ManualClock, system: Hub[Sync]) -> None:
    root = talk(hub, 1)[0]
    clock.advance(80 * DAY)
    hub("builder").messages.reply(root, "late")
    hub("planner").messages.inbox()
    hub("planner").messages.inbox()
    clock.advance(20 * DAY)
    assert of(system.history.retain(), "messages").stays == {"too young": 1}
    clock.advance(80 * DAY)
    assert of(system.history.retain(), "messages").count == 1
    assert system.messages.log() == ()


def test_what_a_waiting_message_depends_on_stays(hub: HubOf, clock: ManualClock, system: Hub[Sync]) -> None:
    root = talk(hub, 1)[0]
    hub("planner").agents.add("later")
    hub("planner").messages.send(to="later", text="after that", depends_on=[root])
    clock.advance(100 * DAY)
    assert of(system.history.retain(), "messages").stays == {"something needs it": 1, "on its way": 1}


def test_what_becomes_young_between_seal_and_cut_stays(
    project: Project, hub: HubOf, clock: ManualClock, system: Hub[Sync], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, other = talk(hub, 2)
    clock.advance(100 * DAY)
    drop = retaining._Round._drop

    def reply_first(round_: Any, n: int) -> None:
        if n == 1:
            hub("builder").messages.reply(root, "wait, one more thing")
        drop(round_, n)

    monkeypatch.setattr(retaining._Round, "_drop", reply_first)
    system.history.retain()
    assert [message.body for message in system.messages.log()] == ["line 0", "wait, one more thing"]
    with pytest.raises(UnknownMessage):
        system.messages.get(other)
    assert_whole(project)


def test_forever_keeps_everything(project: Project, hub: HubOf, clock: ManualClock) -> None:
    talk(hub)
    forever = config.Retention(**dict.fromkeys(("messages", "sessions", "operations", "events"), "forever"))  # type: ignore[arg-type]
    kept = msgspec.structs.replace(forever, folder=str(folder_of(project)))
    project.store.config = msgspec.structs.replace(project.store.config, retention=kept)
    clock.advance(4_000 * DAY)
    assert [one.count for one in project.system().history.retain().kinds] == [0, 0, 0, 0]


@given(
    st.builds(
        Facts,
        key=st.just("k"),
        last_at=st.integers(0, 100 * DAY_MS),
        keyed_at=st.none() | st.integers(0, 100 * DAY_MS),
        **{name: st.booleans() for name in ("undelivered", "owed", "dead", "untold", "live", "needed", "newest")},
    ),
    st.integers(7 * DAY_MS, 50 * DAY_MS),
    st.integers(100 * DAY_MS, 200 * DAY_MS),
)
def test_only_what_is_final_and_old_may_leave(facts: Facts, keep_ms: int, now: int) -> None:
    open_ = any((facts.undelivered, facts.owed, facts.dead, facts.untold, facts.live, facts.needed, facts.newest))
    keyed = facts.keyed_at is not None and now - facts.keyed_at < 7 * DAY_MS
    may = not open_ and not keyed and now - facts.last_at >= keep_ms
    assert (reason_to_stay(facts, keep_ms, now) == "") == may


def test_only_people_and_roost_itself_move_things_out(hub: HubOf, person: Hub[Sync]) -> None:
    with pytest.raises(Forbidden):
        hub("builder").history.retain(dry_run=True)
    assert person.history.retain(dry_run=True).dry_run


def test_a_store_in_memory_has_no_archives() -> None:
    memory = connect(":memory:")
    with pytest.raises(InvalidInput):
        memory.system().history.retain()
    memory.close()


def test_a_dry_run_changes_nothing(project: Project, hub: HubOf, clock: ManualClock, system: Hub[Sync]) -> None:
    talk(hub)
    clock.advance(200 * DAY)
    before = system.history.head()
    done = system.history.retain(dry_run=True)
    assert (of(done, "messages").count, of(done, "messages").files) == (3, ())
    assert system.history.head() == before
    assert not folder_of(project).exists()


def test_one_process_at_a_time_fills_the_archives(project: Project, system: Hub[Sync]) -> None:
    with archive.locked(folder_of(project)), pytest.raises(WrongState):
        system.history.retain()
    assert retaining.retain_if_due(system.history) is None


def test_the_daemon_does_a_round_an_hour(project: Project, system: Hub[Sync]) -> None:
    assert retaining.retain_if_due(system.history) is not None
    assert retaining.retain_if_due(system.history) is None
    lock = folder_of(project) / archive.LOCK
    os.utime(lock, (time.time() - 3_700, time.time() - 3_700))
    assert retaining.retain_if_due(system.history) is not None


def test_a_round_ends_where_it_is_told_to_and_the_next_goes_on(
    project: Project, hub: HubOf, clock: ManualClock, system: Hub[Sync], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roost.history.retention.ROWS_MAX", 1)
    talk(hub, 4)
    clock.advance(91 * DAY)
    pauses = iter([None] * 7 + [KeyboardInterrupt()])

    def pause() -> None:
        if end := next(pauses):
            raise end

    with pytest.raises(KeyboardInterrupt):
        retaining.retain(system.history._caller, pause=pause)
    assert_whole(project)
    assert 0 < len(system.messages.log()) <= 4
    system.history.retain()
    assert system.messages.log() == ()
    assert len(archived_messages(folder_of(project))) == 4
    assert_whole(project)


def test_a_round_is_bounded_and_says_that_more_is_left(
    hub: HubOf, clock: ManualClock, system: Hub[Sync], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retaining, "LINES_MAX", 2)
    monkeypatch.setattr(retaining, "FILES_MAX", 2)
    talk(hub, 7)
    clock.advance(91 * DAY)
    done = of(system.history.retain(), "messages")
    assert (done.count, len(done.files), done.more) == (4, 2, True)
    done = of(system.history.retain(), "messages")
    assert (done.count, len(done.files), done.more) == (3, 2, False)


def test_one_transaction_deletes_a_bounded_number_of_rows(
    project: Project, hub: HubOf, clock: ManualClock, system: Hub[Sync], monkeypatch: pytest.MonkeyPatch
) -> None:
    talk(hub, 30)
    clock.advance(181 * DAY)
    monkeypatch.setattr("roost.history.retention.ROWS_MAX", 10)
    monkeypatch.setattr("roost.history.service.CUT_MAX", 10)
    deleted = list[int]()
    call = type(system._caller).call

    def counted(caller: Any, verb: Verb[..., Any], *rest: Any) -> Any:
        before = rows(project)
        result = call(caller, verb, *rest)
        if verb.mode == "write":
            deleted.append(before - rows(project))
        return result

    monkeypatch.setattr(type(system._caller), "call", counted)
    system.history.retain()
    assert system.messages.log() == ()
    assert max(deleted) <= 2 * 10
    assert_whole(project)


def rows(project: Project) -> int:
    with project.store.read() as tx:
        return sum(
            int(tx.raw(f"SELECT count(*) FROM {one}").get) for one in ("event", "message", "delivery", "receipt")
        )


@pytest.mark.parametrize("days", ["6", "0", "-1", "nan", "36501", '"always"'])
def test_a_policy_that_is_none_is_refused(tmp_path: Path, days: str) -> None:
    (tmp_path / "roost.toml").write_text(f"[retention]\nmessages = {days}\n")
    with pytest.raises(InvalidInput):
        config.load(tmp_path, {})


def test_policies_are_read_from_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "roost.toml").write_text('[retention]\nmessages = 7\nevents = "forever"\nfolder = "/elsewhere"\n')
    found = config.load(tmp_path, {}).retention
    assert (in_ms(found.messages), in_ms(found.events), found.folder) == (7 * DAY_MS, None, "/elsewhere")
    assert Config().retention.messages == 90


@pytest.fixture
def prepared(tmp_path: Path) -> Iterator[Path]:
    """A closed project with old mail, an ended session, and one message that stays."""
    folder = tmp_path / "prepared" / ".roost"
    folder.mkdir(mode=0o700, parents=True)
    project = connect(folder, clock=(clock := ManualClock()))
    planner, builder = project.joined("planner"), project.joined("builder")
    for number in range(5):
        planner.messages.send(to="builder", text=f"line {number}")
    builder.messages.inbox()
    builder.messages.inbox()
    builder.turns.leave()
    project.joined("builder")
    clock.advance(200 * DAY)
    planner.messages.send(to="builder", text="stays")
    project.close()
    yield folder


@pytest.mark.timeout(300)
def test_kill_9_between_any_two_steps_loses_and_doubles_nothing(prepared: Path, tmp_path: Path) -> None:
    killed, step = True, 0
    while killed:
        step += 1
        folder = tmp_path / f"killed-{step}" / ".roost"
        shutil.copytree(prepared, folder, ignore=shutil.ignore_patterns(HOME))  # its sessions go on here
        ended = subprocess.run([sys.executable, str(KILLER), str(folder), str(step)], check=False, timeout=60)
        killed = ended.returncode == -9
        assert killed or ended.returncode == 0
        check_after_kill(folder)
    assert step > 12, "there are more steps than that"


def check_after_kill(folder: Path) -> None:
    clock = ManualClock()
    clock.advance(200 * DAY)
    project = connect(folder, clock=clock)
    assert_whole(project)  # whatever the state it was left in
    here = {message.body for message in project.system().messages.log()}
    put_away = {line["body"] for line in archived_messages(folder_of(project))}
    lines = {f"line {number}" for number in range(5)}
    assert here | put_away == {*lines, "stays"}
    project.system().history.retain()
    assert_whole(project)
    assert [message.body for message in project.system().messages.log()] == ["stays"]
    assert sorted(line["body"] for line in archived_messages(folder_of(project))) == sorted(lines)
    sealed = project.system().history.seals()
    assert [seal.first for seal in sealed] == [1, *(seal.last + 1 for seal in sealed[:-1])]
    kept = {seal.archive for seal in sealed} | {made.archive for made in project.system().history.archives()}
    assert {path.name for path in folder_of(project).iterdir()} == kept | {archive.LOCK}, "no stray file is left"
    project.close()
