"""What `roost doctor` looks at: store, machine, doors, agents and hooks. Nothing is changed, and nothing is raised."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from roost import reach, workdir
from roost.checkup import agents, doors, hooks, machine, store
from roost.checkup.model import Check
from roost.connect import Project, connect
from roost.errors import NoProject, RoostError

T = TypeVar("T")

OF_PROJECT: tuple[Callable[[Project], Iterable[Check]], ...] = (
    store.sqlite,
    store.durability,
    store.integrity,
    store.versions,
    store.wal,
    machine.clock,
    doors.tokens,
    agents.dead,
    agents.stuck,
    agents.duties,
    hooks.fired,
)
"""Looks into an open store; each yields its lines."""

OF_PLACE: tuple[Callable[[workdir.Workdir], Iterable[Check]], ...] = (
    store.identity,
    store.copy,
    store.backups,
    machine.file_system,
    machine.disk,
    machine.tmux,
    doors.keys,
    doors.daemon,
    doors.stops,
    hooks.complaints,
)
"""Looks that need the `.roost` folder alone: they work where the store cannot be opened."""

CLOSED = "let its owner write to .roost: `chmod -R u+rwX .roost`, or mount its disk for writing"


def checkup(folder: str | None = None) -> tuple[Check, ...]:
    """Look at everything; an error on the way is a finding."""
    try:
        place = workdir.Workdir(reach.place_of(folder))
    except NoProject as error:
        missing = Check(name="project", grade="fail", said=error.message, to_do=error.hint)
        return (missing, *hooks.installed(folder))
    found = [*_of_project(folder), *_all(OF_PLACE, place), *hooks.installed(folder)]
    return (*found, doors.trust())


def _of_project(folder: str | None) -> Iterator[Check]:
    try:
        project = connect(folder)
    except (RoostError, OSError) as error:
        yield _failed("store", error, to_do=store.RESTORE if isinstance(error, RoostError) else CLOSED)
        return
    try:
        yield from _all(OF_PROJECT, project)
    finally:
        project.close()


def _all(looks: Iterable[Callable[[T], Iterable[Check]]], thing: T) -> Iterator[Check]:
    for look in looks:
        try:
            yield from look(thing)
        except (RoostError, OSError) as error:
            yield _failed(look.__name__, error)


def _failed(name: str, error: RoostError | OSError, *, to_do: str = "") -> Check:
    """Return the finding that an error is; its own hint comes before `to_do`."""
    if isinstance(error, RoostError):
        return Check(name=name, grade="fail", said=error.message, to_do=error.hint or to_do)
    said = f"the system refused {error.filename}: {error.strerror}" if error.filename else str(error)
    return Check(name=name, grade="fail", said=said, to_do=to_do)
