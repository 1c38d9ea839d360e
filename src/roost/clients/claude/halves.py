"""Half characters in the client's JSON: it cuts texts by UTF-16 units, which may leave one half of an emoji behind."""

from __future__ import annotations

import re
from typing import Any

import msgspec

_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u[dD][89a-fA-F]..|.)", re.DOTALL)
_HALF_BYTES = 6
INSTEAD = b"\\ufffd"


def decoded(raw: bytes) -> dict[str, Any]:
    """Return the object in some JSON; a half character in it becomes U+FFFD. Raises DecodeError, RecursionError.

    Only what cannot be read as it is pays for the look at every escape.
    """
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except msgspec.DecodeError:
        whole = _ESCAPE.sub(_mended, raw)
        if whole == raw:
            raise
        return msgspec.json.decode(whole, type=dict[str, Any])


def _mended(found: re.Match[bytes]) -> bytes:
    escape = found[0]
    return INSTEAD if len(escape) == _HALF_BYTES else escape
