"""`roost mcp` as bytes: what a client may say wrong, who is there, and a daemon that ends under it."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.shared.exceptions import MCPError

from roost import keyfiles
from roost.interfaces.mcp import program
from roost.interfaces.mcp.pipe import Lines
from roost.runtimes.host import LocalHost
from tests.daemon.served import GUARD_SECONDS, eventually

from .stage import Era, Fleet, text_of

pytestmark = pytest.mark.timeout(180)

COMMAND = [sys.executable, "-m", "roost.interfaces.cli.main", "mcp"]
HELLO = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}
READY = {"jsonrpc": "2.0", "method": "notifications/initialized"}


class Raw:
    """A pipe whose lines the test writes and reads itself."""

    def __init__(self, fleet: Fleet, name: str) -> None:
        given = fleet.pipe(name)
        self.process = subprocess.Popen(
            [given.command, *given.args],
            env=given.env,
            cwd=str(given.cwd),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def say(self, line: bytes | dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n")
        self.process.stdin.flush()

    def hear(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    @property
    def waiting(self) -> int:
        """How many bytes lie in the pipe that nobody has read."""
        assert self.process.stdout is not None
        return unread(self.process.stdout)

    def has_passed_on(self) -> bool:
        """Say whether what was said has left the process, which waits for something new."""
        assert self.process.stdin is not None
        is_read = unread(self.process.stdin) == 0
        return is_read and Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"

    def ask(self, line: bytes | dict[str, Any]) -> Any:
        self.say(line)
        return self.hear()

    def begin(self) -> Raw:
        assert self.ask(HELLO)["result"]["protocolVersion"] == "2025-06-18"
        self.say(READY)
        return self

    def call(self, number: int, tool: str, **arguments: Any) -> dict[str, Any]:
        params = {"name": tool, "arguments": arguments}
        return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}

    def close(self) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        status = self.process.wait(GUARD_SECONDS)
        self.process.stdout.close()
        return status


@pytest.fixture
def raw(fleet: Fleet) -> Iterator[Raw]:
    pipe = Raw(fleet, "bob").begin()
    yield pipe
    assert pipe.close() == 0


def test_what_is_no_message_gets_a_numeric_error_and_the_next_call_is_answered(raw: Raw) -> None:
    wrong: list[tuple[bytes, int, Any]] = [
        (b"{", -32700, None),
        (b"\x00\xff\xfe binary", -32700, None),
        (b"[" * 200_000, -32700, None),
        (b"[]", -32600, None),
        (b"42", -32600, None),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600, None),
        (b'{"jsonrpc":"1.0","id":5,"method":"ping"}', -32600, 5),
        (b'{"jsonrpc":"2.0","id":"a","method":7}', -32600, "a"),
        (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', -32600, None),
        (b'{"jsonrpc":"2.0","id":6,"method":"no/such"}', -32601, 6),
        (b'{"jsonrpc":"2.0","id":7,"method":"tools/call"}', -32602, 7),
        (b'{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{"name":"who","arguments":[]}}', -32602, 8),
        (b'{"jsonrpc":"2.0","id":9,"method":"ping","x":' + b"[" * 9_000 + b"]" * 9_000 + b"}", -32700, None),
        (b'{"jsonrpc":"2.0","id":9,"method":"ping","x":"' + b"y" * (3 * 1024 * 1024) + b'"}', -32600, None),
    ]
    for line, code, number in wrong:
        answer = raw.ask(line)
        assert (answer["error"]["code"], answer["id"]) == (code, number), line[:60]
    for number, line in enumerate((b"", b"   ", b'{"jsonrpc":"2.0","method":"notifications/whatever"}')):
        raw.say(line)
        assert raw.ask({"jsonrpc": "2.0", "id": number, "method": "ping"}) == {
            "jsonrpc": "2.0",
            "id": number,
            "result": {},
        }


def test_a_message_of_a_megabyte_goes_through(raw: Raw, fleet: Fleet) -> None:
    body = "x" * (1024 * 1024)
    answer = raw.ask(raw.call(1, "send", to="bob", text=body))
    assert answer["result"]["isError"] is False
    assert fleet.hub("bob").messages.get("m1").body == body


def test_a_client_that_closes_its_side_still_gets_its_answers(fleet: Fleet) -> None:
    fleet.hub("bob")
    pipe = Raw(fleet, "bob")
    lines = [HELLO, READY, *(pipe.call(n, "send", to="bob", text=f"number {n}") for n in range(1, 6))]
    output, _ = pipe.process.communicate(
        b"".join(json.dumps(line).encode() + b"\n" for line in lines), timeout=GUARD_SECONDS
    )
    assert sorted(json.loads(line)["id"] for line in output.splitlines()) == [0, 1, 2, 3, 4, 5]
    assert pipe.process.returncode == 0


def test_a_client_that_reads_nothing_for_a_while_fills_no_memory_and_loses_nothing(fleet: Fleet) -> None:
    slow, quick = Raw(fleet, "bob").begin(), Raw(fleet, "ada").begin()
    asked = 5_000  # whose answers are 22 MB

    def ask() -> None:
        for number in range(asked):
            slow.say({"jsonrpc": "2.0", "id": number, "method": "tools/list"})

    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(1.0)
    assert quick.ask(quick.call(1, "who"))["result"]["isError"] is False
    assert resident_mb(slow.process.pid) < 30
    assert sorted(slow.hear()["id"] for _ in range(asked)) == list(range(asked))
    asking.join()
    slow.close()
    quick.close()


def you(pipe: Raw, number: int = 1) -> str:
    """Return the name under which a pipe's calls are made."""
    answer = pipe.ask(pipe.call(number, "who"))
    (name,) = [one["name"] for one in answer["result"]["structuredContent"]["agents"] if one.get("you")]
    return str(name)


