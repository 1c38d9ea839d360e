"""Who may know what marks an offer: in an agent's transcript it proves that the offer arrived."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from roost.deliveries.model import Delivery, Receipt
from roost.sessions.model import Me

Marked = TypeVar("Marked", Delivery, Receipt)


def shown_to(me: Me, found: Sequence[Marked]) -> tuple[Marked, ...]:
    """Return deliveries or receipts as the caller may see them: with nonces of offers to itself only.

    Who knew that of another's offer could quote it in a message, and the transcript that shows the quotation would
    prove what never arrived.
    """
    return tuple(
        one if me.kind == "system" or one.recipient == me.agent else msgspec.structs.replace(one, nonce="")
        for one in found
    )
