"""A session that takes another name, or another agent's place."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from roost.connect import Project
from roost.errors import AgentAlive, AlreadyExists, Forbidden, SessionEnded, WrongState
from roost.hub import Hub
from roost.verbs import Sync

HubOf = Callable[[str], Hub[Sync]]


def generated(project: Project, name: str = "claude-1") -> Hub[Sync]:
    session = project.system().turns.join(name, client="claude", client_session="c1", generated=True)
    return project.as_session(session.id)


def test_a_new_name_renames_and_the_old_one_forwards(project: Project, hub: HubOf) -> None:
    claude = generated(project)
    became = claude.turns.become("builder")
    assert (became.how, became.name, became.was) == ("renamed", "builder", "claude-1")
    hub("planner").messages.send(to="claude-1", text="hello")
    assert [item.message.body for item in claude.messages.inbox().items] == ["hello"]


def test_a_name_kept_for_later_is_adopted_with_its_mail(project: Project, hub: HubOf) -> None:
    hub("planner").messages.send(to="builder", text="for later", hold=True)
    claude = generated(project)
    hub("planner").messages.send(to="claude-1", text="for now")
    became = claude.turns.become("builder")
    assert (became.how, became.handed) == ("became", 1)
    builder = project.as_session(became.session)
    assert {item.message.body for item in builder.messages.inbox().items} == {"for later", "for now"}
    hub("planner").messages.send(to="claude-1", text="to the old name")
    assert [item.message.body for item in builder.messages.inbox().items] == ["to the old name"]


def test_what_the_session_was_before_changes_nothing_any_more(project: Project, hub: HubOf) -> None:
    hub("planner").messages.send(to="builder", text="x", hold=True)
    claude = generated(project)
    claude.turns.become("builder")
    with pytest.raises(SessionEnded, match="became builder"):
        claude.messages.send(to="planner", text="as an old self")


def test_an_offline_agent_is_inherited_only_when_asked_for(project: Project, hub: HubOf) -> None:
    hub("builder").turns.leave()
    hub("planner").messages.send(to="builder", text="waits")
    claude = generated(project)
    with pytest.raises(AlreadyExists, match="--reclaim"):
        claude.turns.become("builder")
    became = claude.turns.become("builder", reclaim=True)
    inherited = project.as_session(became.session).messages.inbox()
    assert [item.message.body for item in inherited.items] == ["waits"]


def test_a_live_agent_is_fenced_only_by_a_takeover(project: Project, hub: HubOf) -> None:
    old = hub("builder")
    claude = generated(project)
    with pytest.raises(AgentAlive, match="--takeover"):
        claude.turns.become("builder", reclaim=True)
    claude.turns.become("builder", takeover=True)
    with pytest.raises(SessionEnded, match="taken over"):
        old.messages.send(to="builder", text="still here")


def test_nobody_becomes_the_person(project: Project, person: Hub[Sync]) -> None:
    claude = generated(project)
    with pytest.raises(Forbidden, match="person"):
        claude.turns.become("ada", takeover=True)
    with pytest.raises(Forbidden):
        project.system().turns.join("ada", takeover=True)
    with pytest.raises(Forbidden):
        person.turns.become("builder")


def test_a_dead_agents_mail_is_reclaimed_and_a_live_ones_is_not(hub: HubOf) -> None:
    hub("gone").turns.leave()
    hub("planner").messages.send(to="gone", text="waits")
    assert hub("builder").turns.reclaim("gone") == 1
    assert [item.message.body for item in hub("builder").messages.inbox().items] == ["waits"]
    with pytest.raises(WrongState, match="alive"):
        hub("builder").turns.reclaim("planner")


def test_the_person_has_one_session_that_belongs_to_no_process(project: Project) -> None:
    first = project.system().turns.person("ada")
    assert first.process is None
    assert project.system().turns.person("grace") == first
    assert project.as_session(first.id).sessions.me().name == "ada"
