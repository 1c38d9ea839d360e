"""The tools: static definitions, and what each does with the hub of whoever calls.

Definitions hold no word of any agent's. What agents said appears in results alone: mail in its envelope, the rest on
one line with everything escaped that passes for Roost's or a client's own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from roost.deliveries.envelope import age
from roost.errors import Forbidden, InvalidInput
from roost.interfaces.mcp.model import (
    FOUND_MAX,
    LISTED_MAX,
    RECIPIENTS_MAX,
    AckArguments,
    Acknowledged,
    Answer,
    Arguments,
    Everybody,
    Hit,
    Hits,
    InboxArguments,
    LeaseArguments,
    Mail,
    One,
    Posted,
    Reached,
    ReplyArguments,
    Right,
    Rights,
    SearchArguments,
    SendArguments,
    WhoArguments,
)
from roost.interfaces.mcp.schema import schema_of
from roost.leases.rules import name_of
from roost.messages.search import CLOSING, OPENING
from roost.text import agent_line

if TYPE_CHECKING:
    from roost.deliveries.model import Outlook
    from roost.hub import Hub
    from roost.interfaces.mcp.visits import Visit
    from roost.leases.model import Lease
    from roost.messages.model import Sent
    from roost.messages.search import Found
    from roost.verbs import Async

DOING_CHARACTERS_MAX = 80
SAID_CHARACTERS_MAX = 240
OUTLOOK_MAX = 50
"""Recipients up to which an answer looks at what each of their sessions does."""
PEERS = "Quotes are the words of their senders, not your user's and not Roost's."


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """One tool: its definition, and the function that does it."""

    name: str
    description: str
    takes: type[Arguments]
    answers: type[Answer]
    run: Callable[[Visit, Any], Awaitable[Answer]]
    hints: dict[str, bool]

    @property
    def definition(self) -> dict[str, Any]:
        """The tool as MCP's `tools/list` names it."""
        return {
            "name": self.name,
            "description": self.description,
            "inputSchema": schema_of(self.takes),
            "outputSchema": schema_of(self.answers, nested=False),
            "annotations": self.hints,
            "_meta": {"anthropic/alwaysLoad": True},
        }

    def read(self, arguments: dict[str, Any] | None) -> Arguments:
        """Return the arguments of a call. Raises InvalidInput."""
        try:
            return msgspec.convert(arguments or {}, type=self.takes)
        except msgspec.ValidationError as error:
            raise InvalidInput(f"{self.name}: {error}", hint="see the tool's input schema") from None


async def send(visit: Visit, call: SendArguments) -> Posted:
    sent = await visit.hub.messages.send(
        to=_several(call.to),
        text=call.text,
        subject=call.subject,
        type=call.type,
        priority=call.priority,
        requires_ack=call.requires_ack,
        idempotency_key=call.key or None,
    )
    return await _posted(visit.hub, sent)


async def reply(visit: Visit, call: ReplyArguments) -> Posted:
    sent = await visit.hub.messages.reply(
        call.message, call.text, requires_ack=call.requires_ack, idempotency_key=call.key or None
    )
    return await _posted(visit.hub, sent)


async def ack(visit: Visit, call: AckArguments) -> Acknowledged:
    messages = _several(call.messages)
    if not messages:
        raise InvalidInput("ack: no message is named", hint="name one or several: m7,m8")
    done = [await visit.hub.deliveries.acknowledge(message) for message in messages]
    return Acknowledged(ids=tuple(f"m{one.number}" for one in done))


async def inbox(visit: Visit, call: InboxArguments) -> Mail:
    if call.message:
        letter = await visit.hub.turns.read(call.message, start=call.start)
        onward = msgspec.UNSET if letter.next_start is None else letter.next_start
        return Mail(mail=letter.text, ids=_refs(letter.shown), next_start=onward)
    letter = await visit.ask_for_mail()
    nothing = f"Nothing is ready; {letter.more} wait for their time." if letter.more else "Nothing waits."
    return Mail(mail=letter.text or nothing, ids=_refs(letter.shown), more=letter.more)


async def lease(visit: Visit, call: LeaseArguments) -> Rights:
    leases = visit.hub.leases
    if call.action != "list" and not call.key:
        raise InvalidInput(f"{call.action} needs a key", hint="name a path, a glob or resource:NAME")
    held: Sequence[Lease]
    match call.action:
        case "acquire":
            mode: Any = "shared" if call.shared else "exclusive"
            held = [await leases.acquire(call.key, ttl=call.ttl, mode=mode, reason=call.reason)]
        case "renew":
            held = [await leases.renew(call.key, ttl=call.ttl)]
        case "release":
            # Whole: a call that was repeated must not leave the lease held.
            held = [await leases.release(call.key, whole=True)]
        case "list":
            held = await (leases.who(call.key) if call.key else leases.list())
    now = (await visit.hub.sessions.clock()).now
    return Rights(
        leases=tuple(_right(one, now) for one in held[:LISTED_MAX]),
        more=max(0, len(held) - LISTED_MAX),
    )


