"""S6, S7 and S8: how long a durable message takes to who listens, alone, among idle ones, and to many at once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import msgspec

from bench.load import many_files
from bench.measure import ROUNDS, Line, interleaved, ms, p50, p99, timed
from bench.rivals import servers
from bench.scene import BODY, raw
from bench.serving import Served, served

IDLE = (100, 1_000, 10_000)
READERS = (100, 1_000, 10_000)
BURST = 5
"""Sends of one contestant in one round, beside one that is not timed."""
PAUSE_SECONDS = 0.1
"""Before each of them."""
ROUNDS_OF_PUSH = 200
KIB = 1024
NATIVE_KIB_MAX, SOCKET_KIB_MAX = 20, 60


def s6() -> list[Line]:
    """One durable message at a time, from before the send until a WebSocket has it."""
    with served() as ours, servers.bare("echo") as echo, raw() as bare:
        pushes = _child("push", {"place": ours.place, "port": ours.run.port, "token": ours.tokens(1)[0]})
        echoes = _child("echo", {"port": echo["port"]})
        commits = interleaved({"raw": bare.send}, each=60)["raw"]
    push, allowed = p50(pushes), p50(commits) + 4 * p50(echoes) + 0.0003
    tail = p99(pushes)
    return [
        Line("S6", "send to WebSocket, p50, to raw commit + 4 echoes + 0.3 ms", ms(push), ms(allowed),
             push / allowed, "<=1", "D2", push <= allowed),
        Line("S6", "send to WebSocket, p99 to p50", ms(tail), ms(push), tail / push, "<=3", "D2", tail <= 3 * push),
    ]  # fmt: skip


def s7() -> list[Line]:
    """Delivery to one listener among idle connections, and what each of those costs."""
    lines, tails, memory = [], {}, {}
    for count in IDLE:
        with served() as ours:
            before = ours.memory()
            plan = {"place": ours.place, "idle": count, "pid": ours.run.pid}
            found = _child("idle", plan)
            tails[count] = p99(found[1:])
            memory[count] = (found[0] - before) / count
    for count, allowed in ((1_000, 1.5), (10_000, 3.0)):
        ratio = tails[count] / tails[100]
        what = f"delivery p99 among {count:,} idle native streams against 100"
        lines.append(Line("S7", what, ms(tails[count]), ms(tails[100]), ratio, f"<={allowed}", "D2", ratio <= allowed))
    each = memory[10_000] / KIB
    lines.append(
        Line("S7", "memory of an idle native stream, of 10,000", f"{each:.1f}KiB", f"{NATIVE_KIB_MAX}KiB",
             each / NATIVE_KIB_MAX, "<=1", "-", each <= NATIVE_KIB_MAX)
    )  # fmt: skip
    with served() as ours:
        before = ours.memory()
        count = 1_000
        plan = {"port": ours.run.port, "tokens": ours.tokens(count // 8 + 1), "idle": count, "pid": ours.run.pid}
        each = (_child("sockets", plan)[0] - before) / count / KIB
    lines.append(
        Line("S7", "memory of an idle WebSocket, of 1,000", f"{each:.1f}KiB", f"{SOCKET_KIB_MAX}KiB",
             each / SOCKET_KIB_MAX, "<=1", "-", each <= SOCKET_KIB_MAX)
    )  # fmt: skip
    return lines


def s8() -> list[Line]:
    """From before a durable send until the last of many readers has it; the body is stored once.

    All that is compared is open at once and takes turns, each send, the raw commit's too, after the same pause: whoever
    comes out of a pause finds its memory and the disk cold.
    """
    lines = []
    for count, factor in zip(READERS, (2.0, 1.5, 3.0), strict=True):
        seconds = _in_turns(count, with_rivals=count == READERS[0])
        ours, allowed = seconds["ours"], seconds["raw"] + factor * seconds["sockets"]
        lines.append(
            Line("S8", f"fan-out to {count:,} native readers against raw commit + {factor} x bare sockets",
                 ms(ours), ms(allowed), ours / allowed, "<=1", "D2", ours <= allowed)
        )  # fmt: skip
        for name in ("JetStream", "Redis"):
            if theirs := seconds.get(name, 0.0):
                what = f"fan-out to {count:,} against {name}, synced"
                lines.append(Line("S8", what, ms(ours), ms(theirs), theirs / ours, ">=4", "D2", theirs >= 4 * ours))
    return lines


def _in_turns(count: int, *, with_rivals: bool) -> dict[str, float]:
    """Return the median of every contestant's fan-out to so many readers, and of a raw commit."""
    with contextlib.ExitStack() as opened:
        place, sockets = opened.enter_context(served()).place, opened.enter_context(servers.bare("fanout"))
        bare = opened.enter_context(raw())
        plans: dict[str, tuple[str, dict[str, Any]]] = {
            "ours": ("readers", {"place": place}),
            "sockets": ("bare_readers", {"path": sockets["path"]}),
        }
        for name, server in (("JetStream", servers.jetstream), ("Redis", servers.redis)) if with_rivals else ():
            spec = opened.enter_context(server())
            plans[name] = f"{spec['kind']}_readers", spec
        bursts = {
            name: opened.enter_context(_player(what, {**plan, "readers": count}))
            for name, (what, plan) in plans.items()
        }
        bursts["raw"] = lambda: [_after_a_pause(bare.send) for _ in range(BURST + 1)][1:]
        taken: dict[str, list[float]] = {name: [] for name in bursts}
        for _ in range(ROUNDS):
            for name, burst in bursts.items():
                taken[name] += burst()
    return {name: p50(seconds) for name, seconds in taken.items()}


