"""A coding client, played: events are taken as its hooks would, and what its transcript shows is said by the test."""

from __future__ import annotations

import subprocess
import uuid
from typing import Any, Literal

from roost.connect import Project
from roost.deliveries.model import Verdict
from roost.interfaces.hook.looking import look_at
from roost.sessions.model import Session
from roost.turns.model import ClientEvent, Surroundings, Watch
from roost.turns.taking import Taken

Found = Literal["proved", "shown", "absent", "early", "unreadable"]
KINDS = {
    "SessionStart": "start",
    "UserPromptSubmit": "prompt",
    "PreToolUse": "tool_before",
    "PostToolUse": "tool_after",
    "PostToolBatch": "tool_after",
    "Stop": "turn_end",
    "StopFailure": "turn_failed",
    "PreCompact": "compacting",
    "SessionEnd": "session_end",
}
TAKES = {"SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "PostToolBatch", "Stop"}
AFTER_ANSWER = {"PostToolBatch", "UserPromptSubmit", "Stop"}


class Played:
    """One client in a process of its own; `found` is what its transcript shows of each open offer."""

    def __init__(self, project: Project, *, worktree: str = "/repo", wants: str = "", linked: str = "") -> None:
        self.project = project
        self.worktree = worktree
        self.wants = wants
        self.linked = linked
        self.id = str(uuid.uuid4())
        self.found: Found = "unreadable"
        self._process = subprocess.Popen(["sleep", "600"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def event(self, name: str, **fields: Any) -> Taken:
        """Let one hook run."""
        head, read_to = fields.pop("head", ""), fields.pop("read_to", 0)
        given: dict[str, Any] = {
            "client": "claude",
            "name": name,
            "kind": KINDS[name],
            "client_session": self.id,
            "cwd": self.worktree,
            "transcript": f"/transcripts/{self.id}.jsonl",
            "takes_context": name in TAKES and not fields.get("in_subagent"),
            "takes_denial": name == "PreToolUse",
            "after_answer": name in AFTER_ANSWER,
            "keep_going_max": 8 if name == "Stop" else 0,
        }
        watch = fields.pop("watch", None) or self.watch()
        around = Surroundings(
            client_pid=self._process.pid,
            worktree=self.worktree,
            linked_name=self.linked,
            agent_wanted=self.wants,
            transcript_offset=read_to,
            verdicts=tuple(Verdict(nonce=offer.nonce, found=self.found, shape="tool batch") for offer in watch.offers),
            files=look_at(self.worktree, watch.files) if KINDS[name] == "tool_after" else (),
            head=head,
        )
        return self.project.system().turns.take(ClientEvent(**(given | fields)), around)

    def watch(self) -> Watch:
        """Begin the look of a hook; `event(watch=...)` goes on with it."""
        return self.project.system().turns.watch("claude", self.id, worktree=self.worktree)

    def arrive(self, client: str = "claude") -> Session:
        """Let it come by MCP, which no hook announces."""
        around = Surroundings(
            client_pid=self._process.pid,
            worktree=self.worktree,
            linked_name=self.linked,
            agent_wanted=self.wants,
        )
        return self.project.system().turns.arrive(client, around)

    def start(self, source: str = "startup", **fields: Any) -> Taken:
        return self.event("SessionStart", source=source, **fields)

    def prompt(self, **fields: Any) -> Taken:
        return self.event("UserPromptSubmit", prompt_is_user=True, **fields)

    def before(self, *paths: str, **fields: Any) -> Taken:
        return self.event("PreToolUse", paths=tuple(f"{self.worktree}/{path}" for path in paths), **fields)

    def batch(self, *paths: str, **fields: Any) -> Taken:
        return self.event("PostToolBatch", paths=tuple(f"{self.worktree}/{path}" for path in paths), **fields)

    def shell(self, command: str, **fields: Any) -> Taken:
        """Let the hook after a shell command run."""
        return self.event("PostToolBatch", tool="Bash", command=command, may_write=True, **fields)

    def stop(self, **fields: Any) -> Taken:
        return self.event("Stop", **fields)

    def end(self, reason: str = "other") -> Taken:
        return self.event("SessionEnd", source=reason)

    def crash(self) -> None:
        """Let the process be gone without a word."""
        self._process.kill()
        self._process.wait()

    def resumed(self) -> Played:
        """Return the same conversation in a new process."""
        again = Played(self.project, worktree=self.worktree, wants=self.wants, linked=self.linked)
        again.id = self.id
        return again


def context(taken: Taken) -> str:
    """Return what a turn put before the model."""
    return taken.reply.context or ""
