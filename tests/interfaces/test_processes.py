"""The installed command line in real processes: who is calling, exit statuses, signals, pipes."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import pytest

from tests.daemon.served import GUARD_SECONDS, eventually

ROOST = str(Path(sys.executable).parent / "roost")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / ".roost").mkdir(mode=0o700)
    return tmp_path


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ROOST_", "CLAUDE", "PYTHON"))}
    kept["ROOST_DAEMON"] = "off"  # a verb that starts one leaves it behind
    return {**kept, "PATH": f"{Path(ROOST).parent}:{kept['PATH']}", **more}


def shell(place: Path, script: str, *, program: str = "bash", **more: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a shell of its own, away from any terminal."""
    return subprocess.run(
        [program, "-c", script],
        cwd=place,
        env=environment(**more),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        timeout=GUARD_SECONDS,
    )


class Shell:
    """A shell that stays, as a person's window does; commands go in one by one."""

    def __init__(self, place: Path) -> None:
        self._child = subprocess.Popen(
            ["bash"],
            cwd=place,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._child.kill()
        self._child.communicate()

    def says(self, command: str) -> tuple[int, str]:
        """Run a command and return its status and what it showed."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(f"{command}\nprintf '\\n=%s=\\n' $?\n")
        self._child.stdin.flush()
        lines: list[str] = []
        for line in self._child.stdout:
            if found := re.fullmatch(r"=(\d+)=\n", line):
                return int(found[1]), "".join(lines)
            lines.append(line)
        raise AssertionError(f"the shell ended: {lines}")


def on_terminal(place: Path, *words: str, **more: str) -> tuple[int, str]:
    """Run a command on a terminal of its own and return its status and what it showed."""
    leader, follower = pty.openpty()
    child = subprocess.Popen(
        words,
        cwd=place,
        env=environment(**more),
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:  # how Linux says that the other end is closed
            break
        if not part:
            break
        shown += part
    os.close(leader)
    return child.wait(GUARD_SECONDS), shown.decode()


def test_a_shell_that_joined_speaks_as_its_agent_and_so_does_what_it_starts(place: Path) -> None:
    said = shell(place, "roost join builder && roost who && sh -c 'roost activity --set testing; true'")
    assert said.stderr == ""
    assert said.stdout.splitlines()[0].startswith("joined as builder in this shell (bash, pid ")
    assert "builder (you)" in said.stdout
    assert "testing" in said.stdout


@pytest.mark.parametrize("program", ["bash", "dash", "sh"])
def test_eval_binds_to_the_shell_and_its_variable_survives_the_shell(place: Path, program: str) -> None:
    if shutil.which(program) is None:
        program = "sh"
    script = """
        eval "$(roost join builder --shell)" || exit 9
        roost who
        setsid -f roost send builder detached >/dev/null 2>&1
        sleep 0.1
        unset ROOST_SESSION
        roost inbox
    """
    said = shell(place, script, program=program)
    assert said.stdout.count("builder (you)") == 1, said.stderr
    assert "inbox of builder" in said.stdout
    assert said.stderr == "roost: joined as builder\n"


def test_a_session_that_left_is_nobody_until_it_joins_again(place: Path) -> None:
    script = """
        eval "$(roost join builder --shell)"; roost leave
        roost inbox; echo "left: $?"
        roost join planner >/dev/null; roost inbox >/dev/null; echo "again: $?"
    """
    said = shell(place, script)
    assert "left: 5" in said.stdout
    assert "again: 0" in said.stdout


def test_a_takeover_fences_the_session_before(place: Path) -> None:
    with Shell(place) as first, Shell(place) as second:
        assert first.says('eval "$(roost join builder --shell)"')[0] == 0
        status, said = second.says("roost join builder")
        assert (status, "hint: " in said, "--takeover" in said) == (4, True, True)
        assert second.says("roost join builder --takeover")[0] == 0
        status, said = first.says("roost send builder x")
        assert (status, "taken over" in said) == (5, True)
        assert second.says("roost send builder x")[0] == 0


def test_a_session_becomes_who_is_gone_only_when_asked_to(place: Path) -> None:
    with Shell(place) as shell_of_builder:
        shell_of_builder.says("roost join builder")
        shell_of_builder.says("roost send builder 'still to do'")
    with Shell(place) as other:
        other.says("roost join other")
        status, said = other.says("roost join builder")
        assert (status, "--reclaim" in said) == (4, True)
        status, said = other.says("roost join builder --reclaim")
        assert (status, "you are builder now" in said) == (0, True)
        assert "still to do" in other.says("roost inbox")[1]


def test_a_session_without_its_key_is_refused(place: Path) -> None:
    with Shell(place) as joined:
        session = joined.says('eval "$(roost join builder --shell)"; echo $ROOST_SESSION')[1].split()[-1]
        (place / ".roost" / "sessions" / f"{session}.key").write_text("0" * 64)
        forged = shell(place, "roost inbox; exit $?", ROOST_SESSION=session)
        assert forged.returncode == 5
        assert "key" in forged.stderr
    for unknown in ("../../etc/passwd", "x" * 36, "01a1fbca-1e0a-7000-8f15-fa79b4042529"):
        assert shell(place, "roost inbox; exit $?", ROOST_SESSION=unknown).returncode == 5


def test_nobody_without_terminal_and_the_person_on_one(place: Path) -> None:
    refused = shell(place, "roost inbox")
    assert (refused.returncode, refused.stdout) == (5, "")
    assert 'eval "$(roost join NAME --shell)"' in refused.stderr
    config = place / "gitconfig"
    config.write_text("[user]\n\tname = Ada Lovelace\n")
    status, shown = on_terminal(place, ROOST, "inbox", GIT_CONFIG_GLOBAL=str(config), NO_COLOR="1")
    assert status == 0
    assert "inbox of ada-lovelace as of " in shown
    assert "\x1b" not in shown


def test_on_a_terminal_there_are_colours_and_columns(place: Path) -> None:
    status, shown = on_terminal(place, ROOST, "who", TERM="xterm")
    assert status == 0
    assert "\x1b[1m" in shown
    assert re.search(r"agent.*state.*reached by", shown)


def test_under_a_coding_client_that_has_not_joined_nobody_is_the_person(place: Path) -> None:
    client = place / "claude"
    client.write_text(f"#!/bin/sh\n{shlex.quote(ROOST)} inbox\nexit $?\n")
    client.chmod(0o755)
    status, shown = on_terminal(place, str(client))
    assert status == 5
    assert "inside claude" in shown


def test_a_closed_pipe_is_quiet(place: Path) -> None:
    script = """
        roost join builder >/dev/null
        for i in 1 2 3 4 5 6; do head -c 60000 /dev/zero | tr '\\0' x | roost send builder >/dev/null; done
        roost log --json | head -c 10 >/dev/null; echo "status: ${PIPESTATUS[0]}"
        roost inbox > /dev/full; echo "full: $?"
    """
    said = shell(place, script)
    assert "status: 141" in said.stdout
    assert "full: 7" in said.stdout
    assert "Traceback" not in said.stderr
    assert "BrokenPipe" not in said.stderr


@pytest.mark.parametrize("closed", [">&-", "> /dev/full"])
def test_an_answer_that_cannot_be_printed_is_not_said_to_be_undone(place: Path, closed: str) -> None:
    script = f"""
        roost join builder >/dev/null
        roost send builder hello {closed}; echo "plain: $?"
        roost send builder hello --json {closed}; echo "json: $?"
        roost outbox --json
    """
    said = shell(place, script)
    assert "plain: 7" in said.stdout and "json: 7" in said.stdout
    assert "could not be printed" in said.stderr and "may be done all the same" in said.stderr
    assert '"code":"UNPRINTED"' in said.stderr
    assert said.stdout.count('"body":"hello"') == 2, "both were sent"
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize("closed", [">&-", "> /dev/full", "| true"])
def test_mail_that_could_not_be_printed_waits_on_and_counts_as_seen_by_nobody(place: Path, closed: str) -> None:
    script = f"""
        roost join builder >/dev/null
        for i in 1 2; do head -c 60000 /dev/zero | tr '\\0' x | roost send builder >/dev/null; done
        roost inbox {closed}
        roost receipts m1 --json
        roost inbox --json
    """
    receipts, page = shell(place, script).stdout.splitlines()
    assert [one["kind"] for one in json.loads(receipts)["receipts"]] == ["offered", "requeued"]
    assert [item["attempts"] for item in json.loads(page)["items"]] == [2, 2]


def test_closed_standard_streams_change_no_status(place: Path) -> None:
    script = """
        roost join builder >/dev/null
        roost who <&- >/dev/null; echo "in: $?"
        roost read m9 2>&-; echo "error: $?"
        roost read m9 <&- >&- 2>&-; echo "all: $?"
    """
    said = shell(place, script)
    assert said.stdout.splitlines()[-3:] == ["in: 0", "error: 3", "all: 3"], said


@pytest.mark.parametrize("verb", ["log --follow", "listen", "history --follow", "lease wait x --timeout 1h"])
def test_ctrl_c_ends_a_stream_with_130(place: Path, verb: str) -> None:
    with Shell(place) as holder, Shell(place) as waiter:
        holder.says("roost join holder; roost lease acquire x")
        waiter.says("roost join builder")
        pid = int(waiter.says(f"set -m; roost {verb} 2>&1 & echo $!")[1].split()[-1])
        eventually(lambda: waits(pid), "it waits for what comes")
        status, said = waiter.says(f"kill -INT {pid}; wait {pid}")
        assert status == 130, said
        assert "Traceback" not in said


def waits(pid: int) -> bool:
    """Say whether a process slept whenever it was looked at for half a second: what still loads modules works."""
    for _ in range(25):
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "S":
            return False
        time.sleep(0.02)
    return True


def test_statuses_reach_the_shell(place: Path) -> None:
    script = """
        roost join builder >/dev/null
        for line in 'frob' 'read m9' 'lease release x' 'pause'; do roost $line >/dev/null 2>&1; printf '%s ' $?; done
        cd /; roost who 2>/dev/null; printf '%s' $?
    """
    assert shell(place, script).stdout == "2 3 4 5 3"


def test_the_rate_limit_is_told_with_its_own_status(place: Path) -> None:
    script = """
        roost join builder >/dev/null
        for i in $(seq 40); do printf '{"to": "builder", "text": "x"}\\n'; done > many
        head -30 many | roost send --batch - >/dev/null; echo "first: $?"
        roost send builder one more; roost send builder one-more; echo "second: $?"
    """
    said = shell(place, script)
    assert "first: 0" in said.stdout
    assert "second: 6" in said.stdout
    assert "try again in" in said.stderr


def test_completion_completes_verbs(place: Path) -> None:
    said = shell(place, "COMP_WORDS='roost rec' COMP_CWORD=1 _ROOST_COMPLETE=bash_complete roost")
    assert said.stdout == "plain,receipts\n"
