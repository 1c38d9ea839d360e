"""What the log had come to after an event: a fold over its lines, without any other source."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from roost.history.model import DeliveryThen, LeaseThen, Line, Moment, SessionThen

Data = dict[str, Any]
_decode = msgspec.json.Decoder(Data).decode
_replace = msgspec.structs.replace
LEASE_ENDS = ("released", "expired", "revoked", "orphaned", "restored")
_DONE = ("acknowledged", "expired", "cancelled")


class Fold:
    """Takes events one by one and says what state they have led to."""

    def __init__(self, start: Moment | None = None) -> None:
        start = start or Moment(seq=0, at=0, wall=0)
        self._last = (start.seq, start.at, start.wall)
        self._agents = dict(start.agents)
        self._sessions = {session.id: session for session in start.sessions}
        self._leases = {lease.token: lease for lease in start.leases}
        self._deliveries = {(each.message, each.recipient): each for each in start.deliveries}
        self._done = start.done

    def add(self, line: Line) -> None:
        """Take one event; kinds that change none of this state only move the moment on."""
        self._last = (line.seq, line.at, line.wall)
        step = _STEPS.get(line.kind)
        if step is not None:
            step(self, line, _decode(line.data))

    def moment(self) -> Moment:
        """Return the state now."""
        seq, at, wall = self._last
        return Moment(
            seq=seq,
            at=at,
            wall=wall,
            agents=dict(self._agents),
            sessions=tuple(self._sessions.values()),
            leases=tuple(self._leases.values()),
            deliveries=tuple(self._deliveries.values()),
            done=self._done,
        )

    def _agent_added(self, line: Line, data: Data) -> None:
        self._agents[line.object] = data["name"]

    def _agent_renamed(self, line: Line, data: Data) -> None:
        self._agents[line.object] = data["to"]

    def _agent_retired(self, line: Line, data: Data) -> None:
        self._agents.pop(line.object, None)

    def _session_started(self, line: Line, data: Data) -> None:
        if "name" in data:
            self._agents[data["agent"]] = data["name"]
        self._sessions[line.object] = SessionThen(
            id=line.object, agent=data["agent"], epoch=data["epoch"], client=data.get("client", ""), since=line.at
        )

    def _session_context(self, line: Line, data: Data) -> None:
        session = self._sessions.get(line.object)
        if session is not None:
            self._sessions[line.object] = _replace(session, context=data["context"], since=line.at)

    def _session_ended(self, line: Line, data: Data) -> None:
        self._sessions.pop(line.object, None)

    def _lease_granted(self, line: Line, data: Data) -> None:
        self._leases[data["token"]] = LeaseThen(
            token=data["token"], what=line.object, agent=data["agent"], mode=data.get("mode", ""), since=line.at
        )

    def _lease_ended(self, line: Line, data: Data) -> None:
        self._leases.pop(data["token"], None)

    def _message_sent(self, line: Line, data: Data) -> None:
        for recipient in data["to"]:
            self._deliveries[line.object, recipient] = DeliveryThen(
                message=line.object,
                number=data["number"],
                recipient=recipient,
                state="pending",
                requires_ack=data.get("requires_ack", False),
                since=line.at,
            )

    def _delivery_offered(self, line: Line, data: Data) -> None:
        session = self._sessions.get(line.object)
        for message in data["messages"]:
            self._move(message, session.agent if session else line.actor, "offered", line, session=line.object)

    def _delivery_moved(self, line: Line, data: Data) -> None:
        state = _STATES.get(line.kind, line.kind.partition(".")[2])
        self._move(line.object, data["recipient"], state, line)

    def _delivery_handed_over(self, line: Line, data: Data) -> None:
        moved = self._deliveries.pop((line.object, data["recipient"]), None)
        if moved is not None:
            taken = _replace(moved, recipient=data["to"], state="pending", session="", since=line.at)
            self._deliveries[line.object, data["to"]] = taken

    def _move(self, message: str, recipient: str, state: str, line: Line, *, session: str = "") -> None:
        known = self._deliveries.pop((message, recipient), None)
        if known is None:
            if line.kind != "delivery.redelivered":
                return  # it was done already
            self._done -= 1
            known = DeliveryThen(message=message, number=0, recipient=recipient, state="", since=line.at)
        if state in _DONE or (state == "delivered" and not known.requires_ack):
            self._done += 1
            return
        self._deliveries[message, recipient] = _replace(known, state=state, session=session, since=line.at)


_STATES = {"delivery.released": "pending", "delivery.requeued": "pending", "delivery.redelivered": "pending"}
_STEPS: dict[str, Callable[[Fold, Line, Data], None]] = {
    "agent.added": Fold._agent_added,
    "agent.renamed": Fold._agent_renamed,
    "agent.retired": Fold._agent_retired,
    "session.started": Fold._session_started,
    "session.context": Fold._session_context,
    "session.ended": Fold._session_ended,
    "lease.granted": Fold._lease_granted,
    **{f"lease.{end}": Fold._lease_ended for end in LEASE_ENDS},
    "message.sent": Fold._message_sent,
    "delivery.offered": Fold._delivery_offered,
    "delivery.handed_over": Fold._delivery_handed_over,
    **{
        f"delivery.{state}": Fold._delivery_moved
        for state in ("held", "released", "requeued", "redelivered", "delivered", "dead", *_DONE)
    },
}
