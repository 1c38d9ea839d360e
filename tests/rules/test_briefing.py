"""A briefing keeps to its budget: the agent's identity first, the least important lines left out and counted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.briefings.model import Section
from roost.briefings.rules import FILES_MAX, NOTE_BYTES_MAX, check_files, check_note, compose
from roost.errors import InvalidInput, InvalidText, InvalidUtf8

sections = st.lists(
    st.builds(
        Section,
        title=st.sampled_from(["", "Leases", "Ürsprung"]),
        lines=st.lists(st.text(max_size=80).map(lambda text: f"- {text}"), max_size=12).map(tuple),
        weight=st.integers(0, 9),
        beyond=st.integers(0, 3),
        rest=st.sampled_from(["", "roost who"]),
    ),
    max_size=6,
)
identity = Section(lines=("You are builder.",), weight=100)


@given(rest=sections, limit=st.integers(60, 3_000))
def test_it_never_exceeds_its_budget_and_begins_with_who_you_are(rest: list[Section], limit: int) -> None:
    text = compose((identity, *rest), limit=limit)
    assert len(text.encode()) <= limit
    assert text.startswith("You are builder.")


@given(rest=sections)
def test_with_room_for_all_nothing_is_left_out(rest: list[Section]) -> None:
    text = compose((identity, *rest), limit=1_000_000)
    for section in rest:
        assert "\n".join(section.lines) in text


def test_the_least_important_lines_go_first_and_are_counted() -> None:
    dear = Section(title="Leases", lines=("- a", "- b"), weight=9, rest="roost lease list")
    cheap = Section(title="Others", lines=tuple(f"- agent {n}" for n in range(9)), weight=1, rest="roost who")
    text = compose((identity, cheap, dear), limit=100)
    shown = text.count("- agent ")
    assert len(text.encode()) <= 100
    assert text.startswith("You are builder.\n\n## Others\n")
    assert f"- {'and ' if shown else ''}{9 - shown} more: roost who" in text
    assert text.endswith("## Leases\n- a\n- b")


def test_an_empty_section_is_not_shown() -> None:
    assert compose((identity, Section(title="Leases", weight=5))) == "You are builder."


def test_what_was_beyond_from_the_beginning_is_counted_too() -> None:
    text = compose((identity, Section(title="Mail", lines=("- m1",), weight=5, beyond=4, rest="roost inbox")))
    assert text.endswith("## Mail\n- m1\n- and 4 more: roost inbox")


def test_a_character_is_never_cut_in_two() -> None:
    assert compose((Section(lines=("ü" * 100,), weight=1),), limit=101) == "ü" * 50


def test_a_checkpoint_has_a_bounded_note_and_files() -> None:
    assert check_note("done: parser") == "done: parser"
    with pytest.raises(InvalidText):
        check_note("x" * (NOTE_BYTES_MAX + 1))
    with pytest.raises(InvalidUtf8):
        check_note("\ud800")
    assert check_files(["a", "b"]) == ("a", "b")
    for files in ("a.py", ["x"] * (FILES_MAX + 1), ["x" * 513]):
        with pytest.raises(InvalidInput):
            check_files(files)
