"""How the command line says how far a message got: one wording, for `send`, `receipts`, `outbox` and `wait`.

It says what is known and no more: "gets it at its next tool call" is where a busy agent's mail goes, not a promise of
when.
"""

from __future__ import annotations

from roost.deliveries.model import Delivery, Outlook, Receipt
from roost.interfaces.cli.times import ago, clock, clock_of_wall
from roost.messages.model import Sent
from roost.sessions.model import Moment

_READS_ITSELF = {"library": "program", "shell": "shell", "terminal": "terminal"}
_RUNGS = {
    "hook": "between two of its tool calls",
    "stop": "at the end of its turn",
    "start": "at its start",
    "prompt": "with a prompt",
    "rewake": "by waking it",
    "inbox": "when it looked into its inbox",
    "mcp": "when it asked over MCP",
    "stream": "when its program took it",
}
_PROOFS = {"explicit": "its own word"}
_HOLDS = {
    "dependency": "held until what it depends on is delivered",
    "operation": "held while an operation has its input",
    "paused": "held because it is paused",
    "not_before": "held until its time comes",
}


def stored(sent: Sent) -> str:
    """Say what is certain when a send is answered: `stored as m7`, for whom where that is more than one."""
    how = f"was stored before as {sent.ref} (same key)" if sent.duplicate else f"stored as {sent.ref}"
    if sent.channel == "all":
        return f"{how} for all: {_count(len(sent.recipients), 'recipient')}"
    if sent.channel:
        return f"{how} in #{sent.channel}: {_count(len(sent.recipients), 'recipient')}"
    return how if len(sent.recipients) == 1 else f"{how} for {len(sent.recipients)}"


def outlook(one: Outlook, moment: Moment) -> str:
    """Say when a recipient gets a message that it has not got: `builder is busy, gets it at its next tool call`."""
    if one.state == "held":
        return f"{one.recipient}: {held(one.hold)}"
    if one.state not in ("pending", "offered"):
        return f"{one.recipient}: {one.state}"
    if one.state == "offered":
        return f"{one.recipient} was offered it; not proved yet"
    return f"{one.recipient} {_of_session(one, moment)}"


def held(hold: str) -> str:
    """Say why a delivery is held."""
    return _HOLDS.get(hold, "held")


def _of_session(one: Outlook, moment: Moment) -> str:
    state, since = one.session_state, clock(one.since, moment) if one.since else ""
    if state == "offline":
        return f"has no live session since {since}; it waits" if since else "has never joined; it waits"
    if one.reads_itself:
        return f"reads its mail itself ({_READS_ITSELF.get(one.client, one.client)}); it waits in its inbox"
    if state == "idle":
        return "is idle, waking it" if one.wakes else f"is idle{_not_woken(one)}; gets it at its next turn"
    if state == "stalled":
        return f"is stalled since {since}; gets it if it goes on"
    if state == "waiting":
        return "is waiting for a person, gets it when it goes on"
    if state == "exhausted":
        return "is out of its client's allowance; it waits"
    if state == "paused":
        return "is paused; it waits"
    if state == "starting":
        return "is starting, gets it with its first turn"
    return "is busy, gets it at its next tool call"


def _not_woken(one: Outlook) -> str:
    return f" and is not woken: {one.wake_refused}" if one.wake_refused else ""


def standing(delivery: Delivery, name: str, receipts: list[Receipt], moment: Moment) -> str:
    """Say how far a message got with one recipient, with the proof where there is one."""
    proof = _last(receipts, "acknowledged") or _last(receipts, "delivered")
    if delivery.state in ("delivered", "acknowledged"):
        at = delivery.acknowledged_at if delivery.state == "acknowledged" else delivery.delivered_at
        when = f" at {clock(at, moment)}" if at else ""
        return f"{name}: {delivery.state}{when}" + (f", proved by {_proof(proof)}" if proof else "")
    if delivery.state == "offered":
        how = _RUNGS.get(delivery.rung, delivery.rung)
        offered = f" {ago(delivery.offered_at, moment)}" if delivery.offered_at else ""
        return f"{name}: offered {how}{offered}; no proof yet{_times(delivery.attempts)}"
    if delivery.state == "held":
        return f"{name}: {held(delivery.hold)}"
    if delivery.state == "pending":
        return f"{name}: stored, waits{_times(delivery.attempts)}{_because(delivery.last_error)}"
    return f"{name}: {delivery.state}{_because(delivery.last_error)}{_redeliver(delivery)}"


def receipt(one: Receipt, moment: Moment) -> str:
    """Say one dated fact: `18:40 offered between two of its tool calls (epoch 2, context 1)`."""
    said = f"{clock(one.at, moment)} {one.kind}"
    if one.kind == "offered":
        return f"{said} {_RUNGS.get(one.rung, one.rung)} (epoch {one.epoch}, context {one.context})"
    return f"{said}: {_proof(one)}" if one.proof else said


def expires(wall_ms: int, moment: Moment) -> str:
    """Say until when a message is worth delivering."""
    return f"expires {clock_of_wall(wall_ms, moment)}"


def _last(receipts: list[Receipt], kind: str) -> Receipt | None:
    return next((one for one in reversed(receipts) if one.kind == kind), None)


def _proof(one: Receipt) -> str:
    return _PROOFS.get(one.proof, one.proof)


def _times(attempts: int) -> str:
    return f" (offered {attempts} times)" if attempts > 1 else ""


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _redeliver(delivery: Delivery) -> str:
    return f"; `roost dead redeliver m{delivery.number}` tries again" if delivery.state == "dead" else ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
