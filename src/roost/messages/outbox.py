"""What one agent sent, newest first, by an index that is cheap to write.

By (sender, number) each sender would have a place of its own in the index, and 32 senders in one transaction 32 pages
to log and sync, a third of all that a send writes. By (number / 128, sender, number) a transaction's messages lie side
by side; who looks for one sender goes from block to block.
"""

from __future__ import annotations

from roost.messages.model import Message
from roost.stores.base import Tx

BLOCK = 128
"""Messages of one block, as in the index `message_sender`."""
WIDER = 4
"""Each look takes so many times the blocks of the one before: few steps to somebody who wrote long ago."""


def sent_by(tx: Tx, sender: str, *, before: int, limit: int) -> list[Message]:
    """Return the newest messages of a sender below number `before`, `limit` at most."""
    found: list[Message] = []
    newest, blocks = (min(before, tx.messages + 1) - 1) // BLOCK, 1
    while newest >= 0 and len(found) < limit:
        oldest = max(0, newest - blocks + 1)
        left = limit - len(found)
        found += tx.all(
            Message, "messages.outbox", sender=sender, before=before, newest=newest, oldest=oldest, limit=left
        )
        newest, blocks = oldest - 1, blocks * WIDER
    return found
