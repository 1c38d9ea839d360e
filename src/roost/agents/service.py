"""Agents of a project: who there is, by which names, and what they can do."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from roost.agents.model import Agent, Alias, AliasKind, Kind, Profile
from roost.errors import AlreadyExists, Forbidden, InvalidName, UnknownAgent
from roost.ids import new_id
from roost.names import check_name, fold_alias, is_reserved, slug, suggest
from roost.verbs import M, Service, Sync, query, verb


class Agents(Service[M]):
    """The people, clients and scripts that a project knows."""

    @query
    def get(self, name: str) -> Agent:
        """Return the agent that answers to a name or an alias (id, old name, role, `session:window`, `%pane`).

        Raises UnknownAgent, with near names, when nobody does.
        """
        found = self.find(name)
        if found is None:
            near = suggest(fold_alias(name), [row.name for row in self.tx.all(Named, "agents.names")])
            hint = f"did you mean {' or '.join(near)}?" if near else "see `roost who` for everybody"
            raise UnknownAgent(f"no agent is called {name!r}", hint=hint, name=name, suggestions=near)
        return found

    def find(self, name: str) -> Agent | None:
        """Return the agent that answers to a name, or None. Inside a transaction only."""
        return (
            self.tx.one(Agent, "agents.named", name=name)
            or self.tx.one(Agent, "agents.aliased", alias=fold_alias(name))
            or self.tx.one(Agent, "agents.get", id=name)
        )

    @query
    def list(self, *, capability: str = "", kind: Kind | None = None, retired: bool = False) -> tuple[Agent, ...]:
        """Return the agents by name: all, or those of a kind or with a capability."""
        return tuple(
            agent
            for agent in self.tx.all(Agent, "agents.list", retired=retired)
            if (not capability or capability in agent.capabilities) and (kind is None or agent.kind == kind)
        )

    @query
    def aliases(self, name: str) -> tuple[Alias, ...]:
        """Return the other names of an agent."""
        return tuple(self.tx.all(Alias, "agents.aliases", agent=_get(self, name).id))

    @verb
    def add(
        self,
        name: str,
        *,
        kind: Kind = "agent",
        generated: bool = False,
        reserved: bool = False,
        profile: Profile | None = None,
    ) -> Agent:
        """Make a new agent, offline until a session joins it. Raises InvalidName, AlreadyExists, and Forbidden where an
        agent wants a person or a service made."""
        check_name(name, what="agent")
        if kind != "agent" and self.tx.me.kind not in ("human", "system"):
            raise Forbidden(f"an agent cannot make a {kind}", hint="the project's person can")
        if self.find(name) is not None:
            raise AlreadyExists(f"the name {name!r} is taken", hint="choose another name", name=name)
        agent = Agent(
            id=new_id(),
            name=name,
            kind=kind,
            generated=generated,
            reserved=reserved,
            profile=profile or Profile(),
            created_at=self.tx.now,
        )
        self.tx.run("agents.insert", agent)
        self.tx.record("agent.added", agent.id, {"name": name, "kind": kind, "reserved": reserved})
        return agent

    @verb
    def set_profile(
        self,
        name: str = "",
        *,
        capabilities: Sequence[str] | None = None,
        display_name: str | None = None,
        role: str | None = None,
        discord_username: str | None = None,
        discord_user_id: str | None = None,
        notes: str | None = None,
    ) -> Agent:
        """Change what is known of the caller, or of `name` if the caller is a person; None leaves a field as it is."""
        from roost.agents.rules import checked_capabilities, checked_profile

        agent = self._mine_or_as_person(name)
        profile = checked_profile(
            agent.profile,
            display_name=display_name,
            role=role,
            discord_username=discord_username,
            discord_user_id=discord_user_id,
            notes=notes,
        )
        able = agent.capabilities if capabilities is None else checked_capabilities(capabilities)
        changed = msgspec.structs.replace(agent, profile=profile, capabilities=able)
        self.tx.run("agents.update", changed)
        self._put_role(agent, profile.role)
        self.tx.record("agent.changed", agent.id, {"capabilities": list(able), "role": profile.role})
        return changed

    @verb
    def add_alias(self, alias: str, *, kind: AliasKind = "other", name: str = "") -> None:
        """Let the caller (or `name`, if a person asks) answer to another name too.

        Raises AlreadyExists, and InvalidName for one that is reserved.
        """
        self._put_alias(self._mine_or_as_person(name), alias, kind)

    @verb
    def rename(self, new_name: str, *, name: str = "") -> Agent:
        """Give the caller (or `name`, if a person asks) a new name; the old one forwards."""
        agent = self._mine_or_as_person(name)
        check_name(new_name, what="agent")
        if new_name == agent.name:
            return agent
        other = self.find(new_name)
        if other is not None and other.id != agent.id:
            raise AlreadyExists(
                f"the name {new_name!r} is taken by {other.name}", hint="choose another name", name=new_name
            )
        renamed = msgspec.structs.replace(agent, name=new_name, generated=False)
        self.tx.run("agents.drop_alias", alias=fold_alias(new_name))
        self.tx.run("agents.update", renamed)
        self.tx.run("agents.put_alias", alias=fold_alias(agent.name), agent=agent.id, kind="old-name")
        self.tx.record("agent.renamed", agent.id, {"from": agent.name, "to": new_name})
        return renamed

    @verb
    def rotate_key(self, name: str = "", *, revoke: bool = False) -> Agent:
        """Sign the caller's messages (or `name`'s, if a person asks) with a new key from now on.

        What older keys signed still verifies, unless `revoke`: then it is shown as from an unknown sender.
        """
        agent = self._mine_or_as_person(name)
        version = agent.key_version + 1
        rotated = msgspec.structs.replace(
            agent, key_version=version, key_oldest=version if revoke else agent.key_oldest
        )
        self.tx.run("agents.update", rotated)
        self.tx.record("agent.key_rotated", agent.id, {"version": version, "oldest": rotated.key_oldest})
        return rotated

    @verb
    def retire(self, name: str) -> Agent:
        """Take an agent off the list; its name stays its own, its history stays, and a join brings it back."""
        agent = self._mine_or_as_person(name)
        if agent.retired_at is not None:
            return agent
        retired = msgspec.structs.replace(agent, retired_at=self.tx.now)
        self.tx.run("agents.update", retired)
        self.tx.record("agent.retired", agent.id, {"name": agent.name})
        return retired

    def _put_role(self, agent: Agent, role: str) -> None:
        """Let a role be an address (`test engineer`: `test-engineer`) while only one agent has it."""
        alias = slug(role) if role else None
        if alias is not None and self.find(alias) is None:
            self._put_alias(agent, alias, "role")

    def _put_alias(self, agent: Agent, alias: str, kind: AliasKind) -> None:
        folded = fold_alias(alias)
        if is_reserved(folded):
            raise InvalidName(f"{alias!r} is reserved, or looks like a name that is", hint="choose another alias")
        other = self.find(folded)
        if other is not None and other.id != agent.id:
            raise AlreadyExists(f"{alias!r} already names {other.name}", hint="choose another alias", alias=alias)
        self.tx.run("agents.put_alias", alias=folded, agent=agent.id, kind=kind)
        self.tx.record("agent.aliased", agent.id, {"alias": folded, "kind": kind})

    def _mine_or_as_person(self, name: str) -> Agent:
        agent = _get(self, name) if name else _get(self, self.tx.me.agent)
        if agent.id != self.tx.me.agent and self.tx.me.kind not in ("human", "system"):
            raise Forbidden(f"only {agent.name} or the project's person may change {agent.name}", hint="ask them")
        return agent


class Named(msgspec.Struct, frozen=True):
    """One name that answers."""

    name: str


def _get(service: Service[M], name: str) -> Agent:
    return Agents[Sync](service._caller).get(name)
