"""The recorder hook, seen from the test: which hooks fired with what, and what to answer."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).with_name("recorder.py")

RECORDED_EVENTS = (
    *("SessionStart", "SessionEnd", "UserPromptSubmit", "PreToolUse", "PostToolUse"),
    *("PostToolUseFailure", "PostToolBatch", "Stop", "StopFailure", "SubagentStart"),
    *("SubagentStop", "PreCompact", "PostCompact", "Notification", "PermissionRequest"),
)


@dataclass(frozen=True, kw_only=True)
class Firing:
    """One hook that fired. Times are wall seconds; `growth` is (ms, bytes) of the transcript."""

    at: float
    event: str
    number: int
    stdin: dict[str, Any]
    env: dict[str, str]
    size: int
    growth: list[tuple[float, int]]
    ended_at: float


class Recorder:
    """A folder that the recorder hook writes into and takes its answers from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "wake").mkdir(parents=True)

    def hooks(self, events: Sequence[str] = RECORDED_EVENTS, *, waker_on: Sequence[str] = ()) -> dict[str, Any]:
        """Make the `hooks` settings that record `events`, with a waker started by `waker_on`."""
        made: dict[str, Any] = {}
        for event in events:
            made[event] = [{"hooks": [{**self._command(), "timeout": 60}]}]
        for event in waker_on:
            wake = {**self._command("wake", "text"), "asyncRewake": True, "timeout": 120}
            made.setdefault(event, []).append({"hooks": [wake]})
        return made

    def _command(self, *args: str) -> dict[str, Any]:
        words = [sys.executable, "-I", str(PROGRAM), str(self.folder), *args]
        return {"type": "command", "command": " ".join(words)}

    def answer(self, **replies: Sequence[dict[str, Any]]) -> None:
        """Set the answers by event: the n-th firing gets the n-th one."""
        (self.folder / "replies.json").write_text(json.dumps(replies))

    def wake(self, text: str) -> None:
        """Make the waiting waker speak."""
        partial = self.folder / "wake" / "text.partial"
        partial.write_text(text)
        partial.replace(self.folder / "wake" / "text")

    def firings(self, event: str | None = None) -> list[Firing]:
        """List what fired so far, in the order of their ends."""
        log = self.folder / "hooks.jsonl"
        lines = log.read_bytes().split(b"\n")[:-1] if log.exists() else []
        fired = [Firing(**json.loads(line)) for line in lines]
        return [one for one in fired if event in (None, one.event)]

    def snapshot(self, firing: Firing) -> list[dict[str, Any]]:
        """Return the transcript's entries as they stood when the hook started."""
        path = self.folder / "snapshots" / f"{firing.event}-{firing.number}.jsonl"
        return [json.loads(line) for line in path.read_bytes().splitlines()]


def context(event: str, text: str) -> dict[str, Any]:
    """Make the answer that gives the agent `text` as additional context."""
    told = {"hookSpecificOutput": {"hookEventName": event, "additionalContext": text}}
    return {"stdout": json.dumps(told)}
