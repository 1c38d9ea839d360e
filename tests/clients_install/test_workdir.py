"""Finding, choosing and making `.roost`."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from roost import workdir
from roost.errors import UnsafeFolder


def git(folder: Path, *words: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@t", *words], cwd=folder, check=True, capture_output=True
    )


def repository(folder: Path) -> Path:
    folder.mkdir(parents=True)
    git(folder, "init", "-q")
    git(folder, "commit", "-q", "--allow-empty", "-m", "first")
    return folder


def test_a_new_workdir_is_closed_to_others_and_unseen_by_git(tmp_path: Path) -> None:
    top = repository(tmp_path / "repo")
    made = workdir.create(top / ".roost")
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o700
    assert all(stat.S_IMODE((made.path / name).stat().st_mode) == 0o700 for name in workdir.FOLDERS)
    status = subprocess.run(["git", "status", "--porcelain"], cwd=top, check=True, capture_output=True)
    assert status.stdout == b""


def test_making_it_twice_changes_nothing(tmp_path: Path) -> None:
    made = workdir.create(tmp_path / ".roost")
    made.store.write_bytes(b"kept")
    assert workdir.create(tmp_path / ".roost") == made
    assert made.store.read_bytes() == b"kept"


def test_every_place_lies_inside(tmp_path: Path) -> None:
    made = workdir.Workdir(str(tmp_path))
    places = [made.store, made.gate, made.beats, made.bells, made.looks, made.sessions]
    places += [made.hooks_log, made.secret, made.run]
    assert {place.parent for place in places} == {tmp_path}
    assert len(set(places)) == len(places)


def test_it_is_found_from_a_nested_folder(tmp_path: Path) -> None:
    made = workdir.create(tmp_path / ".roost")
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert workdir.find(deep, {}) == made.path


def test_outside_a_project_there_is_none(tmp_path: Path) -> None:
    assert workdir.find(tmp_path, {}) is None


def test_roost_dir_names_the_folder_or_the_workdir_and_decides_alone(tmp_path: Path) -> None:
    made = workdir.create(tmp_path / ".roost")
    other = tmp_path / "other"
    other.mkdir()
    assert workdir.find(other, {"ROOST_DIR": str(tmp_path)}) == made.path
    assert workdir.find(other, {"ROOST_DIR": str(made.path)}) == made.path
    assert workdir.find(tmp_path, {"ROOST_DIR": str(other)}) is None
    assert workdir.find(tmp_path, {"ROOST_DIR": ""}) == made.path


def test_a_linked_worktree_belongs_to_its_main_worktree(tmp_path: Path) -> None:
    top = repository(tmp_path / "repo")
    git(top, "worktree", "add", "-q", str(tmp_path / "wt" / "side"))
    made = workdir.create(top / ".roost")
    workdir.create(tmp_path / "wt" / "side" / ".roost")
    assert workdir.find(tmp_path / "wt" / "side", {}) == made.path
    assert workdir.choose(tmp_path / "wt" / "side", {}) == made.path


def test_worktrees_of_a_bare_repository_share_the_folder_beside_it(tmp_path: Path) -> None:
    git(repository(tmp_path / "seed"), "clone", "-q", "--bare", ".", str(tmp_path / "hub" / "repo.git"))
    bare = tmp_path / "hub" / "repo.git"
    git(bare, "worktree", "add", "-q", str(tmp_path / "far" / "side"))
    assert workdir.choose(tmp_path / "far" / "side", {}) == tmp_path / "hub" / ".roost"
    assert workdir.choose(bare, {}) == tmp_path / "hub" / ".roost"
    made = workdir.create(tmp_path / "hub" / ".roost")
    assert workdir.find(tmp_path / "far" / "side", {}) == made.path
    assert workdir.find(bare, {}) == made.path


def test_a_submodule_is_no_linked_worktree(tmp_path: Path) -> None:
    top = repository(tmp_path / "top")
    part = repository(tmp_path / "part")
    git(top, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(part), "part")
    made = workdir.create(top / ".roost")
    assert workdir.find(top / "part", {}) == made.path
    assert workdir.choose(top / "part", {}) == top / "part" / ".roost"


def test_a_new_project_lies_at_the_top_of_its_repository_or_where_it_is_made(tmp_path: Path) -> None:
    top = repository(tmp_path / "repo")
    (top / "src").mkdir()
    assert workdir.choose(top / "src", {}) == top / ".roost"
    assert workdir.choose(tmp_path, {}) == tmp_path / ".roost"
    assert workdir.choose(top, {"ROOST_DIR": str(tmp_path)}) == tmp_path / ".roost"


def test_a_workdir_that_came_with_a_checkout_is_neither_found_nor_adopted(tmp_path: Path) -> None:
    shipped = tmp_path / ".roost"
    shipped.mkdir()
    shipped.chmod(0o755)
    assert workdir.find(tmp_path, {}) is None
    with pytest.raises(UnsafeFolder, match="chmod 700"):
        workdir.create(shipped)


def test_a_link_in_its_place_is_refused(tmp_path: Path) -> None:
    real = workdir.create(tmp_path / "elsewhere")
    (tmp_path / ".roost").symlink_to(real.path)
    assert workdir.find(tmp_path, {}) is None
    with pytest.raises(UnsafeFolder, match="not a folder"):
        workdir.create(tmp_path / ".roost")


def test_another_users_workdir_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = workdir.create(tmp_path / ".roost")
    uid = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    assert workdir.refusal(made.path) == f"it belongs to user {uid}"
    assert workdir.find(tmp_path, {}) is None
