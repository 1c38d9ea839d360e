"""Answers that are kept, so that a call which is repeated after a lost connection is not done twice.

They are committed with what they tell of: a daemon that starts after a crash knows them too.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

import msgspec

from roost.stores.base import Tx

KEPT_MS = 10 * 60 * 1_000
"""An answer is kept for 10 minutes, or until its caller says that it has it."""
KEPT_BYTES_MAX = 64 * 1024 * 1024
"""Beyond this the answers of the callers that have been silent longest go first."""

_Row = tuple[str, int, bytes]
_rows = msgspec.msgpack.Decoder(list[_Row])


FORGET_EVERY_MS = 60 * 1_000


class Answers:
    """The answers of each caller by request; callers in the order in which they were last answered."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, dict[int, bytes]] = OrderedDict()
        self._last: dict[str, int] = {}
        self._bytes = 0
        self._forgot_at = 0

    def load(self, tx: Tx) -> None:
        """Take over what an earlier daemon answered in the last 10 minutes, the newest if that is too much."""
        for row in tx.all(_Blob, "answers.kept", since=tx.now - KEPT_MS, bytes=KEPT_BYTES_MAX):
            self.put(_rows.decode(row.answers), row.at)

    def get(self, caller: str, request: int) -> bytes | None:
        """Return the answer that a request got already."""
        return self._kept.get(caller, {}).get(request)

    def put(self, rows: Iterable[_Row], now: int) -> None:
        """Keep answers that were given at `now` (store clock, ms)."""
        for caller, request, body in rows:
            self._kept.setdefault(caller, {})[request] = body
            self._kept.move_to_end(caller)
            self._last[caller] = now
            self._bytes += len(body)
        while self._bytes > KEPT_BYTES_MAX or (self._kept and self._last[next(iter(self._kept))] < now - KEPT_MS):
            self._drop(next(iter(self._kept)))

    def write(self, tx: Tx, rows: list[_Row]) -> None:
        """Write answers down, in the transaction that they answer for; now and then remove old ones."""
        if not rows:
            return
        tx.run("answers.keep", now=tx.now, answers=msgspec.msgpack.encode(rows))
        if tx.now - self._forgot_at > FORGET_EVERY_MS:
            self._forgot_at = tx.now
            tx.run("answers.forget", before=tx.now - KEPT_MS)

    def done(self, caller: str, until: int) -> None:
        """Forget what a caller has: every answer up to this request."""
        kept = self._kept.get(caller)
        if kept is None:
            return
        for request in [one for one in kept if one <= until]:
            self._bytes -= len(kept.pop(request))
        if not kept:
            del self._kept[caller], self._last[caller]

    def _drop(self, caller: str) -> None:
        del self._last[caller]
        self._bytes -= sum(len(body) for body in self._kept.pop(caller).values())


class _Blob(msgspec.Struct, frozen=True):
    at: int
    answers: bytes
