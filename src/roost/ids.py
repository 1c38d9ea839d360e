"""UUIDv7 identifiers (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then randomness; text order is birth
order."""

from __future__ import annotations

import os
import threading
import time

DRAWN = 32
"""Random tails or salts that are drawn at once: asking the system for each takes longer than all the rest of an id."""
SALT_BYTES = 16

_lock = threading.Lock()
_last = 0
_head = 0, ""
_tails: list[str] = []
_salts: list[bytes] = []


def new_id() -> str:
    """Return a new UUIDv7 as 36 characters; ids of one process sort in the order they were made."""
    global _last, _head
    with _lock:
        # The 12 bits after the version count inside one millisecond (RFC 9562, 6.2, method 1).
        stamp = time.time_ns() // 1_000_000 << 12
        if stamp <= _last:
            stamp = _last + 1
        _last = stamp
        milliseconds, head = _head
        if milliseconds != stamp >> 12:
            milliseconds = stamp >> 12
            head = f"{milliseconds >> 16:08x}-{milliseconds & 0xFFFF:04x}-7"
            _head = milliseconds, head
        if not _tails:
            _tails.extend(map(_tail, range(0, DRAWN * 16, 16), [os.urandom(DRAWN * 8).hex()] * DRAWN))
        return f"{head}{stamp & 0xFFF:03x}-{_tails.pop()}"


def new_salt() -> bytes:
    """Return 16 random bytes: who has not got them cannot find by trying out what was hashed with them."""
    with _lock:
        if not _salts:
            drawn = os.urandom(DRAWN * SALT_BYTES)
            _salts.extend(drawn[at : at + SALT_BYTES] for at in range(0, len(drawn), SALT_BYTES))
        return _salts.pop()


def new_nonce() -> str:
    """Return 8 random characters (40 bits) that mark one offer of one message."""
    value = int.from_bytes(os.urandom(5), "big")
    return "".join(_ALPHABET[value >> shift & 31] for shift in range(0, 40, 5))


def _tail(at: int, digits: str) -> str:
    """Return the two bits of the variant and 62 random ones, out of 16 random digits."""
    return f"{_VARIANT[digits[at]]}{digits[at + 1 : at + 4]}-{digits[at + 4 : at + 16]}"


def _begin_again() -> None:
    """In the child of a fork: a lock of its own, and no randomness that its parent uses too."""
    global _lock
    _lock = threading.Lock()
    _tails.clear()
    _salts.clear()


_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
os.register_at_fork(after_in_child=_begin_again)
