"""The load generator, in a process of its own: `python -m bench.load` with a plan on stdin and seconds on stdout.

It is the same for every contestant: so many clients, each sending its next message when the last one is answered.
"""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
import time
from typing import Any

import msgspec

FILES_WANTED = 65_536
KEPT: list[object] = []
"""Clients of libraries that complain when they are not closed; this process ends without closing anything."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to load, with how many clients, and how many messages each."""

    spec: dict[str, Any]
    clients: int
    each: int


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """How long all of it took, and each message, in seconds."""

    seconds: float
    each: list[float]

    @property
    def rate(self) -> float:
        """Messages a second."""
        return len(self.each) / self.seconds


def load(spec: dict[str, Any], clients: int, each: int) -> Taken:
    """Run the generator against a contestant."""
    plan = msgspec.json.encode(Plan(spec=spec, clients=clients, each=each))
    done = subprocess.run([sys.executable, "-m", "bench.load"], input=plan, stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(done.stdout, type=Taken)


async def play(plan: Plan) -> Taken:
    """Connect everybody, warm up, then time."""
    from bench.clients import connected

    sends = await connected(plan.spec, plan.clients)
    KEPT.append(sends)
    await asyncio.gather(*(send() for send in sends))
    seconds: list[float] = []

    async def one(send: Any) -> None:
        for _ in range(plan.each):
            began = time.perf_counter()
            await send()
            seconds.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(one(send) for send in sends))
    return Taken(seconds=time.perf_counter() - began, each=seconds)


def many_files() -> None:
    """Let this process open as many connections as the machine allows. Raises SystemExit where that is too few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(FILES_WANTED, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


if __name__ == "__main__":
    import uvloop

    many_files()
    told = uvloop.run(play(msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)))
    sys.stdout.buffer.write(msgspec.json.encode(told))
    sys.stdout.flush()
    import os

    os._exit(0)
