"""What the tests of MCP share: agents behind both transports, in both eras of the protocol."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager

import pytest
from mcp.client.client import Client

from roost.hub import Hub
from roost.verbs import Sync

from .stage import Era, Fleet, fleet_in

Joins = Callable[[str], AbstractAsyncContextManager[Client]]


class Stage:
    """Agents by name: as hubs, and as clients of the transport and era that the test runs with."""

    def __init__(self, fleet: Fleet, transport: str, era: Era) -> None:
        self.fleet = fleet
        self.transport = transport
        self.era = era

    def hub(self, name: str) -> Hub[Sync]:
        return self.fleet.hub(name)

    @contextlib.asynccontextmanager
    async def client(self, name: str) -> AsyncIterator[Client]:
        """Connect as an agent."""
        reach = self.fleet.over_stdio if self.transport == "stdio" else self.fleet.over_http
        async with reach(name, self.era) as client:
            yield client


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    with fleet_in() as made:
        yield made


@pytest.fixture(params=["http", "stdio"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["legacy", "2026-07-28"])
def era(request: pytest.FixtureRequest) -> Era:
    found: Era = request.param
    return found


@pytest.fixture
def stage(fleet: Fleet, transport: str, era: Era) -> Stage:
    return Stage(fleet, transport, era)
