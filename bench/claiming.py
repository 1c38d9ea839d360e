"""S9: taking one message and acknowledging it, by four processes side by side.

In two forms, for each contestant the same: two calls a message, one to take it and one to acknowledge it; and one call,
which acknowledges the last and takes the next in one transaction. JetStream is asked to sync always, and syncs what is
published; it answers an acknowledgement before it wrote it down (docs/benchmarks/README.md).
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec

from bench.measure import Line
from bench.rivals import servers
from bench.scene import BODY
from bench.serving import served
from roost.connect import connect
from roost.messages.model import Draft

PROCESSES = 4
EACH = 250
ROUNDS = 5
FORMS = {"two": "claim + acknowledge, two calls", "one": "claim with the acknowledgement of the last, one call"}
RIVALS = {
    "postgres": ("PostgreSQL SKIP LOCKED", 2.0),
    "jetstream": ("JetStream (acknowledgements unsynced)", 1.5),
    "redis": ("Redis", 1.5),
}


def s9() -> list[Line]:
    """Claim and acknowledge against PostgreSQL's SKIP LOCKED, JetStream and Redis, in both forms."""
    with served() as ours, servers.postgres() as rows, servers.jetstream() as stream, servers.redis() as list_:
        specs: dict[str, Any] = {"roost": {"kind": "roost", "place": ours.place}}
        specs |= {"postgres": rows, "jetstream": stream, "redis": list_}
        rates: dict[tuple[str, str], list[float]] = {(form, name): [] for form in FORMS for name in specs}
        for number in range(ROUNDS):
            for (form, name), taken in rates.items():
                first = number == 0 and form == next(iter(FORMS))
                taken.append(_rate({**specs[name], "form": form, "first": first}))
    found = {key: statistics.median(each) for key, each in rates.items()}
    return [_line(form, name, found[form, "roost"], found[form, name]) for form in FORMS for name in RIVALS]


def _line(form: str, name: str, ours: float, theirs: float) -> Line:
    what, factor = RIVALS[name]
    return Line(
        "S9", f"{FORMS[form]}, {PROCESSES} processes, against {what}", f"{ours:,.0f}/s", f"{theirs:,.0f}/s",
        ours / theirs, f">={factor}", "D2", ours >= factor * theirs,
    )  # fmt: skip


def _rate(spec: dict[str, Any]) -> float:
    """Fill a queue, let four processes empty it, and return how many a second were finished."""
    FILLS[spec["kind"]](spec)
    words = [sys.executable, "-m", "bench.claiming"]
    workers = [subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(PROCESSES)]
    for number, worker in enumerate(workers):
        assert worker.stdin and worker.stdout
        worker.stdin.write(msgspec.json.encode({**spec, "number": number}) + b"\n")
        worker.stdin.flush()
        assert worker.stdout.readline() == b"ready\n"
    began = time.perf_counter()
    for worker in workers:
        assert worker.stdin
        worker.stdin.write(b"go\n")
        worker.stdin.close()
    for worker in workers:
        assert worker.wait() == 0
        assert worker.stdout
        worker.stdout.close()
    return PROCESSES * EACH / (time.perf_counter() - began)


def _fill_roost(spec: dict[str, Any]) -> None:
    """One backlog, as the others have it; each message is one worker's, in turn."""
    project = connect(spec["place"])
    system = project.system()
    names = [f"worker-{number}" for number in range(PROCESSES)]
    for name in set(names) - {one.name for one in system.agents.list()}:
        system.agents.add(name)
    for _ in range(EACH):
        system.messages.send_batch([Draft(to=(name,), text=BODY, requires_ack=True) for name in names])
    project.close()


def _fill_postgres(spec: dict[str, Any]) -> None:
    import psycopg

    with psycopg.connect(spec["uri"], autocommit=True) as connection:
        for _ in range(PROCESSES * EACH):
            connection.execute("INSERT INTO m (inbox, body) VALUES ('work', %s)", (BODY,))


def _fill_jetstream(spec: dict[str, Any]) -> None:
    import asyncio

    import nats

    async def fill() -> None:
        client = await nats.connect(f"nats://127.0.0.1:{spec['port']}")
        stream = client.jetstream()
        if spec["first"]:
            await stream.add_stream(name="work", subjects=["work"])
        await asyncio.gather(*(stream.publish("work", BODY.encode()) for _ in range(PROCESSES * EACH)))
        await client.close()

    asyncio.run(fill())


