"""Readers of the daemon's feed: none misses or repeats anything, however far it falls behind, and none fills memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.connect import Project, connect
from roost.daemon import door, feed
from roost.daemon.core import Core
from roost.daemon.door import DaemonDoor
from roost.errors import SlowReader
from roost.hub import Hub
from roost.interfaces.door import Entrant, Filter
from roost.messages.model import Draft
from roost.verbs import Sync

SETTINGS = "[limits]\nrate_agent = 10000\nrate_human = 10000\ninbox_bytes_max = 1000000000\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    made = tmp_path / ".roost"
    made.mkdir(mode=0o700)
    (made / "roost.toml").write_text(SETTINGS)
    return made


@pytest.fixture
def project(place: Path) -> Iterator[Project]:
    opened = connect(place)
    yield opened
    opened.close()


class Desk:
    """A daemon's core without its doors, and one reader of messages."""

    def __init__(self, place: Path, person: Hub[Sync]) -> None:
        self.core = Core(connect(place), connect(place), asyncio.get_running_loop())
        me = person.sessions.me()
        self._entrant = Entrant(session=me.session, agent=me.agent, name=me.name, kind=me.kind)
        self._door = DaemonDoor(self.core, dict)
        self.reader = self.follow("")

    def follow(self, cursor: str) -> door.DoorSubscription:
        return self._door.subscribe(self._entrant, Filter(kinds=("message.sent",)), cursor)

    def is_behind(self) -> bool:
        return self.reader.is_behind

    async def all(self, reader: door.DoorSubscription) -> list[str]:
        """Return what a reader gets until nothing comes."""
        found: list[str] = []
        while told := await reader.next(0.01):
            found += [one.message.body for one in told if one.message is not None]
        return found


def said(person: Hub[Sync], first: int, count: int, size: int = 0) -> list[str]:
    """Send many messages in one transaction; return their texts."""
    texts = [f"{number} " + "x" * size for number in range(first, first + count)]
    person.messages.send_batch([Draft(to=("bob",), text=text, hold=True) for text in texts])
    return texts


def person_of(project: Project) -> Hub[Sync]:
    project.system().agents.add("bob")
    return project.as_session(project.system().turns.person("ada").id)


@pytest.mark.parametrize("size", [0, 30_000])
def test_a_reader_that_is_passed_by_more_than_its_queue_holds_misses_nothing(
    project: Project, place: Path, size: int
) -> None:
    person = person_of(project)

    async def play() -> None:
        desk = Desk(place, person)
        sent = said(person, 0, 3)
        assert await desk.all(desk.reader) == sent
        count = 700 if not size else 300
        sent = said(person, 10, count, size) + said(person, 1_000, count, size)
        desk.core.look()
        assert desk.is_behind(), "it has too much in its queue to be told more"
        assert await desk.all(desk.reader) == sent
        assert not desk.is_behind()
        last = said(person, 9_000, 2)
        desk.core.look()
        assert await desk.all(desk.reader) == last
        desk.reader.close()
        await desk.core.close()

    asyncio.run(play())


def test_a_reader_that_stays_behind_is_cut_off_and_goes_on_at_its_cursor(
    project: Project, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = person_of(project)
    monkeypatch.setattr(feed, "QUEUE_MAX", 50)

    async def play() -> None:
        desk = Desk(place, person)
        assert await desk.all(desk.reader) == []
        sent = said(person, 0, 1_000)
        desk.core.look()
        seen = [one.message.body for one in await desk.reader.next(0.01) if one.message is not None]
        monkeypatch.setattr(door, "BEHIND_SECONDS_MAX", 0.0)
        with pytest.raises(SlowReader) as cut:
            await desk.reader.next(0.01)
        assert cut.value.details["cursor"] == desk.reader.cursor
        again = desk.follow(desk.reader.cursor)
        assert seen + await desk.all(again) == sent
        desk.reader.close()
        again.close()
        await desk.core.close()

    asyncio.run(play())
