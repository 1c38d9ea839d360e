"""Whether there is anything to do at all: one query and a look at each live session, for calls that have no time."""

from __future__ import annotations

from roost.sessions.model import Session
from roost.sessions.rules import GENERATED_RETIRES_AFTER_MS, lives
from roost.stores.base import Tx

SESSIONS_MAX = 50
"""Sessions looked at in one second: each costs a look at /proc."""


def is_anything_due(tx: Tx) -> bool:
    """Say whether a duty is due, and put the next look a second off."""
    tx.duties_due = False
    if tx.value("duties.is_due", now=tx.now, wall=tx.wall, retire_before=tx.now - GENERATED_RETIRES_AFTER_MS):
        return True
    return any(not is_alive(tx, session) for session in some_live(tx))


def some_live(tx: Tx) -> list[Session]:
    """Return live sessions, at most SESSIONS_MAX; where there are more, others each second."""
    live = tx.all(Session, "sessions.live")
    start = tx.now // 1000 * SESSIONS_MAX % len(live) if len(live) > SESSIONS_MAX else 0
    return (live[start:] + live[:start])[:SESSIONS_MAX]


def is_alive(tx: Tx, session: Session) -> bool:
    """Say whether a session lives, by what can be seen of its process."""
    return lives(session, tx.host.alive(session.process) if session.process else None, tx.now)
