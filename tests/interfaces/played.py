"""A client whose hooks are killed while somebody sends to it, and what its model has had before it."""

from __future__ import annotations

import json
import random
import re
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from subprocess import Popen
from typing import Literal

from .hooked import PATIENCE_SECONDS, PROGRAM, Hooked, Json

DYING = Path(__file__).parent / "dying.py"
LETTER = re.compile(
    r'^<roost-message-(?P<code>\w+) [^\n]* offer="\w+">\nbody-(?P<body>\d+)-end\n</roost-message-(?P=code)>\n'
    r"(?P<notes>(?:[^\n]*\n)*?)Answer:",
    re.MULTILINE,
)
"""A message as it is put before a model. A line in the list of those that wait shows its words too, and is none."""
BRIEFING = re.compile(r'^<roost-says offer="\w+">\n(?:(?!</roost-says>)[^\n]*\n)*?You are builder: ', re.MULTILINE)
COMPACTION = "compaction"
EVENTS = ("PostToolBatch", "PostToolBatch", "PostToolBatch", "UserPromptSubmit", "PreToolUse", "Stop", COMPACTION)

Doom = tuple[str, int]
"""The function and the number of steps after its first call at which a hook ends; see `dying`."""


class Mortal(Hooked):
    """A client that may end its next hook at a step, or after a time."""

    doom: Doom | None = None

    def command(self, *more: str) -> list[str]:
        if self.doom is None:
            return super().command(*more)
        landmark, steps = self.doom
        words = [landmark, str(steps), str(PATIENCE_SECONDS), str(PATIENCE_SECONDS), str(PROGRAM), str(self.place)]
        return [sys.executable, "-I", "-S", str(DYING), *words, "claude"]


class Model:
    """What stands before the model, what it answered, and what it was shown wrongly."""

    def __init__(self) -> None:
        self.given: Counter[str] = Counter()
        self.shown: set[str] = set()
        self.answered: set[str] = set()
        self.again: list[str] = []
        """Shown once more after they were answered."""
        self.unflagged: list[str] = []
        """Shown once more without being marked as offered before."""
        self.briefing: Literal["", "shown", "answered"] = ""
        """How far the briefing of this context came."""
        self.briefed_again = 0
        """Briefings that followed one which was answered."""

    def sees(self, text: str, *, answers: bool) -> None:
        """Take in what a hook gave; an answer is to all that was shown until then."""
        for letter in LETTER.finditer(text):
            body = letter["body"]
            if body in self.answered:
                self.again.append(body)
            if self.given[body] and "Offered again" not in letter["notes"]:
                self.unflagged.append(body)
            self.given[body] += 1
            self.shown.add(body)
        if BRIEFING.search(text):
            self.briefed_again += self.briefing == "answered"
            self.briefing = "shown"
        if answers:
            self.answered |= self.shown
            self.briefing = self.briefing and "answered"

    def forgets(self) -> None:
        """Lose the context: what was shown and not answered, and the briefing."""
        self.shown.clear()
        self.briefing = ""


class Played:
    """One client under fire."""

    def __init__(self, client: Mortal, seed: int) -> None:
        self.client = client
        self.random = random.Random(seed)
        self.model = Model()
        self.killed: Counter[str] = Counter()
        """By what had come of the hook when it died: nothing, or a whole answer."""

    def hook(self, event: str, doom: Doom | float | None) -> None:
        """Run one hook, killed at a step or after some seconds; what a killed one said reaches its model or not: its
        reader may be gone too."""
        fields = {}
        if event == COMPACTION:
            self._compact()
            event, fields = "SessionStart", {"source": "compact"}
        process = self._begun(event, doom, fields)
        if isinstance(doom, float):
            time.sleep(doom)
            process.send_signal(signal.SIGKILL)
        with process:
            assert process.stdout is not None
            said = process.stdout.read().decode()
        if event == "UserPromptSubmit":
            self._write({"type": "user", "message": {"role": "user", "content": "go on"}})
        was_killed = process.returncode == -signal.SIGKILL
        assert was_killed or process.returncode == 0
        is_whole = said.endswith("\n")
        if was_killed:
            self.killed["answered" if is_whole else "silent"] += 1
        if is_whole and (not was_killed or self.random.random() < 0.5):
            self._show(event, said)

    def _begun(self, event: str, doom: Doom | float | None, fields: dict[str, str]) -> Popen[bytes]:
        self.client.doom = doom if isinstance(doom, tuple) else None
        try:
            return self.client.begin(event, **fields)
        finally:
            self.client.doom = None

    def _show(self, event: str, said: str) -> None:
        text = json.loads(said)["hookSpecificOutput"].get("additionalContext", "")
        answers = self.random.random() < 0.7
        self.model.sees(text, answers=answers)
        self.client.shows(text, answered=answers, event=event)

    def _compact(self) -> None:
        """Say what is coming, and forget what was shown, as the client does before it tells its hooks."""
        self.client.hook("PreCompact")
        self.model.forgets()
        self._write({"type": "system", "subtype": "compact_boundary"})

    def _write(self, entry: Json) -> None:
        with self.client.transcript.open("a") as file:
            file.write(json.dumps(entry) + "\n")
