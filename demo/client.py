"""A stand-in for a coding client and its model: it runs the hooks that `roost init` installed, as Claude Code does.

Hooks are read from the settings in HOME and run by `sh` with the event on stdin; what they add goes to a transcript
in the client's own form. Only the model is missing: a script says what the agent does.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

TOOL_SECONDS_MAX = 60
HOOK_SECONDS_MAX = 10
Json = dict[str, Any]


class Refused(Exception):
    """A hook refused a tool; the text is what the agent is told."""


class Client:
    """One session of one agent."""

    def __init__(self, folder: Path, state: Path, *, session: str = "") -> None:
        self.folder = folder
        self.session = session or str(uuid.uuid4())
        self.transcript = state / f"{self.session}.jsonl"
        self._env_file = state / f"{self.session}.env"
        self._env_file.touch()
        self._hooks: Json = json.loads((Path.home() / ".claude/settings.json").read_text())["hooks"]
        self._wakers: list[subprocess.Popen[str]] = []
        self.heard: list[str] = []
        """Every text that hooks and wakers gave to the model, in order."""

    def start(self, source: str = "startup") -> None:
        """Begin or resume the conversation."""
        self._fire("SessionStart", source=source)

    def prompt(self, text: str) -> None:
        """Give the agent something to do."""
        self._write({"type": "user", "message": {"role": "user", "content": text}})
        self._fire("UserPromptSubmit", prompt=text)

    def bash(self, command: str) -> str:
        """Use the shell tool; return its output. Raises Refused."""
        return self._tool("Bash", {"command": command}, lambda: self._run(command))

    def edit(self, path: str, change: Callable[[str], str]) -> None:
        """Use the edit tool on a file of the repository. Raises Refused."""
        file = self.folder / path

        def apply() -> str:
            file.write_text(change(file.read_text() if file.exists() else ""))
            return "edited"

        self._tool("Edit", {"file_path": str(file)}, apply)

    def answer(self, text: str) -> bool:
        """Say something and end the turn; return whether a hook kept it going."""
        active = False
        for _ in range(8):
            self._speak([{"type": "text", "text": text}])
            if not self._fire("Stop", stop_hook_active=active):
                return active
            active = True
        return active

    def wait_for(self, pattern: str, *, seconds: float = 40.0) -> str:
        """Work on until a text came that matches, and return the match's first group or the whole match."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for text in self.heard:
                if found := re.search(pattern, text, re.DOTALL):
                    return found[found.lastindex or 0]
            self.bash("sleep 0.2")
        raise TimeoutError(f"nothing like {pattern!r} was heard within {seconds:g} s")

    def sleep_until_woken(self, *, seconds: float = 40.0) -> str:
        """Stay idle until a waker gives a new turn, and return what it said."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for waker in list(self._wakers):
                if waker.poll() is None:
                    continue
                self._wakers.remove(waker)
                if waker.returncode == 2:
                    return self._woken(waker.communicate()[1])
            time.sleep(0.05)
        raise TimeoutError(f"nobody woke this session within {seconds:g} s")

    def end(self) -> None:
        """Leave."""
        self._fire("SessionEnd", reason="prompt_input_exit")
        for waker in self._wakers:
            waker.kill()
            waker.wait()

    def _tool(self, name: str, given: Json, run: Callable[[], str]) -> str:
        self._speak([{"type": "tool_use", "name": name, "input": given}])
        call = {"tool_name": name, "tool_input": given, "tool_use_id": f"toolu_{uuid.uuid4().hex[:24]}"}
        denied = self._fire("PreToolUse", **call)
        if denied:
            raise Refused(denied)
        output = run()
        self._write(
            {"type": "user", "message": {"role": "user", "content": [{"type": "tool_result", "content": output}]}}
        )
        self._fire("PostToolBatch", tool_calls=[{**call, "tool_response": {"stdout": output}}])
        return output

    def _run(self, command: str) -> str:
        script = f". {self._env_file}; {command}"
        done = subprocess.run(
            ["sh", "-c", script],
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=TOOL_SECONDS_MAX,
            check=False,
        )
        return done.stdout + done.stderr

    def _woken(self, text: str) -> str:
        notice = f"<task-notification>\n{text}\n</task-notification>"
        self._write(
            {"type": "user", "origin": {"kind": "task-notification"}, "message": {"role": "user", "content": notice}}
        )
        self.heard.append(text)
        self._fire("UserPromptSubmit", prompt=notice)
        return text

    def _fire(self, event: str, **fields: Any) -> str:
        """Run the hooks of an event; return a refusal, or 'on' where a turn is to go on."""
        told = {
            "session_id": self.session,
            "transcript_path": str(self.transcript),
            "cwd": str(self.folder),
            "hook_event_name": event,
            **fields,
        }
        answer = ""
        for handler in self._handlers(event, fields.get("tool_name", "")):
            if handler.get("asyncRewake"):
                self._arm(handler["command"], told)
            else:
                answer = self._hear(event, self._hook(handler["command"], told)) or answer
        return answer

    def _handlers(self, event: str, tool: str) -> Iterator[Json]:
        for group in self._hooks.get(event, []):
            if not group.get("matcher") or tool in group["matcher"].split("|"):
                yield from group["hooks"]

    def _hook(self, command: str, told: Json) -> Json:
        done = subprocess.run(
            ["sh", "-c", command],
            input=json.dumps(told, separators=(",", ":")),
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=HOOK_SECONDS_MAX,
            check=False,
        )
        specific = json.loads(done.stdout)["hookSpecificOutput"] if done.stdout.startswith("{") else {}
        return dict(specific)

    def _hear(self, event: str, said: Json) -> str:
        if text := said.get("additionalContext", ""):
            self.heard.append(text)
            given = {"type": "hook_additional_context", "content": [text], "hookName": event, "hookEvent": event}
            self._write({"type": "attachment", "attachment": given})
        if said.get("permissionDecision") == "deny":
            return str(said["permissionDecisionReason"])
        return "on" if text and event == "Stop" else ""

    def _arm(self, command: str, told: Json) -> None:
        waker = subprocess.Popen(
            ["sh", "-c", command],
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert waker.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            waker.stdin.write(json.dumps(told, separators=(",", ":")))
        waker.stdin.close()
        waker.stdin = None
        self._wakers.append(waker)

    def _speak(self, content: list[Json]) -> None:
        message = {"id": f"msg_{uuid.uuid4().hex[:24]}", "role": "assistant", "model": "script", "content": content}
        self._write({"type": "assistant", "message": message})

    def _write(self, entry: Json) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {"sessionId": self.session, "uuid": str(uuid.uuid4()), "timestamp": now, "isSidechain": False, **entry}
        with self.transcript.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "CLAUDECODE": "1",
            "CLAUDE_PID": str(os.getpid()),
            "CLAUDE_CODE_SESSION_ID": self.session,
            "CLAUDE_CODE_ENTRYPOINT": "cli",
            "CLAUDE_CODE_SESSION_ATTENDED": "1",
            "CLAUDE_PROJECT_DIR": str(self.folder),
            "CLAUDE_ENV_FILE": str(self._env_file),
        }
