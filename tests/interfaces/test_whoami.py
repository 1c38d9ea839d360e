"""Who is calling, decided from facts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from roost import keyfiles
from roost.whoami import (
    Claim,
    ClaimState,
    IsNobody,
    IsPerson,
    IsSession,
    Newcomer,
    Parent,
    Surroundings,
    client_named,
    client_of,
    decide,
    decide_pipe,
    shell_of,
)

BASH = Parent(pid=20, command="bash", arguments=("bash",), group=20)
CLAUDE = Parent(pid=10, command="claude", arguments=("claude",), group=10)


def test_a_claim_with_its_key_comes_first() -> None:
    around = Surroundings(claim=Claim(session="s1", state="proved"), parents=(BASH,), on_terminal=True)
    assert decide(around) == IsSession("s1")


@pytest.mark.parametrize("state", ["over", "unknown", "none"])
def test_a_claim_that_is_over_falls_on_to_the_nearest_joined_parent(state: ClaimState) -> None:
    joined = Parent(pid=9, command="claude", arguments=("claude",), session="s2")
    further = Parent(pid=8, command="bash", session="s3")
    assert decide(Surroundings(claim=Claim(state=state), parents=(BASH, joined, further))) == IsSession("s2")


def test_on_a_terminal_without_a_client_it_is_the_person() -> None:
    assert decide(Surroundings(parents=(BASH,), on_terminal=True)) == IsPerson()


def test_what_runs_in_a_client_that_has_not_joined_is_never_the_person() -> None:
    found = decide(Surroundings(parents=(BASH, CLAUDE, Parent(pid=1, command="bash", session="s9")), on_terminal=True))
    assert isinstance(found, IsNobody)
    assert found.client == "claude"


def test_without_terminal_or_session_it_is_nobody_and_told_what_to_do() -> None:
    found = decide(Surroundings(parents=(BASH,)))
    assert isinstance(found, IsNobody)
    assert "roost join" in found.hint


def test_a_key_that_cannot_be_shown_is_refused_even_on_a_terminal() -> None:
    found = decide(Surroundings(claim=Claim(session="s1", state="unproved"), parents=(BASH,), on_terminal=True))
    assert isinstance(found, IsNobody)


def test_an_agent_that_was_taken_over_does_not_become_the_person() -> None:
    claim = Claim(session="s1", state="fenced", agent="builder")
    found = decide(Surroundings(claim=claim, parents=(BASH,), on_terminal=True))
    assert isinstance(found, IsNobody)
    assert "builder" in found.why


@pytest.mark.parametrize(
    ("parent", "client"),
    [
        (Parent(pid=1, command="claude"), "claude"),
        (Parent(pid=1, command="codex", arguments=("/opt/codex",)), "codex"),
        (Parent(pid=1, command="node", arguments=("node", "/usr/bin/gemini")), "gemini"),
        (Parent(pid=1, command="MainThread", arguments=("node", "--x", "/a/qwen-code/dist/cli.js")), "qwen"),
        (Parent(pid=1, command="node", arguments=("node", "/x/node_modules/@openai/codex/bin/codex.js")), "codex"),
        (Parent(pid=1, command="vim", arguments=("vim", "claude")), ""),
        (Parent(pid=1, command="node", arguments=("node", "server.js")), ""),
        (Parent(pid=1, command="-bash", arguments=("-bash",)), ""),
        (Parent(pid=1, command="x"), ""),
    ],
)
def test_a_client_is_known_by_its_command_or_by_what_its_runtime_runs(parent: Parent, client: str) -> None:
    assert client_of(parent) == client


def test_a_join_inside_eval_binds_to_the_shell_and_not_to_its_copy() -> None:
    copy = Parent(pid=21, command="bash", arguments=("bash",), group=20)
    above = Parent(pid=5, command="tmux", arguments=("tmux",), group=5)
    assert shell_of((copy, BASH, above)) == BASH


def test_a_shell_inside_a_shell_is_its_own() -> None:
    inner = Parent(pid=21, command="bash", arguments=("bash",), group=21)
    assert shell_of((inner, BASH)) == inner
    assert shell_of(()) is None


def test_a_key_counts_only_from_a_closed_file_of_its_own(tmp_path: Path) -> None:
    session = "0199-" + "a" * 31
    key, digest = keyfiles.new_key()
    assert not keyfiles.shows(tmp_path, session, digest)
    keyfiles.write(tmp_path, session, key)
    assert (tmp_path / f"{session}.key").stat().st_mode & 0o777 == 0o600
    assert keyfiles.shows(tmp_path, session, digest)
    assert not keyfiles.shows(tmp_path, session, b"\0" * 32)
    assert not keyfiles.shows(tmp_path, session, b"")
    os.chmod(tmp_path / f"{session}.key", 0o640)
    assert not keyfiles.shows(tmp_path, session, digest)


@pytest.mark.parametrize("name", ["../" + "a" * 33, "x", "", "A" * 36])
def test_a_key_is_never_looked_for_outside_its_folder(tmp_path: Path, name: str) -> None:
    assert not keyfiles.shows(tmp_path, name, b"\1" * 32)


def test_a_key_behind_a_symlink_does_not_count(tmp_path: Path) -> None:
    session = "b" * 36
    key, digest = keyfiles.new_key()
    (tmp_path / "elsewhere").write_text(key)
    (tmp_path / "elsewhere").chmod(0o600)
    (tmp_path / f"{session}.key").symlink_to(tmp_path / "elsewhere")
    assert not keyfiles.shows(tmp_path, session, digest)


PIPE = Parent(pid=40, command="python3", arguments=("python3", "-I", "-S", "program.py"))
CODEX = Parent(pid=30, command="codex", arguments=("/opt/codex",))
JOINED = Parent(pid=10, command="claude", arguments=("claude",), session="s1", client="claude")


def inherited(client: str) -> Claim:
    return Claim(session="s1", state="proved", client=client)


@pytest.mark.parametrize("claim", [Claim(), inherited("claude")])
def test_a_client_in_another_agents_shell_is_somebody_of_its_own(claim: Claim) -> None:
    around = Surroundings(claim=claim, parents=(PIPE, CODEX, BASH, JOINED))
    assert decide_pipe(around, "codex") == Newcomer(30)
    wrapped = Surroundings(claim=claim, parents=(PIPE, Parent(pid=31, command="wrapper"), BASH, JOINED))
    assert decide_pipe(wrapped, "codex") == Newcomer(31)
    nested = Surroundings(claim=claim, parents=(PIPE, Parent(pid=32, command="claude"), BASH, JOINED))
    assert decide_pipe(nested, "claude") == Newcomer(32)


def test_a_client_that_is_not_recognised_is_what_started_the_pipe() -> None:
    unknown, script = Parent(pid=33, command="node"), Parent(pid=5, command="python3", session="s5", client="library")
    assert decide_pipe(Surroundings(parents=(PIPE, unknown, BASH, script)), "qwen") == Newcomer(33)
    joined = Parent(pid=33, command="node", session="s6", client="qwen")
    assert decide_pipe(Surroundings(parents=(PIPE, BASH, joined, script)), "qwen") == IsSession("s6")


def test_a_script_in_an_agents_shell_speaks_as_the_agent_over_a_pipe_too() -> None:
    script = Parent(pid=31, command="python3", arguments=("python3", "ask.py"))
    assert decide_pipe(Surroundings(parents=(PIPE, script, BASH, JOINED)), "mcp") == IsSession("s1")
    assert decide_pipe(Surroundings(claim=inherited("claude")), "mcp") == IsSession("s1")


def test_a_client_speaks_as_its_own_session_before_all_else() -> None:
    joined = Parent(pid=30, command="codex", arguments=("codex",), session="s3", client="codex")
    assert decide_pipe(Surroundings(claim=inherited("shell"), parents=(PIPE, joined, BASH)), "codex") == IsSession("s3")


def test_a_client_that_was_started_in_a_shell_that_joined_speaks_as_that() -> None:
    around = Surroundings(claim=inherited("shell"), parents=(PIPE, CODEX, BASH))
    assert decide_pipe(around, "codex") == IsSession("s1")


def test_a_pipe_belongs_to_what_started_it_through_a_shell_or_not() -> None:
    assert decide_pipe(Surroundings(parents=(PIPE, BASH, Parent(pid=7, command="editor"))), "editor") == Newcomer(7)
    unseen = decide_pipe(Surroundings(parents=(PIPE,)), "editor")
    assert isinstance(unseen, IsNobody)


@pytest.mark.parametrize(
    ("said", "client"),
    [
        ("claude-code", "claude"),
        ("codex-mcp-client", "codex"),
        ("gemini-cli-mcp-client", "gemini"),
        ("Qwen Code", "qwen"),
        ("claudette", ""),
        ("", ""),
    ],
)
def test_a_clients_own_name_tells_which_it_is(said: str, client: str) -> None:
    assert client_named(said) == client
