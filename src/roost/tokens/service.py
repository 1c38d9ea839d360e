"""Tokens: made, replaced and revoked by who they belong to; and shown at a door."""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256
from hmac import compare_digest

import msgspec

from roost.agents.model import Agent
from roost.agents.service import Agents
from roost.errors import Forbidden, LimitReached, NotFound
from roost.sessions.model import Session
from roost.sessions.rules import GONE
from roost.sessions.service import Sessions
from roost.tokens import rules
from roost.tokens.model import Entry, NewToken, Scope, Token
from roost.turns.ending import end_session
from roost.verbs import M, Service, Sync, query, verb

TOKENS_MAX = 100
"""Tokens of one agent that are valid at a time."""
MINUTE_MS = 60_000
CLIENT = "token"
UNKNOWN, MISSING = "this token is not valid", "this needs a token"
HINT = "make one with `roost token create`; HTTP takes it as `Authorization: Bearer rst_...`, TLS as `?token_file=FILE`"


class Tokens(Service[M]):
    """Keys for programs elsewhere. Each is bound to an agent or a person, to scopes, and to a time."""

    @verb
    def create(
        self,
        name: str = "",
        *,
        scopes: Sequence[str] = ("send", "read", "lease"),
        expires_in: float = rules.LIFE_SECONDS_DEFAULT,
        label: str = "",
    ) -> NewToken:
        """Make a token for the caller, or (for people) for `name`; its key is in this answer and nowhere else.

        `expires_in` is in seconds, 1 h to 365 days. Raises Forbidden, InvalidInput, InvalidTtl, LimitReached.
        """
        agent = self._whose(name)
        granted = rules.check_scopes(scopes, kind=agent.kind, by=self.tx.me.kind)
        life = rules.check_life(expires_in)
        return self._make(agent, granted, life, rules.check_label(label))

    @query
    def list(self, name: str = "") -> tuple[Token, ...]:
        """Return the caller's tokens, oldest first; a person's call without a name returns everybody's."""
        everybody = not name and self.tx.me.kind in ("human", "system")
        return tuple(self.tx.all(Token, "tokens.list", agent="" if everybody else self._whose(name).id))

    @verb
    def revoke(self, token: str) -> Token:
        """End a token now, on open connections within a second; twice is once. Raises NotFound."""
        found = self._mine(token)
        if self.tx.run("tokens.revoke", id=found.id, at=self.tx.wall, replaced_by=found.replaced_by):
            self.tx.record("token.revoked", found.id, {"agent": found.agent})
        return self._mine(token)

    @verb
    def rotate(self, token: str, *, overlap: float = 60.0) -> NewToken:
        """Replace a token by one that may do the same for as long; the old one works for `overlap` seconds more.

        Raises NotFound, Forbidden for one that is over, InvalidTtl.
        """
        found, ahead = self._mine(token), rules.check_overlap(overlap)
        if not _is_valid(found, self.tx.wall):
            raise Forbidden(f"token {found.id} is over", hint="make a new one: `roost token create`")
        agent = Agents[Sync](self._caller).get(found.agent)
        made = self._make(agent, found.scopes, found.expires_at - found.created_at, found.label)
        self.tx.run("tokens.revoke", id=found.id, at=self.tx.wall + ahead, replaced_by=made.token.id)
        self.tx.record("token.rotated", found.id, {"agent": agent.id, "by": made.token.id, "overlap_ms": ahead})
        return made

    @verb
    def admit(self, key: str, *, address: str = "") -> Entry:
        """Return whom a key lets in, with the session that it acts as; or that it is refused, which is counted.

        It acts as the live session of its agent, else as one of its own, which is begun. What is unknown, over or
        another's is refused alike.
        """
        if (wait := self._wait_of(address)) and not self._opened(key):
            return Entry(refused="too many wrong tokens came from this address", retry_after=wait)
        found = self._opened(key)
        if found is None:
            self._count(address, key)
            return Entry(refused=UNKNOWN)
        return Entry(
            session=self._session(found).id,
            agent=found.agent,
            name=found.name,
            kind=found.kind,
            scopes=found.scopes,
            token=found.id,
        )

    @query
    def valid(self, token: str) -> bool:
        """Say whether a token is still valid, by its id."""
        found = self.tx.one(_Keyed, "tokens.keyed", id=token) if rules.is_id(token) else None
        return found is not None and _is_open(found, self.tx.wall)

    @verb
    def denied(self, *, address: str = "", token: str = "", verb: str = "", scope: str = "") -> None:
        """Note in the log, once a minute, that a token lacked a scope; or that somebody at an address had no token."""
        if not token:
            self._count(address, "")
        elif self._counted(f"token {token}") == 1:
            self.tx.record("token.denied", token, {"verb": verb, "scope": scope})

    def _make(self, agent: Agent, scopes: tuple[Scope, ...], life: int, label: str) -> NewToken:
        if self.tx.value("tokens.count_of", agent=agent.id, wall=self.tx.wall) >= TOKENS_MAX:
            raise LimitReached(f"{agent.name} has {TOKENS_MAX} valid tokens", hint="revoke some: `roost token list`")
        key = rules.PREFIX + urlsafe_b64encode(os.urandom(rules.KEY_BYTES)).decode().rstrip("=")
        made = Token(
            id=rules.id_of(key),
            agent=agent.id,
            name=agent.name,
            scopes=scopes,
            label=label,
            created_at=self.tx.wall,
            expires_at=self.tx.wall + life,
        )
        fields = {name: value for name, value in msgspec.structs.asdict(made).items() if name in _COLUMNS}
        self.tx.run("tokens.insert", {**fields, "hash": _hash(key)})
        self.tx.record("token.created", made.id, {"agent": agent.id, "scopes": list(scopes)})
        return NewToken(key=key, token=made)

    def _opened(self, key: str) -> _Keyed | None:
        if not rules.is_key(key):
            return None
        found = self.tx.one(_Keyed, "tokens.keyed", id=rules.id_of(key))
        if found is None or not compare_digest(found.hash, _hash(key)) or not _is_open(found, self.tx.wall):
            return None
        return found

    def _session(self, found: _Keyed) -> Session:
        sessions = Sessions[Sync](self._caller)
        live = self.tx.one(Session, "sessions.live_of", agent=found.agent)
        if live is not None and (live.client == CLIENT or sessions.lives(live) or found.kind == "human"):
            if live.client == CLIENT and self.tx.now - live.beat_at > live.ttl_ms // 4:
                sessions.note(live, live.state, operation=live.operation, mark=live.mark)
            return live
        if live is not None:
            end_session(Service[Sync](self._caller), live, GONE)
        agent = Agents[Sync](self._caller).get(found.agent)
        client = "terminal" if found.kind == "human" else CLIENT
        return sessions.begin(agent, client=client, client_session=found.id, process=None, state="idle")

    def _wait_of(self, address: str) -> float:
        seen = self.tx.one(_Refusals, "tokens.refusals", address=address) if address else None
        if seen is None or seen.count < rules.FAILURES_MAX:
            return 0.0
        return max(0.0, (seen.since + MINUTE_MS - self.tx.now) / 1000)

    def _count(self, address: str, key: str) -> None:
        seen = self.tx.one(_Refusals, "tokens.refusals", address=address)
        if self._counted(address) > 1:
            return
        why = "no token" if not key else "wrong token"
        last = {"refused_before": seen.count} if seen is not None else {}
        self.tx.record("token.refused", address or "-", {"why": why, **last})  # one a minute: nobody fills the log so

    def _counted(self, who: str) -> int:
        """Count one refusal more; return how many that makes in this minute."""
        seen = self.tx.one(_Refusals, "tokens.refusals", address=who)
        if seen is not None and seen.since + MINUTE_MS > self.tx.now:
            self.tx.run("tokens.put_refusal", address=who, since=seen.since, count=seen.count + 1)
            return seen.count + 1
        self.tx.run("tokens.forget_refusals", before=self.tx.now - MINUTE_MS)
        self.tx.run("tokens.put_refusal", address=who, since=self.tx.now, count=1)
        return 1

    def _whose(self, name: str) -> Agent:
        agent = Agents[Sync](self._caller).get(name or self.tx.me.agent)
        if agent.id != self.tx.me.agent and self.tx.me.kind not in ("human", "system"):
            raise Forbidden(f"the tokens of {agent.name} are its own", hint="ask the project's person")
        return agent

    def _mine(self, token: str) -> Token:
        found = self.tx.one(Token, "tokens.get", id=token) if rules.is_id(token) else None
        if found is None or (found.agent != self.tx.me.agent and self.tx.me.kind not in ("human", "system")):
            raise NotFound(f"there is no token {_shown(token)}", hint="see `roost token list`")
        return found


class _Keyed(msgspec.Struct, frozen=True):
    id: str
    hash: bytes
    agent: str
    name: str
    kind: str
    scopes: tuple[Scope, ...]
    expires_at: int
    revoked_at: int | None
    retired_at: int | None


class _Refusals(msgspec.Struct, frozen=True):
    since: int
    count: int


_COLUMNS = frozenset({"id", "agent", "scopes", "label", "created_at", "expires_at"})


def _shown(token: object) -> str:
    """Return how a wrong id is told of; somebody may have given the key itself, which is told to nobody."""
    return "with that key; give its id" if rules.is_key(token) else repr(token)[:40]


def _hash(key: str) -> bytes:
    return sha256(key.encode()).digest()


def _is_valid(token: Token, wall: int) -> bool:
    return wall < token.expires_at and (token.revoked_at is None or wall < token.revoked_at)


def _is_open(found: _Keyed, wall: int) -> bool:
    over = wall >= found.expires_at or (found.revoked_at is not None and wall >= found.revoked_at)
    return not over and found.retired_at is None
