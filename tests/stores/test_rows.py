"""Rows that are written together: by place, in a statement without names."""

from __future__ import annotations

from typing import Any

import msgspec

from roost.stores.sqlite.rows import placed


class Pin(msgspec.Struct, frozen=True, kw_only=True):
    """A value with a field of each kind."""

    name: str = "n"
    tags: tuple[str, ...] = ()
    facts: dict[str, int] = {}
    at: int | None = None
    sharp: bool = False


def written(statement: str, *rows: Any) -> tuple[str, list[list[Any]]]:
    text, values = placed(statement, "p", rows)
    return text, [list(one) for one in values]


def test_values_stand_where_their_names_stood() -> None:
    text, values = written("INSERT INTO pin\n  VALUES (:project, :name, :at)", Pin(), Pin(name="o", at=7))
    assert (text, values) == ("INSERT INTO pin VALUES (?, ?, ?)", [["p", "n", None], ["p", "o", 7]])


def test_the_project_may_stand_anywhere() -> None:
    assert written("VALUES (:name, :project, :at)", Pin(at=1))[1] == [["n", "p", 1]]
    assert written("VALUES (:name, :at, :project)", Pin(at=1))[1] == [["n", 1, "p"]]


def test_one_field_alone_is_one_value() -> None:
    assert written("DELETE FROM pin WHERE project = :project AND name = :name", Pin(name="long"))[1] == [["p", "long"]]


def test_a_name_that_is_used_twice_is_one_value() -> None:
    text, values = written("VALUES (:project, :name, :at, :name)", Pin(at=1))
    assert (text, values) == ("VALUES (?1, ?2, ?3, ?2)", [["p", "n", 1]])


def test_what_is_no_scalar_is_written_as_json() -> None:
    statement = "VALUES (:project, :tags, :facts, :sharp)"
    assert written(statement, Pin(), Pin(tags=("ü",), facts={"a": 1}, sharp=True))[1] == [
        ["p", "[]", "{}", False],
        ["p", '["ü"]', '{"a":1}', True],
    ]


def test_a_mapping_is_placed_by_its_names() -> None:
    assert written("VALUES (:at, :project, :tags)", {"tags": [1], "at": 2, "more": 3})[1] == [[2, "p", "[1]"]]


def test_nothing_to_write_is_nothing() -> None:
    assert written("VALUES (:project)")[1] == []
