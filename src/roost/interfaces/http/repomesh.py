"""The paths and shapes of RepoMesh, over the same hub: registering, heartbeats, locks, and events that are messages.

Who calls is what the token says: an `agent_id` in a body must be the caller's own, or the call is refused. What it
calls tasks, bundles, adapters and the orchestrator is not here. Its clients say null for what they leave out.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec

from roost.errors import AlreadyExists, Forbidden, InvalidInput, UnknownChannel, UnknownLease
from roost.interfaces.http import bodies, handlers
from roost.interfaces.http.routes import Call, Route
from roost.leases.model import Lease
from roost.messages.model import Draft, Message, Sent
from roost.sessions.model import Activity

DEFAULT = "default"
"""The channel of events that name neither a recipient nor a channel."""
TEXTS = ("content", "text", "message")
FIELDS = {"recipient_id": "to", "channel": "channel", "parent_message_id": "reply_to"}
"""Whom an event names, and as what its payload may name them."""
TYPE = "chat.message"
TTL_SECONDS = 1_800.0
BUSY = ("busy", "active", "working", "in_progress")


class Register(msgspec.Struct, frozen=True, kw_only=True):
    """An agent that says what it is called; its token said so before."""

    name: str
    type: str | None = None
    capabilities: list[str] | None = None


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """A sign of life."""

    status: str | None = None
    current_task: str | None = None


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """A lock to take, `ttl` in seconds."""

    resource_key: str
    agent_id: str | None = None
    ttl: float | None = None


class Keep(msgspec.Struct, frozen=True, kw_only=True):
    """Whose lock it is, and for how long it is kept."""

    agent_id: str | None = None
    ttl: float | None = None


class LogEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event for a recipient or a channel, else for the channel `default`: a message."""

    type: str | None = None
    payload: dict[str, Any] | None = None
    recipient_id: str | None = None
    channel: str | None = None
    parent_message_id: str | None = None
    severity: str | None = None
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
    if not _is_caller(call, call.body.name):
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
    state = "busy" if (call.body.status or "active") in BUSY or call.body.current_task else "idle"
    return await call.hub.sessions.beat(state, operation=call.body.current_task or "")  # type: ignore[arg-type]


async def acquire(call: Call) -> Held:
    _refuse_others(call, call.body.agent_id)
    ttl = TTL_SECONDS if call.body.ttl is None else call.body.ttl
    return _held(await call.hub.leases.acquire(call.body.resource_key, ttl=ttl, kind="resource"))


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
    to, channel, parent = (_named(said, field) for field in FIELDS)
    text, rest = _said(said.payload or {})
    kind = said.type or TYPE
    if parent and not channel and await _answers(call, parent, to):
        return await call.hub.messages.reply(parent, text, type=kind, idempotency_key=call.key)
    if not to and channel in ("", DEFAULT):
        await _be_in_default(call)
    draft = Draft(
        to=(to or f"#{channel or DEFAULT}",),
        text=text,
        type=kind,
        severity=said.severity or "",
        parent=parent,
        metadata=rest or None,
        idempotency_key=call.key,
    )
    return (await call.hub.messages.send_batch([draft]))[0]


def _named(said: LogEvent, field: str) -> str:
    """Return whom or what an event names, in its field or in its payload; '' for nobody."""
    found = getattr(said, field) or (said.payload or {}).get(FIELDS[field]) or ""
    if not isinstance(found, str):
        raise InvalidInput(f"{field} is no name", hint="name one")
    return found


def _said(payload: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return what an event says as text, and what else it holds. Raises InvalidInput for one that says nothing."""
    for key in TEXTS:
        if isinstance(payload.get(key), str) and payload[key]:
            return payload[key], {name: value for name, value in payload.items() if name not in (key, *FIELDS.values())}
    if not payload:
        raise InvalidInput("an event needs something to say", hint="give payload.content")
    return msgspec.json.encode(payload).decode(), {}


async def _answers(call: Call, parent: str, to: str) -> bool:
    """Say whether an event goes to nobody else than an answer to its parent would."""
    if not to:
        return True
    asked = await call.hub.messages.get(parent)
    return to in (asked.sender, asked.sender_name)


async def _be_in_default(call: Call) -> None:
    """Be in the channel of events that name nobody; the first of them begins it. Raises UnknownChannel once a person
    has closed it."""
    channels = call.hub.channels
    with suppress(AlreadyExists):  # somebody else began it meanwhile
        try:
            found = await channels.get(DEFAULT)
        except UnknownChannel:
            await channels.create(DEFAULT, topic="events that name nobody")
            return
        if found.joined and found.closed_at is None:
            return
    await channels.join(DEFAULT)


def _refuse_others(call: Call, agent: str | None) -> None:
    if agent and not _is_caller(call, agent):
        raise Forbidden(f"this token is {call.entrant.name}'s and speaks for nobody else", hint="leave agent_id out")


def _is_caller(call: Call, named: str) -> bool:
    return named.casefold() in (call.entrant.agent, call.entrant.name)


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
