"""A draft whose every field is known to be right. Inside a transaction: what it refers to must exist."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from roost.deliveries.lookup import seen_message
from roost.limits import check_idempotency_key, check_metadata, check_ttl
from roost.messages.kinds import check_severity, check_type, kind_of
from roost.messages.model import Draft
from roost.messages.rules import check_dependencies, check_not_before, check_priority_of, hops_after
from roost.stores.base import Tx
from roost.text import check_body, check_display, check_tags

SUBJECT_CHARACTERS_MAX = 200


class Checked(msgspec.Struct, frozen=True):
    """A draft, its body as text, the message's fields that follow from it, and what an idempotency key stands for."""

    draft: Draft
    body: str
    fields: dict[str, Any]
    fingerprint: bytes


def refers(draft: Draft) -> bool:
    """Say whether a draft names earlier messages, which must be in their table before it is checked."""
    return bool(draft.parent or draft.depends_on)


def check(tx: Tx, draft: Draft) -> Checked:
    """Check a draft of the transaction's caller. Raises the error of the first field that is wrong."""
    body = check_body(draft.text)
    kind = check_type(draft.type) if draft.type else "message"
    fields: dict[str, Any] = {
        "type": kind,
        "severity": check_severity(draft.severity) if draft.severity else kind_of(kind).severity,
        "priority": check_priority_of(draft.priority, tx.me.kind),
        "subject": check_display(draft.subject, what="subject", most=SUBJECT_CHARACTERS_MAX) if draft.subject else "",
        "tags": check_tags(draft.tags) if draft.tags else (),
        "requires_ack": bool(draft.requires_ack),
        "operation": draft.operation,
        "metadata": check_metadata(draft.metadata) if draft.metadata else {},
        **_place(tx, draft),
        **_times(tx, draft),
    }
    fingerprint = b""
    if draft.idempotency_key is not None:
        check_idempotency_key(draft.idempotency_key)
        fingerprint = _fingerprint(draft, body, fields)
    return Checked(draft, body, fields, fingerprint)


def _place(tx: Tx, draft: Draft) -> dict[str, Any]:
    """Where a message stands among others; `thread` is '' for the first one of its own."""
    if not refers(draft):
        return {"parent": "", "thread": "", "hops": 0, "depends_on": ()}
    parent = seen_message(tx, draft.parent) if draft.parent else None
    return {
        "parent": parent.id if parent else "",
        "thread": parent.thread if parent else "",
        "hops": hops_after(parent, tx.me.kind),
        "depends_on": tuple(seen_message(tx, ref).id for ref in check_dependencies(draft.depends_on)),
    }


def _times(tx: Tx, draft: Draft) -> dict[str, int | None]:
    lives = draft.expires_in
    return {
        "expires_at": tx.wall + check_ttl(lives, what="message") if lives is not None else None,
        "not_before": check_not_before(draft.not_before, tx.wall),
    }


def _fingerprint(draft: Draft, body: str, fields: dict[str, Any]) -> bytes:
    """What must be the same for a repeated key to mean a repeated call."""
    told = [draft.to, body, *(fields[name] for name in ("type", "priority", "subject", "parent", "depends_on"))]
    return hashlib.sha256(msgspec.json.encode([*told, draft.requires_ack])).digest()
