"""From what people write to who receives: `builder` an agent or alias, `all` everybody, `#build` a channel."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from roost.agents.model import Agent
from roost.agents.service import Agents
from roost.channels.rules import may_speak
from roost.errors import Forbidden, InvalidInput, TooManyRecipients, UnknownAgent, UnknownChannel
from roost.messages.model import Draft
from roost.names import suggest
from roost.stores.base import Tx
from roost.verbs import InTx, Sync

EVERYBODY = "all"
RECIPIENTS_NAMED_MAX = 10_000


class Recipients(msgspec.Struct, frozen=True):
    """Who receives a message, fixed now; `channel` is '' for direct mail. `ids` and `names` are those of `agents`."""

    agents: tuple[Agent, ...]
    channel: str
    ids: tuple[str, ...]
    names: tuple[str, ...]


def recipients_of(tx: Tx, draft: Draft) -> Recipients:
    """Return the recipients of a draft. Raises UnknownAgent, UnknownChannel, TooManyRecipients, InvalidInput."""
    if not draft.to:
        raise InvalidInput("a message needs a recipient", hint="name an agent, `all`, or a channel like `#build`")
    if len(draft.to) > RECIPIENTS_NAMED_MAX:
        raise _too_many(len(draft.to), RECIPIENTS_NAMED_MAX)
    groups = [name for name in draft.to if name == EVERYBODY or name.startswith("#")]
    if groups and len(draft.to) > 1:
        raise InvalidInput(f"{groups[0]} cannot be mixed with other recipients", hint="send two messages")
    found = _group(tx, groups[0]) if groups else _together(_named(tx, draft))
    most = tx.config.limits.recipients_max
    if len(found.agents) > most:
        raise _too_many(len(found.agents), most)
    return found


def _named(tx: Tx, draft: Draft) -> tuple[Agent, ...]:
    agents = Agents[Sync](InTx(tx))
    chosen: dict[str, Agent] = {}
    for name in draft.to:
        try:
            agent = agents.get(name)
        except UnknownAgent:
            if not draft.hold:
                raise
            agent = agents.add(name, reserved=True)
        if agent.retired_at is not None:
            raise UnknownAgent(
                f"{agent.name} is retired", hint="`roost join` under that name brings it back", name=name
            )
        chosen[agent.id] = agent
    return tuple(chosen.values())


def _group(tx: Tx, name: str) -> Recipients:
    if name == EVERYBODY:
        return _together(tx.all(Agent, "agents.members_of_all", sender=tx.me.agent), EVERYBODY)
    channel = name[1:]
    if not tx.value("channels.exists", name=channel):
        near = suggest(channel, [row.name for row in tx.all(_Name, "channels.names")])
        hint = (
            f"did you mean {' or '.join('#' + one for one in near)}?"
            if near
            else f"make it: `roost channel create {channel}`"
        )
        raise UnknownChannel(f"there is no channel #{channel}", hint=hint, name=channel, suggestions=near)
    joined = tx.value("channels.is_member", name=channel, agent=tx.me.agent) is not None
    if not may_speak(joined=joined, kind=tx.me.kind):
        raise Forbidden(f"{tx.me.name} is not in #{channel}", hint=f"join it first: `roost channel join {channel}`")
    return _together(tx.all(Agent, "channels.audience", name=channel, sender=tx.me.agent), channel)


def _together(agents: Iterable[Agent], channel: str = "") -> Recipients:
    chosen = tuple(agents)
    ids, names = tuple(agent.id for agent in chosen), tuple(agent.name for agent in chosen)
    return Recipients(chosen, channel, ids, names)


class _Name(msgspec.Struct, frozen=True):
    name: str


def _too_many(count: int, most: int) -> TooManyRecipients:
    return TooManyRecipients(
        f"{count:,} recipients are more than {most:,}", hint="send to a smaller group", count=count
    )
