"""Metadata, idempotency keys, durations and priorities at their limits."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.errors import InvalidInput, InvalidJson, InvalidPriority, InvalidTtl
from roost.limits import (
    NUMBER_MAX,
    check_duration,
    check_idempotency_key,
    check_metadata,
    check_metadata_text,
    check_number,
    check_ttl,
)
from roost.priorities import NAMES, check_priority, priority_word


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth - 1):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"a": 1},
        {"k" * 64: None},
        nested(16),
        {str(n): n for n in range(64)},
        {"n": [2**53, -(2**53), 1.5, True]},
        {"text": "x" * 8000},
        {"é": "Größe\n\x1b"},
        {"t": (1, 2)},
    ],
)
def test_metadata_inside_the_limits_is_kept(value: dict[str, Any]) -> None:
    kept = check_metadata(value)
    assert msgspec.json.encode(kept) == msgspec.json.encode(value)
    assert check_metadata_text(msgspec.json.encode(value)) == kept


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        3,
        {1: 2},
        {"k" * 65: 1},
        {"é" * 33: 1},
        nested(17),
        {str(n): n for n in range(65)},
        {"a": {str(n): 0 for n in range(64)}},
        {"n": float("nan")},
        {"n": float("inf")},
        {"n": 2**53 + 1},
        {"n": -(2**60)},
        {"t": "\ud800"},
        {"t": "a\x00"},
        {"\ud800": 1},
        {"b": b"x"},
        {"s": {1}},
        {"t": "x" * 8192},
        {"l": [0] * 9000},
    ],
)
def test_metadata_outside_the_limits_is_refused(value: object) -> None:
    with pytest.raises(InvalidJson) as refused:
        check_metadata(value)
    assert refused.value.code == "INVALID_JSON"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "3",
        '"x"',
        '"{}"',
        '{"a":1,"a":2}',
        '{"a":{"b":1,"b":1}}',
        '{"a":NaN}',
        '{"a":Infinity}',
        '{"a":-Infinity}',
        '{"a":1e999}',
        '{"a":9007199254740993}',
        '{"a":' * 17 + "1" + "}" * 17,
        "[" * 10000,
        '{"a":"\\ud800"}',
        '{"a":"\\u0000"}',
        '{"a":' + "9" * 5000 + "}",
        '{"a":1} x',
        " " * 20000 + "{}",
    ],
)
def test_json_text_outside_the_limits_is_refused(text: str) -> None:
    with pytest.raises(InvalidJson):
        check_metadata_text(text)


@pytest.mark.parametrize("data", [b"\xff{}", '{"a":1}'.encode("utf-16"), b'{"a":"\xed\xa0\x80"}'])
def test_json_bytes_must_be_utf8(data: bytes) -> None:
    with pytest.raises(InvalidJson):
        check_metadata(data)


def test_a_list_that_stands_in_itself_many_times_ends_quickly() -> None:
    value: list[object] = []
    for _ in range(14):
        value = [value] * 100
    with pytest.raises(InvalidJson):
        check_metadata({"a": value})


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)


@given(st.dictionaries(st.text(max_size=8), json_values, max_size=8))
def test_accepted_metadata_survives_the_store_unchanged(value: dict[str, Any]) -> None:
    try:
        kept = check_metadata(value)
    except InvalidJson:
        return
    assert msgspec.json.decode(msgspec.json.encode(kept)) == kept


@pytest.mark.parametrize("key", ["12345678", "a" * 128, "A-b_c-9876"])
def test_an_idempotency_key_by_the_rule_is_kept(key: str) -> None:
    assert check_idempotency_key(key) == key


@pytest.mark.parametrize(
    "key", ["", "1234567", "a" * 129, "1234567 ", "12345678\n", "١٢٣٤٥٦٧٨", "abcd.efgh", None, 12345678, b"12345678"]
)
def test_an_idempotency_key_outside_the_rule_is_refused(key: object) -> None:
    with pytest.raises(InvalidInput):
        check_idempotency_key(key)


Kind = Literal["lease", "heartbeat", "message"]


@pytest.mark.parametrize(
    ("what", "seconds"),
    [
        ("lease", 1),
        ("lease", 86_400),
        ("heartbeat", 5.0),
        ("heartbeat", 3_600),
        ("message", 1),
        ("message", 365 * 86_400),
    ],
)
def test_the_ends_of_each_range_are_allowed(what: Kind, seconds: float) -> None:
    assert check_ttl(seconds, what=what) == seconds * 1_000


@pytest.mark.parametrize("what", ["lease", "heartbeat", "message"])
@pytest.mark.parametrize(
    "seconds",
    [
        0,
        -1,
        0.5,
        True,
        False,
        None,
        "60",
        "1_000",
        float("nan"),
        float("inf"),
        float("-inf"),
        10**400,
        366 * 86400,
        [60],
        0.999,
        b"60",
    ],
)
def test_a_ttl_that_is_no_finite_number_in_its_range_is_refused(what: Kind, seconds: object) -> None:
    with pytest.raises(InvalidTtl) as refused:
        check_ttl(seconds, what=what)
    assert refused.value.code == "INVALID_TTL"
    assert "seconds" in str(refused.value)


def test_a_duration_becomes_whole_milliseconds() -> None:
    assert check_duration(1.2345, what="timeout") == 1_234
    assert check_duration(0, what="timeout") == 0


@pytest.mark.parametrize(("value", "priority"), [*NAMES.items(), ("HIGH", 20), (0, 0), (255, 255), (7, 7)])
def test_a_priority_is_a_number_or_a_name(value: object, priority: int) -> None:
    assert check_priority(value) == priority


@pytest.mark.parametrize("value", [-1, 256, True, False, 5.0, "5", "", "highest", None, [5], float("nan")])
def test_any_other_priority_is_refused(value: object) -> None:
    with pytest.raises(InvalidPriority, match="use 0-255 or one of low, normal"):
        check_priority(value)


def test_every_name_is_the_word_of_its_own_number_and_words_only_rise() -> None:
    assert all(priority_word(number) == name for name, number in NAMES.items())
    words = [priority_word(number) for number in range(256)]
    assert list(dict.fromkeys(words)) == list(NAMES)
    assert (priority_word(10), priority_word(49), priority_word(50), priority_word(99)) == (
        "high",
        "high",
        "urgent",
        "urgent",
    )


@pytest.mark.parametrize("number", [0, 1, NUMBER_MAX])
def test_a_number_up_to_the_largest_is_kept(number: int) -> None:
    assert check_number(number, what="after") == number


@pytest.mark.parametrize("number", [-1, NUMBER_MAX + 1, True, 1.0, "1", None, "x" * 10_000])
def test_what_is_no_number_is_refused_in_few_words(number: object) -> None:
    with pytest.raises(InvalidInput, match="after = ") as refused:
        check_number(number, what="after")
    assert len(str(refused.value)) < 120
