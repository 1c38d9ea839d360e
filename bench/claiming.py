"""S9: taking one message and acknowledging it, by four processes side by side."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
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
ROUNDS = 3


def s9() -> list[Line]:
    """Claim and acknowledge against PostgreSQL's SKIP LOCKED, JetStream and Redis."""
    with served() as ours, servers.postgres() as rows, servers.jetstream() as stream, servers.redis() as list_:
        specs: dict[str, Any] = {"roost": {"kind": "roost", "place": ours.place}}
        specs |= {"postgres": rows, "jetstream": stream, "redis": list_}
        rates: dict[str, list[float]] = {name: [] for name in specs}
        for number in range(ROUNDS):
            for name, spec in specs.items():
                rates[name].append(_rate({**spec, "round": number}))
    found = {name: statistics.median(each) for name, each in rates.items()}
    names = {"postgres": ("PostgreSQL SKIP LOCKED", 2.0), "jetstream": ("JetStream", 1.5), "redis": ("Redis", 1.5)}
    ours_rate = found["roost"]
    return [
        Line("S9", f"claim + acknowledge, {PROCESSES} processes, against {what}, synced", f"{ours_rate:,.0f}/s",
             f"{found[name]:,.0f}/s", ours_rate / found[name], f">={factor}", "D2", ours_rate >= factor * found[name])
        for name, (what, factor) in names.items()
    ]  # fmt: skip


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


# --- filling ----------------------------------------------------------------------------------------------------------


def _fill_roost(spec: dict[str, Any]) -> None:
    project = connect(spec["place"])
    system = project.system()
    for number in range(PROCESSES):
        if system.agents.list() and not any(one.name == f"worker-{number}" for one in system.agents.list()):
            system.agents.add(f"worker-{number}")
        system.messages.send_batch([Draft(to=(f"worker-{number}",), text=BODY, requires_ack=True)] * EACH)
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
        if not spec["round"]:
            await stream.add_stream(name="work", subjects=["work"])
        await asyncio.gather(*(stream.publish("work", BODY.encode()) for _ in range(PROCESSES * EACH)))
        await client.close()

    asyncio.run(fill())


def _fill_redis(spec: dict[str, Any]) -> None:
    import redis

    client = redis.Redis(port=spec["port"])
    if not spec["round"]:
        client.xgroup_create("work", "workers", mkstream=True)
    for _ in range(PROCESSES * EACH):
        client.xadd("work", {"body": BODY})
    client.close()


FILLS = {"roost": _fill_roost, "postgres": _fill_postgres, "jetstream": _fill_jetstream, "redis": _fill_redis}


# --- working, in a process of its own ---------------------------------------------------------------------------------


def _work_roost(spec: dict[str, Any]) -> Any:
    from roost import reach

    hub = reach.remote(spec["place"], as_=f"worker-{spec['number']}")

    def one() -> None:
        item = hub.messages.inbox(limit=1).items[0]
        hub.deliveries.acknowledge(item.message.id)

    return one


def _work_postgres(spec: dict[str, Any]) -> Any:
    import psycopg

    connection = psycopg.connect(spec["uri"], autocommit=True)
    claim = (
        "UPDATE m SET state = 1 WHERE id = (SELECT id FROM m WHERE inbox = 'work' AND state = 0 ORDER BY id LIMIT 1"
        " FOR UPDATE SKIP LOCKED) RETURNING id"
    )

    def one() -> None:
        row = connection.execute(claim).fetchone()
        assert row is not None
        connection.execute("UPDATE m SET state = 2 WHERE id = %s", row)

    return one


def _work_jetstream(spec: dict[str, Any]) -> Any:
    import asyncio

    import nats

    loop = asyncio.new_event_loop()

    async def open_() -> Any:
        client = await nats.connect(f"nats://127.0.0.1:{spec['port']}")
        return await client.jetstream().pull_subscribe("work", durable="workers")

    source = loop.run_until_complete(open_())

    async def next_() -> None:
        found = await source.fetch(1, timeout=10)
        await found[0].ack_sync(timeout=10)

    return lambda: loop.run_until_complete(next_())


def _work_redis(spec: dict[str, Any]) -> Any:
    import redis

    client = redis.Redis(port=spec["port"])

    def one() -> None:
        found: Any = client.xreadgroup("workers", f"worker-{spec['number']}", {"work": ">"}, count=1, block=10_000)
        client.xack("work", "workers", found[0][1][0][0])

    return one


WORKS = {"roost": _work_roost, "postgres": _work_postgres, "jetstream": _work_jetstream, "redis": _work_redis}

if __name__ == "__main__":
    import os

    plan = msgspec.json.decode(sys.stdin.buffer.readline())
    finish = WORKS[plan["kind"]](plan)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.buffer.readline()
    for _ in range(EACH):
        finish()
    os._exit(0)
