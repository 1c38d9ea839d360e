"""`roost doctor`: each of its checks, made to fail, and well again."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import apsw
import msgspec
import pytest

from roost import __version__, workdir
from roost.checkup import checkup, machine, store
from roost.checkup.model import Check
from roost.connect import Project
from roost.daemon import places
from roost.duties.service import Duties
from roost.restoring import rehearse
from roost.stores.sqlite import backuplog, files, readers, schema
from tests.interfaces.conftest import HubOf, RunAs

DAY_MS = 86_400_000
Look = Callable[[str], Check]


@pytest.fixture
def place(project: Project) -> workdir.Workdir:
    assert project.place is not None
    return project.place


@pytest.fixture
def look(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Look:
    """Return the first line of a name that is not well, or the first one."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    def at(name: str) -> Check:
        found = [check for check in checkup(str(tmp_path)) if check.name == name]
        return next((check for check in found if check.grade != "pass"), found[0])

    return at


def damage(place: workdir.Workdir, *, page: int, pages: int = 20) -> None:
    """Overwrite the database from a page on, behind Roost's back."""
    connection = apsw.Connection(str(place.store))
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    connection.close()
    with place.store.open("r+b") as file:
        file.seek(4096 * page)
        file.write(b"\xa5" * 4096 * pages)


def test_a_project_that_is_well_passes(look: Look) -> None:
    for name in (
        "sqlite",
        "durability",
        "integrity",
        "schema",
        "wal",
        "file",
        "disk",
        "clock",
        "keys",
        "mail",
        "stuck",
    ):
        assert look(name).grade == "pass", look(name)
    assert all(check.to_do == "" for check in checkup() if check.grade == "pass")
    assert all(check.to_do for check in checkup() if check.grade in ("warn", "fail"))


