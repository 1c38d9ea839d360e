"""Backups: one moment of a store in use, and back again under a new epoch."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost import workdir
from roost.connect import Project, connect
from roost.errors import AlreadyExists, EpochChanged, InvalidInput, StoreCorrupt, StoreReplaced, WrongState


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    workdir.create(tmp_path / workdir.NAME)
    opened = connect(tmp_path)
    yield opened
    opened.close()


def send(project: Project, count: int) -> None:
    hub = project.joined("planner")
    for number in range(count):
        hub.messages.send(to="builder", text=f"note {number}", hold=True)


def test_a_backup_is_one_moment_of_a_store_in_use(project: Project, tmp_path: Path) -> None:
    send(project, 3)
    stop = threading.Event()

    def write_on() -> None:
        hub = project.joined("busy")
        while not stop.is_set():
            hub.sessions.beat("busy")

    writer = threading.Thread(target=write_on)
    writer.start()
    seen: list[tuple[int, int]] = []
    copy = project.backup(tmp_path / "copy.db", lambda done, of: seen.append((done, of)))
    stop.set()
    writer.join()
    assert copy.messages == 3
    assert seen[-1][0] == seen[-1][1]
    assert oct((tmp_path / "copy.db").stat().st_mode & 0o777) == "0o600"
    assert not (tmp_path / "copy.db-wal").exists()
    with pytest.raises(AlreadyExists):
        project.backup(tmp_path / "copy.db")


def test_a_restored_store_has_the_old_state_and_a_new_epoch(project: Project, tmp_path: Path) -> None:
    send(project, 2)
    cursor = project.system().history.since(limit=2).cursor
    lease = project.joined("planner").leases.acquire("a.py")
    copy = project.backup(tmp_path / "copy.db")
    send(project, 5)
    other = connect(tmp_path)
    with pytest.raises(WrongState, match="would lose"):
        project.restore(copy.path)
    done = project.restore(copy.path, force=True)
    assert done.epoch == copy.epoch + 1
    assert done.kept is not None
    assert done.kept.exists()
    with pytest.raises(StoreReplaced):
        other.system().messages.last_number()
    again = connect(tmp_path)
    assert again.system().messages.last_number() == 2
    assert not again.system().history.verify().problems
    with pytest.raises(EpochChanged):
        again.system().history.since(cursor)
    renewed = again.joined("planner").leases.acquire("a.py")
    assert renewed.token > lease.token
    again.close()


def test_what_is_no_sound_backup_replaces_nothing(project: Project, tmp_path: Path) -> None:
    send(project, 1)
    (tmp_path / "text.db").write_text("hello")
    with pytest.raises(StoreCorrupt):
        project.restore(tmp_path / "text.db", force=True)
    with pytest.raises(InvalidInput, match="no backup"):
        project.restore(tmp_path / "missing.db", force=True)
    assert project.system().messages.last_number() == 1
