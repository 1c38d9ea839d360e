"""What git's files say of a checkout, compared with git itself."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from roost.runtimes.worktree import head_of, worktree_of

ENV = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"} | {
    f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "a"), ("EMAIL", "a@b"))
}


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], env=ENV, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    top = tmp_path / "repo"
    top.mkdir()
    git(top, "init", "-q", "-b", "main")
    git(top, "commit", "-q", "--allow-empty", "-m", "one")
    return top


def test_the_head_is_what_git_says(repo: Path) -> None:
    before = head_of(str(repo))
    assert before == git(repo, "rev-parse", "HEAD")
    git(repo, "commit", "-q", "--allow-empty", "-m", "two")
    assert head_of(str(repo)) == git(repo, "rev-parse", "HEAD") != before


def test_a_packed_branch_is_found(repo: Path) -> None:
    git(repo, "pack-refs", "--all")
    assert head_of(str(repo)) == git(repo, "rev-parse", "HEAD")


def test_a_detached_head_is_the_commit_itself(repo: Path) -> None:
    git(repo, "checkout", "-q", "--detach")
    assert head_of(str(repo)) == git(repo, "rev-parse", "HEAD")


def test_a_linked_worktree_has_a_head_and_a_name_of_its_own(repo: Path, tmp_path: Path) -> None:
    linked = tmp_path / "auth"
    git(repo, "worktree", "add", "-q", "-b", "auth/new", str(linked))
    git(linked, "commit", "-q", "--allow-empty", "-m", "there")
    assert head_of(str(linked)) == git(linked, "rev-parse", "HEAD") != head_of(str(repo))
    assert worktree_of(str(linked)).linked_name == "auth"
    assert worktree_of(str(repo)).linked_name == ""


def test_where_there_is_no_commit_or_no_repository_nothing_is_said(tmp_path: Path) -> None:
    assert head_of(str(tmp_path)) == ""
    git(tmp_path, "init", "-q")
    assert head_of(str(tmp_path)) == ""
    (tmp_path / "sub").mkdir()
    assert worktree_of(str(tmp_path / "sub")).top == os.path.realpath(tmp_path)
