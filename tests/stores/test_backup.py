"""Backups: one moment of a store in use, and back again under a new epoch."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from roost import workdir
from roost.connect import Project, connect
from roost.daemon.places import Lock
from roost.errors import AlreadyExists, Conflict, EpochChanged, InvalidInput, StoreCorrupt, StoreReplaced, WrongState
from roost.restoring import rehearse, restore
from roost.stores.sqlite import backuplog


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    workdir.create(tmp_path / workdir.NAME)
    opened = connect(tmp_path)
    yield opened
    opened.close()


def place(project: Project) -> workdir.Workdir:
    assert project.place is not None
    return project.place


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
        restore(place(project), copy.path)
    done = restore(place(project), copy.path, force=True)
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
        restore(place(project), tmp_path / "text.db", force=True)
    with pytest.raises(InvalidInput, match="no backup"):
        restore(place(project), tmp_path / "missing.db", force=True)
    assert project.system().messages.last_number() == 1


@pytest.mark.parametrize("page", [0, 1, 30])
def test_a_store_that_cannot_be_read_is_replaced_and_kept(project: Project, tmp_path: Path, page: int) -> None:
    send(project, 3)
    token = project.joined("planner").leases.acquire("a.py").token
    copy = project.backup(tmp_path / "copy.db")
    project.store.checkpoint()
    project.close()
    store = place(project).store
    for suffix in ("-wal", "-shm"):
        Path(f"{store}{suffix}").unlink()
    with store.open("r+b") as file:
        file.seek(4096 * page)
        file.write(b"\xa5" * 4096 * 20)
    done = restore(place(project), copy.path, force=True)
    assert done.epoch > copy.epoch
    assert done.kept is not None
    assert done.kept.read_bytes()[4096 * page : 4096 * page + 8] == b"\xa5" * 8
    again = connect(tmp_path)
    assert again.system().messages.last_number() == 3
    assert again.system().history.verify().good
    assert again.joined("planner", takeover=True).leases.acquire("b.py").token > token
    again.close()


def test_epochs_grow_over_every_restore_also_of_what_cannot_be_read(project: Project, tmp_path: Path) -> None:
    send(project, 1)
    copy = project.backup(tmp_path / "copy.db")
    project.close()
    epochs = [restore(place(project), copy.path, force=True).epoch]
    place(project).store.write_bytes(b"\xa5" * 40_960)
    epochs.append(restore(place(project), copy.path).epoch)
    epochs.append(restore(place(project), copy.path).epoch)
    assert epochs == sorted(set(epochs))


def test_nothing_is_replaced_under_a_daemon(project: Project, tmp_path: Path) -> None:
    copy = project.backup(tmp_path / "copy.db")
    lock = Lock(place(project).folder)
    assert lock.take()
    with pytest.raises(Conflict, match="daemon"):
        restore(place(project), copy.path, force=True)
    lock.release()


def test_a_rehearsal_changes_nothing_and_finds_a_log_that_is_not_whole(project: Project, tmp_path: Path) -> None:
    send(project, 3)
    good, bad = project.backup(tmp_path / "good.db"), project.backup(tmp_path / "bad.db")
    connection = apsw.Connection(str(bad.path))
    connection.execute("UPDATE event SET data = '{}' WHERE seq = 3")
    connection.close()
    head = project.system().history.head()
    assert rehearse(place(project), good.path).problem == ""
    assert backuplog.read(place(project).folder).problem == ""
    assert "event 3" in rehearse(place(project), bad.path).problem
    assert "event 3" in backuplog.read(place(project).folder).problem
    (tmp_path / "text.db").write_text("hello")
    with pytest.raises(StoreCorrupt):
        rehearse(place(project), tmp_path / "text.db")
    assert project.system().history.head() == head
    assert not list(place(project).path.glob(".rehearsal-*"))
