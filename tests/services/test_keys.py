"""Keys that sign messages: one per agent, replaced with an overlap, revoked for good."""

from __future__ import annotations

import pytest

from roost.errors import Forbidden
from roost.hub import Hub
from roost.verbs import Sync
from tests.services.conftest import HubOf


def test_after_a_rotation_old_and_new_messages_are_genuine(hub: HubOf) -> None:
    builder, planner = hub("builder"), hub("planner")
    planner.messages.send(to="builder", text="before")
    assert planner.agents.rotate_key().key_version == 2
    planner.messages.send(to="builder", text="after")
    assert [builder.messages.get(ref).key_id.split(".")[1] for ref in ("m1", "m2")] == ["1", "2"]
    assert [builder.messages.verified(ref) for ref in ("m1", "m2")] == [True, True]


def test_a_revoked_key_verifies_nothing_any_more(hub: HubOf, person: Hub[Sync]) -> None:
    builder, planner = hub("builder"), hub("planner")
    planner.messages.send(to="builder", text="before")
    person.agents.rotate_key("planner", revoke=True)
    planner.messages.send(to="builder", text="after")
    assert [builder.messages.verified(ref) for ref in ("m1", "m2")] == [False, True]


def test_nobody_rotates_anothers_key(hub: HubOf) -> None:
    hub("planner")
    with pytest.raises(Forbidden):
        hub("builder").agents.rotate_key("planner")
