"""What Roost itself tells a session once in a context: its briefing, news of leases, reminders.

Each injection marks what it tells so with a nonce of its own, as an offer of mail is marked, and the same look at the
transcript proves it. Said is not told: what the transcript does not show before the next answer is told again.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from roost.deliveries.envelope import marker
from roost.deliveries.model import Verdict
from roost.ids import new_nonce
from roost.sessions.model import Session
from roost.stores.base import Tx
from roost.turns.model import OpenOffer

ENVELOPE_BYTES = 50
"""What the tags around a text take, and a little more."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a session is being told: its nonce, '' once it is proved, and when, on the store clock.

    `message` is the id of one that it reminds of.
    """

    what: str
    message: str = ""
    nonce: str
    told_at: int


class Telling:
    """What one injection tells a session."""

    def __init__(self, tx: Tx, session: Session) -> None:
        self.tx = tx
        self.session = session
        self.nonce = ""

    def once(self, what: str, *, message: str = "") -> bool:
        """Note that this is being told, and return True; False for what was told, or is on its way."""
        if self.tx.value("turns.was_told", session=self.session.id, what=what):
            return False
        self.anew(what, message=message)
        return True

    def anew(self, what: str, *, message: str = "") -> None:
        """Note that this is being told, whether or not it was before."""
        self.nonce = self.nonce or new_nonce()
        told = Told(what=what, message=message, nonce=self.nonce, told_at=self.tx.now)
        self.tx.run("turns.put_told", told, session=self.session.id)

    def said(self, text: str) -> str:
        """Return a text between the tags that carry the nonce; as it is where it tells nothing that is told once."""
        return f"<roost-says {marker(self.nonce)}>\n{text}\n</roost-says>" if text and self.nonce else text


def briefing_of(session: Session) -> str:
    """Return what a session's briefing is called in its context."""
    return f"briefing of context {session.context}"


def is_untold(tx: Tx, session: Session) -> bool:
    """Say whether a session has no briefing in its context, or was told something without proof."""
    return bool(tx.value("turns.is_untold", session=session.id, what=briefing_of(session)))


def open_offers(tx: Tx, session: Session, *, ahead: int) -> tuple[OpenOffer, ...]:
    """Return what marks the things told without proof; `ahead` is by how much the wall clock is before the store's."""
    told = tx.all(Told, "turns.told_without_proof", session=session.id)
    return tuple({one.nonce: OpenOffer(nonce=one.nonce, offered_wall=one.told_at + ahead) for one in told}.values())


def settle(tx: Tx, session: Session, verdicts: Sequence[Verdict], *, fallback: str) -> bool:
    """Decide what was told without proof by what the session's side shows; say whether each had a verdict.

    Where nothing can be read, `fallback` is the proof; '' is none. What is missing for long and not followed by an
    answer is not given up: a client writes down what a start hook said with its first prompt only.
    """
    found = {verdict.nonce: verdict.found for verdict in verdicts}
    told = tx.all(Told, "turns.told_without_proof", session=session.id)
    for one in told:
        seen = found.get(one.nonce)
        if seen == "proved" or (seen == "unreadable" and fallback):
            tx.run("turns.set_told", session=session.id, what=one.what)
        elif seen == "absent":
            _forget(tx, session, one)
    return all(one.nonce in found for one in told)


def forget(tx: Tx, session: Session, verdicts: Sequence[Verdict]) -> None:
    """Let what a failed turn did not show be told again."""
    shown = {verdict.nonce for verdict in verdicts if verdict.found == "shown"}
    for one in tx.all(Told, "turns.told_without_proof", session=session.id):
        if one.nonce not in shown:
            _forget(tx, session, one)


def _forget(tx: Tx, session: Session, told: Told) -> None:
    tx.run("turns.forget_one", session=session.id, what=told.what)
    if told.message:
        tx.run("deliveries.nudge_again", message=told.message, recipient=session.agent)
