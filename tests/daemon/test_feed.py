"""The feed: a reader that is found by a key is told exactly what it would be told if it were told of everything."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roost.connect import Project, connect
from roost.daemon import news
from roost.daemon.feed import PAGE, SPOON_BYTES, Conversation, Events, Feed, Place
from roost.errors import Conflict
from roost.hub import Hub
from roost.messages.model import Draft
from roost.messages.service import Messages
from roost.sessions.model import Me
from roost.stores.sqlite.tx import SqliteTx
from roost.verbs import InTx, Sync

NAMES = ("ann", "bob", "cyn")
KINDS = ((), ("message",), ("message.sent",), ("delivery", "lease.acquired"), ("nothing",))
ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.sampled_from(NAMES), st.sampled_from((*NAMES, "all", "#build"))),
        st.tuples(st.just("inbox"), st.sampled_from(NAMES), st.just("")),
        st.tuples(st.just("lease"), st.sampled_from(NAMES), st.sampled_from(("a.py", "b.py"))),
    ),
    max_size=12,
)


class Yard:
    """A project in memory with three agents and a channel."""

    def __init__(self) -> None:
        self.project: Project = connect(":memory:")
        self.hubs: dict[str, Hub[Sync]] = {name: self.project.joined(name) for name in NAMES}
        self.hubs["ann"].channels.create("build")
        self.hubs["bob"].channels.join("build")
        self.hubs["cyn"].channels.join("build")
        self.feed = Feed(self.reading)

    @contextmanager
    def reading(self) -> Iterator[SqliteTx]:
        with self.project.store.read() as tx:
            yield tx

    def act(self, what: str, who: str, on: str) -> None:
        hub = self.hubs[who]
        if what == "send":
            hub.messages.send(to=on, text="x")
        elif what == "inbox":
            hub.messages.inbox()
        else:
            with suppress(Conflict):
                hub.leases.acquire(on)

    def sources(self) -> list[Callable[[], Any]]:
        """Return what makes each kind of source, standing at the end of the log."""
        head = self.hubs["ann"].history.head().cursor
        ids = {name: self.project.system().agents.get(name).id for name in NAMES}
        me = self.hubs["ann"].sessions.me()
        seen = Me(session=me.session, agent=me.agent, name=me.name, kind=me.kind, epoch=me.epoch)
        after = self.project.system().messages.last_number()
        spoken = partial(Conversation, seen, after=after, shown=_itself)
        made: list[Callable[[], Any]] = [partial(Events, head, kinds=kinds) for kinds in KINDS]
        made += [
            partial(spoken, channel="", agent="", agent_id=""),
            partial(spoken, channel="build", agent="", agent_id=""),
        ]
        for name, agent in ids.items():
            made.append(partial(Events, head, actor=name, actor_id=agent))
            made.append(partial(Events, head, keys=(agent,), fits=partial(_is_for, agent)))
            made.append(partial(spoken, channel="", agent=name, agent_id=agent))
        return made

    def opened(self, source: Any) -> Place:
        place = self.feed.open(source, lambda: None)
        assert place.take() == []
        return place


def differences(acts: list[tuple[str, str, str]]) -> list[tuple[int, list[Any], list[Any]]]:
    """Return for which sources, by number, being found by keys and being told everything are not the same."""
    yard = Yard()
    pairs = []
    for make in yard.sources():
        keyed, every = make(), make()
        every.keys = ()
        pairs.append((yard.opened(keyed), yard.opened(every)))
    for act in acts:
        yard.act(*act)
        yard.feed.advance()
    taken = [([_id(one) for one in left.take()], [_id(one) for one in right.take()]) for left, right in pairs]
    yard.project.close()
    return [(number, left, right) for number, (left, right) in enumerate(taken) if left != right]


def _itself(one: Any) -> Any:
    return one


def _is_for(agent: str, one: news.News) -> bool:
    return agent in one.to


def _id(one: Any) -> tuple[int, str]:
    return one.event.seq, one.event.kind


@settings(max_examples=25)
@given(ACTS)
def test_keys_leave_nobody_out_and_tell_nobody_twice(acts: list[tuple[str, str, str]]) -> None:
    assert differences(acts) == []


def test_a_key_that_is_forgotten_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = news.News.keys
    acts = [("send", "bob", "cyn"), ("send", "ann", "#build"), ("inbox", "bob", "")]
    assert differences(acts) == []
    for forgotten in ("message", "message.sent"):
        monkeypatch.setattr(news.News, "keys", lambda self, forgotten=forgotten: whole(self) - {forgotten})
        assert differences(acts)
    monkeypatch.setattr(news.News, "keys", lambda self: whole(self) - set(self.to))
    assert differences(acts)
    monkeypatch.setattr(news.News, "keys", lambda self: {one for one in whole(self) if one[0] != "#"})
    assert differences(acts)


def test_who_left_is_told_nothing_and_leaves_nothing_behind(tmp_path: Path) -> None:
    yard = Yard()
    places = [yard.opened(make()) for make in yard.sources()]
    for place in places:
        place.close()
        place.close()
    assert len(yard.feed) == 0
    assert yard.feed._by_key == {}
    yard.project.close()


def test_a_filter_that_fits_nothing_lets_others_go_on_between_the_pages() -> None:
    yard = Yard()
    for number in range(3):
        yard.project.system().messages.send_batch([Draft(to=("bob",), text=f"{number}.{n}") for n in range(PAGE)])

    async def read() -> int:
        woken = asyncio.Event()
        place = yard.feed.open(Events("", fits=lambda one: False), woken.set)
        pages = 1
        while place.take() == [] and place.is_behind:
            pages += 1
            await woken.wait()
            woken.clear()
        assert len(yard.feed) == 1, "it stands at the end of the log now"
        return pages

    assert asyncio.run(read()) > 3
    yard.project.close()


def test_a_reader_that_took_a_page_is_woken_for_the_next_unless_it_left() -> None:
    yard = Yard()
    yard.project.system().messages.send_batch([Draft(to=("bob",), text=str(n)) for n in range(3 * PAGE)])

    async def read() -> None:
        woken = asyncio.Event()
        place = yard.feed.open(Events(""), woken.set)
        assert len(place.take()) == PAGE
        await woken.wait()
        woken.clear()
        assert len(place.take()) == PAGE
        place.close()
        await asyncio.sleep(0)
        assert not woken.is_set() and place.take() == []
        assert len(yard.feed) == 0

    asyncio.run(read())
    yard.project.close()


def test_what_was_committed_together_wakes_a_reader_once() -> None:
    yard, woken = Yard(), list[int]()
    place = yard.feed.open(yard.sources()[1](), lambda: woken.append(1))
    assert place.take() == []
    yard.hubs["ann"].messages.send_batch([Draft(to=("bob",), text=str(n)) for n in range(20)])
    yard.feed.advance()
    assert len(woken) == 1
    assert [one.message.body for one in place.take()] == [str(n) for n in range(20)]
    yard.project.close()


def test_a_reader_gets_little_more_than_a_spoonful_at_once() -> None:
    yard, taken, long = Yard(), list[list[Any]](), "x" * 10_000
    place = yard.feed.open(yard.sources()[1](), lambda: taken.append(place.take()))
    assert place.take() == []
    yard.hubs["ann"].messages.send_batch([Draft(to=("bob",), text=f"{n} {long}") for n in range(20)])
    yard.feed.advance()
    assert [one.message.body.split()[0] for items in taken for one in items] == [str(n) for n in range(20)]
    assert max(len(items) for items in taken) * len(long) <= SPOON_BYTES + len(long)
    yard.project.close()


def test_who_catches_up_while_others_are_told_lets_nobody_miss_what_they_are_told() -> None:
    yard, places = Yard(), list[Place]()
    source = yard.sources()[1]

    def disturbed() -> None:
        """Let another one send, and a third one come, before the next reader is told."""
        if len(places) == 2:
            yard.act("send", "bob", "cyn")
            places.append(yard.feed.open(source(), lambda: None))
            places[2].take()

    places += [yard.feed.open(source(), disturbed) for _ in range(2)]
    assert [place.take() for place in places] == [[], []]
    yard.act("send", "ann", "bob")
    yard.feed.advance()
    yard.feed.advance()
    assert [[one.message.number for one in place.take()] for place in places[:2]] == [[1, 2], [1, 2]]
    yard.act("send", "ann", "bob")
    yard.feed.advance()
    assert [[one.message.number for one in place.take()] for place in places] == [[3], [3], [3]]
    yard.project.close()


def test_a_transaction_that_committed_reads_its_own_events_and_no_other_is_opened() -> None:
    yard = Yard()
    place = yard.opened(yard.sources()[1]())
    bodies = partial(Messages.send.body, to="bob")
    me = yard.project.system().agents.get("ann").id
    with yard.project.store.write() as tx:
        tx.me = Me(session="", agent=me, name="ann", kind="agent", epoch=1)
        bodies(Messages[Sync](InTx(tx)), text="x")
    yard.feed._reads = lambda: pytest.fail("the log is read anew")
    yard.feed.advance(tx)
    assert [one.message.body for one in place.take()] == ["x"]
    yard.project.close()
