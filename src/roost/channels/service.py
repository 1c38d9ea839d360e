"""Channels: groups that agents join, leave and talk in."""

from __future__ import annotations

import msgspec

from roost.agents.model import Agent
from roost.agents.service import Agents, Named
from roost.channels import rules
from roost.channels.model import EVERYBODY, Channel
from roost.errors import AlreadyExists, Forbidden, LimitReached, UnknownChannel
from roost.limits import check_limit, check_number
from roost.messages.model import Message
from roost.messages.service import FAR
from roost.names import suggest
from roost.verbs import M, Service, Sync, query, verb


class Channels(Service[M]):
    """Named groups. `#all` is built in; whoever joins another gets what is sent from then on, nothing older.

    Members send to a channel; people may without being in it. What is said in a channel is open to the whole project.
    """

    @verb
    def create(self, name: str, *, topic: str = "") -> Channel:
        """Make a channel and join it; the name of a closed one begins anew, its log stays.

        Raises InvalidName, InvalidText, AlreadyExists, LimitReached.
        """
        checked, about = rules.check_new(name, topic)
        last = self.tx.one(Channel, "channels.get", name=checked, me=self.tx.me.agent)
        if last is not None and last.closed_at is None:
            raise AlreadyExists(f"#{checked} exists", hint=f"join it: `roost channel join {checked}`", name=checked)
        if self.tx.value("channels.count") >= rules.CHANNELS_MAX:
            raise LimitReached(f"there are {rules.CHANNELS_MAX:,} channels", hint="close one that nobody uses")
        self.tx.run("channels.put", name=checked, topic=about, created_by=self.tx.me.agent, created_at=self.tx.now)
        self.tx.run("channels.drop_members", name=checked)
        self.tx.record("channel.created", checked, {"topic": about})
        if self.tx.me.agent:
            self._add(checked, self.tx.me.agent)
        return self._whole(checked)

    @verb
    def join(self, name: str, *, agent: str = "") -> Channel:
        """Become a member, or (for people) make `agent` one; twice is once. Raises UnknownChannel, Forbidden."""
        channel = self._open(name)
        self._add(channel.name, self._mine_or_as_person(agent).id)
        return self._whole(channel.name)

    @verb
    def leave(self, name: str, *, agent: str = "") -> Channel:
        """Stop being a member; mail that is on its way still comes. Raises UnknownChannel, Forbidden."""
        channel = self._open(name)
        leaver = self._mine_or_as_person(agent)
        if self.tx.run("channels.drop_member", name=channel.name, agent=leaver.id):
            self.tx.record("channel.left", channel.name, {"agent": leaver.id})
        return self._whole(channel.name)

    @verb
    def close(self, name: str) -> Channel:
        """End a channel: nobody sends to it any more, its log stays. Raises UnknownChannel, Forbidden."""
        channel = self._open(name)
        rules.check_may_close(channel, name=self.tx.me.name, kind=self.tx.me.kind)
        self.tx.run("channels.close", name=channel.name, now=self.tx.now)
        self.tx.record("channel.closed", channel.name)
        return self._whole(channel.name)

    @query
    def get(self, name: str) -> Channel:
        """Return a channel, open or closed, with its members' names. Raises UnknownChannel."""
        return self._whole(self._known(name).name)

    @query
    def list(self, *, mine: bool = False, closed: bool = False) -> tuple[Channel, ...]:
        """Return the channels with their member counts, `all` first: open, only the caller's, or closed too."""
        found = self.tx.all(Channel, "channels.list", me=self.tx.me.agent, closed=closed)
        found.insert(0, self._everybody())
        return tuple(channel for channel in found if channel.joined or not mine)

    @query
    def log(self, name: str, *, limit: int = 50, before: int = FAR) -> tuple[Message, ...]:
        """Return a channel's last messages, oldest first, at most 500; `before` is a message number to page back from.

        Raises UnknownChannel.
        """
        channel, most, first = self._known(name), check_limit(limit), check_number(before, what="before")
        newest_first = self.tx.all(Message, "channels.log", name=channel.name, before=first, limit=most)
        return tuple(reversed(newest_first))

    def _known(self, name: str) -> Channel:
        bare = rules.bare(name)
        if bare == EVERYBODY:
            return self._everybody()
        found = self.tx.one(Channel, "channels.get", name=bare, me=self.tx.me.agent)
        if found is None:
            near = suggest(str(bare), [row.name for row in self.tx.all(Named, "channels.names")])
            hint = f"did you mean {' or '.join('#' + one for one in near)}?" if near else "see `roost channel list`"
            raise UnknownChannel(f"there is no channel #{bare}", hint=hint, name=bare, suggestions=near)
        return found

    def _open(self, name: str) -> Channel:
        channel = self._known(name)
        rules.check_not_built_in(channel.name)
        if channel.closed_at is not None:
            raise UnknownChannel(
                f"#{channel.name} is closed",
                hint=f"begin it anew: `roost channel create {channel.name}`",
                name=channel.name,
            )
        return channel

    def _whole(self, name: str) -> Channel:
        channel = self._known(name)
        if name == EVERYBODY:
            members = tuple(agent.name for agent in Agents[Sync](self._caller).list())
        else:
            members = tuple(agent.name for agent in self.tx.all(Agent, "channels.members", name=name))
        return msgspec.structs.replace(channel, members=members)

    def _everybody(self) -> Channel:
        return Channel(
            name=EVERYBODY,
            topic="everybody in this project",
            member_count=self.tx.value("channels.count_everybody"),
            joined=True,
        )

    def _add(self, name: str, agent: str) -> None:
        if self.tx.run("channels.put_member", name=name, agent=agent, now=self.tx.now):
            self.tx.record("channel.joined", name, {"agent": agent})

    def _mine_or_as_person(self, name: str) -> Agent:
        chosen = Agents[Sync](self._caller).get(name or self.tx.me.agent)
        if chosen.id != self.tx.me.agent and self.tx.me.kind not in ("human", "system"):
            raise Forbidden(f"{chosen.name} joins and leaves channels itself", hint=f"ask {chosen.name}")
        return chosen
