"""What `roost doctor` looks at: store, disk, clocks, keys, hooks and what is stuck. Nothing is changed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from roost import workdir
from roost.clients.others import SUPPORTED
from roost.connect import Project, connect
from roost.errors import NoProject, RoostError
from roost.installing import parts

FREE_BYTES_LEAST = 64 * 1024 * 1024
WAL_BYTES_MOST = 64 * 1024 * 1024
CLOCK_DRIFT_MS_MOST = 120_000
COMPLAINTS_SECONDS = 24 * 3_600
COMPLAINTS_READ_BYTES_MAX = 256 * 1024

Grade = Literal["ok", "note", "warn", "bad"]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at: how it is, and what to do where that is not well."""

    name: str
    grade: Grade
    said: str
    to_do: str = ""


class Complaint(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the hooks' own log: when, in milliseconds since 1970, and what."""

    at: int = 0
    message: str = ""


def checkup(folder: str | None = None) -> tuple[Check, ...]:
    """Look at everything; an error on the way is a finding, and nothing is raised."""
    try:
        project = connect(folder)
    except NoProject as error:
        return (Check(name="project", grade="bad", said=error.message, to_do=error.hint), *_hooks(folder, None))
    except RoostError as error:
        return (Check(name="store", grade="bad", said=error.message, to_do=error.hint), *_hooks(folder, None))
    try:
        looks: tuple[Callable[[Project], Iterator[Check]], ...] = (_store, _disk, _clocks, _keys, _mail)
        found = [check for look in looks for check in _safely(look, project)]
        return (*found, *_hooks(folder, project), _trust())
    finally:
        project.close()


def _safely(look: Callable[[Project], Iterator[Check]], project: Project) -> list[Check]:
    try:
        return list(look(project))
    except (RoostError, OSError) as error:
        return [Check(name=look.__name__.removeprefix("_"), grade="bad", said=str(error))]


def _store(project: Project) -> Iterator[Check]:
    import apsw

    store = project.store
    yield Check(name="sqlite", grade="ok", said=f"SQLite {apsw.sqlite_lib_version()}, without the WAL-reset defect")
    settings = store.pragmas()
    full = settings.get("synchronous") == 2 and settings.get("journal_mode") == "wal"
    said = f"journal {settings.get('journal_mode')}, synchronous {settings.get('synchronous')}, as read back"
    to_do = "" if full else 'what is answered may not survive the loss of power: set synchronous = "FULL"'
    yield Check(name="durability", grade="ok" if full else "warn", said=said, to_do=to_do)
    problems = store.problems()
    yield Check(
        name="integrity",
        grade="bad" if problems else "ok",
        said=problems[0] if problems else "the quick check finds nothing wrong",
        to_do="put the newest backup back: roost restore" if problems else "",
    )


def _disk(project: Project) -> Iterator[Check]:
    assert project.place is not None
    path = project.place.path
    facts = os.statvfs(path)
    free = facts.f_bavail * facts.f_frsize
    yield Check(
        name="disk",
        grade="ok" if free >= FREE_BYTES_LEAST else "warn",
        said=f"{free // 1024**2:,} MiB free at {path}",
        to_do="" if free >= FREE_BYTES_LEAST else "free some space before sends are refused",
    )
    wal = Path(f"{project.place.store}-wal")
    size = wal.stat().st_size if wal.exists() else 0
    long = size > WAL_BYTES_MOST
    yield Check(
        name="wal",
        grade="warn" if long else "ok",
        said=f"the write-ahead log has {size // 1024:,} KiB",
        to_do="an old reader keeps it from being copied back: end long-running readers" if long else "",
    )


def _clocks(project: Project) -> Iterator[Check]:
    moment = project.system().sessions.clock()
    drift = moment.wall - time.time_ns() // 1_000_000
    back = drift > CLOCK_DRIFT_MS_MOST
    yield Check(
        name="clock",
        grade="warn" if back else "ok",
        said=f"the wall clock went back by {drift // 1000} s" if back else "the wall clock agrees with the store's",
        to_do="set it right; leases do not depend on it, expiry of messages does" if back else "",
    )


def _keys(project: Project) -> Iterator[Check]:
    assert project.place is not None
    place = project.place
    files = [place.secret, place.store, *place.sessions.glob("*.key")]
    open_ones = [file for file in files if file.exists() and file.stat().st_mode & 0o077]
    refused = workdir.refusal(place.path)
    grade: Grade = "bad" if open_ones or refused else "ok"
    said = refused or (
        f"others can read {open_ones[0]}" if open_ones else f"{len(files)} files are their owner's alone"
    )
    to_do = f"chmod -R go= {place.path}" if grade == "bad" else ""
    yield Check(name="keys", grade=grade, said=said, to_do=to_do)


def _mail(project: Project) -> Iterator[Check]:
    dead = len(project.system().deliveries.dead())
    said = f"{dead} dead letters" if dead else "no dead letters"
    yield Check(name="mail", grade="warn" if dead else "ok", said=said, to_do="roost dead" if dead else "")
    overdue = project.system().duties.oldest_overdue()
    if overdue is not None:
        said = f"{overdue.duty}, overdue for {overdue.seconds:.0f} s"
        yield Check(name="duties", grade="note", said=said, to_do="any verb that writes does what is due")


def _hooks(folder: str | None, project: Project | None) -> Iterator[Check]:
    """Tell hooks that are not installed, installed but never fired, and working from each other."""
    found = parts(Path(folder or os.getcwd()))
    broken = [one for one in found if one.state != "ok"]
    for one in broken:
        said = f"{one.name} {one.state}: {one.path}"
        yield Check(name="hooks", grade="warn", said=said, to_do=one.detail or "run roost init")
    if broken or project is None:
        return
    for client in sorted(SUPPORTED):
        yield _fired(project, client)
    yield from _complaints(project)


def _fired(project: Project, client: str) -> Check:
    with project.store.read() as tx:
        last, now = tx.value("sessions.newest_of_client", client=client), tx.now
    if last is None:
        to_do = f"start {client} in this project; a session that runs already may have to be restarted"
        return Check(name="hooks", grade="warn", said=f"{client}: installed, never fired here", to_do=to_do)
    return Check(name="hooks", grade="ok", said=f"{client}: works, last session seen {(now - last) // 60_000} min ago")


def _complaints(project: Project) -> Iterator[Check]:
    """Say what hooks wrote down about their own errors in the last day."""
    assert project.place is not None
    since = (time.time() - COMPLAINTS_SECONDS) * 1000
    recent = [one for one in map(_entry, _tail(project.place.hooks_log)) if one.at >= since]
    if recent:
        said = f"{len(recent)} errors of hooks in a day; the last: {recent[-1].message}"
        yield Check(name="hooks", grade="warn", said=said, to_do=f"see {project.place.hooks_log}")


def _tail(path: Path) -> list[bytes]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - COMPLAINTS_READ_BYTES_MAX))
            return file.read().splitlines()
    except FileNotFoundError:
        return []


def _entry(line: bytes) -> Complaint:
    try:
        return msgspec.json.decode(line, type=Complaint)
    except (msgspec.DecodeError, UnicodeDecodeError):  # the first line of a tail may be a half one
        return Complaint()


def _trust() -> Check:
    said = "processes of one user can read each other's keys: Roost tells agents apart, it does not wall them off"
    return Check(name="trust", grade="note", said=said, to_do="one user or sandbox per agent, where that matters")
