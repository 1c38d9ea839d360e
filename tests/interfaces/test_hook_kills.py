"""Hooks that are killed at any moment, while somebody sends: nothing is lost, doubled, or shown again after a proof."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from roost.connect import Project
from roost.deliveries.model import Delivery
from roost.reach import start
from tests.leftovers import stop_daemons

from .hooked import new_project
from .played import EVENTS, Doom, Mortal, Played

KILLS = 100
STEPPED_KILLS = 40
DRAIN_SECONDS_MAX = 120.0
"""Only that a hung test ends; no promise."""
LIFE: tuple[tuple[str, int], ...] = (
    ("main", 2_500),  # it reads its event, and imports the library
    ("take_down", 300),  # it opens the store
    ("surroundings", 3_000),  # it looks at the transcript
    ("take", 4_500),  # its transaction
    ("_commit", 50),
    ("_leave_signs", 70),  # its answer is stored and not said yet
    ("_say", 25),
    ("start_soon", 4),  # its answer is said
)
"""The life of a hook: where each part of it begins, and about how many steps that part has."""
FORWARDED: tuple[tuple[str, int], ...] = (
    ("main", 160),
    ("forward", 120),
    ("answered", 20),  # the daemon takes the turn meanwhile, whether or not anybody waits for it
    ("write_all", 6),
)
"""The life of a hook whose turn the daemon takes."""


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Mortal]:
    begun = Mortal(new_project(tmp_path))
    (begun.place / "roost.toml").write_text(
        "[limits]\nrate_agent = 10000\noffers_max = 200\nwakes_per_hour_max = 1000\n"
    )
    yield begun
    begun.crash()


@pytest.fixture
def client(fresh: Mortal) -> Mortal:
    fresh.start()
    fresh.transcript.touch()
    return fresh


class Post:
    """Somebody who sends to the client, and what is known of each message."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.sent: list[str] = []
        self._planner = project.joined("planner")
        self._delivered: set[str] = set()

    def send(self, count: int) -> None:
        """Send messages whose bodies say their numbers."""
        for _ in range(count):
            text = f"body-{len(self.sent)}-end"
            self.sent.append(self._planner.messages.send(to="builder", text=text, priority="high").ref)

    def delivery(self, ref: str) -> Delivery:
        """Return the one delivery of a message."""
        (found,) = self.project.system().deliveries.of(ref)
        return found

    def said_too_much(self, answered: set[str]) -> list[str]:
        """List what was newly called delivered and was never answered."""
        new = {ref for ref in self.sent if ref not in self._delivered and self.delivery(ref).state == "delivered"}
        self._delivered |= new
        return [ref for number, ref in enumerate(self.sent) if ref in new and str(number) not in answered]


def under_fire(played: Played, post: Post, dooms: Callable[[], Doom | float], *, kills: int) -> None:
    """Send and run hooks, most of which are killed, and hold what Roost says against what the model has seen."""
    said_too_much = []
    while played.killed.total() < kills:
        post.send(played.random.choice((0, 1, 1, 2)))
        if played.random.random() < 0.8:
            played.hook(played.random.choice(EVENTS), dooms())
        else:
            played.hook("PostToolBatch", None)
        said_too_much += post.said_too_much(played.model.answered)
    assert said_too_much == []


def drain(played: Played, post: Post) -> None:
    """Run hooks that live, until nothing is left to be shown or proved."""
    left, deadline = list(post.sent), time.monotonic() + DRAIN_SECONDS_MAX
    while (left := [ref for ref in left if post.delivery(ref).state != "delivered"]) or not played.model.briefing:
        assert time.monotonic() < deadline, [post.delivery(ref) for ref in left]
        os.utime(played.client.look, (0, 0))  # a hook that was killed may have taken the bell down
        played.hook("PostToolBatch", None)
        played.client.shows("", answered=True)
        played.model.sees("", answers=True)


def holds(played: Played, post: Post) -> None:
    """Hold the whole run against what was promised."""
    project, model = post.project, played.model
    stored, after = list[str](), 0
    while page := project.system().messages.log(after=after, limit=500):
        stored += [message.body for message in page]
        after = page[-1].number
    assert sorted(stored) == sorted(f"body-{n}-end" for n in range(len(post.sent)))
    assert model.answered == {str(n) for n in range(len(post.sent))}, "every message came before the model"
    assert (model.again, model.unflagged) == ([], [])
    assert (model.briefing, model.briefed_again) == ("answered", 0)
    for ref in post.sent:
        kinds = [receipt.kind for receipt in project.system().deliveries.receipts(ref)]
        assert kinds.count("delivered") == 1
        assert "offered" not in kinds[kinds.index("delivered") :]
    assert project.system().history.verify().problems == ()
    assert any(post.delivery(ref).attempts > 1 for ref in post.sent), "no kill hit between an offer and its showing"


