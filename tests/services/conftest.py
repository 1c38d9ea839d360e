"""What the tests of services share: a project in a scratch folder, a clock that a test moves, and hubs by name.

Modules that speak through hubs alone are the hub's conformance suite: they run on the file and by every door of a
daemon; see `conformance`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from roost.clock import ManualClock
from roost.connect import Project, connect
from roost.hub import Hub
from roost.verbs import Sync
from tests.services import conformance
from tests.services.backends import reached
from tests.services.lease_fleet import Fleet
from tests.services.served import Thread

from .played import Played

Play = Callable[..., Played]
HubOf = Callable[[str], Hub[Sync]]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" in metafunc.fixturenames:
        backends = conformance.backends_of(metafunc.module.__name__, metafunc.function.__name__)
        metafunc.parametrize("backend", backends)


@pytest.fixture(scope="session")
def thread() -> Iterator[Callable[[], Thread]]:
    """Return what gives the thread of the daemons, which starts when a test first asks."""
    started: list[Thread] = []
    with tempfile.TemporaryDirectory(prefix="roost-") as folder:  # short: the path of a socket has 107 bytes

        def ask() -> Thread:
            if not started:
                started.append(Thread(Path(folder)))
            return started[0]

        yield ask
        for one in started:
            one.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def settings() -> str:
    """What `roost.toml` says."""
    return ""


@pytest.fixture
def project(
    backend: str, thread: Callable[[], Thread], tmp_path: Path, clock: ManualClock, settings: str
) -> Iterator[Project]:
    folder = tmp_path / ".roost"
    folder.mkdir(mode=0o700)
    if settings:
        (folder / "roost.toml").write_text(settings)
    with reached(backend, thread, lambda: connect(folder, clock=clock)) as opened:
        yield opened


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


@pytest.fixture
def fleet(tmp_path: Path, backend: str, thread: Callable[[], Thread]) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, partial(reached, backend, thread))
    yield fleet
    fleet.close()
