"""Pages of lists, and their cursors: opaque texts that say behind what the next page begins."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from roost.errors import BadCursor
from roost.interfaces.http.routes import Page
from roost.messages.service import FAR

CHECK_CHARACTERS = 8
OFFSET_MAX = 500
"""A list without an order of its own is paged this far."""


def cursor(list_name: str, place: str | int) -> str:
    """Return a cursor of one list: behind a number or key."""
    text = msgspec.json.encode(
        [place, _check(list_name, place)]
    )  # without the name: a search's is as long as its words
    return urlsafe_b64encode(text).decode().rstrip("=")


def before(list_name: str, given: str) -> int:
    """Return the number that a cursor of this list stands before; without one, that before which everything is.

    Raises BadCursor.
    """
    return _place(list_name, given, int) if given else FAR


def after(list_name: str, given: str) -> int:
    """Return the number that a cursor of this list stands behind, 0 without one. Raises BadCursor."""
    return _place(list_name, given, int) if given else 0


def paged(
    items: Sequence[Any],
    list_name: str,
    asked: Any,
    key: Callable[[Any], str | int],
    *,
    newest_first: bool = False,
) -> Page:
    """Return the page of a whole list that `asked` (a bodies.Paged) wants; `key` is unique, and orders it.

    Raises BadCursor.
    """
    left = sorted(items, key=key, reverse=newest_first)
    if asked.cursor and items:
        place = _place(list_name, asked.cursor, type(key(items[0])))
        left = [one for one in items if (key(one) < place if newest_first else key(one) > place)]
    shown = tuple(left[: asked.limit])
    at = cursor(list_name, key(shown[-1])) if shown else asked.cursor
    return Page(items=shown, cursor=at, more=len(left) > len(shown))


def _place(list_name: str, given: str, kind: type) -> Any:
    try:
        place, check = msgspec.json.decode(
            urlsafe_b64decode(given + "=" * (-len(given) % 4)), type=tuple[str | int, str]
        )
    except ValueError:  # what is wrong with the base64, the UTF-8 or the JSON
        raise _bad() from None
    if check != _check(list_name, place) or not isinstance(place, kind):
        raise _bad()
    return place


def _check(list_name: str, place: str | int) -> str:
    return sha256(f"roost cursor {list_name!r} {place!r}".encode()).hexdigest()[:CHECK_CHARACTERS]


def _bad() -> BadCursor:
    return BadCursor("this cursor is of another list, or of none", hint="take it from the page before, or leave it out")