def test_mail_of_a_start_that_died_is_not_taken_for_delivered_before_anything_was_answered(fresh: Mortal) -> None:
    project = fresh.project()
    project.joined("builder").turns.leave()
    post = Post(project)
    post.send(1)
    played = Played(fresh, seed=1)
    played.hook("SessionStart", ("_say", 0))
    assert (played.killed["silent"], post.delivery("m1").state) == (1, "offered")
    played.hook("UserPromptSubmit", None)  # with it a client begins its transcript
    assert (post.delivery("m1").state, played.model.answered) == ("offered", set())
    drain(played, post)
    assert played.model.answered == {"0"}
    project.close()


@pytest.mark.parametrize("daemon", ["auto", "off"])
def test_the_briefing_of_a_start_that_died_before_it_spoke_comes_after_the_next_answer(
    fresh: Mortal, monkeypatch: pytest.MonkeyPatch, daemon: str
) -> None:
    monkeypatch.setenv("ROOST_DAEMON", daemon)
    try:
        fresh.project().joined("builder").turns.leave()
        if daemon == "auto":
            start(str(fresh.place))
        played = Played(fresh, seed=1)
        played.hook("SessionStart", ("write_all", 0) if daemon == "auto" else ("_say", 0))
        assert (played.killed["silent"], played.model.briefing) == (1, "")
        played.hook("UserPromptSubmit", None)  # with it a client begins its transcript
        fresh.shows("", answered=True)
        said = fresh.hook("PostToolBatch").context
        assert "You are builder: " in said
        fresh.shows(said, answered=True)
        assert fresh.hook("PostToolBatch").context == ""
        assert not fresh.bell.exists()
    finally:
        stop_daemons(str(fresh.place))


def test_a_briefing_that_came_is_not_told_again_however_long_the_first_prompt_takes(fresh: Mortal) -> None:
    fresh.project().joined("builder").turns.leave()
    said = fresh.start().context
    os.utime(fresh.look, (0, 0))
    assert fresh.hook("UserPromptSubmit").context == ""
    fresh.shows(said, answered=False, event="SessionStart")
    assert fresh.hook("PostToolBatch").context == ""
    assert fresh.bell.exists(), "it is shown, and nothing was answered since"
    fresh.shows("", answered=True)
    assert fresh.hook("PostToolBatch").context == ""
    assert not fresh.bell.exists()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [504, 506])  # with so much waiting mail now and then that some is only listed
def test_nothing_is_lost_doubled_or_shown_again_wherever_a_hook_dies(client: Mortal, seed: int) -> None:
    played, post = Played(client, seed), Post(client.project())
    under_fire(played, post, steps_of(LIFE, played), kills=STEPPED_KILLS)
    drain(played, post)
    holds(played, post)
    assert played.killed["answered"], "none died after its answer"
    post.project.close()


@pytest.mark.timeout(300)
def test_nothing_is_lost_doubled_or_shown_again_where_the_daemon_takes_the_turns(
    client: Mortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROOST_DAEMON", "auto")
    try:
        played, post = Played(client, seed=1), Post(client.project())
        under_fire(played, post, steps_of(FORWARDED, played), kills=KILLS)
        drain(played, post)
        holds(played, post)
        assert played.killed["answered"], "none died after its answer"
        assert any(turn["by"] == "socket" for turn in client.log("turns.log"))
        post.project.close()
    finally:
        stop_daemons(str(client.place))


def steps_of(life: tuple[tuple[str, int], ...], played: Played) -> Callable[[], Doom]:
    """Return what chooses a part of a life, and a step in it."""

    def choose() -> Doom:
        landmark, steps = played.random.choice(life)
        return landmark, played.random.randrange(steps)

    return choose


@pytest.mark.timeout(300)
def test_nothing_is_lost_doubled_or_shown_again_whenever_a_hook_dies(client: Mortal) -> None:
    played, post = Played(client, seed=20261121), Post(client.project())
    usual = usual_seconds(client)
    under_fire(played, post, lambda: played.random.uniform(0.0, 1.4 * usual), kills=KILLS)
    drain(played, post)
    holds(played, post)
    post.project.close()


def usual_seconds(client: Mortal) -> float:
    """Measure how long a full turn takes on this machine now."""
    spent = []
    for _ in range(5):
        os.utime(client.look, (0, 0))
        began = time.monotonic()
        client.hook("PostToolBatch")
        spent.append(time.monotonic() - began)
    return statistics.median(spent)
