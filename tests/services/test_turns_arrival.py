"""A client that has no hooks and comes by MCP: who it is, for how long, and what becomes of it when hooks come."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from roost.connect import Project
from roost.errors import Forbidden, WhoAreYou
from roost.hub import Hub
from roost.sessions.model import Session
from roost.turns.model import Surroundings
from roost.verbs import Sync

from .played import Played, context

HubOf = Callable[[str], Hub[Sync]]
Play = Callable[..., Played]


def name_of(project: Project, session: Session) -> str:
    return project.as_session(session.id).sessions.me().name


def test_each_process_is_an_agent_named_after_its_client_and_stays_it(project: Project, play: Play) -> None:
    first, second = play(), play()
    arrived = [first.arrive("codex"), second.arrive("codex"), first.arrive("codex")]
    assert [name_of(project, one) for one in arrived] == ["codex-1", "codex-2", "codex-1"]
    assert arrived[0].id == arrived[2].id
    assert arrived[0].state == "idle"


def test_it_asks_for_its_mail_and_nobody_says_that_it_is_woken(project: Project, play: Play, hub: HubOf) -> None:
    play().arrive("codex")
    sent = hub("planner").messages.send(to="codex-1", text="which branch?", type="question")
    (seen,) = hub("planner").deliveries.outlook(sent.id)
    assert (seen.reads_itself, seen.client, seen.session_state) == (True, "codex", "idle")


def test_the_environments_name_and_the_worktrees_are_taken_where_they_are_free(project: Project, play: Play) -> None:
    assert name_of(project, play(wants="builder").arrive("codex")) == "builder"
    assert name_of(project, play(wants="builder").arrive("codex")) == "codex-1"
    assert name_of(project, play(linked="Parser Work").arrive("gemini")) == "parser-work"


def test_a_name_whose_mail_may_wait_is_not_given_to_a_newcomer(project: Project, play: Play) -> None:
    gone = play()
    gone.arrive("codex")
    gone.crash()
    assert name_of(project, play().arrive("codex")) == "codex-2"


def test_one_that_left_is_who_it_was_when_it_comes_again(project: Project, play: Play) -> None:
    client = play()
    before = client.arrive("codex")
    project.as_session(before.id).leases.acquire("src/a.py")
    project.as_session(before.id).turns.leave()
    after = client.arrive("codex")
    assert (name_of(project, after), after.epoch) == ("codex-1", before.epoch + 1)
    assert project.system().leases.list() == ()


def test_hooks_that_come_later_find_the_agent_and_bring_its_mail(project: Project, play: Play, hub: HubOf) -> None:
    client = play()
    arrived = client.arrive("claude")
    taken = client.batch()
    assert (taken.agent, taken.session, taken.joined) == ("claude-1", arrived.id, False)
    assert "You are claude-1" in context(taken) + context(client.prompt())
    bound = project.system().sessions.get(arrived.id)
    assert (bound.context, bound.client_session) == (1, client.id)
    sent = hub("planner").messages.send(to="claude-1", text="which branch?", type="question")
    assert not hub("planner").deliveries.outlook(sent.id)[0].reads_itself
    assert client.arrive("claude").id == arrived.id


def test_mail_that_a_tool_showed_is_not_shown_again_by_hooks_that_come_later(
    project: Project, play: Play, hub: HubOf
) -> None:
    client = play()
    arrived = client.arrive("claude")
    sent = hub("planner").messages.send(to="claude-1", text="look at the parser")
    assert "look at the parser" in project.as_session(arrived.id).turns.inbox().text
    assert "look at the parser" not in context(client.batch()) + context(client.batch())
    assert hub("planner").deliveries.of(sent.ref)[0].state == "delivered"


def test_a_cleared_conversation_is_a_new_context_for_one_that_came_by_mcp_too(project: Project, play: Play) -> None:
    client = play()
    arrived = client.arrive("claude")
    assert client.start("clear").session == arrived.id
    assert project.system().sessions.get(arrived.id).context == 2


def test_one_that_a_hook_announced_is_that_agent(project: Project, play: Play) -> None:
    client = play()
    taken = client.start()
    assert client.arrive("claude").id == taken.session


def test_a_process_that_is_gone_does_not_arrive(play: Play) -> None:
    client = play()
    client.crash()
    with pytest.raises(WhoAreYou, match="process is gone"):
        client.arrive("codex")


def test_nobody_lets_another_arrive(hub: HubOf) -> None:
    with pytest.raises(Forbidden):
        hub("planner").turns.arrive("codex", Surroundings())
