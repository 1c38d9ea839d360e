"""Hooks that are killed at any moment, while somebody sends: nothing is lost, doubled, or shown again after a proof."""

from __future__ import annotations

import os
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from .hooked import Hooked, new_project

KILLS = 100
EVENTS = ("PostToolBatch", "PostToolBatch", "UserPromptSubmit", "PreToolUse")
BODY = re.compile(r"body-(\d+)-end")


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Hooked]:
    begun = Hooked(new_project(tmp_path))
    yield begun
    begun.crash()


class Run:
    """One client under fire, and what its model has seen."""

    def __init__(self, client: Hooked, seed: int) -> None:
        self.client = client
        self.random = random.Random(seed)
        self.killed = 0
        self.proved: Counter[str] = Counter()
        self.shown_after_proof: list[str] = []

    def hook(self, *, kill: bool) -> None:
        """Run one hook; what one said that was to be killed reaches the model or not: its reader may be gone too."""
        process = self.client.begin(self.random.choice(EVENTS) if kill else "PostToolBatch")
        if kill:
            time.sleep(self.random.uniform(0.0, 0.14))
            process.send_signal(signal.SIGKILL)
        with process:
            assert process.stdout is not None
            text = process.stdout.read().decode()
        self.killed += process.returncode == -signal.SIGKILL
        is_whole = text.endswith("\n")
        if is_whole and (not kill or self.random.random() < 0.5):
            self.show(text)

    def show(self, text: str) -> None:
        seen = set(BODY.findall(text))
        self.shown_after_proof += [body for body in seen if self.proved[body]]
        answered = self.random.random() < 0.7
        # What the transcript holds is the text itself, not the JSON that carried it.
        self.client.shows(text.encode().decode("unicode_escape"), answered=answered)
        self.proved.update(seen if answered else ())


@pytest.mark.timeout(300)
def test_nothing_is_lost_doubled_or_shown_again_after_its_proof(client: Hooked) -> None:
    (client.place / "roost.toml").write_text("[limits]\nrate_agent = 10000\noffers_max = 200\n")
    client.start()
    project = client.project()
    planner = project.joined("planner")
    run, sent = Run(client, seed=20261121), list[str]()
    while run.killed < KILLS:
        for _ in range(run.random.choice((0, 1, 1, 2))):
            sent.append(planner.messages.send(to="builder", text=f"body-{len(sent)}-end", priority="high").ref)
        run.hook(kill=run.random.random() < 0.8)
    os.utime(client.look, (0, 0))  # a hook that was killed may have taken the bell down: the look of every 30 s is due
    for _ in range(len(sent)):
        run.hook(kill=False)
        if not client.bell.exists():
            break
    stored, after = list[str](), 0
    while page := project.system().messages.log(after=after, limit=500):
        stored += [message.body for message in page]
        after = page[-1].number
    assert sorted(stored) == sorted(f"body-{n}-end" for n in range(len(sent)))
    deliveries = [project.system().deliveries.of(ref) for ref in sent]
    assert {len(found) for found in deliveries} == {1}
    assert {found[0].state for found in deliveries} <= {"delivered", "offered"}
    assert sum(found[0].state == "offered" for found in deliveries) <= 20, "what is offered waits for its answer only"
    assert any(found[0].attempts > 1 for found in deliveries), "no kill hit between an offer and its showing"
    for ref in sent:
        kinds = [receipt.kind for receipt in project.system().deliveries.receipts(ref)]
        assert kinds.count("delivered") <= 1
        assert "offered" not in kinds[kinds.index("delivered") :] if "delivered" in kinds else True
    assert run.shown_after_proof == []
    assert project.system().history.verify().problems == ()
    assert client.hook("PostToolBatch").exit == 0
    project.close()
