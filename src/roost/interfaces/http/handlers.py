"""What each route does: call one verb, and give its answer."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from roost.errors import InvalidInput, UnknownLease
from roost.interfaces.door import Filter, Subscription, Told
from roost.interfaces.http.cursors import OFFSET_MAX, after, before, cursor, paged
from roost.interfaces.http.routes import Call, HookCall, Page
from roost.interfaces.http.views import outgoing, plain_session
from roost.messages.model import Message

READ_AT_ONCE = 25
PAGE_BYTES_MAX = 4 * 1024 * 1024
"""A page of messages ends early beyond so much text: one message may have a megabyte."""
SCAN_SECONDS_MAX = 2.0
"""A page of the log ends, empty if need be, once it looked so long for an event that fits."""
STATES = ("held", "pending", "offered", "delivered", "acknowledged", "expired", "cancelled", "dead")


async def agents(call: Call) -> Page:
    if call.query.name:
        return Page(items=(await call.hub.agents.get(call.query.name),))
    found = await call.hub.agents.list(capability=call.query.capability, retired=call.query.retired)
    return paged(found, "agents", call.query, lambda one: one.name)


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
    found = tuple(plain_session(one) for one in await call.hub.sessions.list())
    return paged(found, "sessions", call.query, lambda one: f"{one.started_at:016} {one.id}")


async def session(call: Call) -> Any:
    return plain_session(await call.hub.sessions.get(call.path["id"]))


async def activity(call: Call) -> Page:
    found = await call.hub.sessions.activity(call.query.agent)
    return paged(found, "activity", call.query, lambda one: one.agent)


async def send(call: Call) -> Any:
    return await call.hub.messages.send(**msgspec.structs.asdict(call.body), idempotency_key=call.key)


async def send_batch(call: Call) -> Page:
    return Page(items=await call.hub.messages.send_batch(call.body.messages))


async def inbox(call: Call) -> Page:
    query = call.query
    states = ("held", "pending", "offered") if not query.state else tuple(query.state.split(","))
    if set(states) - set(STATES):
        raise InvalidInput(f"state = {query.state!r} names no state", hint=f"choose among {', '.join(STATES)}")

    async def look(limit: int, place: int) -> Part:
        page = await call.hub.messages.peek(limit=limit, states=states, before=place)
        return page.items, page.next

    found, place = await gathered(query.limit, before("inbox", query.cursor), look)
    items = tuple(
        item
        for item in found
        if (not query.channel or item.message.channel == query.channel.removeprefix("#"))
        and (not query.unread or item.read_at is None)
    )
    return Page(items=items, cursor=cursor("inbox", place), more=place > 0)


async def take_inbox(call: Call) -> Any:
    query = call.query
    named = query.arrived.split(",") if query.arrived else ()
    done = query.acknowledge.split(",") if query.acknowledge else ()
    return await call.hub.messages.take(limit=query.limit, arrived=named, acknowledge=done)


async def arrived(call: Call) -> Page:
    return Page(items=await call.hub.deliveries.arrived(call.body.batches))


async def outbox(call: Call) -> Page:
    async def look(limit: int, place: int) -> Part:
        page = await call.hub.messages.outbox(limit=limit, before=place)
        return outgoing(page.items), page.next

    found, place = await gathered(call.query.limit, before("outbox", call.query.cursor), look)
    return Page(items=found, cursor=cursor("outbox", place), more=place > 0)


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
    found = await call.hub.deliveries.receipts(call.path["id"])
    return paged(found, "receipts", call.query, lambda one: f"{one.recipient_name} {one.n:06}")


async def thread(call: Call) -> Page:
    async def look(limit: int, place: int) -> Part:
        found = await call.hub.messages.thread(call.path["id"], limit=limit, after=place)
        return found, found[-1].number if len(found) == limit else 0

    start = after("thread", call.query.cursor)
    found, place = await gathered(call.query.limit, start, look)
    return Page(items=found, cursor=cursor("thread", found[-1].number if found else start), more=place > 0)


async def search(call: Call) -> Page:
    asked = call.query
    at = after(f"search {asked.q}", asked.cursor)
    most = min(OFFSET_MAX, at + asked.limit)
    found = await call.hub.messages.search(
        asked.q, sender=asked.sender, channel=asked.channel, since=asked.since, limit=most
    )
    return Page(items=found[at:], cursor=cursor(f"search {asked.q}", len(found)), more=len(found) == most < OFFSET_MAX)


async def channels(call: Call) -> Page:
    found = await call.hub.channels.list(mine=call.query.mine, closed=call.query.closed)
    return paged(found, "channels", call.query, lambda one: "" if one.name == "all" else one.name)


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
    async def look(limit: int, place: int) -> Part:
        found = await call.hub.channels.log(name, limit=limit, before=place)
        return found[::-1], found[0].number if len(found) == limit else 0

    name = call.path["name"]
    found, place = await gathered(call.query.limit, before(f"channel {name}", call.query.cursor), look)
    return Page(items=found[::-1], cursor=cursor(f"channel {name}", place), more=place > 0)


async def say(call: Call) -> Any:
    fields = msgspec.structs.asdict(call.body)
    return await call.hub.messages.send(to=f"#{call.path['name']}", **fields, idempotency_key=call.key)


async def leases(call: Call) -> Page:
    if call.query.key:
        found = await call.hub.leases.who(call.query.key, kind=call.query.kind)
    else:
        found = await call.hub.leases.list(kind=call.query.kind, mine=call.query.mine)
    return paged(found, "leases", call.query, lambda one: one.token)


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
    found = await call.hub.operations.list(ended=call.query.ended, limit=OFFSET_MAX)
    key = "{0.opened_at:016} {0.id}".format
    return paged(found, "operations", call.query, key, newest_first=True)


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


async def events(call: Call) -> Page:
    asked = call.query
    wanted = filter_of(asked.recipient_id, asked.channel, asked.type, asked.task_id, asked.kinds)
    place = call.door.subscribe(call.entrant, wanted, asked.since)
    try:
        found = await _first(place)
        is_cut = len(found) > asked.limit
        at = found[asked.limit - 1].event.cursor if is_cut else place.cursor
        return Page(items=tuple(found[: asked.limit]), cursor=at, more=is_cut or place.is_behind)
    finally:
        place.close()


async def _first(place: Subscription) -> Sequence[Told]:
    """Return the first events that fit; () at the end of the log, or where looking for them takes too long."""
    until = time.monotonic() + SCAN_SECONDS_MAX
    while not (found := await place.next(0)) and place.is_behind and time.monotonic() < until:
        continue
    return found


def filter_of(recipient: str, channel: str, type: str, task: str, kinds: str) -> Filter:
    """Return the filter that query parameters ask for."""
    chosen = tuple(kind for kind in kinds.split(",") if kind)
    return Filter(recipient=recipient, channel=channel, type=type, task=task, kinds=chosen)


async def status(call: Call) -> Any:
    return await call.hub.status.report()


async def tokens(call: Call) -> Page:
    found = await call.hub.tokens.list()
    return paged(found, "tokens", call.query, lambda one: f"{one.created_at:016} {one.id}")


async def make_token(call: Call) -> Any:
    fields = msgspec.structs.asdict(call.body)
    return await call.hub.tokens.create(fields.pop("name"), **fields)


async def rotate_token(call: Call) -> Any:
    return await call.hub.tokens.rotate(call.path["id"], overlap=call.body.overlap)


async def revoke_token(call: Call) -> Any:
    return await call.hub.tokens.revoke(call.path["id"])


async def hook(call: HookCall) -> Any:
    return msgspec.Raw((await call.door.hook(call.launch, call.raw)).encode() or b"{}")


Part = tuple[Sequence[Any], int]
"""Some of a list, and the place where it goes on; 0 at its end."""


async def gathered(limit: int, place: int, read: Callable[[int, int], Awaitable[Part]]) -> tuple[tuple[Any, ...], int]:
    """Return up to `limit` things of a list, fewer if they are long, and the place behind them."""
    found: list[Any] = []
    size = 0
    while True:
        items, place = await read(min(READ_AT_ONCE, limit - len(found)), place)
        found += items
        size += sum(len(one.body if isinstance(one, Message) else one.message.body) for one in items)
        if not place or len(found) >= limit or size > PAGE_BYTES_MAX:
            return tuple(found), place
