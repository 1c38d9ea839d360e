"""Whose turn it is: one agent through resume, clear and compaction, and never two of one name."""

from __future__ import annotations

from collections.abc import Callable

from roost.connect import Project
from roost.hub import Hub
from roost.verbs import Sync

from .played import Played, context

HubOf = Callable[[str], Hub[Sync]]
Play = Callable[..., Played]


def test_a_first_start_gets_a_generated_name_and_is_told_who_it_is(play: Play) -> None:
    taken = play().start()
    assert (taken.agent, taken.joined, taken.reply.title) == ("claude-1", True, "claude-1")
    assert "You are claude-1" in context(taken)
    assert taken.reply.env["ROOST_SESSION"] == taken.session


def test_two_clients_get_two_names(play: Play) -> None:
    assert [play().start().agent, play().start().agent] == ["claude-1", "claude-2"]


def test_a_resumed_conversation_is_the_same_agent_in_a_new_epoch(project: Project, play: Play) -> None:
    first = play()
    before = first.start()
    first.crash()
    again = first.resumed()
    after = again.start("resume")
    again.crash()
    assert (after.agent, after.joined) == (before.agent, True)
    assert after.session != before.session
    assert project.system().sessions.get(after.session).epoch == 2


def test_a_conversation_resumed_beside_its_living_self_is_somebody_new_and_told_why(play: Play) -> None:
    first = play()
    first.start()
    second = first.resumed()
    taken = second.start("resume")
    assert taken.agent == "claude-2"
    assert "claude-1's, who is alive in another process" in context(taken)
    # From here on both call with one conversation id, and each stays who it is.
    assert [first.batch().agent, second.batch().agent, first.prompt().agent] == ["claude-1", "claude-2", "claude-1"]
    second.crash()


def test_compaction_keeps_the_session_and_counts_a_context(project: Project, play: Play) -> None:
    client = play()
    before = client.start()
    taken = client.start("compact")
    assert (taken.session, taken.joined) == (before.session, False)
    assert project.system().sessions.get(taken.session).context == 2
    assert "You are claude-1" in context(taken)


def test_a_clear_keeps_the_agent_and_its_session_under_a_new_conversation(project: Project, play: Play) -> None:
    client = play()
    before = client.start()
    client.end("clear")
    client.id = "0198-cleared"
    after = client.start("clear")
    assert (after.agent, after.session, after.joined) == (before.agent, before.session, False)
    assert (after.bell, after.old_bell) == ("claude-0198-cleared", before.bell)
    session = project.system().sessions.get(after.session)
    assert (session.context, session.client_session) == (2, "0198-cleared")


def test_a_late_word_of_the_conversation_before_a_clear_does_not_bring_it_back(project: Project, play: Play) -> None:
    client = play()
    client.start()
    old, client.id = client.id, "0198-cleared"
    after = client.start("clear")
    client.id, now = old, client.id
    assert client.stop().session == after.session
    assert project.system().sessions.get(after.session).client_session == now


def test_resuming_an_older_conversation_in_a_running_client_becomes_its_agent(project: Project, play: Play) -> None:
    first = play()
    first.start()
    first.crash()
    other = play()
    was = other.start()
    other.id = first.id
    taken = other.start("resume")
    assert (was.agent, taken.agent) == ("claude-2", "claude-1")
    assert project.system().sessions.get(was.session).ended_at is not None


def test_a_fork_is_a_new_agent(play: Play) -> None:
    client = play()
    client.start()
    client.id = "0198-forked"
    assert client.start("fork").agent == "claude-2"


def test_a_wanted_name_is_taken(play: Play) -> None:
    assert play(wants="builder").start().agent == "builder"


def test_a_wanted_name_that_is_alive_elsewhere_gives_another_and_says_so(play: Play) -> None:
    play(wants="builder").start()
    taken = play(wants="builder").start()
    assert taken.agent == "claude-1"
    assert "builder is alive in another session" in context(taken)


def test_a_wanted_name_whose_process_is_gone_is_taken_with_its_mail(play: Play, hub: HubOf) -> None:
    first = play(wants="builder")
    first.start()
    first.crash()
    hub("planner").messages.send(to="builder", text="carry on with the parser")
    taken = play(wants="builder").start()
    assert taken.agent == "builder"
    assert "carry on with the parser" in context(taken)


def test_nobody_becomes_the_person_by_a_variable(project: Project, play: Play, person: Hub[Sync]) -> None:
    person.turns.leave()
    taken = play(wants="ada").start()
    assert taken.agent == "claude-1"
    assert "ada is a human" in context(taken)


def test_a_wanted_name_that_is_no_name_is_told(play: Play) -> None:
    taken = play(wants="not a name").start()
    assert taken.agent == "claude-1"
    assert "cannot be yours" in context(taken)


def test_a_linked_worktree_gives_its_folders_name_to_the_first(play: Play) -> None:
    taken = [play(linked="Auth Fix").start() for _ in range(2)]
    assert [one.agent for one in taken] == ["auth-fix", "claude-1"]
    assert "alive" not in context(taken[1])


def test_a_wanted_name_goes_before_the_worktrees(play: Play) -> None:
    assert play(wants="builder", linked="auth").start().agent == "builder"


def test_a_generated_name_is_not_given_again_while_mail_waits_for_it(play: Play, hub: HubOf) -> None:
    first = play()
    first.start()
    hub("planner").messages.send(to="claude-1", text="for the first only")
    first.crash()
    assert play().start().agent == "claude-2"


def test_any_event_of_an_unknown_session_joins_it_and_the_next_that_can_tells_it_who_it_is(play: Play) -> None:
    client = play()
    first = client.before("a.py", tool="Edit")
    assert (first.agent, first.joined, first.more) == ("claude-1", True, True)
    assert "You are claude-1" in context(client.batch("a.py", tool="Edit"))
    assert "You are claude-1" not in context(client.batch())


def test_the_end_of_an_unknown_session_begins_none(project: Project, play: Play) -> None:
    assert play().end().session == ""
    assert project.system().agents.list() == ()


def test_a_retired_agent_comes_back_by_a_join(project: Project, play: Play) -> None:
    first = play(wants="builder")
    first.start()
    first.crash()
    project.system().agents.retire("builder")
    play(wants="builder").start()
    assert [agent.name for agent in project.system().agents.list()] == ["builder"]
