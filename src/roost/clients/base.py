"""What a coding client is to Roost: its events come in, text goes back, its transcript proves what arrived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from roost.deliveries.model import Verdict
from roost.turns.model import ClientEvent, TurnReply


class Unreadable(msgspec.Struct, frozen=True, kw_only=True):
    """What a client gave a hook could not be read; `reason` is for the log."""

    reason: str


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """What a hook program prints and how it ends."""

    stdout: str = ""
    stderr: str = ""
    exit: int = 0


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """One open offer to look for: the text that marks it, and when it was made, in milliseconds of wall time.

    `as_result`: it stands in the result of a tool of MCP that the agent called, and nowhere else.
    """

    nonce: str
    marker: str
    offered_wall: int
    as_result: bool = False


class Scan(msgspec.Struct, frozen=True, kw_only=True):
    """What a transcript shows about offers, and the offset in bytes from where to look next time."""

    verdicts: tuple[Verdict, ...]
    offset: int


class Client(Protocol):
    """One coding client."""

    name: str

    def event(self, raw: bytes, environ: Mapping[str, str]) -> ClientEvent | Unreadable:
        """Read what the client gave a hook on stdin and in the environment."""
        ...

    def answer(self, event: ClientEvent, reply: TurnReply) -> Output:
        """Say to this event as much of the reply as it can carry."""
        ...

    def wake(self, text: str) -> Output:
        """Make a waker say `text` to an idle agent."""
        ...

    def proofs(self, transcript: str, offset: int, offers: Sequence[Offer]) -> Scan:
        """Look in the transcript for offers; a transcript that cannot be read makes them `unreadable`."""
        ...
