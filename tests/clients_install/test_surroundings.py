"""What else is on this machine: running sessions, versions, other clients."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from roost.clients import others
from roost.clients.claude import running


def program(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def registered(config: Path, pid: int, **facts: object) -> None:
    (config / "sessions").mkdir(parents=True, exist_ok=True)
    entry = {"pid": pid, "sessionId": f"s{pid}", "cwd": "/work area", "version": "2.1.329", "status": "idle", **facts}
    (config / "sessions" / f"{pid}.json").write_text(json.dumps(entry))


def started(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def test_a_session_runs_while_the_process_that_registered_runs(tmp_path: Path) -> None:
    registered(tmp_path, os.getpid(), procStart=started(os.getpid()))
    registered(tmp_path, os.getppid(), procStart="1")  # the number was given to another process since
    registered(tmp_path, 2**22 + 1, procStart="1")
    registered(tmp_path, -1)
    (tmp_path / "sessions" / "9.json").write_text("{half")
    (found,) = running.running(tmp_path)
    assert (found.pid, found.session, found.cwd) == (os.getpid(), f"s{os.getpid()}", "/work area")


def test_a_session_without_a_start_counts_while_its_process_runs(tmp_path: Path) -> None:
    registered(tmp_path, os.getpid())
    assert [found.pid for found in running.running(tmp_path)] == [os.getpid()]
    assert running.is_alive(os.getpid(), "?", proc=tmp_path / "no proc here")
    assert not running.is_alive(2**22 + 1, None, proc=tmp_path / "no proc here")


def test_without_a_register_nothing_runs(tmp_path: Path) -> None:
    assert running.running(tmp_path) == ()


@pytest.mark.parametrize(("version", "restart"), [("2.1.329", False), ("2.2.0", False), ("2.1.9", True), ("", True)])
def test_only_versions_that_take_new_hooks_go_on_without_a_restart(version: str, restart: bool) -> None:
    assert running.Running(pid=1, session="s", cwd="/", version=version).needs_restart is restart


@pytest.mark.parametrize(
    ("text", "version"),
    [("echo '2.1.329 (Claude Code)'", (2, 1, 329)), ("echo hello", None), ("echo 2.1.329; exit 3", None)],
)
def test_the_client_says_its_version(tmp_path: Path, text: str, version: tuple[int, ...] | None) -> None:
    program(tmp_path, "claude", text)
    assert running.version({"PATH": str(tmp_path)}) == version
    assert running.version({"PATH": str(tmp_path / "empty")}) is None


def test_a_version_that_is_not_known_is_taken_for_a_new_one() -> None:
    assert running.has_batches(None) and running.has_batches((2, 1, 329)) and not running.has_batches((2, 1, 20))


def test_clients_are_found_by_program_or_folder(tmp_path: Path) -> None:
    program(tmp_path / "bin", "codex", ":")
    (tmp_path / ".gemini").mkdir()
    (tmp_path / ".claude").mkdir()
    found = {client.name: client for client in others.clients(tmp_path, {"PATH": str(tmp_path / "bin")})}
    assert set(found) == {"claude", "codex", "gemini"}
    assert found["codex"].program == tmp_path / "bin" / "codex" and found["codex"].folder is None
    assert [name for name, client in found.items() if client.is_supported] == ["claude"]
