"""Every tool, called by the official client: over both transports, in both eras of the protocol."""

from __future__ import annotations

import json

import pytest

from .conftest import Stage
from .stage import text_of

pytestmark = pytest.mark.anyio


async def test_what_one_sends_the_other_gets_and_its_next_call_proves_it(stage: Stage) -> None:
    ada = stage.hub("ada")
    stage.hub("bob")
    async with stage.client("ada") as mine, stage.client("bob") as his:
        sent = await mine.call_tool("send", {"to": "bob", "text": "the tests are red", "type": "question"})
        assert sent.structured_content["id"] == "m1"
        assert sent.structured_content["to"][0]["name"] == "bob"
        assert json.loads(text_of(sent)) == sent.structured_content
        assert "tests are red" not in text_of(sent)
        got = await his.call_tool("inbox", {})
        assert got.structured_content["mail"] == text_of(got)
        assert got.structured_content["ids"] == ["m1"]
        assert 'from="ada" kind="agent" type="question"' in text_of(got)
        assert "the tests are red" in text_of(got)
        assert ada.deliveries.of("m1")[0].state == "offered"
        await his.call_tool("who", {})
        assert ada.deliveries.of("m1")[0].state == "delivered"
