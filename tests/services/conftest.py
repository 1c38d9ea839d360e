"""What the tests of services share: a project in a scratch folder, a clock that a test moves, and hubs by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from roost.clock import ManualClock
from roost.connect import Project, connect
from roost.hub import Hub
from roost.verbs import Sync

from .played import Played

Play = Callable[..., Played]
HubOf = Callable[[str], Hub[Sync]]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def project(tmp_path: Path, clock: ManualClock) -> Iterator[Project]:
    folder = tmp_path / ".roost"
    folder.mkdir(mode=0o700)
    opened = connect(folder, clock=clock)
    yield opened
    opened.store.close()


@pytest.fixture
def hub(project: Project) -> HubOf:
    """Return the hub of an agent of this name, which joins when it is first asked for."""
    joined: dict[str, Hub[Sync]] = {}

    def of(name: str) -> Hub[Sync]:
        if name not in joined:
            joined[name] = project.joined(name)
        return joined[name]

    return of


@pytest.fixture
def person(project: Project) -> Hub[Sync]:
    """Return the hub of the project's person."""
    session = project.system().turns.join("ada", kind="human", client="terminal")
    return project.as_session(session.id)


@pytest.fixture
def play(project: Project) -> Iterator[Play]:
    """Return a played coding client, with a process that ends with the test."""
    players: list[Played] = []

    def begin(**fields: str) -> Played:
        players.append(Played(project, **fields))
        return players[-1]

    yield begin
    for player in players:
        player.crash()
