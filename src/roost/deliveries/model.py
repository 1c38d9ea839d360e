"""A delivery: one message for one recipient, how far it got, and by which proofs."""

from __future__ import annotations

from typing import Literal

import msgspec

DeliveryState = Literal["held", "pending", "offered", "delivered", "acknowledged", "expired", "cancelled", "dead"]
Stage = Literal["stored", "offered", "delivered", "acknowledged"]
ReceiptKind = Literal["offered", "delivered", "read", "acknowledged", "failed", "requeued", "reminded", "escalated"]
Hold = Literal["", "dependency", "not_before", "operation", "paused"]

STAGES: tuple[Stage, ...] = ("stored", "offered", "delivered", "acknowledged")
OPEN_STATES: tuple[DeliveryState, ...] = ("held", "pending", "offered")


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One message for one recipient; `stage` is an index into STAGES and never goes back."""

    message: str
    recipient: str
    seq: int
    number: int
    state: DeliveryState
    stage: int = 0
    hold: Hold = ""
    rank: int
    size: int
    requires_ack: bool = False
    wakes: bool = False
    attempts: int = 0
    nonce: str = ""
    rung: str = ""
    session: str = ""
    epoch: int = 0
    context: int = 0
    offered_at: int | None = None
    first_offered_at: int | None = None
    delivered_at: int | None = None
    acknowledged_at: int | None = None
    read_at: int | None = None
    expires_at: int | None = None
    not_before: int | None = None
    next_at: int | None = None
    remind_at: int | None = None
    reminders: int = 0
    told: bool = True
    nudge: bool = False
    last_error: str = ""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """A dated fact about a delivery. `proof` says in words how it is known; `at` is on the store clock,
    milliseconds."""

    message: str
    recipient: str
    recipient_name: str = ""
    n: int
    kind: ReceiptKind
    at: int
    actor: str = ""
    rung: str = ""
    session: str = ""
    epoch: int = 0
    context: int = 0
    nonce: str = ""
    proof: str = ""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the agent's side shows about one offer: in its context and answered, shown only, not there, or unreadable.

    `early`: not there, and no answer since that should have had it before; only time will tell.
    """

    nonce: str
    found: Literal["proved", "shown", "absent", "early", "unreadable"]
    shape: str = ""


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about when one recipient gets a message: facts about its session, no promise."""

    recipient: str
    kind: str
    state: DeliveryState
    hold: str = ""
    session_state: str
    since: int = 0
    client: str = ""
    reads_itself: bool = False
    wakes: bool = False
    wake_refused: str = ""
