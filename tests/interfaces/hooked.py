"""A coding client whose hooks are real processes, fed with what a real client wrote."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import roost
from roost.connect import Project, connect
from tests.clients_fixtures.recordings import hook_calls

PROGRAM = Path(roost.__file__).parent / "interfaces" / "hook" / "program.py"
PATIENT = Path(__file__).parent / "patient.py"
PATIENCE_SECONDS = 25.0
EVENTS = {call["event"]: call for call in [*hook_calls("turn"), *hook_calls("compaction"), *hook_calls("api_error")]}
Json = dict[str, Any]


class Answer:
    """What one hook process said, and what it took."""

    def __init__(self, process: subprocess.CompletedProcess[bytes], seconds: float) -> None:
        self.exit = process.returncode
        self.stdout = process.stdout.decode()
        self.stderr = process.stderr.decode()
        self.seconds = seconds

    @property
    def said(self) -> Json:
        found: Json = json.loads(self.stdout)["hookSpecificOutput"] if self.stdout else {}
        return found

    @property
    def context(self) -> str:
        return str(self.said.get("additionalContext", ""))

    @property
    def denied(self) -> str:
        return str(self.said.get("permissionDecisionReason", ""))


class Hooked:
    """One client in a project; its own process is a `sleep`, its transcript a file that the test writes."""

    def __init__(self, folder: Path, *, session: str = "0198c0de-0001", wants: str = "builder") -> None:
        self.place = folder / ".roost"
        self.repo = folder
        self.session = session
        self.wants = wants
        self.patience: tuple[float, float] | None = (PATIENCE_SECONDS, PATIENCE_SECONDS)
        """How long a hook may take, and wait at the gate; None for what it gives itself."""
        self.transcript = folder / f"{session}.jsonl"
        self._process = subprocess.Popen(["sleep", "600"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    @property
    def bell(self) -> Path:
        return self.place / "bells" / f"claude-{self.session}"

    @property
    def look(self) -> Path:
        return self.place / "looks" / f"claude-{self.session}"

    @property
    def beat(self) -> str:
        return (self.place / "beats" / f"claude-{self.session}").read_text()

    def environment(self, **env: str) -> dict[str, str]:
        given = {
            "CLAUDE_PID": str(self._process.pid),
            "CLAUDE_CODE_SESSION_ID": self.session,
            "CLAUDE_CODE_SESSION_ATTENDED": "1",
            "ROOST_AGENT": self.wants,
            "ROOST_DAEMON": os.environ.get("ROOST_DAEMON", "auto"),  # a hook that starts one leaves it behind
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CLAUDE", "ROOST"))}
        return kept | given | env

    def stdin(self, event: str, **fields: Any) -> bytes:
        told = EVENTS[event]["stdin"] | {
            "session_id": self.session,
            "cwd": str(self.repo),
            "transcript_path": str(self.transcript),
        }
        return json.dumps(told | fields).encode()

    def command(self, *more: str) -> list[str]:
        patient = [str(PATIENT), *map(str, self.patience)] if self.patience else []
        return [sys.executable, "-I", "-S", *patient, str(PROGRAM), str(self.place), "claude", *more]

    def hook(self, event: str, *, raw: bytes | None = None, env: dict[str, str] | None = None, **fields: Any) -> Answer:
        """Run one hook to its end."""
        began = time.monotonic()
        done = subprocess.run(
            self.command(),
            input=self.stdin(event, **fields) if raw is None else raw,
            env=self.environment(**(env or {})),
            cwd=self.repo,
            capture_output=True,
            timeout=30,
            check=False,
        )
        return Answer(done, time.monotonic() - began)

    def start(self, source: str = "startup") -> Answer:
        return self.hook("SessionStart", source=source)

    def join(self) -> Answer:
        """Begin, and read the briefing."""
        start = self.start()
        self.shows(start.context, answered=True, event="SessionStart", later_seconds=0)
        self.hook("Stop")
        return start

    def begin(self, event: str, *more: str, **fields: Any) -> subprocess.Popen[bytes]:
        """Start a hook and leave it running."""
        process = subprocess.Popen(
            self.command(*more),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment(),
            cwd=self.repo,
        )
        assert process.stdin is not None
        process.stdin.write(self.stdin(event, **fields))
        process.stdin.close()
        return process

    def shows(self, text: str, *, answered: bool, event: str = "PostToolBatch", later_seconds: float = 5) -> None:
        """Let the transcript show text that a hook gave, and an answer after it.

        As it is by default, it comes long enough after the offer to say what it does not hold.
        """
        given = {"type": "hook_additional_context", "content": [text], "hookEvent": event}
        lines: list[Json] = [{"type": "attachment", "attachment": given}]
        if answered:
            later = datetime.now(UTC) + timedelta(seconds=later_seconds)
            answer = {"id": f"msg_{time.monotonic_ns()}", "content": []}
            lines.append({"type": "assistant", "message": answer, "timestamp": later.isoformat()})
        with self.transcript.open("a") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)

    def log(self, name: str) -> list[Json]:
        path = self.place / name
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def project(self) -> Project:
        return connect(self.place)

    def mail(self, text: str = "look at the parser", **fields: object) -> str:
        """Send a message to this client's agent, as `planner`; return its ref."""
        with contextlib.closing(self.project()) as project:
            return project.joined("planner").messages.send(to="builder", text=text, **fields).ref  # type: ignore[arg-type]

    def states(self, ref: str) -> list[str]:
        """Return the state of each delivery of a message."""
        with contextlib.closing(self.project()) as project:
            return [one.state for one in project.system().deliveries.of(ref)]

    def crash(self) -> None:
        self._process.kill()
        self._process.wait()


def new_project(folder: Path) -> Path:
    """Make an empty project with a repository's marks."""
    (folder / ".roost").mkdir(mode=0o700)
    (folder / ".git").mkdir()
    connect(folder / ".roost").close()
    return folder
