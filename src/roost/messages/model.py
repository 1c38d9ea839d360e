"""A message: what somebody said, immutable; and a draft of one."""

from __future__ import annotations

from typing import Any

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message. `number` is its short name in the project, shown as `m7`; times are milliseconds.

    `sent_at` is on the store clock; `expires_at` and `not_before` on the wall clock. `hops` counts the replies between
    agents that led to it since a person last spoke. `sender_name` and `sender_kind` are those of now.
    """

    id: str
    number: int
    seq: int
    sender: str
    sender_name: str = ""
    sender_kind: str = "agent"
    sender_session: str
    channel: str = ""
    recipients: int
    type: str
    severity: str
    priority: int
    subject: str = ""
    body: str
    body_hash: bytes
    tags: tuple[str, ...] = ()
    thread: str
    parent: str = ""
    depends_on: tuple[str, ...] = ()
    expires_at: int | None = None
    not_before: int | None = None
    requires_ack: bool = False
    hops: int = 0
    idempotency_key: str | None = None
    fingerprint: bytes
    operation: str = ""
    metadata: dict[str, Any] = {}
    key_id: str = ""
    signature: bytes = b""
    sent_at: int
    wall: int

    @property
    def ref(self) -> str:
        """The short name that people and agents use."""
        return f"m{self.number}"


class Draft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to send; see `Messages.send` for each field. Durations are seconds."""

    to: tuple[str, ...]
    text: str
    subject: str = ""
    type: str = ""
    severity: str = ""
    priority: int | str = "normal"
    tags: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    parent: str = ""
    expires_in: float | None = None
    not_before: int | None = None
    requires_ack: bool = False
    idempotency_key: str | None = None
    metadata: dict[str, Any] | None = None
    hold: bool = False
    operation: str = ""


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What is known when a send is answered: stored, at this durability, for these recipients, and nothing more."""

    id: str
    number: int
    seq: int
    recipients: tuple[str, ...]
    channel: str = ""
    thread: str = ""
    duplicate: bool = False
    durability: str = "D2"

    @property
    def ref(self) -> str:
        """The short name that people and agents use."""
        return f"m{self.number}"


class Reaction(msgspec.Struct, frozen=True, kw_only=True):
    """One agent's reaction to one message; unique by its value."""

    message: str
    agent: str
    name: str = ""
    value: str
    at: int


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an inbox or outbox: a message and how far it got with one recipient."""

    message: Message
    recipient: str
    state: str
    stage: str
    attempts: int = 0
    hold: str = ""
    read_at: int | None = None


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of an inbox or outbox: for whom, as of which sequence number, and how many there are beyond the limit.

    `next` is the `before` of the page behind this one, 0 at the end. `batch` names a page that was taken: whoever gives
    it back has it.
    """

    agent: str
    seq: int
    items: tuple[Item, ...]
    more: int = 0
    next: int = 0
    batch: str = ""
