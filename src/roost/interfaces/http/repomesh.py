"""The paths and shapes of RepoMesh, over the same hub: registering, heartbeats, locks, and events that are messages.

Who calls is what the token says: an `agent_id` in a body must be the caller's own, or the call is refused. What it
calls tasks, bundles, adapters and the orchestrator is not here. Its clients say null for what they leave out.
"""

from __future__ import annotations

from typing import Any

import msgspec

from roost.errors import Forbidden, InvalidInput, UnknownLease
from roost.interfaces.http import bodies, handlers
from roost.interfaces.http.routes import Call, Route
from roost.leases.model import Lease
from roost.messages.model import Message, Sent
from roost.sessions.model import Activity

BUSY = ("busy", "active", "working", "in_progress")


class Register(msgspec.Struct, frozen=True, kw_only=True):
    """An agent that says what it is called; its token said so before."""

    name: str
    type: str | None = None
    capabilities: list[str] | None = None


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """A sign of life."""

    status: str = "active"
    current_task: str | None = None


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """A lock to take, `ttl` in seconds."""

    resource_key: str
    agent_id: str | None = None
    ttl: float = 1800.0


class Keep(msgspec.Struct, frozen=True, kw_only=True):
    """Whose lock it is, and for how long it is kept."""

    agent_id: str | None = None
    ttl: float | None = None


class LogEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event for a recipient or a channel: a message."""

    type: str = "chat.message"
    payload: dict[str, Any] = {}
    recipient_id: str | None = None
    channel: str | None = None
    parent_message_id: str | None = None
    severity: str = "info"
    agent_id: str | None = None


class Registered(msgspec.Struct, frozen=True, kw_only=True):
    """Who the caller is."""

    id: str
    name: str
    type: str
    status: str
    capabilities: tuple[str, ...]
    session_id: str


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A lock; `id` is its fencing token."""

    id: str
    resource_key: str
    owner_agent_id: str
    state: str
    expires_at: int


async def register(call: Call) -> Registered:
    agent = await call.hub.agents.get(call.entrant.agent)
    if call.body.name != agent.name:
        raise Forbidden(
            f"this token is {agent.name}'s, not {call.body.name[:64]!r}'s", hint="make a token for that agent"
        )
    if call.body.capabilities is not None:
        agent = await call.hub.agents.set_profile(capabilities=call.body.capabilities)
    return Registered(
        id=agent.id,
        name=agent.name,
        type=call.body.type or agent.kind,
        status="active",
        capabilities=agent.capabilities,
        session_id=call.entrant.session,
    )


async def heartbeat(call: Call) -> Any:
    _refuse_others(call, call.path["id"])
    state = "busy" if call.body.status in BUSY or call.body.current_task else "idle"
    return await call.hub.sessions.beat(state, operation=call.body.current_task or "")  # type: ignore[arg-type]


async def acquire(call: Call) -> Held:
    _refuse_others(call, call.body.agent_id)
    return _held(await call.hub.leases.acquire(call.body.resource_key, ttl=call.body.ttl, kind="resource"))


async def renew(call: Call) -> Held:
    _refuse_others(call, call.body.agent_id)
    lease = await _lease(call)
    return _held(await call.hub.leases.renew(lease.key, ttl=call.body.ttl, token=lease.token, kind=lease.kind))


async def release(call: Call) -> Held:
    _refuse_others(call, call.body.agent_id)
    lease = await _lease(call)
    # Whole: RepoMesh's clients renew a lock by acquiring it again, and release it once.
    return _held(await call.hub.leases.release(lease.key, token=lease.token, kind=lease.kind, whole=True))


async def log_event(call: Call) -> Sent:
    said = call.body
    _refuse_others(call, said.agent_id)
    text = said.payload.get("content") or said.payload.get("text") or said.payload.get("message") or ""
    to = said.recipient_id or said.payload.get("to") or (f"#{said.channel}" if said.channel else "")
    if not text or not isinstance(text, str) or not to:
        raise InvalidInput(
            "an event needs somebody to hear it and something to say", hint="give recipient_id and payload.content"
        )
    parent = said.parent_message_id or said.payload.get("reply_to") or ""
    if parent:
        return await call.hub.messages.reply(str(parent), text, type=said.type, idempotency_key=call.key)
    return await call.hub.messages.send(
        to=str(to), text=text, type=said.type, severity=said.severity, idempotency_key=call.key
    )


def _refuse_others(call: Call, agent: str | None) -> None:
    if agent and agent not in (call.entrant.agent, call.entrant.name):
        raise Forbidden(f"this token is {call.entrant.name}'s and speaks for nobody else", hint="leave agent_id out")


async def _lease(call: Call) -> Lease:
    number = call.path["id"]
    for lease in await call.hub.leases.list(mine=True):
        if str(lease.token) == number:
            return lease
    raise UnknownLease(f"you hold no lock {number[:32]!r}", hint="acquire it again")


def _held(lease: Lease) -> Held:
    state = "released" if lease.ended_at is not None else "active"
    return Held(
        id=str(lease.token),
        resource_key=lease.key,
        owner_agent_id=lease.agent,
        state=state,
        expires_at=lease.expires_at,
    )


def _post(path: str, summary: str, handler: Any, answer: Any, body: Any, status: int = 200, **more: Any) -> Route:
    return Route(
        method="POST", path=path, summary=summary, handler=handler, answer=answer, body=body, status=status,
        tag="repomesh", **more,
    )  # fmt: skip


COMPATIBLE: tuple[Route, ...] = (
    _post("/v1/agents/register", "Say what one can do", register, Registered, Register),
    _post("/v1/agents/{id}/heartbeat", "Give a sign of life", heartbeat, Activity, Heartbeat),
    _post("/v1/locks/acquire", "Take a lock", acquire, Held, Lock),
    _post("/v1/locks/{id}/renew", "Keep a lock", renew, Held, Keep),
    _post("/v1/locks/{id}/release", "Give a lock back", release, Held, Keep),
    _post("/v1/events", "Say something, as an event", log_event, Sent, LogEvent, 201, takes_key=True),
    Route(method="GET", path="/v1/events/thread/{id}", summary="The messages of a thread", handler=handlers.thread,
          answer=Message, query=bodies.ThreadQuery, is_list=True, tag="repomesh"),
)  # fmt: skip
