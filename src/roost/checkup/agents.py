"""Looks at what agents wait for: mail that could not be delivered, mail in doubt, and what nobody did in time."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from roost.checkup.model import Check, judged
from roost.connect import Project

STUCK_MS = 3_600_000
"""An offer without proof may be all right for as long as one tool call lasts; an hour is long even for that."""


class Count(msgspec.Struct, frozen=True):
    """How many deliveries of one agent."""

    name: str
    count: int


def dead(project: Project) -> Iterator[Check]:
    """Is there mail that could not be delivered?"""
    with project.store.read() as tx:
        found = tx.all(Count, "checkup.dead")
    said = f"dead letters: {_counted(found)}" if found else "no dead letters"
    yield judged("mail", said, well=not found, to_do="see `roost dead`; `roost dead redeliver` tries again")


def stuck(project: Project) -> Iterator[Check]:
    """Does mail stay between offered and delivered, or an agent silent?"""
    with project.store.read() as tx:
        found = tx.all(Count, "checkup.stuck", before=tx.now - STUCK_MS)
    said = f"offered for over an hour without proof: {_counted(found)}" if found else "no mail is in doubt"
    yield judged("stuck", said, well=not found, to_do="look at these agents (`roost who`); their next turn settles it")
    silent = [one.agent for one in project.system().sessions.activity() if one.state == "stalled"]
    if silent:
        said = f"alive and silent: {', '.join(silent)}"
        yield Check(name="stalled", grade="warn", said=said, to_do="look at their terminals: they may wait for you")


def duties(project: Project) -> Iterator[Check]:
    """Is something overdue, or does a duty fail?"""
    overdue = project.system().duties.oldest_overdue()
    said = f"{overdue.duty}, overdue for {overdue.seconds:.0f} s" if overdue else "nothing is overdue"
    to_do = "any verb that writes does what is due, and so does the daemon"
    yield judged("duties", said, well=overdue is None, otherwise="note", to_do=to_do)
    for one in project.system().duties.failing():
        said = f"failed when last tried ({one.count} in a row): {one.duty}: {one.error}"
        yield Check(name="duty", grade="fail", said=said, to_do="report it; the rest goes on, and it is tried again")


def _counted(found: list[Count]) -> str:
    return ", ".join(f"{one.name} {one.count}" for one in found)
