"""Claude Code: its hook events, what can be said back, and what its transcript proves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from roost.clients.base import Offer, Output, Scan, Unreadable
from roost.clients.claude import events, proofs, reply, transcript
from roost.deliveries.model import Verdict
from roost.turns.model import ClientEvent, TurnReply


class Claude:
    """Claude Code as a client."""

    name = events.CLIENT

    def event(self, raw: bytes, environ: Mapping[str, str]) -> ClientEvent | Unreadable:
        """Read what the client gave a hook."""
        return events.read(raw, environ)

    def answer(self, event: ClientEvent, reply_: TurnReply) -> Output:
        """Say to this event as much of the reply as it can carry."""
        return reply.answer(event, reply_)

    def wake(self, text: str) -> Output:
        """Make a waker say `text`."""
        return reply.wake(text)

    def proofs(self, path: str, offset: int, offers: Sequence[Offer]) -> Scan:
        """Look for offers in the transcript at `path`, from `offset`."""
        try:
            window = transcript.read(path, offset)
        except OSError:
            unreadable = tuple(Verdict(nonce=offer.nonce, found="unreadable") for offer in offers)
            return Scan(verdicts=unreadable, offset=offset)
        return proofs.scan(window.data, window.start, offers, skipped=window.skipped)
