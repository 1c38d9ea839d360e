"""Priorities: one integer 0-255, higher first, with six names for people."""

from __future__ import annotations

from roost.errors import InvalidPriority

PRIORITY_MAX = 255
NAMES = {"low": 0, "normal": 5, "high": 20, "urgent": 60, "critical": 120, "system": 200}
"""What each name stands for."""

HIGH_FROM = 10
"""From here on a message asks for attention: it may wake an idle agent."""

STRICT_FROM = 100
"""From here on a message goes before all others; only people and services may send it."""

# A name holds for the numbers around it: 10-49 are all called high.
_BANDS = ((200, "system"), (STRICT_FROM, "critical"), (50, "urgent"), (HIGH_FROM, "high"), (NAMES["normal"], "normal"))


def check_priority(value: object) -> int:
    """Return the priority 0-255 that `value` means, a name in any case or an integer. Raises InvalidPriority."""
    if isinstance(value, str) and (named := NAMES.get(value.casefold())) is not None:
        return named
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= PRIORITY_MAX:
        return int(value)
    shown = value if isinstance(value, (int, float)) else repr(value)[:80]
    raise InvalidPriority(f"priority {shown} is not known", hint=f"use 0-{PRIORITY_MAX} or one of {', '.join(NAMES)}")


def priority_word(priority: int) -> str:
    """Return the name of the band that holds `priority`."""
    return next((word for least, word in _BANDS if priority >= least), "low")
