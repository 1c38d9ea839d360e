"""What the tests of the command line share: a project in a scratch folder, and the command line called as somebody."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from roost import keyfiles
from roost.connect import Project, connect
from roost.hub import Hub
from roost.interfaces.cli.app import run
from roost.verbs import Sync

from .hooked import Hooked, new_project

HubOf = Callable[[str], Hub[Sync]]


class Said(msgspec.Struct, frozen=True):
    """What one command line came to."""

    status: int
    out: str
    err: str


RunAs = Callable[..., Said]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    folder = tmp_path / ".roost"
    folder.mkdir(mode=0o700)
    monkeypatch.chdir(tmp_path)
    for variable in ("ROOST_SESSION", "ROOST_DIR", "ROOST_AGENT", "NO_COLOR"):
        monkeypatch.delenv(variable, raising=False)
    opened = connect(folder)
    yield opened
    opened.close()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Hooked]:
    """A client that has not begun yet."""
    begun = Hooked(new_project(tmp_path))
    yield begun
    begun.crash()


@pytest.fixture
def client(fresh: Hooked) -> Hooked:
    """A client that began as `builder` and was briefed."""
    assert "You are builder" in fresh.join().context
    return fresh


@pytest.fixture
def hub(project: Project) -> HubOf:
    """Return the hub of an agent of this name; its key lies where the command line finds it."""
    joined: dict[str, Hub[Sync]] = {}

    def of(name: str) -> Hub[Sync]:
        if name not in joined:
            joined[name] = project.as_session(keyed(project, name))
        return joined[name]

    return of


@pytest.fixture
def cli(project: Project, hub: HubOf, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> RunAs:
    """Run a command line in this process as an agent: `cli("builder", "inbox", "--json")`."""

    def call(name: str, *arguments: str) -> Said:
        if name:
            monkeypatch.setenv("ROOST_SESSION", hub(name).sessions.me().session)
        capsys.readouterr()
        status = run(arguments)
        said = capsys.readouterr()
        return Said(status, said.out, said.err)

    return call


def keyed(project: Project, name: str, *, kind: str = "agent") -> str:
    """Begin a session with a key file and return its id; its process is this one."""
    assert project.place is not None
    key, key_hash = keyfiles.new_key()
    process = project.store._host.process(os.getpid())
    session = project.system().turns.join(
        name,
        kind=kind,  # type: ignore[arg-type]
        client="terminal" if kind == "human" else "shell",
        process=None if kind == "human" else process,
        key_hash=key_hash,
    )
    keyfiles.write(project.place.sessions, session.id, key)
    return session.id
