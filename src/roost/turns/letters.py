"""Mail as text for a model whose client asks for it, in the envelope that hooks use too."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from roost.deliveries.envelope import WHOLE_MAX, Shown, render
from roost.deliveries.ledger import Ledger
from roost.deliveries.lookup import is_visible, seen_message
from roost.deliveries.model import Delivery
from roost.deliveries.rules import MCP
from roost.deliveries.service import CONFIRMED, ConfirmedBy, Deliveries
from roost.errors import InvalidInput
from roost.messages.model import Message
from roost.sessions.model import Session
from roost.sessions.service import Sessions
from roost.turns.mail import offer, shown
from roost.verbs import InTx, M, Service, Sync, query, verb

READ_BYTES_MAX = 16_000
"""One piece of what was asked for by name: a client shows that much of a tool's result whole."""
PIECE_CHARACTERS_MAX = 12_000
THREAD_MAX = 20
"""Messages of a thread that are shown; of a longer one the newest."""
_PIECE_CHARACTERS_LEAST = 500


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """Text to show, the numbers of the messages whose bodies are in it, and how many wait beyond them.

    `confirm`: name the shown ones with the next call, which proves them. `next_start` is where a message that is too
    long goes on, in characters; None at its end.
    """

    text: str = ""
    shown: tuple[int, ...] = ()
    more: int = 0
    confirm: bool = False
    next_start: int | None = None


class Letters(Service[M]):
    """Part of `Turns`."""

    @verb
    def inbox(
        self,
        *,
        confirmed: Sequence[str] = (),
        handed: Sequence[str] = (),
        lost: Sequence[str] = (),
        afresh: bool = False,
        whole_max: int = WHOLE_MAX,
    ) -> Letter:
        """Offer the caller's session what waits for it, as text; only what the text shows whole or in part is offered.

        `confirmed` names what earlier answers showed that its client read, `handed` that of answers of which no more is
        known than that the client's transport took them, `lost` that of answers which did not arrive: it is offered
        again. `afresh` says that any answer before this one may have been lost. For a session with a transcript all of
        this means nothing, its hooks know more.
        """
        if not _is_in(whole_max, 1, WHOLE_MAX):
            raise InvalidInput(f"limit = {whole_max!r} is not in 1-{WHOLE_MAX}", hint="ask again for the rest")
        session = Sessions[Sync](self._caller).known(self.tx.me.session)
        if not session.transcript:
            self._settle(session, {"read": confirmed, "handed": handed}, lost=lost, afresh=afresh)
        rendered = offer(_inner(self), session, MCP, whole_max=whole_max)
        waiting = int(self.tx.value("deliveries.waiting_for", recipient=session.agent))
        return Letter(text=rendered.text, shown=rendered.shown, more=waiting, confirm=not session.transcript)

    @verb
    def read(self, message: str, *, start: int = 0) -> Letter:
        """Return a message that the caller may see, from character `start` on, and note that its addressee read it."""
        from roost.messages.service import Messages  # hooks, which never read so, need not pay

        found = Messages[Sync](self._caller).read(message)
        if not _is_in(start, 0, max(len(found.body) - 1, 0)):
            raise InvalidInput(f"start = {start!r} is not in {found.ref}", hint=f"it has {len(found.body)} characters")
        delivery = self.tx.one(Delivery, "deliveries.get", message=found.id, recipient=self.tx.me.agent)
        one = shown(_inner(self), found, delivery)
        text, end = _piece(one, start, to=self.tx.me.name, now=self.tx.now)
        if (start, end) == (0, len(found.body)):
            return Letter(text=text, shown=(found.number,))
        where = f"characters {start:,} to {end:,} of {len(found.body):,}"
        return Letter(
            text=f"{text}\nThis is {found.ref}, {where}.",
            shown=(found.number,),
            next_start=end if end < len(found.body) else None,
        )

    @query
    def thread(self, message: str) -> Letter:
        """Return what the caller may see of a thread, by any message in it, oldest first; it changes nothing."""
        found = seen_message(self.tx, message)
        whole = self.tx.all(Message, "messages.thread", thread=found.thread, limit=500, after=0)
        visible = [one for one in whole if is_visible(self.tx, one)]
        last = [shown(_inner(self), one) for one in visible[-THREAD_MAX:]]
        rendered = render(last, to=self.tx.me.name, now=self.tx.now, limit=READ_BYTES_MAX)
        return Letter(text=rendered.text, shown=rendered.shown, more=len(visible) - len(rendered.shown))

    def _settle(
        self, session: Session, arrived: dict[ConfirmedBy, Sequence[str]], *, lost: Sequence[str], afresh: bool
    ) -> None:
        """Decide what was offered through this rung and nothing has proved, as far as its answers are known."""
        offered = self.tx.all(Delivery, "deliveries.offered_to", session=session.id)
        offers = {f"m{one.number}": one for one in offered if one.rung == MCP}
        for by, refs in arrived.items():
            Deliveries[Sync](self._caller).prove([offers.pop(ref) for ref in refs if ref in offers], CONFIRMED[by])
        for ref, delivery in offers.items():
            if afresh or ref in lost:
                Ledger(self.tx).requeue(delivery, "the answer that showed it may be lost")


def _piece(one: Shown, start: int, *, to: str, now: int) -> tuple[str, int]:
    """Return the text of a piece of a message that fits, and the character behind it."""
    size = PIECE_CHARACTERS_MAX
    while True:
        part = msgspec.structs.replace(one, body=one.body[start : start + size])
        rendered = render([part], to=to, now=now, limit=READ_BYTES_MAX)
        if rendered.whole or size <= _PIECE_CHARACTERS_LEAST:
            return rendered.text, start + len(part.body)
        size //= 2


def _is_in(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _inner(service: Service[M]) -> Service[Sync]:
    return Service[Sync](InTx(service.tx))
