"""A draft whose every field is known to be right. Inside a transaction: what it refers to must exist."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from roost.deliveries.lookup import seen_message
from roost.limits import check_idempotency_key, check_metadata, check_ttl
from roost.messages.kinds import DEFAULT, check_severity, check_type, kind_of
from roost.messages.model import Draft
from roost.messages.rules import check_dependencies, check_not_before, check_priority_of, hops_after
from roost.stores.base import Tx
from roost.text import check_body, check_display, check_tags

SUBJECT_CHARACTERS_MAX = 200


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What a message takes over from its draft. `size` is that of the body in bytes, `thread` '' for the first message
    of its own, and `fingerprint` what the idempotency key stands for."""

    body: str
    size: int
    type: str
    severity: str
    priority: int
    subject: str
    tags: tuple[str, ...]
    requires_ack: bool
    operation: str
    metadata: dict[str, Any]
    parent: str = ""
    thread: str = ""
    hops: int = 0
    depends_on: tuple[str, ...] = ()
    expires_at: int | None
    not_before: int | None
    idempotency_key: str | None
    fingerprint: bytes = b""


def refers(draft: Draft) -> bool:
    """Say whether a draft names earlier messages, which must be in their table before it is checked."""
    return bool(draft.parent or draft.depends_on)


def check(tx: Tx, draft: Draft) -> Checked:
    """Check a draft of the transaction's caller. Raises the error of the first field that is wrong."""
    body = check_body(draft.text)
    kind = check_type(draft.type) if draft.type else DEFAULT
    checked = Checked(
        body=body,
        size=len(body) if body.isascii() else len(body.encode()),
        type=kind,
        severity=check_severity(draft.severity) if draft.severity else kind_of(kind).severity,
        priority=check_priority_of(draft.priority, tx.me.kind),
        subject=check_display(draft.subject, what="subject", most=SUBJECT_CHARACTERS_MAX) if draft.subject else "",
        tags=check_tags(draft.tags) if draft.tags else (),
        requires_ack=bool(draft.requires_ack),
        operation=draft.operation,
        metadata=check_metadata(draft.metadata) if draft.metadata else {},
        expires_at=None if draft.expires_in is None else tx.wall + check_ttl(draft.expires_in, what="message"),
        not_before=None if draft.not_before is None else check_not_before(draft.not_before, tx.wall),
        idempotency_key=None if draft.idempotency_key is None else check_idempotency_key(draft.idempotency_key),
    )
    if refers(draft):
        checked = _placed(tx, draft, checked)
    if draft.idempotency_key is not None:
        checked = msgspec.structs.replace(checked, fingerprint=_fingerprint(draft, checked))
    return checked


def _placed(tx: Tx, draft: Draft, checked: Checked) -> Checked:
    """Say where a message stands among others."""
    parent = seen_message(tx, draft.parent) if draft.parent else None
    return msgspec.structs.replace(
        checked,
        parent=parent.id if parent else "",
        thread=parent.thread if parent else "",
        hops=hops_after(parent, tx.me.kind),
        depends_on=tuple(seen_message(tx, ref).id for ref in check_dependencies(draft.depends_on)),
    )


def _fingerprint(draft: Draft, checked: Checked) -> bytes:
    """What must be the same for a repeated key to mean a repeated call."""
    told = [draft.to, checked.body, checked.type, checked.priority, checked.subject, checked.parent, checked.depends_on]
    return hashlib.sha256(msgspec.json.encode([*told, draft.requires_ack])).digest()
