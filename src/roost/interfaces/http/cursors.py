"""Cursors of lists: opaque texts that say behind which number the next page begins."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from hashlib import sha256

from roost.errors import BadCursor
from roost.messages.service import FAR

CHECK_CHARACTERS = 6


def cursor(list_name: str, before: int) -> str:
    """Return a cursor of one list."""
    text = f"{list_name}:{before}"
    return urlsafe_b64encode(f"{text}:{_check(text)}".encode()).decode().rstrip("=")


def before(list_name: str, given: str) -> int:
    """Return the number that a cursor of this list stands before; without one, that before which everything is.

    Raises BadCursor.
    """
    if not given:
        return FAR
    try:
        name, number, check = urlsafe_b64decode(given + "=" * (-len(given) % 4)).decode().split(":")
    except (Error, ValueError):
        raise _bad() from None
    if name != list_name or check != _check(f"{name}:{number}") or not number.isascii() or not number.isdigit():
        raise _bad()
    return int(number)


def _check(text: str) -> str:
    return sha256(f"roost cursor {text}".encode()).hexdigest()[:CHECK_CHARACTERS]


def _bad() -> BadCursor:
    return BadCursor("this cursor is of another list, or of none", hint="take it from the page before, or leave it out")
