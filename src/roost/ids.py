"""UUIDv7 identifiers (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then randomness; text order is birth
order."""

from __future__ import annotations

import os
import threading
import time

_lock = threading.Lock()
_last = 0


def new_id() -> str:
    """Return a new UUIDv7 as 36 characters; ids of one process sort in the order they were made."""
    global _last
    entropy = int.from_bytes(os.urandom(8), "big")
    with _lock:
        # The 12 bits after the version count inside one millisecond (RFC 9562, 6.2, method 1).
        stamp = max(_last + 1, (time.time_ns() // 1_000_000) << 12)
        _last = stamp
    value = (stamp >> 12) << 80 | 0x7 << 76 | (stamp & 0xFFF) << 64 | 0b10 << 62 | entropy >> 2
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def new_nonce() -> str:
    """Return 8 random characters (40 bits) that mark one offer of one message."""
    value = int.from_bytes(os.urandom(5), "big")
    return "".join(_ALPHABET[value >> shift & 31] for shift in range(0, 40, 5))


_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
