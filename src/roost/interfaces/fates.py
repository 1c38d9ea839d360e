"""What becomes of answers on their way to a client, as far as the connection tells, and no further.

An answer is `read` only where its client shows it: it asks again on the same connection, whose answers come in order.
"""

from __future__ import annotations

from typing import Literal

Known = Literal["under way", "sent", "handed", "read", "lost"]
"""`sent`: written whole, and the connection may still tell more. `handed`: taken whole by the client's transport, which
ended then in order, and will tell no more."""

CARRIER = "roost.carrier"
"""Where the scope of an HTTP request says on which connection it came."""


class Fate:
    """What is known of one answer."""

    __slots__ = ("known",)

    def __init__(self, known: Known = "under way") -> None:
        self.known: Known = known


class Carrier:
    """One connection, and those answers on it of which somebody wants to know what becomes."""

    __slots__ = ("_awaited", "_is_over")

    def __init__(self) -> None:
        self._awaited: list[Fate] = []
        self._is_over = False

    def fate(self) -> Fate:
        """Return what becomes of the answer to the request that is served now."""
        made = Fate("lost" if self._is_over else "under way")
        if not self._is_over:
            self._awaited.append(made)
        return made

    def answered(self) -> None:
        """Note that the answer is written whole."""
        for fate in self._awaited:
            fate.known = "sent"

    def asked(self) -> None:
        """Note that another request begins: its client has read what was sent before."""
        if self._awaited:
            self._decide("sent", "read")

    def closed(self) -> bool:
        """Note that nothing more is written; say whether it may still show what became of an answer."""
        self._is_over = True
        self._decide("under way", "lost")
        return bool(self._awaited)

    def ended(self, *, is_broken: bool) -> None:
        """Note that the connection is over. It is broken where the client closed it with something unread, which its
        system then tells, or where it took nothing any more."""
        self.closed()
        self._decide("sent", "lost" if is_broken else "handed")

    def _decide(self, was: Known, known: Known) -> None:
        for fate in self._awaited:
            if fate.known == was:
                fate.known = known
        self._awaited = [fate for fate in self._awaited if fate.known in ("under way", "sent")]
