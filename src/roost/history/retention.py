"""The steps of retention, each one short transaction: what may leave, its lines, the seal over them, their end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple, cast

import msgspec

from roost.errors import NotFound, WrongState
from roost.history.keeping import Facts, in_ms, reason_to_stay
from roost.history.model import ArchiveRow
from roost.history.rules import told_hash
from roost.history.whole import refuse_agents
from roost.verbs import M, Service, query, verb

RowKind = Literal["messages", "sessions", "operations"]

PAGE = 500
"""Things that one transaction looks at."""
LINES_PAGE = 50
"""Lines that one transaction reads: a message may have a megabyte."""
BEFORE_ALL = -1
ROWS_MAX = 200
"""Rows that one transaction deletes, about: 10-20 ms, so that no writer waits longer than for another's commit."""
CHECK_ROWS = 5
"""To look whether a thing may still go costs as much as so many rows."""
BODY_BYTES_A_ROW = 1_000
"""To take so much text out of the index of words costs as much as a row."""


class Steps(NamedTuple):
    """The queries of one kind: its things in order, the facts about one, its lines, and what deletes it."""

    page: str
    facts: str
    lines: str
    drop: tuple[str, ...]


KINDS: dict[RowKind, Steps] = {
    "messages": Steps("retention.messages", "retention.thread", "retention.thread_lines", ()),
    "sessions": Steps(
        "retention.sessions",
        "retention.session",
        "retention.session_lines",
        ("retention.drop_endpoints", "retention.drop_told", "retention.drop_commit_before", "retention.drop_session"),
    ),
    "operations": Steps(
        "retention.operations", "retention.operation", "retention.operation_lines", ("retention.drop_operation",)
    ),
}


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """What may leave of one page of things, why others stay, and where the next page begins ('' after the last)."""

    keys: tuple[str, ...]
    stays: dict[str, int]
    after: str


