"""What one look of `roost doctor` comes to."""

from __future__ import annotations

from typing import Literal

import msgspec

Grade = Literal["pass", "note", "warn", "fail"]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at: how it is, and what to do where that is not well.

    `note` is good to know, `warn` may hurt one day, `fail` hurts now. `seconds` is what was measured, if anything was.
    """

    name: str
    grade: Grade
    said: str
    to_do: str = ""
    seconds: float | None = None


def judged(name: str, said: str, *, to_do: str, well: bool, otherwise: Grade = "warn") -> Check:
    """Return a check that passes or not; what to do is said only where it does not."""
    return Check(name=name, grade="pass" if well else otherwise, said=said, to_do="" if well else to_do)
