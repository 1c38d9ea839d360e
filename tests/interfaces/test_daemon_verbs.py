"""The verbs about the daemon where something is in the way, and what a copy of a project leads to."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost import config, reach
from roost.errors import InvalidInput
from roost.interfaces.cli.app import run
from roost.interfaces.hook import forward
from roost.interfaces.mcp import program
from tests.daemon.served import GUARD_SECONDS, Served, eventually, serving


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A project with a daemon that runs."""
    with serving(tmp_path / "one", monkeypatch) as made:
        yield made.start()


def roost(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a folder."""
    command = [sys.executable, "-m", "roost", *words]
    around = {**os.environ, "ROOST_DAEMON": "auto", **environment}
    return subprocess.run(
        command, cwd=folder, env=around, capture_output=True, text=True, timeout=GUARD_SECONDS, check=False
    )


def test_a_copy_of_a_project_never_leads_to_the_daemon_of_the_other(served: Served, tmp_path: Path) -> None:
    """`cp -a` takes `.roost/socket` along; what is written in the copy must not land in the project it came from."""
    shutil.copytree(served.folder, tmp_path / "two")
    copy = str(tmp_path / "two" / ".roost")
    assert (reach.socket_of(copy), forward.socket_of(copy)) == ("", b"")
    with pytest.raises(program.Gone):
        program.socket_of(copy)
    assert not reach.is_running(copy)
    assert roost(tmp_path / "two", "down").stdout == "no daemon runs for this project\n"
    assert reach.is_running(served.place)


def test_a_project_that_is_moved_keeps_its_address(served: Served, tmp_path: Path) -> None:
    """Its daemon is found by it, and makes room for one at the new place with the first call (tests/daemon)."""
    moved = tmp_path / "elsewhere"
    served_at = reach.socket_of(served.place)
    served.folder.rename(moved)
    assert reach.socket_of(str(moved / ".roost")) == served_at
    assert forward.socket_of(str(moved / ".roost")) == program.socket_of(str(moved / ".roost")) == served_at.encode()
    moved.rename(served.folder)


@pytest.mark.parametrize(
    "daemon",
    ["port = 99999", "tls_port = -1", "idle_seconds = 0", "idle_seconds = nan", "streams_max = -1", "no = 1"],
)
@pytest.mark.parametrize("words", [("up",), ("up", "--detach")])
def test_up_says_itself_what_is_wrong_in_the_configuration(tmp_path: Path, daemon: str, words: tuple[str, ...]) -> None:
    place = tmp_path / ".roost"
    place.mkdir(mode=0o700)
    (place / "roost.toml").write_text(f"[daemon]\n{daemon}\n")
    with pytest.raises(InvalidInput):
        config.load(place)
    said = roost(tmp_path, *words)
    assert (said.returncode, said.stdout) == (2, "")
    first, second = said.stderr.splitlines()
    assert first.startswith("roost: ") and daemon.partition(" ")[0] in first
    assert second.startswith("hint: correct ")
    assert json.loads(roost(tmp_path, *words, "--json").stderr)["code"] == "INVALID"


def test_up_says_itself_why_the_daemon_could_not_start(tmp_path: Path) -> None:
    (tmp_path / ".roost").mkdir(mode=0o700)
    long = tmp_path / ("x" * 100)
    long.mkdir(mode=0o700)
    said = roost(tmp_path, "up", "--detach", XDG_RUNTIME_DIR=str(long))
    assert said.returncode == 7
    assert "could not start: " in said.stderr
    assert "is too long for a socket; set XDG_RUNTIME_DIR to a shorter folder" in said.stderr
    assert not list(long.iterdir()), "nothing is begun there"
    assert f"roost: {long}" in roost(tmp_path, "up", XDG_RUNTIME_DIR=str(long)).stderr


def test_a_daemon_that_hangs_is_found_by_the_doctor_and_ended_by_what_down_says(served: Served) -> None:
    eventually(lambda: reach.answers(served.place), "it answers, once it has loaded all")
    pid = served.kill(signal.SIGSTOP)
    assert not reach.answers(served.place, seconds=0.2)
    said = roost(served.folder, "down", "--timeout", "0s", "--json")
    assert said.returncode == 7
    answer = json.loads(said.stderr)
    assert (answer["code"], answer["message"]) == ("TIMED_OUT", "the daemon did not stop within 0 s")
    assert f"`kill -9 {pid}`" in answer["hint"]
    served.kill(signal.SIGCONT)
    eventually(lambda: not served.serves, "it stops after all")


def test_up_says_what_is_missing_where_there_is_no_http(
    served: Served, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for there, said in ((True, 1), (False, 2)):
        monkeypatch.setattr("roost.interfaces.cli.daemon._has_server", lambda there=there: there)
        assert run(["-C", str(served.folder), "up"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == said
        assert ('pip install "roost[server]"' in lines[-1]) is not there


def test_up_stops_as_it_should_when_its_terminal_is_closed(served: Served) -> None:
    served.stop()
    with subprocess.Popen([sys.executable, "-m", "roost", "up"], cwd=served.folder, stderr=subprocess.PIPE) as running:
        eventually(lambda: reach.is_running(served.place), "it serves")
        running.send_signal(signal.SIGHUP)
        assert running.wait(GUARD_SECONDS) == 0
    assert reach.socket_of(served.place) == ""


def test_logs_followed_in_json_is_json_line_by_line(tmp_path: Path) -> None:
    (tmp_path / ".roost").mkdir(mode=0o700)
    log = tmp_path / ".roost" / "hooks.log"
    log.write_text("old\n")
    command = [sys.executable, "-m", "roost", "logs", "-f", "--json"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        assert json.loads(following.stdout.readline()) == {"daemon.log": [], "hooks.log": ["old"]}
        with log.open("a") as file:
            file.write("new\n")
        assert json.loads(following.stdout.readline()) == {"hooks.log": ["new"]}
        following.send_signal(signal.SIGINT)
        assert following.wait(GUARD_SECONDS) == 130


REMOVED = """
import os, sys
from roost.interfaces.cli.app import run
os.rmdir(os.getcwd())
sys.exit(run(sys.argv[1:]))
"""


@pytest.mark.parametrize("words", [("who",), ("up", "--detach"), ("init",), ("doctor",), ("logs",), ("token", "list")])
def test_a_folder_that_was_removed_under_the_shell_is_told_as_such(tmp_path: Path, words: tuple[str, ...]) -> None:
    gone = tmp_path / "gone"
    for more in ((), ("--json",)):
        gone.mkdir(exist_ok=True)
        command = [sys.executable, "-c", REMOVED, *words, *more]
        said = subprocess.run(command, cwd=gone, capture_output=True, text=True, timeout=GUARD_SECONDS, check=False)
        assert said.returncode == 3, said
        text = json.loads(said.stderr)["message"] if more else said.stderr.splitlines()[0].removeprefix("roost: ")
        assert text == "the folder that this shell is in was removed"


def test_a_roost_folder_that_is_not_taken_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / ".roost").mkdir(mode=0o755)
    (tmp_path / "inside").mkdir()
    for words in (("who",), ("up",), ("logs",), ("token", "list")):
        said = roost(tmp_path / "inside", *words)
        assert said.returncode == 3
        assert said.stderr.startswith(f"roost: {tmp_path}/.roost is not taken for a project: others can enter it")


def test_a_roost_dir_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    said = roost(tmp_path, "who", ROOST_DIR="/no/such/folder")
    assert said.returncode == 3
    assert said.stderr == "roost: ROOST_DIR is /no/such/folder, and there is no .roost\nhint: correct it, or unset it\n"


def test_a_folder_in_which_nothing_can_be_written_is_named_and_the_doctor_still_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder stands where a file is to be written, which stops root as a wrong mode stops everybody else."""
    place = tmp_path / ".roost"
    place.mkdir(mode=0o700)
    (place / "daemon.log").mkdir()
    said = roost(tmp_path, "up", "--detach")
    assert (said.returncode, said.stderr.splitlines()[0]) == (
        7,
        f"roost: the system refused {place}/daemon.log: Is a directory",
    )
    monkeypatch.setenv("ROOST_DAEMON", "auto")
    reach.start_soon(str(place))  # goes on without one
    (place / "beats").touch()
    (place / "store.db").mkdir()
    looked = roost(tmp_path, "doctor", "--json")
    assert looked.returncode == 1
    failed = {one["name"]: one["said"] for one in json.loads(looked.stdout) if one["grade"] == "fail"}
    assert "store" in failed
