"""A client that subscribes to its inbox is told that something came, and nothing of what."""

from __future__ import annotations

import contextlib

import anyio
import pytest
from mcp.client.subscriptions import ResourceUpdated
from mcp.shared.exceptions import MCPError

from roost.interfaces.mcp.listening import LISTENING_MAX
from tests.daemon.served import GUARD_SECONDS

from .stage import Era, Fleet, connected

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]
MODERN: Era = "2026-07-28"


async def test_a_listener_is_told_of_its_own_mail_alone(fleet: Fleet) -> None:
    ada = fleet.hub("ada")
    async with (
        fleet.over_stdio("bob", MODERN) as bob,
        bob.listen(resource_subscriptions=["roost://inbox"]) as told,
    ):
        fleet.hub("eve")
        ada.messages.send(to="eve", text="not for bob")
        with anyio.move_on_after(0.5) as nothing:
            await anext(told)
        assert nothing.cancelled_caught
        ada.messages.send(to="bob", text="for bob")
        with anyio.fail_after(GUARD_SECONDS):
            assert await anext(told) == ResourceUpdated(uri="roost://inbox")
        mail = await bob.call_tool("inbox", {})
        assert mail.structured_content["ids"] == ["m2"]


async def test_over_http_too_until_the_token_is_revoked(fleet: Fleet) -> None:
    ada, bob = fleet.hub("ada"), fleet.hub("bob")
    made = bob.tokens.create()
    async with (
        connected(fleet.url, made.key, MODERN) as client,
        client.listen(resource_subscriptions=["roost://inbox"]) as told,
    ):
        ada.messages.send(to="bob", text="for bob")
        with anyio.fail_after(GUARD_SECONDS):
            assert await anext(told) == ResourceUpdated(uri="roost://inbox")
            bob.tokens.revoke(made.token.id)
            assert [event async for event in told] == []  # the daemon ends the stream
        with pytest.raises(MCPError):
            await client.list_tools()


async def test_lists_that_never_change_may_be_listened_to_by_anybody(fleet: Fleet) -> None:
    async with (
        fleet.over_stdio("", MODERN) as nobody,
        nobody.listen(tools_list_changed=True, resources_list_changed=True),
    ):
        assert len((await nobody.list_tools()).tools) == 7


async def test_a_pipe_has_so_many_streams_and_no_more(fleet: Fleet) -> None:
    async with fleet.over_stdio("bob", MODERN) as bob, contextlib.AsyncExitStack() as streams:
        for _ in range(LISTENING_MAX):
            await streams.enter_async_context(bob.listen(resource_subscriptions=["roost://inbox"]))
        with pytest.raises(MCPError, match="streams are open"):
            await streams.enter_async_context(bob.listen(tools_list_changed=True))
        assert not (await bob.call_tool("who", {})).is_error
