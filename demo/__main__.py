"""Run the demonstration in a scratch folder and account for every message: `python -m demo`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from demo.account import account
from roost.calling import person_joined
from roost.connect import Project, connect

AGENTS = ("planner", "builder", "tester", "writer")
SECONDS_MAX = 60
JOIN_SECONDS_MAX = 10


def main() -> int:
    """Set up, run the four agents, and print the account; return 0 only if every message is accounted for."""
    began = time.monotonic()
    scratch = Path(tempfile.mkdtemp(prefix="roost-demo-"))
    try:
        environment = _environment(scratch)
        repository = _repository(scratch, environment)
        print("Four scripted agents build a small feature: real processes, real hooks; only the model is a script.\n")
        _run(["roost", "init", "--yes", "--me", "ada"], repository, environment, quiet=True)
        failed = _agents(scratch, repository, environment)
        _ada_reads(repository)
        print(f"\nThe feature is built ({time.monotonic() - began:.0f} s):\n", flush=True)
        _run(["git", "log", "--reverse", "--format=  %h %s"], repository, environment)
        print("\nWhat happened to each message:\n")
        complete = account(repository)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed or not complete else 0


def _environment(scratch: Path) -> dict[str, str]:
    """An environment whose HOME is ours alone: the demonstration touches nobody's settings."""
    kept = {name: os.environ[name] for name in ("LANG", "TERM") if name in os.environ}
    folders = [str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]
    root = str(Path(__file__).resolve().parents[1])
    home = scratch / "home"
    home.mkdir()
    (home / ".claude").mkdir()
    return {
        **kept,
        "PATH": ":".join(folders),
        "HOME": str(home),
        "PYTHONPATH": root,
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_AUTHOR_EMAIL": "ada@example.org",
        "GIT_COMMITTER_NAME": "Ada",
        "GIT_COMMITTER_EMAIL": "ada@example.org",
    }


def _repository(scratch: Path, environment: dict[str, str]) -> Path:
    repository = scratch / "greeting"
    repository.mkdir()
    (repository / "README.md").write_text("# Greeting\n")
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "Start"]):
        _run(["git", *words], repository, environment)
    return repository


def _agents(scratch: Path, repository: Path, environment: dict[str, str]) -> list[str]:
    """Start the agents, bring the one that is killed back, and return those that failed."""
    state = scratch / "state"
    state.mkdir()
    sessions = {name: str(uuid.uuid4()) for name in AGENTS}

    def start(name: str) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-m", "demo.agents", name, str(repository), str(state), sessions[name]]
        return subprocess.Popen(words, cwd=repository, env={**environment, "ROOST_AGENT": name})

    running: dict[str, subprocess.Popen[bytes]] = {}
    project = connect(repository)
    try:
        return _watched(start, running, project)
    finally:
        project.close()
        for process in running.values():
            process.kill()
            process.wait()


def _watched(
    start: Callable[[str], subprocess.Popen[bytes]], running: dict[str, subprocess.Popen[bytes]], project: Project
) -> list[str]:
    for name in reversed(AGENTS):  # the planner comes last: its first message is for all who are here
        running[name] = start(name)
        _until_joined(name, project)
    failed, deadline = [], time.monotonic() + SECONDS_MAX
    while running and time.monotonic() < deadline:
        for name, process in list(running.items()):
            status = process.poll()
            if status is None:
                continue
            del running[name]
            if status == -9 and name == "writer":
                print("  person   starts writer again, in the same conversation", flush=True)
                running[name] = start(name)
            elif status:
                failed.append(f"{name} (exit {status})")
        time.sleep(0.1)
    return failed + [f"{name} (not done after {SECONDS_MAX} s)" for name in running]


def _ada_reads(repository: Path) -> None:
    """Stand in for the project's person, who looks into her inbox twice: the second look proves the first."""
    project = connect(repository)
    try:
        ada = project.as_session(person_joined(project).id)
        for item in ada.messages.inbox().items:
            print(f"  ada      reads {item.message.ref} from {item.message.sender_name}")
        ada.messages.inbox()
    finally:
        project.close()


def _until_joined(name: str, project: Project) -> None:
    deadline = time.monotonic() + JOIN_SECONDS_MAX
    while time.monotonic() < deadline:
        live = [session.agent for session in project.system().sessions.list()]
        agent = next((one for one in project.system().agents.list() if one.name == name), None)
        if agent is not None and agent.id in live:
            return
        time.sleep(0.1)
    raise SystemExit(f"{name} did not join within {JOIN_SECONDS_MAX} s")


def _run(words: list[str], folder: Path, environment: dict[str, str], *, quiet: bool = False) -> None:
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=quiet, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} failed: {done.stdout or ''}{done.stderr or ''}")


if __name__ == "__main__":
    sys.exit(main())
