"""What each route does: call one verb, and give its answer."""

from __future__ import annotations

from typing import Any

import msgspec

from roost.errors import InvalidInput, UnknownLease
from roost.interfaces.door import Filter
from roost.interfaces.http.cursors import before, cursor
from roost.interfaces.http.routes import Call, Page

STATES = ("held", "pending", "offered", "delivered", "acknowledged", "expired", "cancelled", "dead")

# --- agents and sessions ----------------------------------------------------------------------------------------------


async def agents(call: Call) -> Page:
    if call.query.name:
        return Page(items=(await call.hub.agents.get(call.query.name),))
    return Page(items=await call.hub.agents.list(capability=call.query.capability, retired=call.query.retired))


async def agent(call: Call) -> Any:
    return await call.hub.agents.get(call.path["name"])


async def profile(call: Call) -> Any:
    fields = {name: value for name, value in msgspec.structs.asdict(call.body).items() if value is not None}
    return await call.hub.agents.set_profile(**fields)


async def me(call: Call) -> Any:
    return await call.hub.sessions.me()


async def beat(call: Call) -> Any:
    return await call.hub.sessions.beat(call.body.state, operation=call.body.operation)


async def sessions(call: Call) -> Page:
    return Page(items=tuple(plain_session(one) for one in await call.hub.sessions.list()))


async def session(call: Call) -> Any:
    return plain_session(await call.hub.sessions.get(call.path["id"]))


async def activity(call: Call) -> Page:
    return Page(items=await call.hub.sessions.activity(call.query.agent))


# --- messages ---------------------------------------------------------------------------------------------------------


async def send(call: Call) -> Any:
    return await call.hub.messages.send(**msgspec.structs.asdict(call.body), idempotency_key=call.key)


async def send_batch(call: Call) -> Page:
    return Page(items=await call.hub.messages.send_batch(call.body.messages))


async def inbox(call: Call) -> Page:
    query = call.query
    states = ("held", "pending", "offered") if not query.state else tuple(query.state.split(","))
    if set(states) - set(STATES):
        raise InvalidInput(f"state = {query.state!r} names no state", hint=f"choose among {', '.join(STATES)}")
    page = await call.hub.messages.peek(limit=query.limit, states=states, before=before("inbox", query.cursor))
    items = tuple(
        item
        for item in page.items
        if (not query.channel or item.message.channel == query.channel.removeprefix("#"))
        and (not query.unread or item.read_at is None)
    )
    last = page.items[-1].message.number if page.items else 0
    return Page(items=items, cursor=cursor("inbox", last) if page.items else "", more=len(page.items) == query.limit)


async def take_inbox(call: Call) -> Any:
    return await call.hub.messages.inbox(limit=call.query.limit)


async def outbox(call: Call) -> Page:
    page = await call.hub.messages.outbox(limit=call.query.limit, before=before("outbox", call.query.cursor))
    last = page.items[-1].message.number if page.items else 0
    messages = len({item.message.number for item in page.items})
    return Page(
        items=page.items, cursor=cursor("outbox", last) if page.items else "", more=messages == call.query.limit
    )


async def message(call: Call) -> Any:
    return await call.hub.messages.get(call.path["id"])


async def read(call: Call) -> Any:
    return await call.hub.messages.read(call.path["id"])


async def acknowledge(call: Call) -> Any:
    return await call.hub.deliveries.acknowledge(call.path["id"])


async def reply(call: Call) -> Any:
    return await call.hub.messages.reply(call.path["id"], **msgspec.structs.asdict(call.body), idempotency_key=call.key)


async def react(call: Call) -> Page:
    return Page(items=await call.hub.messages.react(call.path["id"], call.body.value, remove=call.body.remove))


async def cancel(call: Call) -> Page:
    return Page(items=await call.hub.deliveries.cancel(call.path["id"], reason=call.body.reason))


async def receipts(call: Call) -> Page:
    return Page(items=await call.hub.deliveries.receipts(call.path["id"]))


async def thread(call: Call) -> Page:
    return Page(items=await call.hub.messages.thread(call.path["id"], limit=call.query.limit))


async def search(call: Call) -> Page:
    asked = call.query
    found = await call.hub.messages.search(
        asked.q, sender=asked.sender, channel=asked.channel, since=asked.since, limit=asked.limit
    )
    return Page(items=found)


# --- channels ---------------------------------------------------------------------------------------------------------


async def channels(call: Call) -> Page:
    return Page(items=await call.hub.channels.list(mine=call.query.mine, closed=call.query.closed))


async def create_channel(call: Call) -> Any:
    return await call.hub.channels.create(call.body.name, topic=call.body.topic)


async def channel(call: Call) -> Any:
    return await call.hub.channels.get(call.path["name"])


