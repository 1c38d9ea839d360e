"""What is seen of a repository: quickly, and without running anything that the repository asks for."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from roost.briefings.model import GitFacts
from roost.runtimes.git import facts


def run(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main")
    subprocess.run(("git", *identity, "-C", str(folder), *arguments), check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    run(folder, "init")
    for n in range(5):
        (folder / "a.py").write_text(f"{n}\n")
        run(folder, "add", "a.py")
        run(folder, "commit", "-m", f"Change {n}")
    return folder


def test_branch_changes_and_last_commits_are_seen(repository: Path) -> None:
    (repository / "a.py").write_text("changed\n")
    (repository / "new file.py").write_text("")
    seen = facts(str(repository))
    assert (seen.branch, seen.changed, seen.status) == ("main", 2, (" M a.py", '?? "new file.py"'))
    assert [commit.split(" ", 1)[1] for commit in seen.commits] == ["Change 4", "Change 3", "Change 2"]


def test_a_linked_worktree_and_a_folder_inside_show_their_own_branch(repository: Path) -> None:
    run(repository, "worktree", "add", "-b", "feature/x", "../tree")
    inside = repository.parent / "tree" / "deep"
    inside.mkdir()
    assert facts(str(inside)).branch == "feature/x"
    run(repository, "checkout", "--detach")
    assert facts(str(repository)).branch == "detached"


def test_a_repository_without_a_commit_is_one_too(tmp_path: Path) -> None:
    run(tmp_path, "init")
    assert facts(str(tmp_path)) == GitFacts(branch="main")


def test_a_long_status_is_cut_and_counted(repository: Path) -> None:
    for n in range(30):
        (repository / f"new-{n}.py").write_text("")
    seen = facts(str(repository))
    assert (len(seen.status), seen.changed) == (20, 30)


def test_outside_a_repository_and_without_git_there_is_nothing(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert facts(str(tmp_path)) == facts(str(tmp_path / "missing")) == GitFacts()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert facts(str(repository)) == GitFacts()


def test_the_repositorys_own_programs_are_not_run(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = repository.parent / "was-run"
    program = repository.parent / "program"
    program.write_text(f"#!/bin/sh\ntouch {mark}\n")
    program.chmod(0o755)
    for key in ("core.fsmonitor", "core.pager", "gpg.program", "core.editor", "core.askPass"):
        run(repository, "config", key, str(program))
    run(repository, "config", "log.showSignature", "true")
    for hook in ("post-index-change", "fsmonitor-watchman"):
        (repository / ".git" / "hooks" / hook).write_bytes(program.read_bytes())
        (repository / ".git" / "hooks" / hook).chmod(0o755)
    os.utime(repository / "a.py")
    assert facts(str(repository)).branch == "main"
    assert not mark.exists()


def test_variables_of_another_repository_do_not_count(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nonexistent")
    assert facts(str(repository)).branch == "main"


def test_a_git_that_hangs_is_ended_and_said_to_be_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "git"
    program.write_text("#!/bin/sh\nsleep 60 & sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    begun = time.monotonic()
    assert facts(str(tmp_path)).note == "git took too long to say what changed"
    assert time.monotonic() - begun < 60, "it was not waited for"
