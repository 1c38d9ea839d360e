"""The launcher, run by the shell that Debian calls sh."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from roost import workdir
from roost.clients import launcher

TRACER = Path(__file__).with_name("tracer.py")
# Says what it was called with, where, and ends with a status of its own.
INTERPRETER = '#!/bin/sh\nprintf \'%s\\0\' "$PWD" "$@"\nexit 2\n'
ODD = 'it\'s a "place"\nwith $HOME, `x` and *'

Layout = Callable[[Path], Path]


class Hook:
    """A launcher with an interpreter that tells what it was called with."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.python = folder / "python of 'mine'"
        self.python.write_text(INTERPRETER)
        self.python.chmod(0o755)
        self.program = folder / "program.py"
        self.program.touch()
        self.path = folder / "hook"
        self.path.write_bytes(launcher.render(self.python, self.program))
        self.path.chmod(launcher.MODE)

    def run(self, start: Path, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
        command = [shell(), str(self.path), "claude", "wait"]
        return subprocess.run(command, cwd=start, env=dict(environ or {}), capture_output=True, check=False)

    def found(self, start: Path, environ: Mapping[str, str] | None = None) -> Path | None:
        """Return the workdir that was handed over; all else that must hold is asserted."""
        ended = self.run(start, environ)
        assert ended.stderr == b""
        if not ended.stdout:
            assert ended.returncode == 0
            return None
        here, *arguments = (part.decode() for part in ended.stdout.split(b"\0")[:-1])
        assert ended.returncode == 2
        assert os.path.realpath(here) == os.path.realpath(start)
        assert arguments[:3] == ["-I", "-S", str(self.program)]
        assert arguments[4:] == ["claude", "wait"]
        return Path(arguments[3])


def shell() -> str:
    found = shutil.which("dash")
    assert found is not None, "these tests need dash: apt-get install dash"
    return found


def git(folder: Path, *words: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@t", *words], cwd=folder, check=True, capture_output=True
    )


def repository(folder: Path) -> Path:
    folder.mkdir(parents=True)
    git(folder, "init", "-q")
    git(folder, "commit", "-q", "--allow-empty", "-m", "first")
    return folder


@pytest.fixture
def hook(tmp_path: Path) -> Hook:
    return Hook(tmp_path / "launcher")


def plain(top: Path) -> Path:
    (top / "src" / "deep").mkdir(parents=True)
    workdir.create(top / ".roost")
    return top / "src" / "deep"


def outside(top: Path) -> Path:
    repository(top / "repo")
    return top / "repo"


def linked(top: Path) -> Path:
    workdir.create(repository(top / "repo") / ".roost")
    git(top / "repo", "worktree", "add", "-q", str(top / "far" / "side"))
    (top / "far" / "side" / "src").mkdir()
    return top / "far" / "side" / "src"


def linked_with_its_own(top: Path) -> Path:
    start = linked(top)
    workdir.create(top / "far" / "side" / ".roost")
    return start


def linked_relatively(top: Path) -> Path:
    start = linked(top)
    (top / "far" / "side" / ".git").write_text("gitdir: ../../repo/.git/worktrees/side\n\n")
    return start


def linked_without_a_project_in_main(top: Path) -> Path:
    start = linked(top)
    shutil.rmtree(top / "repo" / ".roost")
    workdir.create(top / "far" / ".roost")
    return start


def linked_to_a_bare_repository(top: Path) -> Path:
    git(repository(top / "seed"), "clone", "-q", "--bare", ".", str(top / "hub" / "repo.git"))
    git(top / "hub" / "repo.git", "worktree", "add", "-q", str(top / "side"))
    workdir.create(top / "hub" / ".roost")
    return top / "side"


def inside_a_bare_repository(top: Path) -> Path:
    linked_to_a_bare_repository(top)
    return top / "hub" / "repo.git" / "refs"


def linked_to_a_lost_repository(top: Path) -> Path:
    start = linked(top)
    shutil.rmtree(top / "repo")
    return start


def submodule(top: Path) -> Path:
    repository(top / "part")
    repository(top / "repo")
    git(top / "repo", "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(top / "part"), "part")
    workdir.create(top / "repo" / ".roost")
    return top / "repo" / "part"


def through_a_link(top: Path) -> Path:
    start = plain(top / "real")
    (top / "short").symlink_to(start)
    return top / "short"


def a_link_for_a_workdir(top: Path) -> Path:
    plain(top / "elsewhere")
    (top / ".roost").symlink_to(top / "elsewhere" / ".roost")
    return top


def a_file_for_a_workdir(top: Path) -> Path:
    (top / "in").mkdir(parents=True)
    (top / "in" / ".roost").touch()
    workdir.create(top / ".roost")
    return top / "in"


def a_git_file_of_nonsense(top: Path) -> Path:
    plain(top)
    (top / "src" / ".git").write_bytes(b"\xffgitdir: no\n")
    return top / "src"


LAYOUTS = [
    plain,
    outside,
    linked,
    linked_with_its_own,
    linked_relatively,
    linked_without_a_project_in_main,
    linked_to_a_bare_repository,
    inside_a_bare_repository,
    linked_to_a_lost_repository,
    submodule,
    through_a_link,
    a_link_for_a_workdir,
    a_file_for_a_workdir,
    a_git_file_of_nonsense,
]
NOWHERE = {outside, linked_to_a_lost_repository, a_link_for_a_workdir}


@pytest.mark.parametrize("name", ["plain", ODD], ids=["plain", "odd"])
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_the_shell_finds_what_the_library_finds(tmp_path: Path, hook: Hook, layout: Layout, name: str) -> None:
    top = tmp_path / name
    top.mkdir()
    start = layout(top)
    found = hook.found(start)
    assert found == workdir.find(start, {})
    assert (found is None) == (layout in NOWHERE)


def test_the_clients_project_decides_before_the_current_folder(tmp_path: Path, hook: Hook) -> None:
    start = plain(tmp_path / "a")
    plain(tmp_path / "b")
    assert hook.found(tmp_path / "b", {"CLAUDE_PROJECT_DIR": str(start)}) == tmp_path / "a" / ".roost"
    assert hook.found(start, {"CLAUDE_PROJECT_DIR": str(tmp_path)}) is None
    assert hook.found(start, {"CLAUDE_PROJECT_DIR": str(tmp_path / "gone")}) is None


def test_roost_dir_decides_before_all(tmp_path: Path, hook: Hook) -> None:
    start = plain(tmp_path / "a")
    plain(tmp_path / "b")
    (tmp_path / "c").mkdir()
    for named in (tmp_path / "b", tmp_path / "b" / ".roost", tmp_path / "c", tmp_path / "gone"):
        environ = {"ROOST_DIR": str(named), "CLAUDE_PROJECT_DIR": str(start)}
        assert hook.found(start, environ) == workdir.find(start, environ)


def test_neither_a_home_nor_a_path_is_needed(tmp_path: Path, hook: Hook) -> None:
    start = plain(tmp_path / "a")
    assert hook.found(start, {"CDPATH": str(tmp_path), "PATH": "/nowhere"}) == tmp_path / "a" / ".roost"


@pytest.mark.parametrize("missing", ["python", "program"])
def test_a_missing_interpreter_or_program_ends_it_silently(tmp_path: Path, hook: Hook, missing: str) -> None:
    getattr(hook, missing).unlink()
    assert hook.found(plain(tmp_path / "a")) is None


def test_an_interpreter_that_cannot_start_is_no_fault_of_the_agent(tmp_path: Path, hook: Hook) -> None:
    hook.python.write_text("#!/nowhere/python\n")
    assert hook.run(plain(tmp_path / "a")).returncode == 0


def test_another_users_workdir_is_passed_over(tmp_path: Path, hook: Hook) -> None:
    start = plain(tmp_path / "a")
    if os.getuid() == 0:
        os.chown(tmp_path / "a" / ".roost", 1, -1)
        assert hook.found(start) is None
    else:
        assert hook.found(Path("/"), {"CLAUDE_PROJECT_DIR": "/"}) is None


def started(hook: Hook, start: Path) -> list[str]:
    command = [sys.executable, str(TRACER), shell(), str(hook.path), "claude"]
    ended = subprocess.run(command, cwd=start, env={}, capture_output=True, check=False)
    assert ended.stderr == b""
    return ended.stdout.decode().rpartition("\0")[2].split()


@pytest.mark.parametrize("layout", [outside, linked_to_a_lost_repository])
def test_outside_a_project_no_process_is_started(tmp_path: Path, hook: Hook, layout: Layout) -> None:
    assert started(hook, layout(tmp_path / "a")) == []


@pytest.mark.parametrize("layout", [plain, linked, linked_to_a_bare_repository])
def test_inside_a_project_the_shell_becomes_the_program(tmp_path: Path, hook: Hook, layout: Layout) -> None:
    assert started(hook, layout(tmp_path / "a")) == ["exec"]


def test_it_names_this_interpreter_and_a_program_that_exists() -> None:
    assert launcher.program().is_file()
    assert f"\npython={sys.executable}\n".encode() in launcher.render()


def test_a_relative_path_is_refused() -> None:
    with pytest.raises(ValueError, match="no absolute path"):
        launcher.render(Path("python3"))
