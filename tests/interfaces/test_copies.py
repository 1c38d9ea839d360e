"""A project that was copied with everything in it is one of its own, and nobody of the original acts in it."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from roost import homes, reach
from roost.checkup import store as looks
from roost.connect import connect
from roost.errors import SessionEnded
from roost.runtimes.host import LocalHost
from roost.workdir import Workdir

from .conftest import keyed


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """A project with a session that lives, a lease, and mail that waits."""
    place = tmp_path / "one" / ".roost"
    place.mkdir(parents=True, mode=0o700)
    project = connect(place)
    session = keyed(project, "builder")
    project.as_session(session).leases.acquire("deploy", ttl=600)
    project.as_session(session).messages.send(to="builder", text="tests are red")
    for name in (reach.SOCKET, "run.json", "port"):
        (place / name).write_text("of the original\n")
    project.close()
    return place


def copied(original: Path, name: str = "two") -> Path:
    """Return what `cp -a` makes of a project."""
    shutil.copytree(original.parent, original.parent.with_name(name))
    return original.parent.with_name(name) / ".roost"


def live(place: Path) -> list[str]:
    """Return whose sessions live."""
    project = connect(place)
    try:
        return [session.agent for session in project.system().sessions.list() if session.ended_at is None]
    finally:
        project.close()


def test_in_a_copy_no_session_of_the_original_lives(original: Path) -> None:
    copy = copied(original)
    project = connect(copy)
    (key,) = (original / "sessions").iterdir()
    session = project.system().sessions.get(key.stem)
    assert session.end_reason == f"the project was copied from {original}"
    with pytest.raises(SessionEnded):
        project.as_session(session.id).sessions.me()
    assert list((copy / "sessions").iterdir()) == []
    assert project.system().leases.list() == ()
    project.close()
    assert len(live(original)) == 1
    assert len(list((original / "sessions").iterdir())) == 1


def test_what_says_where_the_daemon_of_the_original_listens_does_not_stay_in_the_copy(original: Path) -> None:
    copy = copied(original)
    connect(copy).close()
    for name in (reach.SOCKET, "run.json", "port"):
        assert not (copy / name).exists()
        assert (original / name).exists()


def test_the_mail_of_a_copy_waits_for_whoever_joins_there(original: Path) -> None:
    project = connect(copied(original))
    session = project.system().turns.join("builder", process=LocalHost().process(os.getpid()))
    (item,) = project.as_session(session.id).messages.inbox().items
    assert item.message.body == "tests are red"
    project.close()
    assert [session.agent] == live(original.parent.with_name("two") / ".roost"), "who joined there stays"


def test_many_who_open_a_copy_at_once_end_its_sessions_once(original: Path) -> None:
    copy = copied(original)

    def join(number: int) -> None:
        project = connect(copy)
        project.system().turns.join(f"agent-{number}", process=LocalHost().process(os.getpid()))
        project.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(join, range(4)))
    assert len(live(copy)) == 4


def test_a_project_that_was_moved_is_no_copy(original: Path) -> None:
    moved = original.parent.rename(original.parent.with_name("moved")) / ".roost"
    assert len(live(moved)) == 1
    moved.parent.rename(original.parent)
    assert len(live(original)) == 1


def test_nor_is_one_that_was_moved_to_another_disk(original: Path) -> None:
    moved = copied(original)
    shutil.rmtree(original.parent)
    assert len(live(moved)) == 1
    assert len(live(copied(moved, "three"))) == 0


def test_nor_is_the_same_project_by_a_mount_that_has_another_device(
    original: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted = original.parent.with_name("mounted")
    mounted.symlink_to(original.parent)

    def mark_of(place: str) -> str:
        facts = os.stat(place)
        return f"{facts.st_dev + place.startswith(str(mounted)):x}-{facts.st_ino:x}"

    monkeypatch.setattr(homes, "mark_of", mark_of)
    for place in (mounted / ".roost", original, mounted / ".roost"):
        assert len(live(place)) == 1
        assert (place / reach.SOCKET).exists()
        assert homes.copied_from(str(place)) == ""
    assert len(live(copied(original))) == 0, "a copy is one still"


def test_a_project_from_before_is_taken_for_what_it_is(original: Path) -> None:
    (original / homes.HOME).unlink()
    assert len(live(original)) == 1
    assert len(live(copied(original))) == 0


@pytest.mark.parametrize("text", ["", "\n", "x", "fe00-1\n", "\0\0", "fe00-1\n/no/such/place\n", "é" * 5_000])
def test_nonsense_in_the_file_ends_nobody(original: Path, text: str) -> None:
    (original / homes.HOME).write_text(text)
    assert len(live(original)) == 1
    assert len(live(copied(original))) == 0


def test_the_doctor_says_that_it_is_a_copy(original: Path) -> None:
    copy = copied(original)
    connect(copy).close()
    (found,) = looks.copy(Workdir(str(copy)))
    assert (found.grade, found.said.partition(",")[0]) == ("note", f"this project is a copy of {original}")
    assert list(looks.copy(Workdir(str(original)))) == []
