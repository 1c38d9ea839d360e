"""Durations and times as people write them."""

from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.interfaces.cli.times import DURATION, TIME, iso, length, parse_iso


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("2h", 7200), ("1.5h", 5400), ("1d", 86_400), ("0", 0)]
)
def test_a_duration_has_a_unit_or_is_in_seconds(text: str, seconds: float) -> None:
    assert DURATION.convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "m", "-5", "5x", "1e9", "nan", "inf", "1_000", "٣", "5 5", "9" * 40])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        DURATION.convert(text, None, None)


@pytest.mark.parametrize("text", ["tomorrow", "", "2026-13-01", "12", "9999999999999999"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        TIME.convert(text, None, None)


@given(st.integers(min_value=0, max_value=4_000_000_000_000))
def test_iso_and_back(wall: int) -> None:
    assert parse_iso(iso(wall)) == wall


def test_a_length_is_in_its_largest_unit() -> None:
    assert [length(s) for s in (0, 59.9, 60, 3_599, 3_600, 200_000)] == ["0 s", "59 s", "1 min", "59 min", "1 h", "2 d"]
