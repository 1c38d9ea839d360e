"""Who is here, and what is theirs, as a reader sees it before anybody wrote it down."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator

import pytest

from roost.clock import ManualClock
from roost.connect import Project
from roost.errors import InvalidText
from roost.hub import Hub
from roost.runtimes.host import LocalHost
from roost.verbs import Sync

HubOf = Callable[[str], Hub[Sync]]


class Run:
    """An agent's session in a process of its own."""

    def __init__(self, project: Project) -> None:
        self._process = subprocess.Popen(["sleep", "600"], stdout=subprocess.DEVNULL)
        session = project.system().turns.join("builder", process=LocalHost().process(self._process.pid))
        self.hub = project.as_session(session.id)

    def dies(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def builder(project: Project) -> Iterator[Run]:
    run = Run(project)
    yield run
    run.dies()


def test_the_end_of_a_session_is_news_until_its_agent_is_taken_off_the_list(
    project: Project, person: Hub[Sync], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roost.status.service.CHANGES_MAX", 1)
    for name in ("builder", "tester"):
        project.joined(name).turns.leave(reason="done")
    changes = person.status.report().changes
    assert ([one.agent for one in changes.ended], changes.more) == (["tester"], 1)
    project.system().agents.retire("tester")
    changes = person.status.report().changes
    assert ([one.agent for one in changes.ended], changes.more) == (["builder"], 0)


def test_what_a_dead_process_held_is_not_listed_as_held(builder: Run, person: Hub[Sync]) -> None:
    builder.hub.leases.acquire("src/a.py", ttl=3_600)
    builder.hub.leases.acquire("deploy", ttl=3_600)
    assert len(person.leases.list()) == 2
    assert [line.leases for line in person.status.report().agents if line.activity.agent == "builder"] == [2]
    builder.dies()
    assert person.leases.list() == ()
    report = person.status.report()
    assert report.leases == ()
    assert [line.leases for line in report.agents if line.activity.agent == "builder"] == [0]


def test_an_offline_agent_is_offline_since_its_session_ended(hub: HubOf, person: Hub[Sync], clock: ManualClock) -> None:
    hub("builder").sessions.beat("busy")
    clock.advance(60)
    left_at = person.sessions.clock().now
    hub("builder").turns.leave()
    clock.advance(3_600)
    (activity,) = person.sessions.activity("builder")
    assert (activity.state, activity.since) == ("offline", left_at)


def test_one_whose_process_is_gone_is_offline_since_its_last_sign(
    builder: Run, person: Hub[Sync], clock: ManualClock
) -> None:
    clock.advance(60)
    builder.hub.sessions.beat("busy")
    beat_at = person.sessions.clock().now
    clock.advance(600)
    builder.dies()
    (activity,) = person.sessions.activity("builder")
    assert (activity.state, activity.since) == ("offline", beat_at)


def test_when_its_end_was_found_changes_nothing_of_that(
    builder: Run, person: Hub[Sync], project: Project, clock: ManualClock
) -> None:
    beat_at = person.sessions.clock().now
    clock.advance(600)
    builder.dies()
    project.system().duties.tick()
    (activity,) = person.sessions.activity("builder")
    assert (activity.state, activity.since) == ("offline", beat_at)


def test_who_was_never_here_is_offline_since_nothing(person: Hub[Sync]) -> None:
    person.agents.add("later")
    (activity,) = person.sessions.activity("later")
    assert (activity.state, activity.since) == ("offline", 0)


def test_what_one_is_doing_is_told_to_everybody_and_so_has_an_end(hub: HubOf, person: Hub[Sync]) -> None:
    hub("builder").sessions.beat("busy", operation="o" * 200)
    with pytest.raises(InvalidText, match="201 characters"):
        hub("builder").sessions.beat("busy", operation="o" * 201)
    assert person.sessions.activity("builder")[0].operation == "o" * 200
