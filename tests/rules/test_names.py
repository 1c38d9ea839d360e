"""The rule for names, aliases and suggestions."""

# ruff: noqa: RUF001 (look-alikes are the subject)

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.errors import InvalidName
from roost.names import RESERVED, alias_form, check_name, fold_alias, is_reserved, slug, suggest


@pytest.mark.parametrize(
    "name", ["builder", "claude-1", "a", "0", "x" * 64, "agent_4", "v1.2-rc", "administration", "m3"]
)
def test_a_plain_name_is_taken_as_it_is(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x" * 65,
        "x" * 1000,
        "Agent-4",
        "a b",
        "a..b",
        "..",
        "-a",
        ".a",
        "_a",
        "a/b",
        "a\n",
        "a\x00",
        "b\u200b",
        "аgent",
        "ａ",
        "á",
        "K",
        "%3",
        "a:b",
        "a" * 64 + ":",
        "~",
        "\ud800",
        "a\u202eb",
        "١",
    ],
)
def test_a_name_outside_the_rule_is_refused(name: str) -> None:
    with pytest.raises(InvalidName) as refused:
        check_name(name)
    assert refused.value.code == "INVALID_NAME"
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("value", [None, 3, True, b"builder", ["builder"]])
def test_a_name_is_text(value: object) -> None:
    with pytest.raises(InvalidName):
        check_name(value)


@pytest.mark.parametrize(
    "name", [*sorted(RESERVED), "adm1n", "0wner", "a11", "sys-tem", "sy5tem", "hurnan", "r00t", "h.u.man"]
)
def test_a_reserved_name_and_what_looks_like_one_is_refused(name: str) -> None:
    with pytest.raises(InvalidName, match="reserved"):
        check_name(name)


def test_a_name_at_a_project_is_refused_with_its_reason() -> None:
    with pytest.raises(InvalidName, match="reserved for mail between projects"):
        check_name("builder@website")
    with pytest.raises(InvalidName, match="reserved for mail between projects"):
        fold_alias("builder@website")


def test_the_message_names_the_letter_and_a_better_name() -> None:
    with pytest.raises(InvalidName, match=r"channel name 'Build' holds 'B' \(U\+0042\) as character 1.*write build"):
        check_name("Build", what="channel")


@pytest.mark.parametrize(
    ("written", "form", "folded"),
    [
        ("Agent-4", "name", "agent-4"),
        ("all", "name", "all"),
        ("Main:Editor", "window", "Main:Editor"),
        ("work:0.1", "window", "work:0.1"),
        ("%12", "pane", "%12"),
        ("0190A3E2-0000-7000-8000-00000000ABCD", "uuid", "0190a3e2-0000-7000-8000-00000000abcd"),
    ],
)
def test_each_way_to_write_an_agent_is_known(written: str, form: str, folded: str) -> None:
    assert alias_form(written) == form
    assert fold_alias(written) == folded


@pytest.mark.parametrize(
    "written", ["\u212aelvin", "a b", "%", "%x", "%١", "a:b:c", ":b", "a: b", "", "x" * 65, "a..b", "é"]
)
def test_what_is_no_way_to_write_an_agent_is_refused(written: str) -> None:
    assert alias_form(written) is None
    with pytest.raises(InvalidName):
        fold_alias(written)


@given(st.text(max_size=80))
def test_whatever_passes_is_ascii_and_folds_to_itself(text: str) -> None:
    try:
        name = check_name(text)
    except InvalidName:
        return
    assert name == text
    assert name.isascii()
    assert fold_alias(name) == name


@given(st.text(max_size=120))
def test_a_slug_is_always_a_valid_name(text: str) -> None:
    name = slug(text)
    assert name is None or check_name(name) == name


def test_a_slug_keeps_a_person_recognisable() -> None:
    assert slug("Ada Lovelace") == "ada-lovelace"
    assert slug("José Ñandú") == "jose-nandu"
    assert slug("Admin") is None
    assert slug("李") is None
    assert is_reserved("5ystem")


def test_near_names_are_suggested_the_nearest_first() -> None:
    names = ["planner", "builder", "tester", "plan", "reviewer"]
    assert suggest("plannr", names)[0] == "planner"
    assert suggest("test", names) == ["tester"]
    assert suggest("BUILDER", names) == ["builder"]
    assert suggest("zzz", names) == []
    assert suggest("", names) == []
