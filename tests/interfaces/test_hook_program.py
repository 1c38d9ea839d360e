"""The hook program as a client runs it: quiet when there is nothing to do, never late, never a failure."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from roost.connect import connect
from roost.interfaces.hook.turn import BUDGET_SECONDS, GATE_SECONDS

from .hooked import PATIENCE_SECONDS, PROGRAM, Answer, Hooked, Json, new_project

TRIES = 5
GATE = (PATIENCE_SECONDS, GATE_SECONDS)
"""The patience of one who waits at the gate as always, and has time for the rest."""


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Hooked]:
    """A client that began as `builder`."""
    begun = Hooked(new_project(tmp_path))
    assert "You are builder" in begun.start().context
    yield begun
    begun.crash()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Hooked]:
    """A client that has not begun yet."""
    begun = Hooked(new_project(tmp_path))
    yield begun
    begun.crash()


def send(client: Hooked, text: str = "look at the parser", **fields: object) -> str:
    project = client.project()
    try:
        return project.joined("planner").messages.send(to="builder", text=text, **fields).ref  # type: ignore[arg-type]
    finally:
        project.close()


def states(client: Hooked, ref: str) -> list[str]:
    project = client.project()
    try:
        return [one.state for one in project.system().deliveries.of(ref)]
    finally:
        project.close()


def said_by(process: subprocess.Popen[bytes]) -> str:
    """Return what a hook prints, once it has ended."""
    with process:
        assert process.stdout is not None
        return process.stdout.read().decode()


def in_time(client: Hooked, event: str, **fields: Any) -> Answer:
    """Run a hook that must give up, by its own budget, and hold it to that.

    What the machine takes for all the rest is measured beside it: it reads the library, and has nothing to wait for.
    """
    client.patience = None
    for _ in range(TRIES):
        rest = client.hook("Stop", raw=b"").seconds
        answer = client.hook(event, **fields)
        if answer.seconds < BUDGET_SECONDS + 3 * rest:
            return answer
    raise AssertionError(f"{event} took {answer.seconds} s where a hook without anything to do takes {rest} s")


def touched(client: Hooked) -> tuple[int, ...]:
    """What would change if a hook looked at the database."""
    files = [client.place / name for name in ("store.db", "store.db-wal", "store.db-shm", "gate")]
    return (*(path.stat().st_mtime_ns for path in files), len(client.log("turns.log")))


# --- quiet ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "mark"),
    [
        ("PostToolBatch", "producing"),
        ("UserPromptSubmit", "producing"),
        ("Stop", "idle"),
        ("PreToolUse", "tool"),
        ("PostToolUse", "producing"),
    ],
)
def test_with_nothing_to_do_the_database_is_not_touched_and_the_agent_beats(
    client: Hooked, event: str, mark: str
) -> None:
    before = touched(client)
    answer = client.hook(event)
    assert (answer.exit, answer.stdout, answer.stderr) == (0, "", "")
    assert touched(client) == before
    at, seen = client.beat.split()
    assert seen == mark
    assert abs(time.monotonic() * 1000 - int(at)) < 5_000


def test_a_bell_makes_the_next_hook_look(client: Hooked) -> None:
    ref = send(client)
    assert client.bell.exists()
    assert "look at the parser" in client.hook("PostToolBatch").context
    assert client.bell.exists()  # its proof is still to be looked for
    assert states(client, ref) == ["offered"]


def test_a_bell_stays_down_once_everything_is_proved(client: Hooked) -> None:
    ref = send(client)
    client.shows(client.hook("PostToolBatch").context, answered=True)
    client.hook("PostToolBatch")
    assert states(client, ref) == ["delivered"]
    assert not client.bell.exists()
    before = touched(client)
    client.hook("PostToolBatch")
    assert touched(client) == before


def test_a_message_answered_before_the_hook_starts_is_seen(client: Hooked) -> None:
    project = client.project()
    planner = project.joined("planner")
    for n in range(10):
        planner.messages.send(to="builder", text=f"message {n}", priority="high")
        text = client.hook("PostToolBatch").context
        assert f"message {n}" in text
        client.shows(text, answered=True)
    project.close()


def test_a_look_older_than_thirty_seconds_is_renewed(client: Hooked) -> None:
    old = time.time() - 31
    os.utime(client.look, (old, old))
    before = touched(client)
    client.hook("PostToolBatch")
    assert touched(client)[-1] == before[-1] + 1
    assert client.look.stat().st_mtime > old + 20


def test_a_lost_bell_costs_at_most_that_look(client: Hooked) -> None:
    send(client)
    client.bell.unlink()
    assert client.hook("PostToolBatch").context == ""
    old = time.time() - 31
    os.utime(client.look, (old, old))
    assert "look at the parser" in client.hook("PostToolBatch").context


def test_a_launched_client_whose_daemon_is_gone_takes_full_turns_until_the_next_one_runs(client: Hooked) -> None:
    pid = client.environment()["CLAUDE_PID"]
    client.hook("PostToolBatch")

    def turns_after(word: str, hooks: str) -> int:
        before = len(client.log("turns.log"))
        environ = client.environment(ROOST_HOOKS=hooks, ROOST_DAEMON="off")
        raw = client.stdin("PostToolBatch")
        subprocess.run(client.command(word), input=raw, env=environ, cwd=client.repo, check=True, timeout=30)
        return len(client.log("turns.log")) - before

    assert turns_after("http", f"http:{pid}:8787") == 1
    assert turns_after("http", "http:1:8787") == 0, "somebody else was launched"
    assert turns_after("", f"http:{pid}:8787") == 0
    assert turns_after("http", "") == 0


def test_a_shell_without_git_before_it_runs_is_quiet_and_one_with_git_is_checked(client: Hooked) -> None:
    before = touched(client)
    client.hook("PreToolUse", tool_name="Bash", tool_input={"command": "ls"}, cwd=str(client.repo / "git"))
    assert touched(client) == before
    client.hook("PreToolUse", tool_name="Bash", tool_input={"command": "git status"})
    assert touched(client)[-1] == before[-1] + 1


def test_where_leased_files_are_watched_each_shell_is_looked_after_and_reading_is_not(client: Hooked) -> None:
    client.look.write_bytes(b"watch")
    before = touched(client)
    client.hook("PostToolBatch", tool_calls=[{"tool_name": "Read"}, {"tool_name": "Grep"}])
    assert touched(client) == before
    client.hook("PostToolBatch", tool_calls=[{"tool_name": "Read"}, {"tool_name": "Bash"}])
    assert touched(client)[-1] == before[-1] + 1


def test_the_end_of_a_session_leaves_no_files(client: Hooked) -> None:
    client.hook("SessionEnd", reason="other")
    assert [list((client.place / name).iterdir()) for name in ("beats", "bells", "looks", "sessions")] == [[]] * 4


# --- what it says -----------------------------------------------------------------------------------------------------


def test_a_session_has_a_key_that_only_its_user_reads_and_a_shell_that_knows_it(fresh: Hooked, tmp_path: Path) -> None:
    exports = tmp_path / "env.sh"
    fresh.hook("SessionStart", env={"CLAUDE_ENV_FILE": str(exports)})
    (key,) = (fresh.place / "sessions").glob("*.key")
    assert key.stat().st_mode & 0o777 == 0o600
    assert f"export ROOST_SESSION={key.stem}\n" in exports.read_text()


def test_an_unwritable_environment_file_costs_no_answer(fresh: Hooked) -> None:
    answer = fresh.hook("SessionStart", env={"CLAUDE_ENV_FILE": "/nowhere/env.sh"})
    assert "You are builder" in answer.context
    assert fresh.log("hooks.log")[-1]["error"] == "FileNotFoundError"


def test_an_edit_of_a_held_file_is_denied(client: Hooked) -> None:
    project = client.project()
    project.joined("planner").leases.acquire("a.py", reason="rewriting it")
    denied = client.hook("PreToolUse", tool_name="Edit", tool_input={"file_path": str(client.repo / "a.py")})
    project.close()
    assert denied.said["permissionDecision"] == "deny"
    assert "a.py is held by planner" in denied.denied
    assert denied.exit == 0


def test_a_turn_that_goes_on_is_not_taken_for_idle(client: Hooked) -> None:
    send(client, "which one?", type="question")
    assert "which one?" in client.hook("Stop").context
    assert client.beat.split()[1] == "producing"


def test_a_start_is_idle_so_that_its_waker_may_wake_it(client: Hooked) -> None:
    assert client.beat.split()[1] == "idle"


def test_a_client_that_does_not_say_its_process_is_found_above_a_shell(fresh: Hooked) -> None:
    quoted = " ".join(fresh.command())
    env = fresh.environment()
    del env["CLAUDE_PID"]
    for event in ("SessionStart", "UserPromptSubmit"):
        subprocess.run(["sh", "-c", f"{quoted}; exit 0"], input=fresh.stdin(event), env=env, check=True)
    project = fresh.project()
    sessions = project.system().sessions.list()
    project.close()
    assert [one.process.pid if one.process else 0 for one in sessions] == [os.getpid()]


def test_a_shell_that_changes_anothers_file_is_found_and_told_to_both(client: Hooked) -> None:
    other = Hooked(client.repo, session="0198c0de-0002", wants="reviewer")
    other.start()
    path = client.repo / "a.py"
    edit: Json = {"tool_name": "Edit", "tool_input": {"file_path": str(path)}}
    client.hook("PreToolUse", **edit)
    path.write_text("mine = 1\n")
    client.hook("PostToolBatch", tool_calls=[edit])
    shell: Json = {"tool_name": "Bash", "tool_input": {"command": "sed -i s/mine/yours/ a.py"}}
    assert other.hook("PostToolBatch", tool_calls=[shell]).context == ""
    path.write_text("yours = 1\n")
    (client.place / "beats" / f"claude-{client.session}").write_text("1 idle\n")
    told = other.hook("PostToolBatch", tool_calls=[shell]).context
    other.crash()
    assert "a.py, which builder holds until" in told
    assert "a.py, which you hold, changed while a tool of reviewer ran" in client.hook("PostToolBatch").context


def test_a_commit_that_happened_ends_the_leases_of_its_edits(client: Hooked) -> None:
    git = client.repo / ".git"
    (git / "HEAD").write_text("1" * 40 + "\n")
    client.hook("PreToolUse", tool_name="Edit", tool_input={"file_path": str(client.repo / "a.py")})
    commit: Json = {"tool_name": "Bash", "tool_input": {"command": "git commit -am x"}}
    client.hook("PreToolUse", **commit)
    (git / "HEAD").write_text("2" * 40 + "\n")
    client.hook("PostToolBatch", tool_calls=[commit])
    project = client.project()
    assert project.system().leases.list() == ()
    project.close()


# --- never late, never a failure --------------------------------------------------------------------------------------


def test_a_held_gate_lets_an_edit_pass_in_time_and_says_that_it_was_not_checked(client: Hooked) -> None:
    edit: Json = {"tool_name": "Edit", "tool_input": {"file_path": str(client.repo / "a.py")}}
    with open(client.place / "gate", "rb") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        answers = [in_time(client, "PreToolUse", **edit)]
        client.patience = GATE
        answers.append(client.hook("PreToolUse", **edit))
    for answer in answers:
        assert answer.exit == 0
        assert "not checked" in answer.context
        assert "permissionDecision" not in answer.said
    assert client.log("turns.log")[-1]["outcome"] == "StoreBusy"
    assert client.log("hooks.log")[-1]["error"] == "StoreBusy"


def test_a_writer_that_stands_still_holds_nobody_up(client: Hooked) -> None:
    code = (
        "import sys, time; from roost.connect import connect; p = connect(sys.argv[1])\n"
        "with p.store.write() as tx: tx.record('x', 'y'); print('in', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(client.place)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"in\n"
        os.kill(writer.pid, signal.SIGSTOP)
        client.bell.touch()
        answers = [in_time(client, "PostToolBatch"), in_time(client, "Stop")]
        edit = in_time(client, "PreToolUse", tool_name="Edit", tool_input={"file_path": str(client.repo / "a.py")})
        writer.kill()
    assert [answer.exit for answer in (*answers, edit)] == [0, 0, 0]
    assert "not checked" in edit.context
    assert client.bell.exists()


def test_a_call_that_hangs_inside_the_database_is_given_up_in_time(client: Hooked) -> None:
    send(client)
    stranger = apsw.Connection(str(client.place / "store.db"))  # one that does not know the gate
    stranger.execute("BEGIN IMMEDIATE")
    answers = [in_time(client, "PostToolBatch"), in_time(client, "Stop")]
    edit = in_time(client, "PreToolUse", tool_name="Edit", tool_input={"file_path": str(client.repo / "a.py")})
    stranger.close()
    assert [answer.exit for answer in (*answers, edit)] == [0, 0, 0]
    assert "not checked" in edit.context
    assert [line["outcome"] for line in client.log("turns.log")[-3:]] == ["OutOfTime"] * 3
    client.patience = GATE
    assert "look at the parser" in client.hook("PostToolBatch").context


def test_mail_waits_behind_a_held_gate_and_comes_with_the_next_hook(client: Hooked) -> None:
    send(client)
    with open(client.place / "gate", "rb") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        client.patience = GATE
        assert client.hook("PostToolBatch").context == ""
    assert "look at the parser" in client.hook("PostToolBatch").context


@pytest.mark.parametrize("raw", [b"", b"not json", b"[]", b"\xff\xfe\x00", b'{"session_id":', b"{}" * 1000])
def test_malformed_input_ends_well_and_is_written_down(client: Hooked, raw: bytes) -> None:
    answer = client.hook("Stop", raw=raw)
    assert (answer.exit, answer.stdout, answer.stderr) == (0, "", "")
    assert client.log("hooks.log")


def test_huge_input_is_read_to_its_end_and_written_down(client: Hooked) -> None:
    send(client)
    answer = client.hook("PostToolBatch", tool_calls=[{"tool_name": "Bash", "tool_response": "x" * (20 << 20)}])
    assert answer.exit == 0
    assert client.log("hooks.log")


def test_huge_input_of_a_start_is_no_start(fresh: Hooked) -> None:
    answer = fresh.hook("SessionStart", model="x" * (20 << 20))
    assert (answer.exit, answer.stdout) == (0, "")
    assert "more than" in fresh.log("hooks.log")[-1]["message"]


def test_input_that_never_ends_is_given_up_in_time(client: Hooked) -> None:
    client.patience = None
    for _ in range(TRIES):
        rest, began = client.hook("Stop", raw=b"").seconds, time.monotonic()
        with subprocess.Popen(client.command(), stdin=subprocess.PIPE, env=client.environment()) as process:
            assert process.wait(timeout=30) == 0
        if time.monotonic() - began < BUDGET_SECONDS + 3 * rest:
            return
    raise AssertionError("it was always late")


def test_a_broken_database_ends_well_and_is_written_down(client: Hooked) -> None:
    send(client)
    for name in ("store.db-wal", "store.db-shm"):
        (client.place / name).unlink()
    (client.place / "store.db").write_bytes(b"this is no database" * 1000)
    for event in ("PostToolBatch", "Stop", "SessionStart", "SessionEnd"):
        answer = client.hook(event)
        assert (answer.exit, answer.stdout, answer.stderr) == (0, "", "")
    assert client.log("hooks.log")[-1]["event"] == "SessionEnd"
    edit = client.hook("PreToolUse", tool_name="Edit", tool_input={"file_path": str(client.repo / "a.py")})
    assert "not checked" in edit.context


def test_a_missing_database_is_made_anew_and_the_agent_joins_again(client: Hooked) -> None:
    for name in ("store.db", "store.db-wal", "store.db-shm"):
        (client.place / name).unlink()
    assert "You are builder" in client.start().context


def test_a_broken_configuration_ends_well(client: Hooked) -> None:
    (client.place / "roost.toml").write_text("nonsense = [")
    assert (client.start().exit, client.log("hooks.log")[-1]["error"]) == (0, "InvalidInput")


def test_a_full_disk_ends_well(client: Hooked) -> None:
    """No byte can be written: a limit on the size of files stands in for the disk."""
    send(client)
    limited = ["sh", "-c", 'trap "" XFSZ; ulimit -f 0; exec "$@"', "sh", *client.command()]
    done = subprocess.run(
        limited, input=client.stdin("PostToolBatch"), env=client.environment(), capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert "look at the parser" in client.hook("PostToolBatch").context


def test_an_unreadable_transcript_falls_back_to_the_following_hook(client: Hooked) -> None:
    ref = send(client)
    client.transcript.mkdir()
    client.hook("PostToolBatch")
    client.hook("PostToolBatch")
    project = client.project()
    receipts = project.system().deliveries.receipts(ref)
    project.close()
    assert receipts[-1].proof == "the following hook (PostToolBatch)"


def test_a_transcript_that_is_a_pipe_holds_nobody_up(client: Hooked) -> None:
    send(client)
    os.mkfifo(client.transcript)
    assert "look at the parser" in client.hook("PostToolBatch").context
    client.hook("PostToolBatch")
    assert [line["outcome"] for line in client.log("turns.log")] == ["ok"] * 3


def test_a_reader_that_went_away_is_no_failure(client: Hooked) -> None:
    send(client)
    with client.begin("PostToolBatch") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(timeout=10) == 0


def test_a_place_that_is_gone_ends_well(client: Hooked) -> None:
    shutil.rmtree(client.place)
    assert [client.hook(event).exit for event in ("PostToolBatch", "SessionStart")] == [0, 0]


@pytest.mark.parametrize("parts", [("program.py",), ("program.py", "begin.py")])
def test_an_installation_without_its_parts_ends_well(client: Hooked, tmp_path: Path, parts: tuple[str, ...]) -> None:
    lone = tmp_path / "a" / "b" / "c" / "d" / "program.py"
    lone.parent.mkdir(parents=True)
    for part in parts:
        shutil.copy(PROGRAM.with_name(part), lone.with_name(part))
    bare = os.path.realpath(sys.executable)  # outside of the environment that has the driver
    command = [bare, "-I", "-S", str(lone), str(client.place), "claude"]
    done = subprocess.run(command, input=client.stdin("SessionStart"), env={}, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"")


def test_the_logs_stay_bounded(client: Hooked) -> None:
    for name in ("hooks.log", "turns.log"):
        (client.place / name).write_bytes(b"{}\n" * 100_000)
    client.hook("Stop", raw=b"")
    client.start()
    assert all((client.place / name).stat().st_size < 300_000 for name in ("hooks.log", "turns.log"))
    assert (client.place / "turns.log.1").exists()


def test_two_hooks_at_once_offer_a_message_once(client: Hooked) -> None:
    ref = send(client)
    running = [client.begin("PostToolUse") for _ in range(3)]
    said = [said_by(process) for process in running]
    assert sum("look at the parser" in text for text in said) == 1
    opened = connect(client.place)
    (delivery,) = opened.system().deliveries.of(ref)
    opened.close()
    assert (delivery.state, delivery.attempts) == ("offered", 1)
    assert all(json.loads(text) for text in said if text)
