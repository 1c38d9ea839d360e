"""Edits under leases: refused before, found afterwards by hash, and what both sides are told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from roost.clock import ManualClock
from roost.connect import Project
from roost.hub import Hub
from roost.verbs import Sync

from .played import Played, context

HubOf = Callable[[str], Hub[Sync]]
Play = Callable[..., Played]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A worktree with two files."""
    top = tmp_path / "repo"
    top.mkdir()
    (top / "a.py").write_text("a = 1\n")
    (top / "b.py").write_text("b = 1\n")
    return top


@pytest.fixture
def ana(play: Play, tree: Path) -> Played:
    client = play(wants="ana", worktree=str(tree))
    client.start()
    return client


@pytest.fixture
def bob(play: Play, tree: Path) -> Played:
    client = play(wants="bob", worktree=str(tree))
    client.start()
    return client


def edit(client: Played, name: str, text: str = "changed\n") -> None:
    """Edit a file as an edit tool does, with a hook before and one after."""
    assert client.before(name, tool="Edit").reply.deny is None
    Path(client.worktree, name).write_text(text)
    client.batch(name, tool="Edit")


def sed(client: Played, name: str, text: str) -> str:
    """Change a file by a shell command, and return what the hook after it says."""
    Path(client.worktree, name).write_text(text)
    return context(client.shell(f"sed -i s/x/y/ {name}"))


def hub_of(project: Project, name: str) -> Hub[Sync]:
    session = project.system().sessions.of(name)
    assert session is not None
    return project.as_session(session.id)


def kinds(project: Project) -> list[str]:
    return [event.kind for event in project.system().history.since().events]


def test_an_edit_of_what_another_edits_is_refused_with_who_until_when_and_what_to_do(
    project: Project, ana: Played, bob: Played
) -> None:
    edit(ana, "a.py")
    reason = bob.before("a.py", tool="Write").reply.deny or ""
    assert "a.py is held by ana until" in reason
    assert "roost lease wait" in reason
    assert kinds(project).count("edit.refused") == 1
    assert bob.before("b.py", tool="Write").reply.deny is None


def test_an_edit_in_a_subagent_is_checked_too(ana: Played, bob: Played) -> None:
    edit(ana, "a.py")
    assert bob.before("a.py", tool="Edit", in_subagent=True).reply.deny


def test_edits_in_other_worktrees_and_outside_any_are_free(play: Play, ana: Played, tmp_path: Path) -> None:
    edit(ana, "a.py")
    other = play(wants="cyd", worktree=str(tmp_path / "other"))
    other.start()
    assert other.before("a.py", tool="Edit").reply.deny is None
    assert other.before("../../etc/hosts", tool="Edit").reply.deny is None


def test_an_explicit_lease_holds_across_worktrees(project: Project, play: Play, ana: Played, tmp_path: Path) -> None:
    hub_of(project, "ana").leases.acquire("src/**", reason="the big rename")
    other = play(wants="cyd", worktree=str(tmp_path / "other"))
    other.start()
    assert "the big rename" in (other.before("src/x.py", tool="Edit").reply.deny or "")


def test_commands_that_rewrite_the_worktree_are_refused_while_another_holds_a_path_in_it(
    ana: Played, bob: Played
) -> None:
    edit(ana, "a.py")
    for command in ("git stash", "git reset --hard", "cd . && git checkout main", "git checkout -- a.py"):
        assert bob.before(tool="Bash", command=command).reply.deny, command
    for command in ("git checkout -- b.py", "git status", "git checkout -b new", "git -C /elsewhere stash"):
        assert bob.before(tool="Bash", command=command).reply.deny is None, command
    assert ana.before(tool="Bash", command="git stash").reply.deny is None


def test_an_edit_is_free_again_ten_minutes_after_the_last(ana: Played, bob: Played, clock: ManualClock) -> None:
    edit(ana, "a.py")
    clock.advance(400)
    edit(ana, "a.py")
    clock.advance(400)
    assert bob.before("a.py", tool="Edit").reply.deny
    clock.advance(201)
    assert bob.before("a.py", tool="Edit").reply.deny is None


def test_a_commit_that_happened_ends_implicit_leases(project: Project, ana: Played) -> None:
    edit(ana, "a.py")
    hub_of(project, "ana").leases.acquire("docs/**")
    assert ana.before(tool="Bash", command="git commit -am x", head="1" * 40).more
    ana.shell("git commit -am x", head="2" * 40)
    assert [lease.key for lease in project.system().leases.list()] == ["docs/**"]


def test_a_commit_that_failed_ends_nothing(project: Project, ana: Played) -> None:
    edit(ana, "a.py")
    ana.before(tool="Bash", command="git commit -am x", head="1" * 40)
    ana.shell("git commit -am x", head="1" * 40)
    assert len(project.system().leases.list()) == 1


def test_a_commit_whose_beginning_nobody_saw_ends_nothing(project: Project, ana: Played) -> None:
    edit(ana, "a.py")
    ana.shell("git commit -am x", head="2" * 40)
    assert len(project.system().leases.list()) == 1


def test_a_change_of_anothers_file_by_a_shell_is_told_to_both(project: Project, ana: Played, bob: Played) -> None:
    edit(ana, "a.py")
    told = sed(bob, "a.py", "bob was here\n")
    assert "a.py, which ana holds until" in told
    assert "changed while your last command ran" in told
    notice = context(ana.batch())
    assert "a.py, which you hold, changed while a tool of bob ran" in notice
    assert 'type="lease.violated"' in notice
    assert 'from="roost"' in notice
    assert kinds(project).count("lease.violated") == 1


