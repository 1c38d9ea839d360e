"""The asynchronous caller: what goes over its one connection neither gets lost, nor is done twice, nor piles up."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from roost import reach
from roost.errors import NotAllowed, RoostError
from roost.hub import Hub
from roost.interfaces.wire import aclient
from roost.interfaces.wire.aclient import AsyncRemote, Wire
from roost.interfaces.wire.arrivals import Arrivals
from roost.interfaces.wire.frames import ITEM, Answer, Request
from roost.messages.model import Draft
from roost.verbs import Async

from .served import Served

MESSAGES = 1_000
ANSWERS_MAX = 2


def sent(site: Served) -> list[str]:
    """Return the texts of everything that was sent."""
    return [message.body for message in site.system().messages.log(limit=500)]


def test_a_call_that_waits_to_be_repeated_keeps_its_answer(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    lost, another, ask = [True], asyncio.Event(), AsyncRemote._ask

    async def lossy(self: AsyncRemote, wire: Wire, request: Request, seconds: float | None) -> Answer:
        answer = await ask(self, wire, request, seconds)
        if request.op == "messages.send" and lost and lost.pop():
            wire.close()
            asyncio.get_running_loop().create_task(others())
            await another.wait()
            raise EOFError("the line broke after the answer was on its way")
        return answer

    hub: list[Hub[Async]] = []

    async def others() -> None:
        await hub[0].agents.add("cyn")
        another.set()

    async def play() -> Any:
        async with await reach.aremote(served.place, as_="alice") as alice:
            hub.append(alice)
            return await alice.messages.send(to="alice", text="hello")

    monkeypatch.setattr(AsyncRemote, "_ask", lossy)
    assert asyncio.run(play()).number == 1
    assert sent(served) == ["hello"]


def test_a_call_that_waits_long_keeps_no_answers_of_others(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    done, ask = list[int](), AsyncRemote._ask

    async def watched(self: AsyncRemote, wire: Wire, request: Request, seconds: float | None) -> Answer:
        if request.op == "messages.send":
            done.append(request.id - request.done)
        return await ask(self, wire, request, seconds)

    async def play() -> None:
        async with await reach.aremote(served.place, as_="alice") as alice:
            await alice.messages.send(to="alice", text="hello", requires_ack=True)
            waits = asyncio.create_task(alice.deliveries.wait("m1", "acknowledged"))
            await asyncio.sleep(0)
            for _ in range(3):
                await alice.messages.send(to="alice", text="hello")
            await alice.deliveries.acknowledge("m1")
            await waits

    monkeypatch.setattr(AsyncRemote, "_ask", watched)
    asyncio.run(play())
    assert done == [1, 1, 1, 1], "how many requests before it may still be asked for again"


def test_the_end_of_a_connection_that_was_given_up_leaves_the_next_one_alone(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    wires, refused = list[Wire](), [NotAllowed("not this time")]
    ask = AsyncRemote._ask

    async def once(self: AsyncRemote, wire: Wire, request: Request, seconds: float | None) -> Answer:
        answer = await ask(self, wire, request, seconds)
        if request.op == "hello":
            wires.append(wire)
            if refused:
                raise refused.pop()
        return answer

    async def play() -> None:
        caller = AsyncRemote(reach.reviver(served.place), reach.introducer(served.place, as_="alice"))
        with pytest.raises(RoostError):
            await caller.open()
        assert wires[0]._transport is None or wires[0]._transport.is_closing()
        await caller.open()
        wires[0].connection_lost(None)
        assert caller._wire is wires[1]
        caller.close()

    monkeypatch.setattr(AsyncRemote, "_ask", once)
    asyncio.run(play())


def test_a_slow_reader_misses_nothing_and_lets_nothing_pile_up(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    alice = served.hub("alice")
    alice.agents.add("bob")
    alice.messages.send_batch([Draft(to=("bob",), text="x")] * MESSAGES)
    last, sizes, begun = alice.messages.last_number(), list[int](), list[str]()
    arrived, send = AsyncRemote._arrived, Wire.send

    def watched(self: AsyncRemote, answer: Answer) -> None:
        arrived(self, answer)
        sizes.extend(len(stream) for stream in self._streams.values())

    def noted(self: Wire, request: Request) -> None:
        begun.append(request.op)
        send(self, request)

    monkeypatch.setattr(aclient, "STREAM_ANSWERS_MAX", ANSWERS_MAX)
    monkeypatch.setattr(AsyncRemote, "_arrived", watched)
    monkeypatch.setattr(Wire, "send", noted)

    async def read() -> list[int]:
        found = []
        async with await reach.aremote(served.place, as_="bob") as bob:
            async for message in bob.messages.follow(channel="", agent="alice"):
                found.append(message.number)
                if message.number % 100 == 1:
                    await bob.messages.last_number()
                if message.number == last:
                    return found
        raise AssertionError("the stream ended")

    assert asyncio.run(read()) == list(range(1, last + 1))
    assert begun.count("messages.follow") > 1
    assert max(sizes) <= ANSWERS_MAX


def answer(number: int) -> Answer:
    return Answer(number, ITEM, msgspec.Raw(b"\x90"))


def test_answers_of_a_stream_come_in_their_order_whether_or_not_the_reader_waits() -> None:
    async def play() -> list[int]:
        arrivals, found = Arrivals(), list[int]()
        for number in range(3):
            arrivals.put(answer(number))
        for number in range(3, 6):
            asyncio.get_running_loop().call_soon(arrivals.put, answer(number))
        while len(found) < 6:
            got = await arrivals.next()
            assert got is not None
            found.append(got.id)
        assert len(arrivals) == 0
        return found

    assert asyncio.run(play()) == [0, 1, 2, 3, 4, 5]


def test_an_answer_for_a_reader_that_gave_up_waits_for_the_next_one() -> None:
    async def play() -> int:
        arrivals = Arrivals()
        arrivals.next().cancel()
        arrivals.put(answer(1))
        arrivals.put(None)
        got = await arrivals.next()
        assert got is not None and await arrivals.next() is None
        return got.id

    assert asyncio.run(play()) == 1
