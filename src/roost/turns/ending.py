"""The end of a session: what it was offered without proof goes back, what it held is free. Inside a transaction."""

from __future__ import annotations

from roost.deliveries.service import Deliveries
from roost.leases.service import Leases
from roost.sessions.model import Session
from roost.verbs import Service, Sync


def end_session(service: Service[Sync], session: Session, reason: str) -> bool:
    """End a session and free what it held; return False if it was over already."""
    from roost.operations.service import Operations  # most turns end no session

    tx = service.tx
    if not tx.run("sessions.end", id=session.id, now=tx.now, reason=reason):
        return False
    Deliveries[Sync](service._caller).lose_context(session, f"its session ended: {reason}")
    Leases[Sync](service._caller).release_session(session.id)
    Operations[Sync](service._caller).session_ended(session.id)
    tx.run("turns.forget_told", session=session.id)
    tx.run("turns.forget_commit_before", session=session.id)
    data = {"agent": session.agent, "epoch": session.epoch, "reason": reason}
    tx.record("session.ended", session.id, data)
    return True