def test_one_change_is_told_once(project: Project, ana: Played, bob: Played) -> None:
    edit(ana, "a.py")
    assert sed(bob, "a.py", "bob was here\n")
    assert "a.py" not in context(bob.shell("ls"))
    assert sed(bob, "a.py", "bob was here again\n")
    assert kinds(project).count("lease.violated") == 2


def test_a_file_that_is_gone_is_a_change(ana: Played, bob: Played, tree: Path) -> None:
    edit(ana, "a.py")
    (tree / "a.py").unlink()
    assert "a.py" in context(bob.shell("rm a.py"))


def test_the_holders_own_changes_are_nobodys_fault(ana: Played, bob: Played) -> None:
    edit(ana, "a.py")
    edit(ana, "a.py", "once more\n")
    sed(ana, "a.py", "by a shell of its own\n")
    assert context(bob.shell("ls")) == ""


def test_while_the_holder_is_in_the_middle_of_an_edit_nobody_is_accused(ana: Played, bob: Played, tree: Path) -> None:
    edit(ana, "a.py")
    ana.before("a.py", tool="Edit")
    (tree / "a.py").write_text("half done\n")
    assert context(bob.shell("ls")) == ""
    ana.batch("a.py", tool="Edit")
    assert context(bob.shell("ls")) == ""
    assert "a.py" in sed(bob, "a.py", "bob\n")


def test_while_the_holder_runs_a_tool_nobody_is_accused(project: Project, ana: Played, bob: Played, tree: Path) -> None:
    edit(ana, "a.py")
    assert project.place is not None
    beat = Path(project.place.path, "beats", f"claude-{ana.id}")
    beat.write_text("1000 tool\n")
    assert sed(bob, "a.py", "whose?\n") == ""
    beat.write_text("1000 idle\n")
    assert "a.py" in context(bob.shell("ls"))


def test_a_change_between_two_leases_is_nobodys_fault(ana: Played, bob: Played, clock: ManualClock, tree: Path) -> None:
    edit(ana, "a.py")
    clock.advance(700)
    (tree / "a.py").write_text("free for all\n")
    ana.before("a.py", tool="Edit")
    ana.batch("a.py", tool="Edit")
    assert context(bob.shell("ls")) == ""


def test_a_touch_is_no_change(ana: Played, bob: Played, tree: Path) -> None:
    edit(ana, "a.py")
    assert sed(bob, "a.py", (tree / "a.py").read_text()) == ""


def test_an_actor_in_a_subagent_is_told_by_a_message(project: Project, ana: Played, bob: Played, tree: Path) -> None:
    edit(ana, "a.py")
    (tree / "a.py").write_text("bob was here\n")
    assert context(bob.shell("sed", in_subagent=True)) == ""
    assert "changed while your last command ran" in context(bob.batch())


def test_an_explicit_lease_on_a_file_is_watched_where_its_holder_works(
    project: Project, ana: Played, bob: Played
) -> None:
    hub_of(project, "ana").leases.acquire("a.py")
    ana.shell("roost lease acquire a.py")
    assert "a.py, which ana holds" in sed(bob, "a.py", "bob was here\n")


def test_only_the_neighbours_of_a_held_file_look_after_each_shell(
    project: Project, play: Play, ana: Played, bob: Played, tmp_path: Path
) -> None:
    far = play(wants="far", worktree=str(tmp_path / "far"))
    far.start()
    assert not bob.batch().watches
    edit(ana, "a.py")
    assert project.place is not None
    assert Path(project.place.path, "bells", f"claude-{bob.id}").exists()
    assert not Path(project.place.path, "bells", f"claude-{far.id}").exists()
    assert [ana.batch().watches, bob.batch().watches, far.batch().watches] == [True, True, False]
    bob.end()
    assert not ana.batch().watches


def test_large_files_folders_and_pipes_are_not_looked_at(
    project: Project, ana: Played, bob: Played, tree: Path
) -> None:
    import os

    (tree / "big.bin").write_bytes(b"x" * 2_000_000)
    os.mkfifo(tree / "pipe.sock")
    (tree / "folder").mkdir()
    hub_of(project, "ana").leases.acquire_all(["big.bin", "pipe.sock", "folder", "src/*.py"])
    ana.shell("ls")
    (tree / "big.bin").write_bytes(b"y" * 2_000_000)
    assert context(bob.shell("ls")) == ""


def test_a_holder_hears_once_that_somebody_waits(project: Project, ana: Played, bob: Played) -> None:
    edit(ana, "a.py")
    hub_of(project, "bob").leases.stand(["a.py"], patience=3600)
    assert project.place is not None
    assert Path(project.place.path, "bells", f"claude-{ana.id}").exists()
    assert "bob waits for a.py, which you hold" in context(ana.batch())
    assert context(ana.batch()) == ""


def test_who_waits_hears_once_that_it_is_its_turn(project: Project, ana: Played, bob: Played) -> None:
    edit(ana, "a.py")
    hub_of(project, "bob").leases.stand(["a.py"], patience=3600)
    assert context(bob.batch()) == ""
    hub_of(project, "ana").leases.release_edits(worktree=ana.worktree)
    assert "It is your turn for a.py: take it with `roost lease wait a.py`" in context(bob.batch())
    assert context(bob.batch()) == ""


def test_news_come_again_after_a_compaction(project: Project, ana: Played, bob: Played) -> None:
    edit(ana, "a.py")
    hub_of(project, "bob").leases.stand(["a.py"], patience=3600)
    assert "bob waits" in context(ana.batch())
    ana.start("compact")
    assert "bob waits" in context(ana.batch())