def test_a_client_that_has_not_joined_joins_under_its_own_name_with_its_first_call(fleet: Fleet) -> None:
    pipe = Raw(fleet, "").begin()
    assert len(pipe.ask({"jsonrpc": "2.0", "id": 2, "method": "tools/list"})["result"]["tools"]) == 7
    assert fleet.project.system().agents.list() == ()
    assert you(pipe) == "test-1"
    session = fleet.project.system().sessions.of("test-1")
    assert session is not None
    assert session.process == LocalHost().process(os.getpid())
    assert (session.client, session.worktree) == ("test", "")
    assert keyfiles.shows(fleet.place / "sessions", session.id, session.key_hash)
    pipe.close()


def test_a_client_that_starts_its_pipe_again_or_left_is_who_it_was(fleet: Fleet) -> None:
    first = Raw(fleet, "").begin()
    assert you(first) == "test-1"
    first.close()
    again = Raw(fleet, "").begin()
    assert you(again) == "test-1"
    fleet.end_daemon(signal.SIGKILL)
    assert you(again, 2) == "test-1"
    live = fleet.project.system().sessions.of("test-1")
    assert live is not None
    fleet.project.as_session(live.id).turns.leave()
    assert you(again, 3) == "test-1"
    again.close()


def test_the_environments_name_and_the_linked_worktrees_count_where_they_are_free(fleet: Fleet) -> None:
    fleet.environ["ROOST_AGENT"] = "builder"
    builder = Raw(fleet, "").begin()
    assert you(builder) == "builder"
    builder.close()


def test_a_session_that_another_followed_is_found_anew(fleet: Fleet) -> None:
    process = LocalHost().process(os.getpid())
    first = fleet.project.system().turns.join("first", client="claude", process=process)
    pipe = Raw(fleet, "").begin()
    assert "isError" in pipe.ask(pipe.call(1, "who"))["result"]
    fleet.project.as_session(first.id).turns.leave()
    fleet.project.system().turns.join("second", client="claude", process=process)
    told = pipe.ask(pipe.call(2, "who"))["result"]["structuredContent"]
    assert [one["name"] for one in told["agents"] if one.get("you")] == ["second"]
    pipe.close()


def test_the_next_daemon_is_found_and_told_the_handshake_again(raw: Raw, fleet: Fleet) -> None:
    assert raw.ask(raw.call(1, "send", to="bob", text="before"))["result"]["isError"] is False
    fleet.end_daemon(signal.SIGKILL)
    for number in range(2, 5):
        assert raw.ask(raw.call(number, "send", to="bob", text="after"))["result"]["isError"] is False
    assert fleet.hub("bob").messages.last_number() == 4


def test_what_was_under_way_when_the_daemon_died_is_answered_with_an_error(raw: Raw, fleet: Fleet) -> None:
    raw.ask(raw.call(1, "who"))
    fleet.freeze_daemon()
    raw.say(raw.call(2, "send", to="bob", text="lost or not"))
    raw.say({"jsonrpc": "2.0", "id": 3, "method": "tools/list"})
    eventually(raw.has_passed_on, "a frozen daemon says nothing of what has reached it")
    fleet.end_daemon(signal.SIGKILL)
    answers = {answer["id"]: answer for answer in (raw.hear(), raw.hear())}
    assert answers[2]["error"]["code"] == program.GONE
    assert "may be repeated" in answers[2]["error"]["message"]
    assert len(answers[3]["result"]["tools"]) == 7


