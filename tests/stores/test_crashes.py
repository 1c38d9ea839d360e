"""kill -9 at random moments: what was answered is there, once; what was in doubt was in flight (I1-I4, I22-I25)."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost import workdir
from roost.connect import Project, connect
from tests.interfaces.hooked import PATIENCE_SECONDS, PATIENT, PROGRAM

WRITERS = 4
KILLS = 160
HOOK_KILLS = 40
SETTINGS = "[limits]\nrate_agent = 10000\ninbox_messages_max = 1000000\n"
WRITER = Path(__file__).with_name("crash_writer.py")
DRAIN_SECONDS_MAX = 240
"""Only that a hung test ends; no promise."""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A project with a reader, and limits that do not end the test early."""
    place = workdir.create(tmp_path / workdir.NAME)
    (place.path / "roost.toml").write_text(SETTINGS)
    opened = connect(tmp_path)
    opened.joined("reader")
    yield opened
    opened.close()


class Writer:
    """One writer that is killed and started again, and what it was told."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.answered: dict[int, str] = {}
        self.next = 1

    def run(self, seconds: float, *, is_begun: bool) -> None:
        """Let a process write for a while, after its first answer or from its birth on, kill it, and keep what it
        said."""
        words = [sys.executable, str(WRITER), str(self.folder), self.name, str(self.next)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
            end = threading.Timer(seconds, process.kill)
            if not is_begun:
                end.start()
            assert process.stdout is not None
            for line in process.stdout:
                if end.ident is None:
                    end.start()
                number, _, ref = line.strip().partition(" ")
                if ref:
                    self.answered[int(number)] = ref
        # The one after the last answer may be stored or not: sending it again with its key is always safe.
        self.next = max(self.answered, default=self.next - 1) + 1


@pytest.mark.timeout(400)
def test_nothing_answered_is_missing_or_doubled_after_kills(project: Project) -> None:
    assert project.place is not None
    writers = [Writer(project.place.path.parent, f"writer-{n}") for n in range(WRITERS)]
    dice = random.Random(7)
    for _ in range(KILLS // WRITERS):
        spells = [
            threading.Thread(target=one.run, args=(dice.uniform(0.0, 0.24),), kwargs={"is_begun": dice.random() < 0.75})
            for one in writers
        ]
        for spell in spells:
            spell.start()
        for spell in spells:
            spell.join()
    stored = _stored(project)
    assert sum(len(one.answered) for one in writers) > KILLS
    for writer in writers:
        mine = {body: refs for body, refs in stored.items() if body.startswith(f"{writer.name} ")}
        assert all(len(refs) == 1 for refs in mine.values()), "a key was stored twice"
        for number, ref in writer.answered.items():
            assert mine[f"{writer.name} {number}"] == [ref]
        assert len(mine) - len(writer.answered) <= 1, "more than the one in flight was stored without an answer"
    verdict = project.system().history.verify()
    assert not verdict.problems
    assert verdict.messages == sum(map(len, stored.values()))


def _stored(project: Project) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    after = 0
    while page := project.system().messages.log(after=after, limit=500):
        for message in page:
            found.setdefault(message.body, []).append(message.ref)
        after = page[-1].number
    return found


@pytest.mark.timeout(400)
def test_killed_hooks_lose_and_double_nothing(project: Project, tmp_path: Path) -> None:
    sender, session = project.joined("sender"), "0c4df329-0000-4000-8000-000000000001"
    agent = _Agent(project, tmp_path, session)
    agent.hook("SessionStart", source="startup")
    dice = random.Random(11)
    for number in range(HOOK_KILLS):
        sender.messages.send(to="agent", text=f"note {number}")
        agent.hook("PostToolBatch", kill_after=dice.uniform(0.0, 0.14), tool_calls=[])
        time.sleep(0.01)
    with_time = time.monotonic() + DRAIN_SECONDS_MAX
    while time.monotonic() < with_time and _open(project):
        agent.hook("PostToolBatch", tool_calls=[])
        time.sleep(0.05)
    assert not _open(project), "mail is still on its way"
    for number in range(HOOK_KILLS):
        whole = [text for text in agent.shown if f"\nnote {number}\n" in text]
        assert whole, f"note {number} was never shown"
        (delivery,) = sender.deliveries.of(f"m{number + 1}")
        assert delivery.state == "delivered"
    assert not project.system().history.verify().problems


def _open(project: Project) -> bool:
    page = project.system().messages.peek("agent", limit=1)
    return bool(page.items)


class _Agent:
    """A client whose transcript says what was printed and nothing of what a killed hook would have printed."""

    def __init__(self, project: Project, folder: Path, session: str) -> None:
        assert project.place is not None
        patient = [str(PATIENT), str(PATIENCE_SECONDS), str(PATIENCE_SECONDS)]
        self._words = [sys.executable, "-I", "-S", *patient, str(PROGRAM), str(project.place.path), "claude"]
        self._told = {"session_id": session, "cwd": str(folder), "transcript_path": str(folder / "transcript.jsonl")}
        self._transcript = folder / "transcript.jsonl"
        self._answer()
        self.shown: list[str] = []

    def hook(self, event: str, *, kill_after: float | None = None, **fields: object) -> None:
        """Run one hook, perhaps kill it, and do what the client does with its output."""
        raw = json.dumps({**self._told, "hook_event_name": event, **fields}, separators=(",", ":")).encode()
        environment = {**os.environ, "CLAUDE_PID": str(os.getpid()), "ROOST_AGENT": "agent"}
        with subprocess.Popen(self._words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
            timer = threading.Timer(kill_after, process.kill) if kill_after is not None else None
            if timer:
                timer.start()
            try:
                out, _ = process.communicate(raw)
            finally:
                if timer:
                    timer.cancel()
        if process.returncode == 0 and out.startswith(b"{"):
            text = json.loads(out)["hookSpecificOutput"].get("additionalContext", "")
            self.shown.append(text)
            given = {"type": "hook_additional_context", "content": [text], "hookName": event, "hookEvent": event}
            self._write({"type": "attachment", "attachment": given})
        self._answer()

    def _answer(self) -> None:
        identity = f"msg_{time.monotonic_ns()}"
        message = {"id": identity, "role": "assistant", "model": "m", "content": []}
        self._write({"type": "assistant", "message": message})

    def _write(self, entry: dict[str, object]) -> None:
        # Answers are dated two seconds ahead, so that what a killed hook did not print counts as absent at once.
        now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + 2))
        with self._transcript.open("a") as file:
            file.write(json.dumps({"timestamp": now, "isSidechain": False, **entry}) + "\n")
