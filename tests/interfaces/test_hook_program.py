"""The hook program as a client runs it: quiet when there is nothing to do, and what it says where there is."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from .hooked import Hooked, Json


def touched(client: Hooked) -> tuple[int, ...]:
    """What would change if a hook looked at the database."""
    files = [client.place / name for name in ("store.db", "store.db-wal", "store.db-shm", "gate")]
    return (*(path.stat().st_mtime_ns for path in files), len(client.log("turns.log")))


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
    ref = client.mail()
    assert client.bell.exists()
    assert "look at the parser" in client.hook("PostToolBatch").context
    assert client.bell.exists()  # its proof is still to be looked for
    assert client.states(ref) == ["offered"]


def test_a_bell_stays_down_once_everything_is_proved(client: Hooked) -> None:
    ref = client.mail()
    client.shows(client.hook("PostToolBatch").context, answered=True)
    client.hook("PostToolBatch")
    assert client.states(ref) == ["delivered"]
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
    client.mail()
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
    client.mail("which one?", type="question")
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