async def close_channel(call: Call) -> Any:
    return await call.hub.channels.close(call.path["name"])


async def join_channel(call: Call) -> Any:
    return await call.hub.channels.join(call.path["name"])


async def leave_channel(call: Call) -> Any:
    return await call.hub.channels.leave(call.path["name"])


async def channel_log(call: Call) -> Page:
    name = call.path["name"]
    list_name = f"channel {name}"
    found = await call.hub.channels.log(name, limit=call.query.limit, before=before(list_name, call.query.cursor))
    behind = cursor(list_name, found[0].number) if found else ""
    return Page(items=found, cursor=behind, more=len(found) == call.query.limit)


async def say(call: Call) -> Any:
    fields = msgspec.structs.asdict(call.body)
    return await call.hub.messages.send(to=f"#{call.path['name']}", **fields, idempotency_key=call.key)


# --- leases and operations --------------------------------------------------------------------------------------------


async def leases(call: Call) -> Page:
    if call.query.key:
        return Page(items=await call.hub.leases.who(call.query.key, kind=call.query.kind))
    return Page(items=await call.hub.leases.list(kind=call.query.kind, mine=call.query.mine))


async def acquire(call: Call) -> Any:
    fields = msgspec.structs.asdict(call.body)
    key, wait = fields.pop("key"), fields.pop("wait")
    if wait:
        return await call.hub.leases.wait(key, timeout=wait, **fields)
    return await call.hub.leases.acquire(key, **fields)


async def renew(call: Call) -> Any:
    fields = msgspec.structs.asdict(call.body)
    return await call.hub.leases.renew(fields.pop("key"), **fields)


async def release(call: Call) -> Any:
    fields = msgspec.structs.asdict(call.body)
    return await call.hub.leases.release(fields.pop("key"), **fields)


async def lease(call: Call) -> Any:
    token = call.path["token"]
    found = next((one for one in await call.hub.leases.list() if str(one.token) == token), None)
    if found is None:
        raise UnknownLease(f"no live lease has the token {token[:32]!r}", hint="see GET /v1/leases")
    return found


async def operations(call: Call) -> Page:
    return Page(items=await call.hub.operations.list(ended=call.query.ended, limit=call.query.limit))


async def begin(call: Call) -> Any:
    return await call.hub.operations.begin(call.body.targets, title=call.body.title, ttl=call.body.ttl)


async def operation(call: Call) -> Any:
    return await call.hub.operations.get(call.path["id"])


async def step(call: Call) -> Any:
    fields = msgspec.structs.asdict(call.body)
    return await call.hub.operations.add(call.path["id"], fields.pop("text"), **fields, idempotency_key=call.key)


async def seal(call: Call) -> Any:
    return await call.hub.operations.seal(call.path["id"])


async def abort(call: Call) -> Any:
    return await call.hub.operations.abort(call.path["id"], reason=call.body.reason)


# --- events, status, tokens -------------------------------------------------------------------------------------------


async def events(call: Call) -> Page:
    asked = call.query
    wanted = filter_of(asked.recipient_id, asked.channel, asked.type, asked.task_id, asked.kinds)
    place = call.door.subscribe(call.entrant, wanted, asked.since)
    try:
        found = await place.next(0)
        is_cut = len(found) > asked.limit
        at = found[asked.limit - 1].event.cursor if is_cut else place.cursor
        return Page(items=tuple(found[: asked.limit]), cursor=at, more=is_cut or place.is_behind)
    finally:
        place.close()


def filter_of(recipient: str, channel: str, type: str, task: str, kinds: str) -> Filter:
    """Return the filter that query parameters ask for."""
    chosen = tuple(kind for kind in kinds.split(",") if kind)
    return Filter(recipient=recipient, channel=channel, type=type, task=task, kinds=chosen)


async def status(call: Call) -> Any:
    return await call.hub.status.report()


async def tokens(call: Call) -> Page:
    return Page(items=await call.hub.tokens.list())


async def make_token(call: Call) -> Any:
    fields = msgspec.structs.asdict(call.body)
    return await call.hub.tokens.create(fields.pop("name"), **fields)


async def rotate_token(call: Call) -> Any:
    return await call.hub.tokens.rotate(call.path["id"], overlap=call.body.overlap)


async def revoke_token(call: Call) -> Any:
    return await call.hub.tokens.revoke(call.path["id"])


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """A session as others may see it: without its key, its process and its files."""

    id: str
    agent: str
    epoch: int
    context: int
    client: str
    state: str
    operation: str
    started_at: int
    ended_at: int | None
    end_reason: str


def plain_session(found: Any) -> SessionView:
    """Return what others may see of a session."""
    fields = SessionView.__struct_fields__
    return SessionView(**{name: getattr(found, name) for name in fields})