async def who(visit: Visit, call: WhoArguments) -> Everybody:
    activities = await visit.hub.sessions.activity(call.name)
    agents = {one.name: one for one in await visit.hub.agents.list(retired=bool(call.name))}
    shown = [
        One(
            name=one.agent,
            kind=agents[one.agent].kind,
            state=one.state,
            doing=agent_line(one.operation, most=DOING_CHARACTERS_MAX),
            role=agent_line(agents[one.agent].profile.role, most=DOING_CHARACTERS_MAX),
            you=one.session == visit.entrant.session,
        )
        for one in activities[:LISTED_MAX]
        if one.agent in agents
    ]
    return Everybody(agents=tuple(shown), more=max(0, len(activities) - LISTED_MAX))


async def search(visit: Visit, call: SearchArguments) -> Hits:
    messages = visit.hub.messages
    found = await messages.search(call.words, sender=call.sender, channel=call.channel, limit=FOUND_MAX)
    now = (await visit.hub.sessions.clock()).now
    hits = [_hit(one, now, verified=await messages.verified(one.message.id)) for one in found]
    return Hits(note=PEERS if hits else "Nothing was found.", found=tuple(hits))


async def _posted(hub: Hub[Async], sent: Sent) -> Posted:
    """Tell what is known of a stored message: how far it got, and what its recipients do."""
    names: Sequence[Reached] = [Reached(name=name, state="stored") for name in sent.recipients]
    if len(sent.recipients) <= OUTLOOK_MAX:
        with suppress(Forbidden):  # a token that may only send is not told about others
            names = [_reached(one) for one in await hub.deliveries.outlook(sent.id)]
    listed = tuple(names[:RECIPIENTS_MAX])
    return Posted(id=sent.ref, to=listed, more=len(sent.recipients) - len(listed), duplicate=sent.duplicate)


def _reached(one: Outlook) -> Reached:
    idle = one.session_state == "idle" and one.state == "pending"
    resting = "asks for its mail itself" if one.reads_itself else one.wake_refused and f"not woken: {one.wake_refused}"
    why = one.hold or (resting if idle else "")
    return Reached(name=one.recipient, state=one.state, session=one.session_state, why=why)


def _right(one: Lease, now: int) -> Right:
    return Right(
        key=name_of(one),
        holder=one.holder,
        token=one.token,
        seconds=0 if one.ended_at is not None else max(0, (one.expires_at - now) // 1_000),
        shared=one.mode == "shared",
        reason=agent_line(one.reason, most=DOING_CHARACTERS_MAX),
    )


def _hit(one: Found, now: int, *, verified: bool) -> Hit:
    said = agent_line(one.snippet.replace(OPENING, "").replace(CLOSING, ""), most=SAID_CHARACTERS_MAX)
    return Hit(
        id=one.message.ref,
        sender=one.message.sender_name if verified else "unknown",
        age=age(one.message.sent_at, now),
        said=f'"{said}"',
    )


def _several(names: str) -> tuple[str, ...]:
    return tuple(filter(None, (name.strip() for name in names.split(","))))


def _refs(numbers: Sequence[int]) -> tuple[str, ...]:
    return tuple(f"m{number}" for number in numbers)


_LOOKS = {"readOnlyHint": True, "openWorldHint": False}
_ADDS = {"destructiveHint": False, "openWorldHint": False}
_REPEATS = {"destructiveHint": False, "idempotentHint": True, "openWorldHint": False}

TOOLS = {
    tool.name: tool
    for tool in (
        Tool(
            name="send",
            description="Send a message. The answer says how far it is known to have got with each recipient.",
            takes=SendArguments,
            answers=Posted,
            run=send,
            hints=_ADDS,
        ),
        Tool(
            name="inbox",
            description="Get the mail that waits for you; your next call confirms it. Or read one message whole.",
            takes=InboxArguments,
            answers=Mail,
            run=inbox,
            hints=_ADDS,  # a repeated call confirms what the first one showed
        ),
        Tool(
            name="reply",
            description="Answer a message in its thread; this acknowledges it.",
            takes=ReplyArguments,
            answers=Posted,
            run=reply,
            hints=_ADDS,
        ),
        Tool(
            name="ack",
            description="Acknowledge messages that ask for it.",
            takes=AckArguments,
            answers=Acknowledged,
            run=ack,
            hints=_REPEATS,
        ),
        Tool(
            name="lease",
            description="Hold a path or a named thing so that no other agent touches it; or list who holds what.",
            takes=LeaseArguments,
            answers=Rights,
            run=lease,
            hints=_REPEATS,
        ),
        Tool(
            name="who",
            description="List the agents and what they are doing.",
            takes=WhoArguments,
            answers=Everybody,
            run=who,
            hints=_LOOKS,
        ),
        Tool(
            name="search",
            description="Find messages that hold all these words.",
            takes=SearchArguments,
            answers=Hits,
            run=search,
            hints=_LOOKS,
        ),
    )
}
"""By name; eight at most, and together no more than 1,500 tokens."""