class Lines(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of an archive: how many of the things asked for are done with them, and where to go on in the next one."""

    texts: tuple[str, ...]
    done: int
    after: int


class Retention(Service[M]):
    """What moves rows out of the store; `retaining` decides when. Verbs raise Forbidden for agents."""

    @query
    def may(self) -> None:
        """Raise Forbidden for agents: before a file is written that the log would then not take."""
        refuse_agents(self.tx)

    @query
    def due(self, kind: RowKind, after: str) -> Due:
        """Look at one page of things behind `after`, and say which may leave."""
        keep_ms, stays = in_ms(getattr(self.tx.config.retention, kind)), Counter[str]()
        if keep_ms is None:
            return Due(keys=(), stays={}, after="")
        places = self.tx.all(_Place, KINDS[kind].page, after=after, limit=PAGE)
        keys = list[str]()
        for place in places:
            if place.at > self.tx.now - keep_ms:
                if kind == "messages":  # they stand in the order of time: all that follow are younger
                    return Due(keys=tuple(keys), stays=dict(stays), after="")
            elif place.key and (reason := self._reason(kind, place.key, keep_ms)):
                stays[reason] += 1
            elif place.key:
                keys.append(place.key)
        return Due(keys=tuple(keys), stays=dict(stays), after=places[-1].place if len(places) == PAGE else "")

    @query
    def lines(self, kind: RowKind, keys: Sequence[str], after: int) -> Lines:
        """Return about LINES_PAGE lines of these things as archives hold them, of the first behind place `after`."""
        texts, done = list[str](), 0
        while done < len(keys) and len(texts) < LINES_PAGE:
            found = self.tx.all(_Text, KINDS[kind].lines, key=keys[done], after=after, limit=LINES_PAGE)
            texts += [line.text for line in found]
            done, after = (done, found[-1].place) if len(found) == LINES_PAGE else (done + 1, BEFORE_ALL)
        return Lines(texts=tuple(texts), done=done, after=after)

    @query
    def next_number(self) -> int:
        """Return the number of the next archive of rows."""
        return int(self.tx.value("retention.newest_archive")) + 1

    @query
    def unfinished(self) -> tuple[int, ...]:
        """Return the archives whose rows are not all deleted yet."""
        return tuple(row.n for row in self.tx.all(_Number, "retention.unfinished"))

    @verb
    def seal(self, made: ArchiveRow, keys: Sequence[str]) -> None:
        """Record that an archive is on the disk, and what is to be deleted because of it. Raises WrongState."""
        refuse_agents(self.tx)
        if made.n != int(self.tx.value("retention.newest_archive")) + 1:
            raise WrongState(f"archive {made.n} is not the next one", hint="try again")
        self.tx.run("retention.put_archive", made)
        self.tx.run_many("retention.put_leaving", [{"n": made.n, "key": key} for key in keys])
        told = {"kind": made.kind, "n": made.n, "lines": made.lines, "archive_hash": made.archive_hash}
        self.tx.record("history.archived", made.archive, told)

    @verb
    def drop(self, n: int) -> bool:
        """Delete some of what lies in archive `n`, and say whether more is left. What is no longer final by now stays.

        Raises NotFound.
        """
        refuse_agents(self.tx)
        archive = self.tx.one(ArchiveRow, "retention.archive", n=n)
        if archive is None:
            raise NotFound(f"there is no archive {n}", hint="see `roost history verify`")
        budget, kind = ROWS_MAX, cast("RowKind", archive.kind)
        keep_ms = in_ms(getattr(self.tx.config.retention, kind))
        for row in self.tx.all(_Key, "retention.leaving", n=n, limit=ROWS_MAX):
            if budget <= 0:
                break
            done = keep_ms is None or bool(self._reason(kind, row.key, keep_ms))
            if not done:
                budget, done = self._drop(kind, row.key, archive, budget)
            if done:
                self.tx.run("retention.drop_leaving", n=n, key=row.key)
            budget -= CHECK_ROWS
        return self.tx.value("retention.leaving", n=n, limit=1) is not None

    @query
    def events_before(self) -> int:
        """Return the last event that is older than its policy, and than every lease and operation that is open."""
        keep_ms = in_ms(self.tx.config.retention.events)
        if keep_ms is None:
            return 0
        live = self.tx.value("retention.oldest_live")
        before = min(self.tx.now - keep_ms, live if live is not None else self.tx.now)
        low, high = 0, self.tx.seq
        while low < high:  # event times never go back, so halving finds the place without walking
            middle = (low + high + 1) // 2
            if self.tx.value("retention.event_time", seq=middle) < before:
                low = middle
            else:
                high = middle - 1
        return low

    def _reason(self, kind: RowKind, key: str, keep_ms: int) -> str:
        facts = self.tx.one(Facts, KINDS[kind].facts, key=key)
        return reason_to_stay(facts, keep_ms, self.tx.now) if facts is not None else ""

    def _drop(self, kind: RowKind, key: str, archive: ArchiveRow, budget: int) -> tuple[int, bool]:
        if kind == "messages":
            return self._drop_thread(key, archive, budget)
        for statement in KINDS[kind].drop:
            budget -= self.tx.run(statement, key=key)
        return budget, True

    def _drop_thread(self, key: str, archive: ArchiveRow, budget: int) -> tuple[int, bool]:
        """Delete messages from the newest on; return what is left of the budget, and whether the thread is gone."""
        while budget > 0:
            message = self.tx.one(_Message, "retention.last_of_thread", key=key)
            if message is None:
                return budget, True
            for statement in ("retention.drop_receipts", "retention.drop_deliveries"):
                budget -= self.tx.run(statement, id=message.id, limit=max(1, budget))
            if budget > 0:
                budget -= self._drop_message(message, archive)
        return budget, False

    def _drop_message(self, message: _Message, archive: ArchiveRow) -> int:
        self.tx.run("retention.drop_words", number=message.number)
        self.tx.run("retention.drop_document", number=message.number)
        rows = sum(self.tx.run(statement, id=message.id) for statement in _OF_MESSAGE)
        told = {"number": message.number, "body": told_hash(message.body_hash), "archive": archive.archive}
        self.tx.record("message.purged", message.id, told)
        return rows + message.size // BODY_BYTES_A_ROW


_OF_MESSAGE = (
    "retention.drop_reactions",
    "retention.drop_dependencies",
    "retention.drop_dependents",
    "retention.drop_message",
)


class _Place(msgspec.Struct, frozen=True):
    place: str
    key: str
    at: int


class _Text(msgspec.Struct, frozen=True):
    place: int
    text: str


class _Key(msgspec.Struct, frozen=True):
    key: str


class _Number(msgspec.Struct, frozen=True):
    n: int


class _Message(msgspec.Struct, frozen=True):
    id: str
    number: int
    body_hash: bytes
    size: int
