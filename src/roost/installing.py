"""What `roost init` does: the project's place, its person, and the hooks in coding clients; planned, shown, then
made."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from roost import workdir
from roost.calling import person_joined
from roost.clients import changes, others
from roost.clients.changes import Plan
from roost.clients.claude import check, install, running
from roost.clients.claude.install import Scope, Site
from roost.clients.others import Found
from roost.connect import connect
from roost.person import name_of_person

if TYPE_CHECKING:
    from roost.clients.claude.check import Part
    from roost.clients.claude.running import Running


class Prospect(msgspec.Struct, frozen=True, kw_only=True):
    """What an installation would change and what it found; nothing is written before `carry_out`."""

    place: Path
    is_new: bool
    person: str
    scope: Scope
    plan: Plan
    running: tuple[Running, ...]
    others: tuple[Found, ...]


def prospect(
    folder: Path, *, scope: Scope = "user", me: str = "", allow: bool = True, environ: Mapping[str, str] = os.environ
) -> Prospect:
    """Look at what is there and plan what `roost init` does. Raises BadSettings for settings that cannot be read."""
    place = workdir.find(folder, environ) or workdir.choose(folder, environ)
    site = Site.of(environ, place.parent)
    batch = running.has_batches(running.version(environ))
    return Prospect(
        place=place,
        is_new=not place.is_dir(),
        person=me or name_of_person(),
        scope=scope,
        plan=install.plan(site, scope, allow=allow, writable=place, batch=batch),
        running=running.running(site.config),
        others=tuple(found for found in others.clients(site.home, environ) if not found.is_supported),
    )


def carry_out(found: Prospect, *, hooks: bool = True) -> str:
    """Make the project and its person, write what was planned, and return the person's name.

    Raises SettingsChanged if a file was edited since the plan was made, UnsafeFolder, and the errors of the store.
    """
    workdir.create(found.place)
    project = connect(found.place)
    try:
        session = person_joined(project, found.person)
        name = project.system().agents.get(session.agent).name
    finally:
        project.close()
    if hooks:
        changes.apply(found.plan)
    return name


def removal(folder: Path, *, scope: Scope = "user", environ: Mapping[str, str] = os.environ) -> Plan:
    """Plan to take out exactly the hooks that were put in. Raises BadSettings."""
    return install.plan_removal(_site(folder, environ), scope)


def carry_out_removal(plan: Plan) -> None:
    """Write what was planned. Raises SettingsChanged."""
    changes.apply(plan)


def parts(folder: Path, *, scope: Scope = "user", environ: Mapping[str, str] = os.environ) -> tuple[Part, ...]:
    """Return each part of an installation, and what is wrong with it if anything is."""
    return check.check(_site(folder, environ), scope)


def _site(folder: Path, environ: Mapping[str, str]) -> Site:
    place = workdir.find(folder, environ) or workdir.choose(folder, environ)
    return Site.of(environ, place.parent)
