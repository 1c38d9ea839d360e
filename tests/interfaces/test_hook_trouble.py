"""The hook program in trouble: whatever is held, broken, full or gone, it is never late and never a failure."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import apsw
import pytest

from roost.connect import connect
from roost.interfaces.hook.turn import BUDGET_SECONDS, GATE_SECONDS

from .hooked import PATIENCE_SECONDS, PROGRAM, Answer, Hooked, Json

TRIES = 5
GATE = (PATIENCE_SECONDS, GATE_SECONDS)
"""The patience of one who waits at the gate as always, and has time for the rest."""


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
    client.mail()
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
    client.mail()
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
    client.mail()
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
    client.mail()
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
    client.mail()
    limited = ["sh", "-c", 'trap "" XFSZ; ulimit -f 0; exec "$@"', "sh", *client.command()]
    done = subprocess.run(
        limited, input=client.stdin("PostToolBatch"), env=client.environment(), capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert "look at the parser" in client.hook("PostToolBatch").context


def test_an_unreadable_transcript_falls_back_to_the_following_hook(client: Hooked) -> None:
    ref = client.mail()
    client.transcript.unlink()
    client.transcript.mkdir()
    client.hook("PostToolBatch")
    client.hook("PostToolBatch")
    project = client.project()
    receipts = project.system().deliveries.receipts(ref)
    project.close()
    assert receipts[-1].proof == "the following hook (PostToolBatch)"


def test_a_transcript_that_is_a_pipe_holds_nobody_up(client: Hooked) -> None:
    client.mail()
    client.transcript.unlink()
    os.mkfifo(client.transcript)
    assert "look at the parser" in client.hook("PostToolBatch").context
    client.hook("PostToolBatch")
    assert [line["outcome"] for line in client.log("turns.log")] == ["ok"] * 4


def test_a_reader_that_went_away_is_no_failure(client: Hooked) -> None:
    client.mail()
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
    ref = client.mail()
    running = [client.begin("PostToolUse") for _ in range(3)]
    said = [said_by(process) for process in running]
    assert sum("look at the parser" in text for text in said) == 1
    opened = connect(client.place)
    (delivery,) = opened.system().deliveries.of(ref)
    opened.close()
    assert (delivery.state, delivery.attempts) == ("offered", 1)
    assert all(json.loads(text) for text in said if text)
