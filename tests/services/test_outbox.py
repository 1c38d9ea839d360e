"""The outbox over many blocks of numbers: everything one sent, newest first, none twice, whoever else wrote between."""

from __future__ import annotations

import random
from typing import Any

import pytest

from roost.connect import Project
from roost.messages.model import Draft
from roost.messages.outbox import BLOCK, sent_by
from roost.stores.sqlite.tx import SqliteTx

from .conftest import HubOf


@pytest.fixture
def settings() -> str:
    return "[limits]\nrate_agent = 10000\ninbox_messages_max = 100000\n"


@pytest.mark.parametrize("step", [1, 7, 50])
def test_pages_of_the_outbox_hold_everything_once(hub: HubOf, step: int) -> None:
    hub("sink")
    expected: dict[str, list[int]] = {"rare": [], "busy": []}
    chance = random.Random(step)
    for _ in range(60):
        name = "rare" if chance.random() < 0.1 else "busy"
        count = 3 if name == "rare" else 30
        sent = hub(name).messages.send_batch([Draft(to=("sink",), text="x")] * count)
        expected[name] += [one.number for one in sent]
    assert expected["busy"][-1] > 2 * BLOCK
    for name, numbers in expected.items():
        found, before = list[int](), 1 << 40
        while before:
            page = hub(name).messages.outbox(limit=step, before=before)
            found += [item.message.number for item in page.items]
            before = page.next
        assert found == numbers[::-1]


def test_who_wrote_long_ago_is_found_in_few_looks(
    project: Project, hub: HubOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub("sink")
    early = hub("early")
    first = early.messages.send(to="sink", text="x").number
    agent, looks, whole = early.sessions.me().agent, list[object](), SqliteTx.all

    def counted(self: SqliteTx, *args: Any, **values: Any) -> list[Any]:
        looks.append(values)
        return whole(self, *args, **values)

    monkeypatch.setattr(SqliteTx, "all", counted)
    with project.store.read() as tx:
        tx.messages = 1_000_000
        found = sent_by(tx, agent, before=1 << 40, limit=50)
    assert [one.number for one in found] == [first]
    assert len(looks) < 10
