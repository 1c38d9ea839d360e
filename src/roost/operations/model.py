"""An operation: an exclusive, ordered sequence of messages to one or more targets."""

from __future__ import annotations

from typing import Literal

import msgspec

OperationState = Literal["open", "sealed", "closed", "aborted"]


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One operation: `open` while its owner adds steps, `sealed` while they are on their way, then closed or aborted.

    `depth` counts nested begins of the owner's session; `steps` the messages added. Times are milliseconds on the store
    clock; from `expires_at` on it holds nothing. `targets` are the names of those it holds or, when it is over, held.
    """

    id: str
    owner: str
    owner_name: str = ""
    session: str
    title: str = ""
    state: OperationState = "open"
    depth: int = 1
    steps: int = 0
    opened_at: int
    expires_at: int
    ended_at: int | None = None
    reason: str = ""
    targets: tuple[str, ...] = ()


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far an operation's deliveries got: one for each step and target."""

    operation: Operation
    deliveries: int = 0
    delivered: int = 0
    waiting: int = 0
    failed: int = 0
