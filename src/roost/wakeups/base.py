"""What a hint is: ring the bells of recipients after a commit; whoever misses one finds the news at its next look."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol


class Wakeups(Protocol):
    """Tells others that something may be new for them."""

    def ring(self, bells: Iterable[str]) -> None:
        """Hint at news; never raises for a bell that nobody hears."""
        ...


class Silent:
    """For a store that only this process sees: nobody else to tell."""

    def ring(self, bells: Iterable[str]) -> None:
        return None
