"""The hash chain of the log, its cursors, and what breaks either."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

import msgspec

from roost.errors import BadCursor
from roost.history.model import Line, Problem

CHAIN_VERSION = 1
START = b""
"""What the first event of a project follows."""
CURSOR_HASH_BYTES = 4
HASH_BYTES = 32
_encode = msgspec.json.encode
_CURSOR = re.compile(r"([0-9a-f]{1,8})-([0-9a-f]{1,16})-((?:[0-9a-f]{8})?)")


def chain(
    head: bytes, project: str, seq: int, at: int, wall: int, kind: str, actor: str, session: str, object: str, data: str
) -> bytes:
    """Return an event's hash: SHA-256 over the hash before it and a versioned canonical form of the event.

    The form is a JSON array in this fixed order, `data` as the stored text. It holds ids and hashes, never a body, so
    that bodies can be purged and the chain still verifies.
    """
    form = _encode([CHAIN_VERSION, project, seq, at, wall, kind, actor, session, object, data])
    digest: bytes = _sha256()(head + form).digest()
    return digest


@cache
def _sha256() -> Callable[[bytes], Any]:
    from hashlib import sha256  # 3 ms with its crypto library, which a process that only reads need not pay

    return sha256


def told_hash(body_hash: bytes) -> str:
    """Return what the log tells of a body: its hash without the salt before it, with which short words would be
    guessed."""
    return body_hash[-HASH_BYTES:].hex()


def breaks(project: str, after: int, head: bytes | None, lines: Iterable[Line]) -> Iterator[Problem]:
    """Yield what is wrong with events that should follow number `after`, whose hash is `head` (None: not known).

    After a break the stored hash is taken as the new head, so that one edit is one problem, told where it is.
    """
    for line in lines:
        if line.seq != after + 1:
            yield Problem(seq=line.seq, what=_hole(after, line.seq))
        elif head is not None and _hash(project, head, line) != line.hash:
            yield Problem(
                seq=line.seq,
                what=f"event {line.seq} ({line.kind}) was edited, or is not the one that followed event {after}",
            )
        after, head = line.seq, line.hash


def _hole(after: int, seq: int) -> str:
    if seq <= after:
        return f"event {seq} stands behind event {after}"
    missing = f"event {after + 1} is" if seq == after + 2 else f"events {after + 1}-{seq - 1} are"
    return f"{missing} missing"


def _hash(project: str, head: bytes, line: Line) -> bytes:
    return chain(
        head, project, line.seq, line.at, line.wall, line.kind, line.actor, line.session, line.object, line.data
    )


class Cursor(msgspec.Struct, frozen=True):
    """A place in the log: behind event `seq` of one epoch of one store; the first bytes of its hash tell it from a
    lookalike.
    """

    epoch: int
    seq: int
    mark: bytes

    def __str__(self) -> str:
        return f"{self.epoch:x}-{self.seq:x}-{self.mark.hex()}"


def cursor(epoch: int, seq: int, hash: bytes) -> Cursor:
    """Return the place behind an event."""
    return Cursor(epoch, seq, hash[:CURSOR_HASH_BYTES])


def parse_cursor(text: object) -> Cursor:
    """Read a cursor that `str` wrote. Raises BadCursor."""
    found = _CURSOR.fullmatch(text) if isinstance(text, str) else None
    if found is None or (found[2].strip("0") == "") != (found[3] == ""):
        raise BadCursor(
            f"{str(text)[:60]!r} is no cursor of a project's log",
            hint="give one as it was answered, or none to begin anew",
        )
    return Cursor(int(found[1], 16), int(found[2], 16), bytes.fromhex(found[3]))