def test_an_sqlite_with_the_wal_reset_defect_fails(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apsw.sqlite_lib_version", lambda: "3.45.1")
    assert (look("sqlite").grade, "install apsw" in look("sqlite").to_do) == ("fail", True)


def test_lowered_durability_is_shown(look: Look, place: workdir.Workdir) -> None:
    (place.path / "roost.toml").write_text('synchronous = "NORMAL"\n')
    assert look("durability").grade == "warn"


@pytest.mark.parametrize("page", [0, 30])
def test_a_damaged_database_fails_and_the_rest_is_still_looked_at(
    look: Look, place: workdir.Workdir, page: int
) -> None:
    damage(place, page=page)
    found = checkup(str(place.path.parent))
    assert any(check.grade == "fail" and "roost restore" in check.to_do for check in found)
    assert [check.grade for check in found if check.name == "disk"] == ["pass"]


def test_a_database_that_not_even_the_check_can_read_fails(
    look: Look, project: Project, place: workdir.Workdir
) -> None:
    with project.store.read() as tx:
        page = tx.raw("SELECT rootpage FROM sqlite_schema WHERE name = 'search_index_config'").get
    damage(place, page=page - 1, pages=1)
    assert look("integrity").grade == "fail"
    assert "search_index" in look("integrity").said
    assert "roost restore" in look("integrity").to_do


def test_a_store_of_a_newer_roost_is_told(look: Look, place: workdir.Workdir) -> None:
    connection = apsw.Connection(str(place.store))
    connection.pragma("user_version", schema.version() + 1)
    connection.close()
    assert look("schema").grade == "warn"


def test_a_store_with_two_names_fails(look: Look, place: workdir.Workdir) -> None:
    os.link(place.store, place.path / "other.db")
    assert look("file").grade == "fail"


def test_a_long_log_and_who_holds_it_are_told(
    look: Look, place: workdir.Workdir, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = apsw.Connection(str(place.store))
    reader.execute("BEGIN; SELECT count(*) FROM event")
    monkeypatch.setattr(store, "WAL_BYTES_MOST", 1024)
    assert look("wal").grade == "warn"
    assert f"({os.getpid()})" in look("wal").said
    reader.close()
    assert "nobody reads for long" in look("wal").said


def test_readers_are_told_from_writers_and_other_files() -> None:
    text = (
        "1: POSIX  ADVISORY  READ 11 fe:00:42 124 124\n"
        "2: POSIX  ADVISORY  WRITE 12 fe:00:42 120 120\n"
        "3: POSIX  ADVISORY  READ 13 fe:00:42 128 128\n"
        "4: POSIX  ADVISORY  READ 14 fe:00:43 124 124\n"
        "4: -> POSIX  ADVISORY  READ 15 fe:00:42 124 124\n"
        "5: POSIX  ADVISORY  READ 16 fe:00:42 123 123\n"
        "6: FLOCK  ADVISORY  WRITE 17 fe:00:42 0 EOF\n"
    )
    assert readers.readers_of(42, text) == (11, 16, 17)
    assert readers.readers("/nowhere/store.db") == ()


def test_no_backup_is_noted_first_and_warned_of_after_a_day(look: Look, place: workdir.Workdir) -> None:
    assert look("backup").grade == "note"
    os.utime(place.secret, (time.time() - 90_000,) * 2)
    assert (look("backup").grade, look("backup").to_do) == ("warn", "roost backup")


def test_an_old_or_lost_backup_is_told(look: Look, project: Project, place: workdir.Workdir, tmp_path: Path) -> None:
    project.backup(tmp_path / "copy.db")
    assert look("backup").grade == "pass"
    noted = backuplog.read(place.folder)
    backuplog._write(place.folder, msgspec.structs.replace(noted, at=noted.at - 8 * DAY_MS))
    assert "8 days old" in look("backup").said
    (tmp_path / "copy.db").unlink()
    assert "is gone" in look("backup").said


def test_a_restore_that_was_never_tried_failed_or_is_long_ago_is_told(
    look: Look, project: Project, place: workdir.Workdir, tmp_path: Path
) -> None:
    copy = project.backup(tmp_path / "copy.db")
    assert (look("restore").grade, look("restore").to_do) == ("note", f"roost restore {copy.path} --dry-run")
    assert rehearse(place, copy.path).problem == ""
    assert look("restore").grade == "pass"
    noted = backuplog.read(place.folder)
    backuplog._write(place.folder, msgspec.structs.replace(noted, rehearsed_at=noted.rehearsed_at - 91 * DAY_MS))
    assert look("restore").grade == "warn"
    backuplog.note_rehearsal(place.folder, str(copy.path), problem="event 3 was edited")
    assert look("restore").grade == "fail"


@pytest.mark.parametrize(
    ("kind", "grade"),
    [
        ("nfs4", "fail"),
        ("9p", "fail"),
        ("fuse.anything", "warn"),
        ("tmpfs", "warn"),
        ("overlay", "warn"),
        ("ext4", "pass"),
    ],
)
def test_a_file_system_that_is_none_for_a_store_is_told(
    look: Look, monkeypatch: pytest.MonkeyPatch, kind: str, grade: str
) -> None:
    monkeypatch.setattr(files, "mounts", lambda: f"1 0 0:1 / / rw - {kind} source rw\n")
    assert look("file system").grade == grade


def test_a_full_disk_is_told(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "FREE_BYTES_LEAST", 1 << 62)
    assert look("disk").grade == "warn"


def test_a_clock_that_went_back_or_ahead_is_told(look: Look, project: Project, place: workdir.Workdir) -> None:
    project.joined("planner").sessions.beat("busy")
    connection = apsw.Connection(str(place.store))
    connection.execute("UPDATE store SET wall_last = wall_last + 3600000")
    assert "went back by 3" in look("clock").said
    connection.execute("UPDATE store SET wall_last = wall_last - 3600000, clock_offset = clock_offset - 3600000")
    connection.execute("UPDATE store SET clock_last = clock_last - 3600000")
    connection.close()
    assert "apart" in look("clock").said


def test_an_old_tmux_is_told_and_a_missing_one_noted(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    for said, grade in (("tmux 2.9a", "warn"), ("tmux 3.4", "pass"), ("tmux next-3.5", "pass"), ("", "note")):
        monkeypatch.setattr("roost.runtimes.tmux.version", lambda said=said: said)
        assert look("tmux").grade == grade


def test_the_version_of_tmux_is_asked_of_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from roost.runtimes import tmux

    monkeypatch.setenv("PATH", str(tmp_path))
    assert tmux.version() == ""
    (tmp_path / "tmux").write_text("#!/bin/sh\necho tmux 9.9\n")
    (tmp_path / "tmux").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert tmux.version() == "tmux 9.9"


@pytest.mark.parametrize("name", ["secret", "store.db", "build.token", "archives/messages-000001.jsonl.gz"])
def test_a_file_that_others_can_read_fails(look: Look, place: workdir.Workdir, name: str) -> None:
    path = place.path / name
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.touch()
    path.chmod(0o640)
    found = look("keys")
    assert (found.grade, name in found.said, found.to_do) == ("fail", True, f"chmod go= {path}")


def test_a_key_of_tls_that_others_can_read_fails(look: Look, place: workdir.Workdir, tmp_path: Path) -> None:
    (tmp_path / "key.pem").touch(mode=0o644)
    (place.path / "roost.toml").write_text(f'[daemon]\nprivate_key = "{tmp_path}/key.pem"\n')
    assert look("keys").grade == "fail"


def test_where_the_daemon_listens_is_told(
    look: Look, place: workdir.Workdir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert look("daemon").said.startswith("none runs")
    folder = tmp_path / "sockets"
    folder.mkdir(mode=0o700)
    run = places.Run(
        pid=1, version=__version__, since=0.0, socket=str(folder / "native.sock"), host="127.0.0.1", port=8787
    )
    places.tell(place.folder, run)
    assert (look("daemon").grade, "nobody answers" in look("daemon").said) == ("warn", True)
    monkeypatch.setattr("roost.reach.is_running", lambda place: True)
    assert (look("daemon").grade, "hangs" in look("daemon").said) == ("fail", True)
    monkeypatch.setattr("roost.reach.answers", lambda place: True)
    assert look("daemon").grade == "pass"
    assert "http://127.0.0.1:8787" in look("daemon").said
    places.tell(place.folder, msgspec.structs.replace(run, tls_port=8788))
    assert look("daemon").grade == "warn"
    places.tell(place.folder, msgspec.structs.replace(run, host="0.0.0.0"))  # noqa: S104 (it must be found)
    assert look("daemon").grade == "fail"
    places.tell(place.folder, msgspec.structs.replace(run, host="0.0.0.0", is_tls=True))  # noqa: S104
    assert look("daemon").grade == "warn"
    places.tell(place.folder, run)
    folder.chmod(0o755)
    assert "others can enter" in look("daemon").said


@pytest.mark.parametrize(
    ("lines", "grade"),
    [
        ("serving stopped: serving stopped:", "pass"),
        ("serving serving stopped:", "warn"),
        ("serving stopped: serving", "warn"),
        ("", "pass"),
    ],
)
def test_a_daemon_that_was_killed_is_told_for_a_week(
    look: Look, place: workdir.Workdir, lines: str, grade: str
) -> None:
    for days, expected in ((1, grade), (8, "pass")):
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() - days * 86_400))
        text = "".join(f"{when},123 INFO {word} 1\n" for word in lines.split())
        (place.path / "daemon.log").write_text(f"Traceback of something\n{text}")
        assert look("stops").grade == expected


def test_a_token_that_ends_soon_is_told(look: Look, hub: HubOf, project: Project) -> None:
    person = project.as_session(project.system().turns.person("ada").id)
    person.tokens.create("", scopes=("read",), expires_in=90 * 86_400.0)
    assert look("tokens").said == "1 valid"
    made = person.tokens.create("", scopes=("read",), expires_in=86_400.0)
    assert look("tokens").to_do == f"roost token rotate {made.token.id}"


def test_dead_letters_are_told_by_agent(look: Look, hub: HubOf, project: Project) -> None:
    hub("builder")
    sent = hub("planner").messages.send(to="builder", text="x")
    with project.store.write() as tx:
        builder = tx.value("history.agent_id", name="builder", alias="builder")
        tx.run("deliveries.end", message=sent.id, recipient=builder, state="dead", reason="test", told=True)
    assert look("mail").said == "dead letters: builder 1"


def test_mail_that_stays_in_doubt_is_told(look: Look, hub: HubOf, project: Project) -> None:
    hub("builder")
    hub("planner").messages.send(to="builder", text="x")
    hub("builder").messages.inbox()
    assert look("stuck").grade == "pass"
    with project.store.write() as tx:
        tx.raw("UPDATE delivery SET offered_at = offered_at - 7200000")
    assert look("stuck").said == "offered for over an hour without proof: builder 1"


def test_an_agent_that_fell_silent_is_told(look: Look, hub: HubOf, project: Project) -> None:
    hub("builder").sessions.beat("busy")
    with project.store.write() as tx:
        tx.raw("UPDATE session SET beat_at = beat_at - 7200000, since = since - 7200000")
    assert look("stalled").said == "alive and silent: builder"


def test_what_is_overdue_is_noted(look: Look, hub: HubOf, project: Project) -> None:
    hub("builder").leases.acquire("a.py")
    with project.store.write() as tx:
        tx.raw("UPDATE lease SET expires_at = 1")
    assert (look("duties").grade, "end expired leases" in look("duties").said) == ("note", True)


def test_a_duty_that_fails_is_told_here_and_in_the_status(
    look: Look, hub: HubOf, project: Project, cli: RunAs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(duty: object) -> int:
        raise ZeroDivisionError("planted")

    hub("builder")
    with monkeypatch.context() as planted:
        planted.setattr(Duties, "_expire", broken)
        project.system().duties.tick()
    assert look("duty").grade == "fail"
    said = "failed when last tried (1 in a row): end expired mail: ZeroDivisionError: planted (test_doctor.py:"
    assert look("duty").said.startswith(said)
    assert "a duty fails since" in cli("builder", "status").out


def test_errors_of_hooks_within_a_day_are_told(look: Look, place: workdir.Workdir) -> None:
    now = time.time_ns() // 1_000_000
    old = json.dumps({"at": now - 2 * DAY_MS, "message": "old"})
    place.hooks_log.write_text(f"half a line\n{old}\n")
    found = [check for check in checkup(str(place.path.parent)) if check.name == "hooks"]
    assert "no errors in a day" in [check.said for check in found]
    place.hooks_log.write_text(json.dumps({"at": now, "message": "young"}) + "\n")
    found = [check for check in checkup(str(place.path.parent)) if check.name == "hooks"]
    assert "1 errors of hooks in a day; the last: young" in [check.said for check in found]


def test_hooks_that_are_missing_or_never_fired_are_told(look: Look) -> None:
    assert look("hooks").grade == "warn"


def test_outside_of_a_project_that_is_what_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("ROOST_DIR", raising=False)
    found = checkup(str(tmp_path))
    assert (found[0].name, found[0].grade) == ("project", "fail")


def test_the_exit_status_says_whether_anything_fails(cli: RunAs, place: workdir.Workdir) -> None:
    assert cli("planner", "doctor").status == 0
    (place.path / "secret").chmod(0o644)
    said = cli("planner", "doctor", "--json")
    assert said.status == 1
    assert {one["grade"] for one in json.loads(said.out)} <= {"pass", "note", "warn", "fail"}
