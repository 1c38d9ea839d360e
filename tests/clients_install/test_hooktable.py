"""The table of events."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from roost.clients import launcher
from roost.clients.claude import events, hooktable


def handlers(event: str, *, batch: bool = True) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for group in hooktable.groups(batch=batch).get(event, []):
        found += group["hooks"]
    return found


def test_every_event_is_one_that_we_can_read() -> None:
    assert set(hooktable.groups()) <= {*events.KINDS, "Notification"}


def test_every_handler_has_its_own_limit_in_seconds() -> None:
    for event in hooktable.groups():
        for handler in handlers(event):
            assert handler["timeout"] == (86_400 if "asyncRewake" in handler else 10 if event == "SessionStart" else 5)


def test_a_waiter_is_armed_at_the_start_at_each_prompt_and_at_each_end_of_a_turn() -> None:
    waiting = {
        e
        for e in hooktable.groups()
        for h in handlers(e)
        if h["command"] == hooktable.WAIT_COMMAND and h["asyncRewake"]
    }
    assert waiting == {"SessionStart", "UserPromptSubmit", "Stop"}


def test_edits_and_shell_commands_are_seen_before_they_run() -> None:
    matchers = [group["matcher"] for group in hooktable.groups()["PreToolUse"]]
    assert [set(matcher.split("|")) for matcher in matchers] == [set(events.EDIT_TOOLS), {"Bash"}]


def test_a_launched_client_tells_of_mail_by_http_and_of_what_must_be_checked_by_command() -> None:
    told = hooktable.http_groups("http://127.0.0.1:8787/v1/hooks/claude", "rsl_key")
    every = hooktable.groups()
    assert set(every) - set(told) == {"SessionStart", "PreToolUse", "SessionEnd"}
    for event, (group,) in told.items():
        (handler,) = group["hooks"]
        assert handler["type"] == "http" and handler["headers"] == {"Authorization": "Bearer rsl_key"}
        assert (group.get("matcher"), handler["timeout"]) == (every[event][0].get("matcher"), 3)
        assert every[event][0]["hooks"][0]["command"] == hooktable.HTTP_COMMAND
    assert set(hooktable.http_groups("u", "k", batch=False)) ^ set(told) == {"PostToolBatch", "PostToolUse"}


def test_single_tool_calls_take_the_place_of_batches_only_in_old_clients() -> None:
    assert handlers("PostToolBatch") and not handlers("PostToolUse")
    assert handlers("PostToolUse", batch=False) and not handlers("PostToolBatch", batch=False)


def test_only_notices_that_mean_waiting_are_taken() -> None:
    (group,) = hooktable.groups()["Notification"]
    assert set(group["matcher"].split("|")) == events.WAITING_NOTICES


@pytest.mark.parametrize("home", ["jo", "jo o'neill", "new\nline", '"$HOME"', "*"])
def test_the_command_runs_the_launcher_of_any_home(tmp_path: Path, home: str) -> None:
    target = tmp_path / home / launcher.PLACE
    target.parent.mkdir(parents=True)
    target.write_text('#!/bin/sh\necho "$@"\nexit 2\n')
    target.chmod(0o700)
    ended = run(hooktable.WAIT_COMMAND, {"HOME": str(tmp_path / home)})
    assert (ended.returncode, ended.stdout) == (2, b"claude wait\n")


@pytest.mark.parametrize("environ", [{"HOME": "/nowhere"}, {"HOME": ""}, {}])
def test_the_command_is_silent_where_there_is_no_launcher(tmp_path: Path, environ: dict[str, str]) -> None:
    ended = run(hooktable.COMMAND.replace("~/", "~/not-there/"), environ)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")


def run(command: str, environ: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["/bin/sh", "-c", command], env=environ, capture_output=True, check=False)
