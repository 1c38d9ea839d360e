"""Tokens: their form, who may have which scopes, how long they live, and that each verb needs a scope."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.errors import Forbidden, InvalidInput, InvalidText, InvalidTtl
from roost.hub import Hub
from roost.tokens import rules
from roost.tokens.model import SCOPES
from roost.verbs import Stream, Verb

KEY = "rst_" + "A" * 43
DOCS = Path(__file__).parents[2] / "docs" / "reference" / "tokens.md"


def verbs() -> Iterator[tuple[str, str, str]]:
    """Yield every verb, query, wait and stream of the hub: its service, its name, its mode."""
    for service, found in vars(Hub).items():
        if isinstance(found, property):
            for kind in type(getattr(Hub[Any](None), service)).__mro__:
                for name, verb in vars(kind).items():
                    if isinstance(verb, (Verb, Stream)):
                        yield service, name, "stream" if isinstance(verb, Stream) else verb.mode


def test_a_key_is_rst_and_32_bytes_in_base64url() -> None:
    assert (rules.PREFIX, rules.KEY_BYTES, rules.KEY_CHARACTERS) == ("rst_", 32, 43)
    assert rules.is_key(KEY) and rules.is_key("rst_" + "-_" * 21 + "9")


@pytest.mark.parametrize(
    "text",
    ["", "rst_", KEY[:-1], KEY + "A", KEY.upper(), " " + KEY[1:], KEY + "\n", KEY[:-1] + "\n", KEY[:-1] + "=",
     KEY[:-1] + "é", KEY[:-1] + "\0", KEY[:-1] + "\ud800", "xst_" + "A" * 43, KEY.encode(), None, 7, [KEY]],
)  # fmt: skip
def test_what_is_not_of_that_form_is_no_key(text: object) -> None:
    assert not rules.is_key(text)


@pytest.mark.parametrize("text", ["", "0" * 15, "0" * 17, "G" * 16, "A" * 16, "0" * 15 + "\n", b"0" * 16, None, 7])
def test_what_is_not_16_hex_digits_is_no_id(text: object) -> None:
    assert rules.is_id(rules.id_of(KEY))
    assert not rules.is_id(text)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_an_id_names_one_key_and_shows_nothing_of_it(one: bytes, other: bytes) -> None:
    first, second = f"rst_{one.hex()}", f"rst_{other.hex()}"
    assert (rules.id_of(first) == rules.id_of(second)) is (one == other)
    assert len(rules.id_of(first)) == 16


@given(st.lists(st.sampled_from(SCOPES), min_size=1, max_size=9))
def test_scopes_come_back_in_one_order_and_once(chosen: list[Any]) -> None:
    found = rules.check_scopes(chosen, kind="human", by="human")
    assert set(found) == set(chosen) and list(found) == [one for one in SCOPES if one in chosen]


@pytest.mark.parametrize(
    "scopes",
    [(), [], "", "send", "admin", ["root"], ["send", ""], ["SEND"], [None], [["send"]], [{}], None, 5, b"send"],
)
def test_what_is_no_choice_of_scopes_is_refused(scopes: Any) -> None:
    with pytest.raises(InvalidInput, match="no choice of scopes") as refused:
        rules.check_scopes(scopes, kind="human", by="human")
    assert "send, read, lease, admin" in refused.value.hint


@pytest.mark.parametrize("kind", ["agent", "service", "human"])
@pytest.mark.parametrize("by", ["agent", "service", "human", "system"])
def test_admin_is_for_nobody_but_who_is_no_agent_and_from_a_person(kind: str, by: str) -> None:
    assert rules.check_scopes(["send", "read", "lease"], kind=kind, by=by)
    if kind != "agent" and by in ("human", "system"):
        assert rules.check_scopes(["admin"], kind=kind, by=by) == ("admin",)
        return
    with pytest.raises(Forbidden, match="admin"):
        rules.check_scopes(["admin"], kind=kind, by=by)


def test_a_token_lives_an_hour_to_a_year_and_overlaps_for_at_most_a_day() -> None:
    assert [rules.check_life(one) for one in (3_600, 86_400.5, 365 * 86_400)] == [
        3_600_000,
        86_400_500,
        31_536_000_000,
    ]
    assert [rules.check_overlap(one) for one in (0, 60.0, 86_400)] == [0, 60_000, 86_400_000]


@pytest.mark.parametrize("seconds", [0, -1, 3_599.9, 365 * 86_400 + 1, inf, nan, True, "3600", None, 10**400])
def test_another_life_is_refused(seconds: Any) -> None:
    with pytest.raises(InvalidTtl, match="life of a token"):
        rules.check_life(seconds)


@pytest.mark.parametrize("seconds", [-0.1, 86_401, inf, nan, False, "0", None])
def test_another_overlap_is_refused(seconds: Any) -> None:
    with pytest.raises(InvalidTtl, match="overlap"):
        rules.check_overlap(seconds)


@pytest.mark.parametrize("label", ["x" * 201, "two\nlines", "\x1b[31mred", "\u202e", " ", 7])
def test_a_label_is_one_line_of_at_most_200_characters(label: Any) -> None:
    assert rules.check_label("") == "" and rules.check_label("the nightly build") == "the nightly build"
    with pytest.raises(InvalidText, match="label"):
        rules.check_label(label)


def documented() -> dict[str, str]:
    """Return the scope of each verb as the reference's table says."""
    rows = re.findall(r"^\| `(send|read|lease|admin|none)` \| `(\w+)` \| (.+) \|$", DOCS.read_text(), re.MULTILINE)
    return {f"{service}.{verb}": scope for scope, service, names in rows for verb in re.findall(r"`(\w+)`", names)}


def test_every_verb_has_a_scope_and_the_reference_names_each() -> None:
    """Whoever adds a verb decides who may call it, in the rules and in docs/reference/tokens.md."""
    found = {f"{service}.{name}": rules.scope_of(service, name, mode) for service, name, mode in verbs()}
    assert len(found) > 90
    assert documented() == found


def test_a_verb_that_writes_waits_or_streams_is_named_in_the_table() -> None:
    """Only what reads may go by the rule: a new verb that changes something is nobody's until it is decided."""
    read_anyway = {"history.verify", "history.at", "history.follow", "messages.follow", "messages.search",
                   "deliveries.wait"}  # fmt: skip
    for service, name, mode in verbs():
        named = {verb for of in rules._NEEDED.get(service, {}).values() for verb in of.split()}
        assert mode == "read" or name in named or f"{service}.{name}" in read_anyway, f"{service}.{name} ({mode})"


def test_the_table_names_no_verb_that_there_is_not() -> None:
    known = {(service, name) for service, name, _ in verbs()}
    for service, scopes in rules._NEEDED.items():
        for scope, names in scopes.items():
            assert scope in (*SCOPES, "none")
            assert all((service, name) in known for name in names.split()), service
        every = [name for names in scopes.values() for name in names.split()]
        assert len(every) == len(set(every)), f"{service} has a verb with two scopes"


def test_a_verb_that_nobody_decided_on_is_offered_by_no_door() -> None:
    assert rules.scope_of("messages", "shred", "write") == "none"
    assert rules.scope_of("poker", "deal", "write") == "none"
    assert [rules.scope_of("poker", "look", mode) for mode in ("read", "wait", "stream")] == ["read"] * 3
