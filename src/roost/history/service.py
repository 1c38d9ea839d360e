"""History: every change of state, in order, provably whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from roost.errors import EpochChanged, InvalidInput, NotFound, UnknownAgent, WrongState
from roost.history.model import ArchiveRow, Event, Events, Head, Line, Moment, Problem, Retained, Seal, Verdict
from roost.history.rules import START, cursor, parse_cursor
from roost.history.whole import (
    CHUNK,
    StoredBody,
    Vanished,
    archived,
    body_problems,
    facts,
    refuse_agents,
    state_at,
    verify,
)
from roost.names import fold_alias
from roost.verbs import M, Service, Sync, query, stream, verb, waiting

PAGE_MAX = 500
SCANNED_MAX = 10_000
"""Events that one call looks through for those that fit its filters; it answers with a cursor behind them."""
SEALED_MAX = 50_000
"""Events of one seal."""
CUT_MAX = 1_000
"""Events that one transaction deletes: 10-20 ms, so that no writer waits longer than for another's commit."""
FOLLOW_SECONDS = 5.0
"""How long a follower waits for a hint before it looks anyway."""
_KIND = re.compile(r"[a-z][a-z_-]*(\.[a-z][a-z_-]*)?")


class History(Service[M]):
    """The log of a project: pages and streams of events, proof that it is whole, and the state at a moment."""

    @query
    def head(self) -> Head:
        """Return where the log is now, with the cursor behind its last event."""
        return self._head()

    @query
    def since(
        self, cursor: str = "", *, kinds: Sequence[str] = (), actor: str = "", object: str = "", limit: int = 100
    ) -> Events:
        """Return the events behind a cursor, oldest first; without one from the oldest that is here.

        `kinds` are whole kinds (`message.sent`) or families (`message`); `actor` is a name or id, `roost` for Roost
        itself; `object` an id or a message's short name. One call looks at 10,000 events at most, so a page may be
        empty and `more` true: go on from its cursor, which moves over what the filters skip. Raises BadCursor,
        EpochChanged when the store was restored or replaced since, Archived, UnknownAgent, InvalidInput.
        """
        _check_limit(limit)
        head, after = self._head(), self._behind(cursor)
        thing = self._object_id(object)
        until = head.seq if thing else min(head.seq, after + SCANNED_MAX)
        found = self.tx.all(
            Event,
            "history.page_of_object" if thing else "history.page",
            epoch=head.epoch,
            after=after,
            until=until,
            kinds=_checked_kinds(kinds),
            actor=self._actor_id(actor),
            limit=limit + 1,
            **({"object": thing} if thing else {}),
        )
        events = tuple(found[:limit])
        if len(found) > limit:
            return Events(events=events, cursor=events[-1].cursor, more=True)
        return Events(events=events, cursor=self._cursor(until), more=until < head.seq)

    @stream
    def follow(
        self, cursor: str | None = None, *, kinds: Sequence[str] = (), actor: str = "", object: str = ""
    ) -> Iterator[Event]:
        """Yield events as they are committed, without end: those behind `cursor` first, or only those from now on.

        Each event says where to go on after a break. Raises what `since` raises.
        """
        own = History[Sync](self._caller)
        place = own.head().cursor if cursor is None else cursor
        while True:
            page = own.since(place, kinds=kinds, actor=actor, object=object, limit=PAGE_MAX)
            place = page.cursor
            yield from page.events
            if not page.more:
                self._caller.idle(FOLLOW_SECONDS)

    @waiting
    def verify(self) -> Verdict:
        """Recompute the whole chain and each stored message's hash; say what is wrong and where.

        It finds an edit, a hole and a reorder of what is stored. It does not find that somebody who can write the file
        computed the whole chain anew: compare `head().hash` with one that you noted elsewhere for that.
        """
        return verify(History[Sync](self._caller))

    @waiting
    def at(self, *, seq: int | None = None, wall: int | None = None) -> Moment:
        """Return the state after event `seq`, or at a wall time (ms since 1970): sessions, leases, deliveries.

        It is read out of the log alone. Raises Archived for a moment before the oldest event that is here, InvalidInput
        for one that has not come.
        """
        return state_at(History[Sync](self._caller), seq, wall)

    @query
    def seals(self) -> tuple[Seal, ...]:
        """Return the seals, oldest first, without the states they keep."""
        return tuple(self.tx.all(Seal, "history.seals"))

    @query
    def sealable(self) -> tuple[int, int]:
        """Return the first and last event that may be sealed now; last < first when none may.

        Nothing is sealed from the oldest message on that is still on its way, and at most 50,000 events at a time.
        """
        head = self._head()
        open_from = self.tx.value("history.oldest_open") or head.seq
        return head.first, min(head.seq, open_from - 1, head.first + SEALED_MAX - 1)

    @query
    def sealed_state(self, last: int) -> Moment:
        """Return the state that the seal ending with event `last` keeps; the empty one for 0. Raises NotFound."""
        if last == 0:
            return Moment(seq=0, at=0, wall=0)
        return msgspec.json.decode(self._seal(last).state, type=Moment)

    @verb
    def seal(self, last: int, *, archive: str, archive_hash: str, state: Moment) -> Seal:
        """Record that the events up to `last` lie in an archive of this name and SHA-256. Raises Forbidden,
        WrongState.
        """
        refuse_agents(self.tx)
        first, most = History[Sync](self._caller).sealable()
        if not first <= last <= most or state.seq != last:
            raise WrongState(f"events {first}-{last} cannot be sealed now", hint=f"the last that may is {most}")
        head = self.tx.value("history.hash_of", seq=last)
        seal = Seal(
            first=first,
            last=last,
            head=head,
            archive=archive,
            archive_hash=archive_hash,
            state=msgspec.json.encode(state).decode(),
        )
        self.tx.run("history.put_seal", seal)
        self.tx.record("history.sealed", f"{first}-{last}", facts(seal))
        return seal

    @verb
    def cut(self, last: int) -> int:
        """Let go the events of the seal that ends with `last`: delete up to 1,000 of its rows, and return how many.

        Call it until it answers 0. The whole part counts as gone from the first call on. Raises NotFound, Forbidden.
        """
        refuse_agents(self.tx)
        seal = self._seal(last)
        self.tx.run("history.set_cut", last=seal.last)
        return self.tx.run("history.cut", last=seal.last, limit=CUT_MAX)

    @query
    def uncut(self) -> tuple[Seal, ...]:
        """Return the seals whose events are not all deleted yet."""
        return tuple(self.tx.all(Seal, "history.uncut"))

    @query
    def archives(self) -> tuple[ArchiveRow, ...]:
        """Return the archives of rows, oldest first; those of events are told by their seals."""
        return tuple(self.tx.all(ArchiveRow, "retention.archives"))

    @query
    def archive_folder(self) -> str:
        """Return where archives lie; '' for a store in memory."""
        return self.tx.config.retention.folder

    @waiting
    def retain(self, *, dry_run: bool = False) -> Retained:
        """Move what is older than its policy (`[retention]` in roost.toml) into archives, a bounded part of it.

        Nothing that is not final leaves. With `dry_run` nothing is changed, and the answer says what would leave.
        Raises Forbidden for agents, InvalidInput for a store in memory, WrongState while another process does the same.
        """
        from roost.history.retaining import retain  # with zip and hash, which nobody else pays for

        return retain(self._caller, dry_run=dry_run, pause=lambda: self._caller.idle(0))

    @query
    def lines(self, after: int, limit: int = CHUNK) -> tuple[Line, ...]:
        """Return events as they are stored, behind number `after`."""
        return tuple(self.tx.all(Line, "history.lines", after=after, limit=limit))

    @query
    def wrong_bodies(self, after: int) -> tuple[int, int, tuple[Problem, ...]]:
        """Compare the bodies of up to 2,000 messages behind number `after` with their hashes: last number, count,
        problems.
        """
        found = self.tx.all(StoredBody, "history.bodies", after=after, limit=CHUNK)
        first = self._head().first
        problems = tuple(problem for body in found for problem in body_problems(body, first))
        return (found[-1].number if found else after), len(found), problems

    @query
    def vanished(self, after: int, until: int) -> tuple[Problem, ...]:
        """Return the messages of a range of events that are not here any more without a purge."""
        gone = self.tx.all(Vanished, "history.vanished", after=after, until=until)
        return tuple(Problem(seq=one.seq, what=f"the message of event {one.seq} ({one.id}) is missing") for one in gone)

    @query
    def sealed_head(self, last: int) -> bytes:
        """Return the hash that event `last` + 1 follows."""
        return self._seal(last).head if last else START

    @query
    def seal_problems(self, last: int) -> tuple[Problem, ...]:
        """Compare the seal that ends with event `last` with what the log says of it."""
        if not last:
            return ()
        seal = self.tx.one(Seal, "history.seal", last=last)
        if seal is None:
            return (Problem(seq=1, what=f"events 1-{last} are missing, and no seal says why"),)
        told = self.tx.all(
            Event,
            "history.page_of_object",
            object=f"{seal.first}-{seal.last}",
            epoch=0,
            after=last,
            until=1 << 62,
            actor=None,
            kinds=["history.sealed"],
            limit=1,
        )
        if not told or told[0].data != facts(seal):
            return (
                Problem(seq=last, what=f"the seal of events {seal.first}-{last} is not the one that the log tells of"),
            )
        return ()

    def _head(self) -> Head:
        found = self.tx.one(_HeadRow, "history.head")
        assert found is not None
        place = str(cursor(found.epoch, found.seq, found.hash))
        return Head(**msgspec.structs.asdict(found), cursor=place)

    def _seal(self, last: int) -> Seal:
        seal = self.tx.one(Seal, "history.seal", last=last)
        if seal is None:
            raise NotFound(f"no seal ends with event {last}", hint="see `roost history verify`")
        return seal

    def _cursor(self, seq: int) -> str:
        return str(cursor(self.tx.store_epoch, seq, self._hash(seq) or START))

    def _hash(self, seq: int) -> bytes | None:
        if seq == 0:
            return START
        found: bytes | None = self.tx.value("history.hash_of", seq=seq)
        if found is None:
            seal = self.tx.one(Seal, "history.seal", last=seq)
            return seal.head if seal else None
        return found

    def _behind(self, text: str) -> int:
        head = self._head()
        if not text:
            return head.first - 1
        place = parse_cursor(text)
        if place.epoch != head.epoch:
            raise _epoch_changed(
                f"this cursor is of epoch {place.epoch} of the store, which is in epoch {head.epoch} now"
            )
        if place.seq > head.seq:
            raise _epoch_changed(f"this cursor stands at event {place.seq}, and the log ends with {head.seq}")
        if place.seq < head.first - 1:
            raise archived(head.first)
        if cursor(place.epoch, place.seq, self._hash(place.seq) or START) != place:
            raise _epoch_changed(f"event {place.seq} is not the one that this cursor stood at")
        return place.seq

    def _actor_id(self, actor: str) -> str | None:
        if not actor:
            return None
        if actor == "roost":
            return ""
        found: str | None = self.tx.value("history.agent_id", name=actor, alias=fold_alias(actor))
        if found is None:
            raise UnknownAgent(f"no agent is called {actor!r}", hint="see `roost who` for everybody", name=actor)
        return found

    def _object_id(self, object: str) -> str:
        number = object[1:] if object[:1] == "m" else ""
        if not number.isascii() or not number.isdigit() or len(number) > 15:
            return object
        return self.tx.value("history.message_id", number=int(number)) or object


class _HeadRow(msgspec.Struct, frozen=True):
    project: str
    epoch: int
    first: int
    seq: int
    hash: bytes


def _checked_kinds(kinds: Sequence[str]) -> list[str] | None:
    if isinstance(kinds, str):
        raise InvalidInput(f"kinds = {kinds!r} is one text", hint='give a list: kinds=["message.sent"]')
    for kind in kinds:
        if not _KIND.fullmatch(kind):
            raise InvalidInput(
                f"{kind!r} is no kind of event", hint="a kind looks like message.sent, a family like message"
            )
    return list(kinds) or None


def _check_limit(limit: object) -> None:
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= PAGE_MAX:
        raise InvalidInput(f"limit = {limit!r} is not in 1-{PAGE_MAX}", hint="ask for fewer and page on")


def _epoch_changed(what: str) -> EpochChanged:
    return EpochChanged(
        what, hint="the store was restored or replaced; begin anew from `history.head()` or from the start"
    )
