"""The launcher, run by the shell that Debian calls sh."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from roost import workdir
from roost.clients import launcher
from roost.runtimes.host import LocalHost

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

    def run(
        self, start: Path, environ: Mapping[str, str] | None = None, word: str = "wait"
    ) -> subprocess.CompletedProcess[bytes]:
        command = [shell(), str(self.path), "claude", word]
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


PORT, CLIENT = 8787, 4711


@pytest.fixture
def daemon() -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands for a daemon."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def told_of(daemon: subprocess.Popen[bytes], start: Path, *, port: int = PORT, late: int = 0) -> None:
    process = LocalHost().process(daemon.pid)
    assert process is not None
    place = workdir.find(start, {})
    assert place is not None
    (place / "port").write_text(f"{port} {process.pid} {process.started + late}\n")


def steps_aside(hook: Hook, start: Path, word: str = "http", **environ: str) -> bool:
    launched = {"ROOST_HOOKS": f"http:{CLIENT}:{PORT}", "CLAUDE_PID": str(CLIENT)}
    ended = hook.run(start, launched | environ, word)
    assert ended.stderr == b""
    return not ended.stdout and ended.returncode == 0


@pytest.mark.parametrize("layout", [plain, linked])
def test_it_steps_aside_for_what_a_launched_client_tells_a_living_daemon(
    tmp_path: Path, hook: Hook, daemon: subprocess.Popen[bytes], layout: Layout
) -> None:
    start = layout(tmp_path / "a")
    assert not steps_aside(hook, start)
    told_of(daemon, start)
    assert steps_aside(hook, start)
    assert not steps_aside(hook, start, "wait")


def test_it_never_steps_aside_for_another_client_nor_another_port(
    tmp_path: Path, hook: Hook, daemon: subprocess.Popen[bytes]
) -> None:
    start = plain(tmp_path / "a")
    told_of(daemon, start)
    for environ in ({"CLAUDE_PID": "4712"}, {"CLAUDE_PID": ""}, {"ROOST_HOOKS": ""}, {"ROOST_HOOKS": "http::8787"}):
        assert not steps_aside(hook, start, **environ)
    told_of(daemon, start, port=PORT + 1)
    assert not steps_aside(hook, start)


def test_it_never_steps_aside_for_a_daemon_that_is_gone(
    tmp_path: Path, hook: Hook, daemon: subprocess.Popen[bytes]
) -> None:
    start = plain(tmp_path / "a")
    told_of(daemon, start, late=1)
    assert not steps_aside(hook, start), "its pid is another's now"
    told_of(daemon, start)
    daemon.kill()
    wait_until(lambda: is_zombie(daemon.pid))
    assert not steps_aside(hook, start), "it ended, and nobody looked yet"
    daemon.wait()
    assert not steps_aside(hook, start)


@pytest.mark.parametrize("text", ["", "8787\n", "8787 x y\n", "8787 1 1", "8787 1 * x\n"])
def test_nonsense_about_a_daemon_is_no_daemon(tmp_path: Path, hook: Hook, text: str) -> None:
    start = plain(tmp_path / "a")
    (tmp_path / "a" / ".roost" / "port").write_text(text)
    assert not steps_aside(hook, start)


def is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


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