def _after_a_pause(step: Callable[[], object]) -> float:
    time.sleep(PAUSE_SECONDS)
    return timed(step)


@contextlib.contextmanager
def _player(what: str, plan: dict[str, Any]) -> Iterator[Callable[[], list[float]]]:
    """A measuring process that stays: each call lets it play one burst, and returns the seconds of each send."""
    words = [sys.executable, "-m", "bench.pushing", what]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        said, heard = process.stdin, process.stdout
        assert said is not None and heard is not None

        def burst(line: bytes = b"") -> list[float]:
            said.write(line + b"\n")
            said.flush()
            return msgspec.json.decode(heard.readline(), type=list[float])

        burst(msgspec.json.encode(plan))
        yield burst
        process.communicate()


def _child(what: str, plan: dict[str, Any]) -> list[float]:
    words = [sys.executable, "-m", "bench.pushing", what]
    done = subprocess.run(words, input=msgspec.json.encode(plan) + b"\n", stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(done.stdout, type=list[float])


async def push(plan: dict[str, Any]) -> list[float]:
    """Send natively, receive by WebSocket."""
    from websockets.asyncio.client import connect

    from roost import reach

    sender = await reach.aremote(plan["place"], as_="sender")
    headers = {"Authorization": f"Bearer {plan['token']}"}
    seconds = []
    async with connect(
        f"ws://127.0.0.1:{plan['port']}/v1/stream", additional_headers=headers, compression=None
    ) as live:
        await live.send(json.dumps({"type": "subscribe", "filter": {"kinds": ["message.sent"]}}))
        while json.loads(await live.recv())["type"] != "subscribed":
            pass  # the welcome
        for _ in range(ROUNDS_OF_PUSH):
            began = time.perf_counter()
            sending = asyncio.ensure_future(sender.messages.send(to="caller-0", text=BODY))
            frame = await live.recv()
            seconds.append(time.perf_counter() - began)
            sent = await sending
            assert json.loads(frame)["told"]["message"]["id"] == sent.id
    return seconds


async def echo(plan: dict[str, Any]) -> list[float]:
    """Exchange a message with a WebSocket that echoes."""
    from websockets.asyncio.client import connect

    async with connect(f"ws://127.0.0.1:{plan['port']}", compression=None) as live:

        async def once() -> None:
            await live.send(BODY)
            await live.recv()

        return await _times(once, 500)


async def idle(plan: dict[str, Any]) -> list[float]:
    """Open idle streams, then time mail to one listener; the first value is the daemon's memory with all of them."""
    from roost import reach
    from roost.interfaces.wire.aclient import AsyncRemote

    sender, listener = [await reach.aremote(plan["place"], as_=name) for name in ("sender", "listener")]
    streams = []
    for number in range(plan["idle"]):
        caller = AsyncRemote(reach.reviver(plan["place"]), reach.introducer(plan["place"], as_=f"idle-{number % 50}"))
        await caller.reopened()
        streams.append(asyncio.ensure_future(_first(_hub(caller).messages.follow(agent=f"idle-{number % 50}"))))
    await asyncio.sleep(1.0)
    memory = Served.memory_of(plan["pid"])
    arrived = asyncio.Queue[None]()

    async def listen() -> None:
        async for _ in listener.messages.listen():
            arrived.put_nowait(None)

    listening = asyncio.ensure_future(listen())
    await asyncio.sleep(0.2)
    seconds = []
    for _ in range(ROUNDS_OF_PUSH):
        began = time.perf_counter()
        sending = asyncio.ensure_future(sender.messages.send(to="listener", text=BODY))
        await arrived.get()
        seconds.append(time.perf_counter() - began)
        await sending
        await asyncio.sleep(0.002)
    listening.cancel()
    return [float(memory), *seconds]


async def sockets(plan: dict[str, Any]) -> list[float]:
    """Open idle WebSockets and return the daemon's memory with all of them."""
    from websockets.asyncio.client import connect

    opened = []
    for number in range(plan["idle"]):
        headers = {"Authorization": f"Bearer {plan['tokens'][number // 8]}"}
        uri = f"ws://127.0.0.1:{plan['port']}/v1/stream?kinds=nothing"
        opened.append(await connect(uri, additional_headers=headers, compression=None).__aenter__())
    await asyncio.sleep(1.0)
    return [float(Served.memory_of(plan["pid"]))]


async def readers(plan: dict[str, Any]) -> list[float]:
    """Follow the conversation on many connections; time until the last one has a message."""
    from roost import reach
    from roost.interfaces.wire.aclient import AsyncRemote

    sender, sink = [await reach.aremote(plan["place"], as_=name) for name in ("sender", "sink")]
    await sender.channels.create("news")
    await sink.channels.join("news")
    left = _Countdown(plan["readers"])

    async def read(caller: AsyncRemote) -> None:
        async for _ in _hub(caller).messages.follow():
            left.one()

    for number in range(plan["readers"]):
        caller = AsyncRemote(reach.reviver(plan["place"]), reach.introducer(plan["place"], as_=f"reader-{number % 50}"))
        await caller.reopened()
        left.keep(asyncio.ensure_future(read(caller)))
    await asyncio.sleep(0.5)
    return await left.play(lambda: sender.messages.send(to="#news", text=BODY))


async def bare_readers(plan: dict[str, Any]) -> list[float]:
    """The same on bare sockets."""
    left = _Countdown(plan["readers"])

    async def read() -> None:
        reader, _ = await asyncio.open_unix_connection(plan["path"])
        while await reader.readexactly(len(BODY)):
            left.one()

    for _ in range(plan["readers"]):
        left.keep(asyncio.ensure_future(read()))
    await asyncio.sleep(0.5 + plan["readers"] / 5_000)
    _, writer = await asyncio.open_unix_connection(plan["path"])

    async def send() -> None:
        writer.write(BODY.encode())

    return await left.play(send)


async def jetstream_readers(plan: dict[str, Any]) -> list[float]:
    """The same on JetStream, each reader with an ephemeral push consumer."""
    import nats

    left = _Countdown(plan["readers"])
    stream = (await nats.connect(f"nats://127.0.0.1:{plan['port']}")).jetstream()
    await stream.add_stream(name="mail", subjects=["mail.*"])

    async def told(message: Any) -> None:
        left.one()

    for _ in range(plan["readers"]):
        own = (await nats.connect(f"nats://127.0.0.1:{plan['port']}")).jetstream()
        await own.subscribe("mail.all", cb=told)
    return await left.play(lambda: stream.publish("mail.all", BODY.encode()))


async def redis_readers(plan: dict[str, Any]) -> list[float]:
    """The same on a Redis stream, each reader blocked in XREAD."""
    from redis.asyncio import Redis

    left = _Countdown(plan["readers"])
    sender = Redis(port=plan["port"])
    start = await sender.xadd("all", {"body": b"first"})

    async def read() -> None:
        own, at = Redis(port=plan["port"], single_connection_client=True, socket_timeout=None), start
        while True:
            found: Any = await own.xread({"all": at}, block=60_000)
            for _, entries in found:
                at = entries[-1][0]
                left.one()

    for _ in range(plan["readers"]):
        left.keep(asyncio.ensure_future(read()))
    await asyncio.sleep(1.0)
    return await left.play(lambda: sender.xadd("all", {"body": BODY.encode()}))


class _Countdown:
    """Counts readers that have a message, and times rounds of them."""

    def __init__(self, readers: int) -> None:
        self._readers = readers
        self._left = 0
        self._done = asyncio.Event()
        self._tasks: list[asyncio.Future[Any]] = []

    def keep(self, task: asyncio.Future[Any]) -> None:
        """Keep a reader from being collected."""
        self._tasks.append(task)

    def one(self) -> None:
        """One reader has it."""
        self._left -= 1
        if self._left == 0:
            self._done.set()

    async def play(self, send: Callable[[], Awaitable[object]]) -> list[float]:
        """Play a burst for each line that comes in, until no more comes."""
        seconds: list[float] = []
        while True:
            _tell(seconds)
            if not await asyncio.to_thread(sys.stdin.readline):
                return seconds
            seconds = [await self._time(send) for _ in range(BURST + 1)][1:]

    async def _time(self, send: Callable[[], Awaitable[object]]) -> float:
        """Send, and wait for the last reader."""
        await asyncio.sleep(PAUSE_SECONDS)
        self._left = self._readers
        self._done.clear()
        began = time.perf_counter()
        sending = asyncio.ensure_future(send())
        async with asyncio.timeout(60):
            await self._done.wait()
        seconds = time.perf_counter() - began
        await sending
        return seconds


def _hub(caller: Any) -> Any:
    from roost.hub import Hub

    return Hub(caller)


async def _first(stream: Any) -> None:
    async for _ in stream:
        return


async def _times(once: Callable[[], Awaitable[object]], count: int) -> list[float]:
    seconds = []
    for _ in range(count):
        began = time.perf_counter()
        await once()
        seconds.append(time.perf_counter() - began)
    return seconds


KINDS = {
    "push": push, "echo": echo, "idle": idle, "sockets": sockets, "readers": readers, "bare_readers": bare_readers,
    "jetstream_readers": jetstream_readers, "redis_readers": redis_readers,
}  # fmt: skip


def _tell(seconds: list[float]) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(seconds) + b"\n")
    sys.stdout.flush()


if __name__ == "__main__":
    import os

    import uvloop

    many_files()
    _tell(uvloop.run(KINDS[sys.argv[1]](msgspec.json.decode(sys.stdin.buffer.readline()))))
    os._exit(0)
