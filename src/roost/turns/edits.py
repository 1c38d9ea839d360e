"""Edits and leases: an edit of what another holds is refused, an edit of a free file takes an implicit lease."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from roost.errors import InvalidKey, LeaseHeld, LimitReached
from roost.leases.model import Lease
from roost.leases.rules import name_of
from roost.leases.service import Leases
from roost.leases.words import time_of_day
from roost.text import agent_line
from roost.turns.model import ClientEvent
from roost.turns.watching import Watching
from roost.verbs import Service, Sync

if TYPE_CHECKING:
    from roost.turns.shell import Rewrite

SHOWN_MAX = 5


def refusal(service: Service[Sync], event: ClientEvent, watching: Watching) -> str:
    """Return why a tool must not run now, with who, why, until when and what to do; '' if it may."""
    if not service.tx.config.features.edit_enforcement or not watching.worktree:
        return ""
    files = inside(event.paths, watching.worktree)
    if files:
        return _edit(service, files, watching)
    if event.command:
        return _rewrite(service, event, watching.worktree)
    return ""


def before_commit(service: Service[Sync], event: ClientEvent, head: str) -> bool:
    """Remember the commit that a worktree stands at before a command that may commit; say whether it may."""
    if not head or not may_commit(event):
        return False
    service.tx.run("turns.put_commit_before", session=service.tx.me.session, head=head)
    return True


def after_commit(service: Service[Sync], event: ClientEvent, worktree: str, head: str) -> None:
    """End the caller's implicit leases if its command moved the worktree to a new commit: its edits are in there."""
    if not worktree or not may_commit(event):
        return
    before = service.tx.value("turns.commit_before", session=service.tx.me.session)
    service.tx.run("turns.forget_commit_before", session=service.tx.me.session)
    if head and before and head != before:
        Leases[Sync](service._caller).release_edits(worktree=worktree)


def may_commit(event: ClientEvent) -> bool:
    """Say whether an event's shell command may be a commit."""
    return "commit" in event.command and "git" in event.command


def inside(paths: Sequence[str], worktree: str) -> list[str]:
    """Return the paths that lie in a worktree, relative to it; what lies outside is nobody's business here."""
    top = os.path.realpath(worktree)
    found = [os.path.relpath(os.path.realpath(path), top) for path in paths]
    return [path for path in found if not path.startswith("../") and path not in (".", "..")]


def _edit(service: Service[Sync], files: list[str], watching: Watching) -> str:
    leases, worktree = Leases[Sync](service._caller), watching.worktree
    try:
        if service.tx.config.features.implicit_leases:
            watching.begin_edit(leases.edit(files, worktree=worktree))
            return ""
        held = leases.check(files, worktree=worktree)
    except LeaseHeld as refused:
        held = leases.check(files, worktree=worktree)
        if not held:  # free, but promised to whoever waits for it
            service.tx.record("edit.refused", service.tx.me.session, {"files": files, "by": []})
            return f"This edit of {_files(files)} is refused: {refused}"
    except (InvalidKey, LimitReached):
        return ""  # a name that no lease can have, so nobody can hold it; or more leases than a session may have
    if not held:
        return ""
    service.tx.record("edit.refused", service.tx.me.session, {"files": files, "by": [lease.token for lease in held]})
    return _told(service, held, f"This edit of {_files(files)} is refused", "edit something else meanwhile")


def _rewrite(service: Service[Sync], event: ClientEvent, worktree: str) -> str:
    if "git" not in event.command:
        return ""
    from roost.turns.shell import rewrites  # 2 ms that only a git command pays

    found = [one for one in rewrites(event.command, event.cwd or worktree) if _touches(one, worktree)]
    if not found:
        return ""
    held = _held_against(service, found, worktree)
    if not held:
        return ""
    tokens = [lease.token for lease in held]
    service.tx.record("edit.refused", service.tx.me.session, {"command": [one.action for one in found], "by": tokens})
    what = f"git {found[0].action} would rewrite files in this worktree while others hold some, so it is refused"
    return _told(service, held, what, "commit only your own paths, or use a worktree of your own (git worktree add)")


def _touches(rewrite: Rewrite, worktree: str) -> bool:
    """Say whether a command runs in this worktree; what it does elsewhere is not known here."""
    folder, top = os.path.realpath(rewrite.folder), os.path.realpath(worktree)
    return folder == top or folder.startswith(f"{top}/")


def _held_against(service: Service[Sync], found: Sequence[Rewrite], worktree: str) -> tuple[Lease, ...]:
    """Return the leases of others that forbid the commands: those on what they name, or any in the worktree."""
    leases = Leases[Sync](service._caller)
    held = leases.in_worktree(worktree)
    if not held or not all(one.paths for one in found):
        return held
    try:
        named = inside([path for one in found for path in one.paths], worktree)
        touched = {lease.token for path in named for lease in leases.who(path, kind="path")}
    except InvalidKey:
        return held
    return tuple(lease for lease in held if lease.token in touched)


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
