"""The hash chain of the log: what an event's hash covers, and what breaks it."""

from __future__ import annotations

import hashlib

import msgspec

CHAIN_VERSION = 1
_encode = msgspec.json.encode


def chain(
    head: bytes, project: str, seq: int, at: int, wall: int, kind: str, actor: str, session: str, object: str, data: str
) -> bytes:
    """Return an event's hash: SHA-256 over the hash before it and a versioned canonical form of the event.

    The form is a JSON array in this fixed order, `data` as the stored text. It holds ids and hashes, never a body, so that bodies
    can be purged and the chain still verifies.
    """
    form = _encode([CHAIN_VERSION, project, seq, at, wall, kind, actor, session, object, data])
    return hashlib.sha256(head + form).digest()
