"""Checks of what comes with a message or lease beside text: metadata, idempotency keys, durations."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from roost.errors import InvalidInput, InvalidJson, InvalidTtl

METADATA_BYTES_MAX = 8 * 1024
METADATA_DEPTH_MAX = 16
METADATA_KEYS_MAX = 64
METADATA_KEY_BYTES_MAX = 64
METADATA_INTEGER_MAX = 2**53  # what a JavaScript reader still tells apart

PAGE_MAX = 500
"""Things on one page."""

NUMBER_MAX = 1 << 62
"""Numbers of messages and events, and times in milliseconds, stay below."""

HOUR = 3_600.0
DAY = 24 * HOUR
TTL_SECONDS = {"lease": (1.0, DAY), "heartbeat": (5.0, HOUR), "message": (1.0, 365 * DAY)}
"""The shortest and longest duration of each thing that has one, in seconds."""

_IDEMPOTENCY_KEY = re.compile(r"[A-Za-z0-9_-]{8,128}")


def check_idempotency_key(value: object) -> str:
    """Return `value` if it is 8-128 letters, digits, dashes and underscores. Raises InvalidInput."""
    if isinstance(value, str) and _IDEMPOTENCY_KEY.fullmatch(value):
        return value
    raise InvalidInput(
        f"idempotency key {repr(value)[:140]} does not follow its rule",
        hint="use 8-128 of A-Z, a-z, 0-9, dash and underscore",
    )


def check_limit(value: object, *, most: int = PAGE_MAX) -> int:
    """Return how many things one page may hold, if it is 1 to `most`. Raises InvalidInput."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise InvalidInput(f"limit = {repr(value)[:40]} is not in 1-{most}", hint="ask for fewer and page on")
    return value


def check_number(value: object, *, what: str) -> int:
    """Return a number of a message or event, or a time in milliseconds: 0 to 2^62. Raises InvalidInput."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= NUMBER_MAX:
        raise InvalidInput(f"{what} = {repr(value)[:40]} is not in 0-2^62", hint="take it from an earlier answer")
    return value


def check_ttl(seconds: object, *, what: Literal["lease", "heartbeat", "message"] = "lease") -> int:
    """Return a time to live as milliseconds, if it is in the range of `what` (TTL_SECONDS). Raises InvalidTtl."""
    least, most = TTL_SECONDS[what]
    return check_duration(seconds, what=f"ttl of a {what}", least=least, most=most)


def check_duration(seconds: object, *, what: str, least: float = 0.0, most: float = 365 * DAY) -> int:
    """Return a duration in seconds as whole milliseconds, if it is a finite number in the range. Raises InvalidTtl.

    Booleans and text, also text that spells a number, are refused.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise InvalidTtl(f"{what} must be a number of seconds, not {type(seconds).__name__}", hint=_range(least, most))
    # NaN fails both comparisons; an integer too large for a float compares without conversion.
    if not least <= seconds <= most:
        shown = "a huge number" if abs(seconds) > 1e18 else f"{seconds:,.12g} s"
        raise InvalidTtl(f"{what} is {shown}", hint=_range(least, most))
    return round(seconds * 1_000)


def check_metadata(value: object) -> dict[str, Any]:
    """Return metadata as a plain dict: a mapping that JSON can hold, inside the limits above. Raises InvalidJson."""
    if isinstance(value, (str, bytes)):
        return check_metadata_text(value)
    if not isinstance(value, Mapping):
        raise _refused(f"is {type(value).__name__}, not an object")
    walk = _Walk()
    plain = walk.mapping(value, depth=1)
    if (size := len(msgspec.json.encode(plain))) > METADATA_BYTES_MAX:
        raise _refused(f"has {size} bytes of JSON")
    return plain


def check_metadata_text(text: str | bytes) -> dict[str, Any]:
    """Return metadata from JSON text, by the same limits and with no key twice in one object. Raises InvalidJson."""
    import json  # the only reader here that shows double keys; needed by edges only

    if len(text) > METADATA_BYTES_MAX * 2:  # blanks between tokens are allowed, within reason
        raise _refused(f"has {len(text)} characters of JSON")
    try:
        # Decoded here: the reader itself would also take UTF-16.
        plain = text.decode() if isinstance(text, bytes) else text
        value = json.loads(plain, object_pairs_hook=_no_double, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise _refused(f"is not JSON ({str(error)[:80]})") from None
    if isinstance(value, (str, bytes)):
        raise _refused("is text, not an object")
    return check_metadata(value)


class _Walk:
    """One pass over metadata; counts the keys and the values of all its objects together."""

    __slots__ = ("keys", "values")

    def __init__(self) -> None:
        self.keys = 0
        self.values = 0

    def mapping(self, value: Mapping[Any, Any], *, depth: int) -> dict[str, Any]:
        self.keys += len(value)
        if self.keys > METADATA_KEYS_MAX:
            raise _refused("has too many keys")
        return {_key(key): self.any(item, depth=depth + 1) for key, item in value.items()}

    def any(self, value: object, *, depth: int) -> Any:
        self.values += 1
        # More values than bytes cannot fit, and one list may stand in another many times.
        if self.values > METADATA_BYTES_MAX:
            raise _refused("has too many values")
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, (int, float)):
            return _number(value)
        if isinstance(value, str):
            return _string(value)
        if depth > METADATA_DEPTH_MAX:
            raise _refused("is nested too deeply")
        if isinstance(value, Mapping):
            return self.mapping(value, depth=depth)
        if isinstance(value, (list, tuple)):
            return [self.any(item, depth=depth + 1) for item in value]
        raise _refused(f"holds a {type(value).__name__}")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise _refused(f"has a key that is {type(key).__name__}, not text")
    if len(_string(key).encode()) > METADATA_KEY_BYTES_MAX:
        raise _refused(f"has a key of {len(key.encode())} bytes")
    return key


def _string(text: str) -> str:
    # NUL is legal JSON, but not every store's JSON columns take it, and a project may move between stores.
    if len(text) > METADATA_BYTES_MAX:
        raise _refused(f"holds a text of {len(text)} characters")
    if "\0" in text:
        raise _refused("holds a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _refused("holds half a surrogate pair") from None
    return text


def _number(value: float) -> float:
    if isinstance(value, int):
        if abs(value) > METADATA_INTEGER_MAX:
            raise _refused("holds an integer beyond 2^53")
    elif not math.isfinite(value):
        raise _refused("holds a number that is not finite")
    return value


def _no_double(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain = dict(pairs)
    if len(plain) < len(pairs):
        raise _refused("has a key twice in one object")
    return plain


def _no_constant(name: str) -> Any:
    raise _refused(f"holds {name}")


def _refused(fault: str) -> InvalidJson:
    return InvalidJson(
        f"metadata {fault}",
        hint=f"at most {METADATA_BYTES_MAX} bytes, {METADATA_KEYS_MAX} keys of {METADATA_KEY_BYTES_MAX} bytes, depth"
        f" {METADATA_DEPTH_MAX}, finite numbers, whole ones within 2^53",
    )


def _range(least: float, most: float) -> str:
    return f"give a finite number of seconds from {least:,g} to {most:,.0f}"
