"""Times and durations as people write and read them."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from roost.sessions.model import Moment

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?) ?([smhd]?)", re.ASCII)
_LENGTHS = ((86_400, "d"), (3_600, "h"), (60, "min"))
_WALL_FIELDS = frozenset({"wall", "not_before"})
_WALL_EXPIRY = frozenset({"Message", "Delivery", "Draft"})
"""Their `expires_at` is on the wall clock; everybody else's is on the store clock, like every other `*_at`."""


class Duration(click.ParamType):  # type: ignore[type-arg]  # older clicks take none
    """`90`, `90s`, `10m`, `2h`, `1d`: seconds."""

    name = "duration"

    def convert(self, value: Any, parameter: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, (int, float)):
            return float(value)
        found = _DURATION.fullmatch(value.strip())
        if found is None:
            self.fail(f"{value!r} is not a duration; write 90, 90s, 10m, 2h or 1d", parameter, ctx)
        return float(found[1]) * _UNITS[found[2]]


class Time(click.ParamType):  # type: ignore[type-arg]
    """A moment as ISO 8601 (`2026-01-31T18:00`, local unless it says otherwise): milliseconds since 1970."""

    name = "time"

    def convert(self, value: Any, parameter: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        at = parse_iso(value)
        if at is None:
            self.fail(f"{value!r} is not a time; write it like 2026-01-31T18:00 or 2026-01-31T17:00Z", parameter, ctx)
        return at


class Since(click.ParamType):  # type: ignore[type-arg]
    """A moment as ISO 8601, or how long ago it was (`2h`): milliseconds since 1970."""

    name = "since"

    def convert(self, value: Any, parameter: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = _DURATION.fullmatch(value.strip())
        if found is not None and found[2]:
            return round((time.time() - float(found[1]) * _UNITS[found[2]]) * 1000)
        at = parse_iso(value)
        if at is None:
            self.fail(f"{value!r} is no time; write it like 2026-01-31T18:00, or 2h for two hours ago", parameter, ctx)
        return at


DURATION = Duration()
TIME = Time()
SINCE = Since()


def parse_iso(text: str) -> int | None:
    """Return the milliseconds since 1970 of an ISO time, or None if it is none."""
    from datetime import datetime

    try:
        return round(datetime.fromisoformat(text.strip()).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        return None


def iso(wall_ms: int) -> str:
    """Return a wall time as ISO 8601 in UTC, to the millisecond."""
    seconds, rest = divmod(wall_ms, 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:03d}Z"


def wall_of(value: Any, field: str, item: Any, moment: Moment | None) -> int | None:
    """Return the wall time that a field of a value stands for, in milliseconds, or None if it is no time."""
    if not isinstance(item, int) or isinstance(item, bool):
        return None
    if field in _WALL_FIELDS or (field == "expires_at" and type(value).__name__ in _WALL_EXPIRY):
        return item
    if moment is not None and item and (field.endswith("_at") or field in ("at", "since")):
        return item - moment.now + moment.wall
    return None


def clock(at: int, moment: Moment) -> str:
    """Return a time on the store clock as people read it: `18:40`, or with its day where that is not today."""
    return clock_of_wall(at - moment.now + moment.wall, moment)


def clock_of_wall(wall_ms: int, moment: Moment) -> str:
    """Return a wall time as people read it."""
    then, now = time.localtime(wall_ms / 1000), time.localtime(moment.wall / 1000)
    if (then.tm_year, then.tm_yday) == (now.tm_year, now.tm_yday):
        return time.strftime("%H:%M", then)
    return time.strftime("%d %b %H:%M" if then.tm_year == now.tm_year else "%Y-%m-%d %H:%M", then)


def length(seconds: float) -> str:
    """Return a duration in its largest whole unit: `12 min`."""
    whole = max(0, int(seconds))
    return next((f"{whole // size} {unit}" for size, unit in _LENGTHS if whole >= size), f"{whole} s")


def ago(at: int, moment: Moment) -> str:
    """Return how long ago a time on the store clock was."""
    return f"{length((moment.now - at) / 1000)} ago"
