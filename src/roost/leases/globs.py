"""Whether two path patterns have a path in common, decided exactly.

A pattern is a sequence of segments and a segment a sequence of character sets, both with a star that takes any number
of them (`**` and `*`). So one walk decides both levels: go through the first sequence and keep the set of places in the
second that some common text can have reached. The set is the bits of one integer, which makes the worst pair of keys
cost milliseconds and needs no limit on wildcards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeVar

T = TypeVar("T")

DEEP = "**"
"""The segment that stands for any number of segments, none included."""

STAR = -1
"""The token for `*`; every other token is a set of characters, one bit each."""

ANY = sum(1 << code for code in range(0x20, 0x7F) if code != ord("/"))
"""What `?` matches."""

ESCAPABLE = "*?["

Token = int
Reading = tuple[Token, ...]


def share(a: str, b: str) -> bool:
    """Say whether some path fits both patterns; a pattern that ends with `/` takes in what lies beneath."""
    return a == b or meet(segments(a), segments(b), DEEP, segments_meet)


def meet(a: Sequence[T], b: Sequence[T], star: T, fits: Callable[[T, T], bool]) -> bool:
    """Say whether two sequences with stars have a common instance; `fits` says so for two items that are no stars."""
    stars = sum(1 << place for place, item in enumerate(b) if item == star)
    reached = _past_stars(1, stars)
    for item in a:
        if item == star:
            reached = (2 << len(b)) - (reached & -reached)  # the star can take whatever lies between
        else:
            steps = _steps(item, b, reached & ~stars, fits)
            reached = _past_stars(steps << 1 | reached & stars, stars)
        if not reached:
            return False
    return bool(reached >> len(b))


@lru_cache(maxsize=4096)
def segments(pattern: str) -> tuple[str, ...]:
    """Split a pattern into the names and stars between its slashes."""
    return (*pattern[:-1].split("/"), DEEP) if pattern.endswith("/") else tuple(pattern.split("/"))


def is_open(segment: str) -> bool:
    """Say whether a `*` or `?` outside brackets keeps the segment from being a name."""
    as_text = readings_of(segment)[-1]
    return STAR in as_text or ANY in as_text


def is_plain(segment: str) -> bool:
    """Say whether the segment stands for exactly one name."""
    readings = readings_of(segment)
    return len(readings) == 1 and all(token > 0 and token.bit_count() == 1 for token in readings[0])


def plain_name(segment: str) -> str:
    """Return the one name that a plain segment stands for."""
    return "".join(chr(token.bit_length() - 1) for token in readings_of(segment)[0])


@lru_cache(maxsize=4096)
def segments_meet(a: str, b: str) -> bool:
    """Say whether one file name fits both segments, neither of them `**`."""
    if a == b:
        return True
    if not _is_wild(a) and not _is_wild(b):
        return False
    return any(meet(x, y, STAR, _common) for x in readings_of(a) for y in readings_of(b))


@lru_cache(maxsize=4096)
def readings_of(segment: str) -> tuple[Reading, ...]:
    """Return what a segment can mean: brackets as a set of characters, and brackets as themselves.

    Web frameworks name route folders `[id]`; whoever leases `app/[id]` means that folder.
    """
    as_sets = _tokens(segment, sets=True)
    as_text = _tokens(segment, sets=False)
    return (as_text,) if as_sets == as_text or 0 in as_sets else (as_sets, as_text)


def _past_stars(reached: int, stars: int) -> int:
    return reached | (reached & stars) << 1  # parsing leaves no two stars side by side


def _steps(item: T, b: Sequence[T], reached: int, fits: Callable[[T, T], bool]) -> int:
    steps = 0
    while reached:
        low = reached & -reached
        reached ^= low
        place = low.bit_length() - 1
        if place < len(b) and fits(item, b[place]):
            steps |= low
    return steps


def _common(a: Token, b: Token) -> bool:
    return bool(a & b)


def _is_wild(segment: str) -> bool:
    return "*" in segment or "?" in segment or "[" in segment


def _tokens(text: str, *, sets: bool) -> Reading:
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        token, at = _token(text, at, sets)
        if token != STAR or tokens[-1:] != [STAR]:
            tokens.append(token)
    return tuple(tokens)


def _token(text: str, at: int, sets: bool) -> tuple[Token, int]:
    char = text[at]
    if char == "*":
        return STAR, at + 1
    if char == "?":
        return ANY, at + 1
    if char == "[":
        if text[at + 2 : at + 3] == "]" and text[at + 1] in ESCAPABLE:
            return 1 << ord(text[at + 1]), at + 3
        first = at + 2 if text[at + 1 : at + 2] in ("!", "^") else at + 1
        end = text.find("]", first + 1)
        if sets and end > 0:
            chars = _characters(text[first:end])
            return (ANY & ~chars if first == at + 2 else chars), end + 1
    return 1 << ord(char), at + 1


def _characters(text: str) -> int:
    """Return the set between brackets; a backward range is empty."""
    found = 0
    at = 0
    while at < len(text):
        last = at
        if text[at + 1 : at + 2] == "-" and at + 2 < len(text):
            last = at + 2
        for code in range(ord(text[at]), ord(text[last]) + 1):
            found |= 1 << code
        at = last + 1
    return found & ANY
