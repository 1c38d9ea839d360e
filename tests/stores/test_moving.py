"""A project leaves one store and arrives whole in another."""

from __future__ import annotations

from pathlib import Path

import pytest

from roost import workdir
from roost.connect import Project, connect
from roost.errors import AlreadyExists, InvalidInput, WrongState


def make(folder: Path) -> Project:
    folder.mkdir()
    workdir.create(folder / workdir.NAME)
    return connect(folder)


@pytest.fixture
def old(tmp_path: Path) -> Project:
    project = make(tmp_path / "old")
    planner, builder = project.joined("planner"), project.joined("builder")
    planner.channels.create("build")
    planner.messages.send(to="builder", text="done", requires_ack=True)
    planner.messages.send(to="builder", text="waits", tags=["x"], metadata={"n": 1})
    builder.messages.inbox(limit=1)
    builder.deliveries.acknowledge("m1")
    planner.leases.acquire("a.py")
    return project


def test_everything_arrives_and_the_log_still_verifies(old: Project, tmp_path: Path) -> None:
    token = old.joined("planner").leases.acquire("b.py").token
    said = old.export(tmp_path / "export.jsonl")
    assert (said.messages, oct((tmp_path / "export.jsonl").stat().st_mode & 0o777)) == (2, "0o600")
    new = make(tmp_path / "new")
    new.import_(tmp_path / "export.jsonl")
    again = connect(tmp_path / "new")
    hub = again.system()
    assert not hub.history.verify().problems
    assert [message.body for message in hub.messages.log()] == ["done", "waits"]
    assert [one.state for ref in ("m1", "m2") for one in hub.deliveries.of(ref)] == ["acknowledged", "pending"]
    assert [item.message.body for item in again.joined("builder").messages.inbox().items] == ["waits"]
    assert again.joined("planner").leases.acquire("b.py").token > token
    assert hub.messages.search("waits")


def test_nothing_is_replaced(old: Project, tmp_path: Path) -> None:
    old.export(tmp_path / "export.jsonl")
    with pytest.raises(AlreadyExists):
        old.export(tmp_path / "export.jsonl")
    with pytest.raises(WrongState, match="holds messages"):
        old.import_(tmp_path / "export.jsonl")


@pytest.mark.parametrize("damage", ["cut", "text", "row"])
def test_a_damaged_export_changes_nothing(old: Project, tmp_path: Path, damage: str) -> None:
    old.export(tmp_path / "export.jsonl")
    lines = (tmp_path / "export.jsonl").read_text().splitlines(keepends=True)
    broken = {"cut": lines[:-3], "text": ["hello\n"], "row": [*lines[:4], '["nowhere", [1]]\n', *lines[5:]]}[damage]
    (tmp_path / "broken.jsonl").write_text("".join(broken))
    new = make(tmp_path / "new")
    new.joined("keeper")
    with pytest.raises(InvalidInput):
        new.import_(tmp_path / "broken.jsonl")
    assert [agent.name for agent in new.system().agents.list()] == ["keeper"]