def test_mail_whose_answer_was_lost_comes_again(raw: Raw, fleet: Fleet) -> None:
    fleet.hub("ada").messages.send(to="bob", text="important")
    assert raw.ask(raw.call(1, "inbox"))["result"]["structuredContent"]["ids"] == ["m1"]
    fleet.end_daemon(signal.SIGKILL)
    again = raw.ask(raw.call(2, "inbox"))["result"]["structuredContent"]
    assert again["ids"] == ["m1"]
    assert "Offered again" in again["mail"]


@pytest.mark.anyio
async def test_the_official_client_notices_nothing_of_a_new_daemon(fleet: Fleet, era: Era) -> None:
    fleet.hub("ada")
    async with fleet.over_stdio("bob", era) as bob:
        await bob.call_tool("send", {"to": "ada", "text": "one"})
        fleet.end_daemon(signal.SIGKILL)
        sent = await bob.call_tool("send", {"to": "ada", "text": "two"})
        assert json.loads(text_of(sent))["id"] == "m2"
        with pytest.raises(MCPError):
            await bob.read_resource("roost://nothing")


def test_it_needs_the_daemon(fleet: Fleet) -> None:
    off = {**fleet.environ, "ROOST_DAEMON": "off"}
    ran = subprocess.run(
        COMMAND, check=False, env=off, cwd=fleet.folder, capture_output=True, text=True, timeout=GUARD_SECONDS
    )
    assert (ran.returncode, ran.stdout) == (7, "")
    assert "ROOST_DAEMON is off" in ran.stderr


@pytest.mark.anyio
async def test_outside_of_a_project_there_is_a_server_with_nothing(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    given = StdioServerParameters(command=COMMAND[0], args=COMMAND[1:], env=environ, cwd=tmp_path)
    async with Client(given) as client:
        assert (await client.list_tools()).tools == []
        with pytest.raises(MCPError, match="no Roost project in this folder"):
            await client.list_resources()


def test_a_folder_that_was_named_has_to_be_in_a_project(tmp_path: Path) -> None:
    asked = [*COMMAND[:-1], "-C", str(tmp_path), "mcp"]
    ran = subprocess.run(
        asked, check=False, capture_output=True, text=True, timeout=GUARD_SECONDS, env={"ROOST_DAEMON": "auto"}
    )
    assert ran.returncode == 3
    assert "no .roost folder" in ran.stderr


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_client_that_ends_it_by_a_signal_hears_no_complaint(fleet: Fleet, how: int) -> None:
    given = fleet.pipe("bob")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([given.command, *given.args], env=given.env, cwd=fleet.folder, **pipes) as started:  # type: ignore[call-overload]
        started.stdin.write(json.dumps(HELLO).encode() + b"\n")
        started.stdin.flush()
        assert b"result" in started.stdout.readline()
        started.send_signal(how)
        assert started.stderr.read() == b""


def unread(file: IO[bytes]) -> int:
    """Return how many bytes lie in a pipe that nobody has read."""
    return int.from_bytes(fcntl.ioctl(file.fileno(), termios.FIONREAD, bytes(4)), "little")


def resident_mb(pid: int) -> float:
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return int(fields["VmRSS"].split()[0]) / 1024


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_lines_are_the_same_however_they_come(size: int) -> None:
    text = b"one\n\ntwo two\n" + b"x" * 30 + b"\nthree\n" + b"y" * 50 + b"\nlast"
    lines = Lines(20)
    found = [line for at in range(0, len(text), size) for line in lines.feed(text[at : at + size])]
    assert found == [b"one", b"two two", None, b"three", None]


def test_the_pipe_itself_loads_little() -> None:
    code = (
        "import sys; sys.argv = ['x']; import runpy; runpy.run_path(sys.argv[0] and PATH); "
        "print([name for name in ('socket', 'asyncio', 'msgspec', 'apsw', 'mcp', 'click', 'subprocess', 'site')"
        " if name in sys.modules])"
    )
    code = code.replace("PATH", repr(program.__file__))
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], check=True, capture_output=True, text=True, timeout=GUARD_SECONDS
    )
    assert ran.stdout.strip() == "[]", ran.stderr
