"""All pairs: few cases in which every two values that may stand together do so at least once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations, product

Case = tuple[str, ...]
Pair = tuple[tuple[int, str], tuple[int, str]]


def pairs_of(case: Case) -> set[Pair]:
    """Return every two values of a case, each with its place."""
    return set(combinations(enumerate(case), 2))


def all_pairs(axes: Mapping[str, Sequence[str]], fits: Callable[[Case], bool]) -> list[Case]:
    """Return cases that hold every pair which any fitting case holds; each is the one that adds most."""
    possible = {case: pairs_of(case) for case in product(*axes.values()) if fits(case)}
    missing: set[Pair] = set().union(*possible.values())
    chosen = []
    while missing:
        best = max(possible, key=lambda case: len(possible[case] & missing))
        missing -= possible.pop(best)
        chosen.append(best)
    return chosen
