"""News about leases, each told once in a context: it is your turn; somebody waits for what you hold."""

from __future__ import annotations

from roost.leases.rules import name_of
from roost.leases.service import Leases
from roost.sessions.model import Session
from roost.text import agent_line
from roost.turns.telling import Telling
from roost.verbs import Service, Sync

LINES_MAX = 8


def lease_news(service: Service[Sync], session: Session, telling: Telling) -> str:
    """Return a line for each thing that the session does not know yet; '' if there is none."""
    leases = Leases[Sync](service._caller)
    lines: list[str] = []
    for ticket in leases.ready():
        if len(lines) < LINES_MAX and telling.once(f"turn of {ticket.number}"):
            keys = ", ".join(agent_line(key, most=120) for key in ticket.keys)
            lines.append(f"It is your turn for {keys}: take it with `roost lease wait {ticket.keys[0]}`.")
    for lease, waiter in leases.waited_for(session.id):
        if len(lines) < LINES_MAX and telling.once(f"waiter {waiter.ticket} for {lease.token}"):
            key = agent_line(name_of(lease), most=120)
            lines.append(f"{waiter.waiter} waits for {key}, which you hold: `roost lease release {key}` when you can.")
    return "\n".join(lines)
