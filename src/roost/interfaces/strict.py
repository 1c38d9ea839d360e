"""What may stand in a call but once: of a key or parameter that stands twice each reader takes another."""

from __future__ import annotations

import json
from collections.abc import Sequence

from roost.errors import InvalidInput, InvalidJson


def refuse_twins(text: str) -> None:
    """Raise InvalidJson for a JSON text with an object that has one key twice.

    The text was decoded before, so it is well formed; ValueError or RecursionError say that it is not.
    """
    _look(text)


def once(given: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the parameters of a URL. Raises InvalidInput for one that stands there twice."""
    found = dict(given)
    if len(found) != len(given):
        raise InvalidInput("a parameter stands twice in the URL", hint="give each once")
    return found


def _one_each(pairs: list[tuple[str, object]]) -> None:
    if len(dict(pairs)) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidJson(f"the field {twice[:40]!r} stands twice in one object", hint="give each once")


# Numbers stay text: nobody looks at them here, and a long one would take long.
_look = json.JSONDecoder(object_pairs_hook=_one_each, parse_int=str, parse_float=str).decode