def _fill_redis(spec: dict[str, Any]) -> None:
    import redis

    client = redis.Redis(port=spec["port"])
    if spec["first"]:
        client.xgroup_create("work", "workers", mkstream=True)
    for _ in range(PROCESSES * EACH):
        client.xadd("work", {"body": BODY})
    client.close()


FILLS = {"roost": _fill_roost, "postgres": _fill_postgres, "jetstream": _fill_jetstream, "redis": _fill_redis}


Step = Callable[[], object]
"""One message; or, at the end, the acknowledgement that is still owed."""


def _work_roost(spec: dict[str, Any]) -> tuple[Step, Step]:
    from roost import reach

    hub = reach.remote(spec["place"], as_=f"worker-{spec['number']}")
    held: list[str] = []

    def two() -> None:
        item = hub.messages.take(limit=1).items[0]
        hub.deliveries.acknowledge(item.message.id)

    def one() -> None:
        page = hub.messages.take(limit=1, acknowledge=held)
        held[:] = [page.items[0].message.id]

    return (two, _nothing) if spec["form"] == "two" else (one, lambda: hub.deliveries.acknowledge(held[0]))


CLAIM = (
    "UPDATE m SET state = 1 WHERE id = (SELECT id FROM m WHERE inbox = 'work' AND state = 0 ORDER BY id LIMIT 1"
    " FOR UPDATE SKIP LOCKED) RETURNING id"
)
FINISH = "UPDATE m SET state = 2 WHERE id = %s"


def _work_postgres(spec: dict[str, Any]) -> tuple[Step, Step]:
    import psycopg

    connection = psycopg.connect(spec["uri"], autocommit=True)
    held: list[Any] = [0]

    def two() -> None:
        row = connection.execute(CLAIM).fetchone()
        assert row is not None
        connection.execute(FINISH, row)

    def one() -> None:
        row = connection.execute(f"WITH done AS ({FINISH}) {CLAIM}", held).fetchone()
        assert row is not None
        held[:] = row

    return (two, _nothing) if spec["form"] == "two" else (one, lambda: connection.execute(FINISH, held))


def _work_jetstream(spec: dict[str, Any]) -> tuple[Step, Step]:
    import asyncio

    import nats

    loop = asyncio.new_event_loop()

    async def open_() -> Any:
        client = await nats.connect(f"nats://127.0.0.1:{spec['port']}")
        inbox = client.new_inbox()
        source = await client.jetstream().pull_subscribe("work", durable="workers")
        return client, inbox, await client.subscribe(inbox), source

    client, inbox, arriving, source = loop.run_until_complete(open_())
    held: list[Any] = []

    async def two() -> None:
        found = await source.fetch(1, timeout=10)
        await found[0].ack_sync(timeout=10)

    async def one() -> None:
        if held:  # +NXT: acknowledged, and the next one, please
            await client.publish(held[0].reply, b"+NXT", reply=inbox)
            held[:] = [await arriving.next_msg(timeout=10)]
        else:
            held[:] = await source.fetch(1, timeout=10)

    async def last() -> None:
        await client.request(held[0].reply, b"+ACK", timeout=10)

    if spec["form"] == "two":
        return lambda: loop.run_until_complete(two()), _nothing
    return lambda: loop.run_until_complete(one()), lambda: loop.run_until_complete(last())


def _work_redis(spec: dict[str, Any]) -> tuple[Step, Step]:
    import redis

    client = redis.Redis(port=spec["port"])
    name = f"worker-{spec['number']}"
    held: list[Any] = []

    def two() -> None:
        found: Any = client.xreadgroup("workers", name, {"work": ">"}, count=1, block=10_000)
        client.xack("work", "workers", found[0][1][0][0])

    def one() -> None:
        both = client.pipeline(transaction=True)
        for last in held:
            both.xack("work", "workers", last)
        both.xreadgroup("workers", name, {"work": ">"}, count=1)
        held[:] = [both.execute()[-1][0][1][0][0]]

    return (two, _nothing) if spec["form"] == "two" else (one, lambda: client.xack("work", "workers", held[0]))


def _nothing() -> None:
    """Nothing is owed at the end."""


WORKS = {"roost": _work_roost, "postgres": _work_postgres, "jetstream": _work_jetstream, "redis": _work_redis}

if __name__ == "__main__":
    import os

    plan = msgspec.json.decode(sys.stdin.buffer.readline())
    finish, last = WORKS[plan["kind"]](plan)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.buffer.readline()
    for _ in range(EACH):
        finish()
    last()
    os._exit(0)
