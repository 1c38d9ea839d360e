"""Edits and leases: an edit of what another holds is refused, an edit of a free file takes an implicit lease."""

from __future__ import annotations

import os
from collections.abc import Sequence

from roost.errors import InvalidKey, LeaseHeld
from roost.leases.model import Lease
from roost.leases.rules import name_of
from roost.leases.service import Leases
from roost.leases.words import time_of_day
from roost.text import agent_line
from roost.turns.model import ClientEvent
from roost.turns.shell import rewrites
from roost.verbs import Service, Sync

SHOWN_MAX = 5


def refusal(service: Service[Sync], event: ClientEvent, worktree: str) -> str:
    """Return why a tool must not run now, with who, why, until when and what to do; '' if it may."""
    if not service.tx.config.features.edit_enforcement or not worktree:
        return ""
    files = inside(event.paths, worktree)
    if files:
        return _edit(service, files, worktree)
    if event.command:
        return _rewrite(service, event, worktree)
    return ""


def committed(service: Service[Sync], event: ClientEvent, worktree: str) -> None:
    """End the caller's implicit leases once their edits are committed."""
    if worktree and "commit" in event.command and "git" in event.command:
        Leases[Sync](service._caller).release_edits(worktree=worktree)


def inside(paths: Sequence[str], worktree: str) -> list[str]:
    """Return the paths that lie in a worktree, relative to it; what lies outside is nobody's business here."""
    top = os.path.realpath(worktree)
    found = [os.path.relpath(os.path.realpath(path), top) for path in paths]
    return [path for path in found if not path.startswith("../") and path not in (".", "..")]


def _edit(service: Service[Sync], files: list[str], worktree: str) -> str:
    leases = Leases[Sync](service._caller)
    try:
        if service.tx.config.features.implicit_leases:
            leases.edit(files, worktree=worktree)
            return ""
        held = leases.check(files, worktree=worktree)
    except LeaseHeld as refused:
        held = leases.check(files, worktree=worktree)
        if not held:  # free, but promised to whoever waits for it
            service.tx.record("edit.refused", service.tx.me.session, {"files": files, "by": []})
            return f"This edit of {_files(files)} is refused: {refused}"
    except InvalidKey:
        return ""  # a name that no lease can have, so nobody can hold it
    if not held:
        return ""
    service.tx.record("edit.refused", service.tx.me.session, {"files": files, "by": [lease.token for lease in held]})
    return _told(service, held, f"This edit of {_files(files)} is refused", "edit something else meanwhile")


def _rewrite(service: Service[Sync], event: ClientEvent, worktree: str) -> str:
    actions = [one.action for one in rewrites(event.command, event.cwd or worktree)]
    if not actions:
        return ""
    held = Leases[Sync](service._caller).in_worktree(worktree)
    if not held:
        return ""
    tokens = [lease.token for lease in held]
    service.tx.record("edit.refused", service.tx.me.session, {"command": actions, "by": tokens})
    what = f"git {actions[0]} would rewrite files in this worktree while others hold some, so it is refused"
    return _told(service, held, what, "commit only your own paths, or use a worktree of your own (git worktree add)")


def _told(service: Service[Sync], held: Sequence[Lease], what: str, instead: str) -> str:
    lines = [f"{what}:"]
    for lease in held[:SHOWN_MAX]:
        until = time_of_day(lease.expires_at, now=service.tx.now, wall=service.tx.wall)
        why = f" ({agent_line(lease.reason, most=120)})" if lease.reason else ""
        lines.append(f"- {name_of(lease)} is held by {lease.holder}{why} until {until}")
    if len(held) > SHOWN_MAX:
        lines.append(f"- and {len(held) - SHOWN_MAX} more: roost lease list")
    key, holder = name_of(held[0]), held[0].holder
    lines.append(f'Wait with `roost lease wait "{key}"`, ask with `roost send {holder} "..."`, or {instead}.')
    return "\n".join(lines)


def _files(files: Sequence[str]) -> str:
    names = ", ".join(agent_line(name, most=120) for name in files[:SHOWN_MAX])
    return names if len(files) <= SHOWN_MAX else f"{names} and {len(files) - SHOWN_MAX} more"
