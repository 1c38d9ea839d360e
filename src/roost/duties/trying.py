"""Trying duties, and the rows of each: what fails is undone, noted, and tried again later, and the others are done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from roost.duties import rules
from roost.duties.model import Failing
from roost.stores.base import Tx

ROWS_MAX = 50
"""Rows that one duty takes up at a time, so that the call it rides on does not wait for it; the rest follows."""
ASIDE_MAX = 20
"""Rows of one duty that may be set aside; with one more of them the duty itself is what fails."""
LOOKED_AT_MAX = ROWS_MAX + ASIDE_MAX
"""Rows that a duty looks for: those that are set aside keep no others from their turn."""

R = TypeVar("R")
Tell = Callable[[Failing, Exception], None]
"""Hears of a duty that failed, and of its error."""


class Trying:
    """One round of the duties in a transaction."""

    def __init__(self, tx: Tx, tell: Tell) -> None:
        self._tx = tx
        self._tell = tell
        self._failing = {one.duty: one for one in tx.all(Failing, "duties.failing")}
        self._failed: list[tuple[Failing, Exception]] = []

    def tell(self) -> None:
        """Tell of what failed in this round."""
        for noted, error in self._failed:
            if rules.is_told(noted):
                self._tell(noted, error)

    def attempt(self, what: str, do: Callable[[], int]) -> int:
        """Do something, unless it failed a moment ago; return what it returns, and 0 where it failed.

        Raises only what leaves nothing of the transaction, like a full disk.
        """
        before = self._failing.get(what)
        if before is not None and before.again_at > self._tx.now:
            return 0
        failing, failed = dict(self._failing), list(self._failed)
        try:
            with self._tx.savepoint():
                done = do()
        except Exception as error:
            if self._tx.is_lost(error):
                raise
            self._failing, self._failed = failing, failed  # what was noted of its rows is undone with it
            self._note(what, before, error)
            return 0
        if before is not None:
            self._forget(what)
        return done

    def each(self, duty: str, rows: Sequence[R], name: Callable[[R], str], do: Callable[[R], int]) -> int:
        """Do rows of a duty one by one, at most ROWS_MAX; return how many that were, as `do` counts them.

        One that fails is set aside under its name. Raises its error where too many are already.
        """
        named = {f"{duty}: {name(row)}": row for row in rows}
        aside = [known for known in self._failing if known.startswith(f"{duty}: ")]
        for known in aside:
            if known not in named:  # it is not due any more
                self._forget(known)
        done = 0
        for what, row in named.items():
            if done >= ROWS_MAX:
                break
            done += self._row(what, duty, lambda row=row: do(row))  # type: ignore[misc]
        return done

    def _row(self, what: str, duty: str, do: Callable[[], int]) -> int:
        if self._has_room(what, duty):
            return self.attempt(what, do)
        return do()

    def _has_room(self, what: str, duty: str) -> bool:
        return what in self._failing or sum(known.startswith(f"{duty}: ") for known in self._failing) < ASIDE_MAX

    def _note(self, what: str, before: Failing | None, error: Exception) -> None:
        noted = self._failing[what] = rules.failed(before, what, error, self._tx.now)
        self._failed.append((noted, error))
        self._tx.run("duties.put_failure", noted)

    def _forget(self, what: str) -> None:
        del self._failing[what]
        self._tx.run("duties.forget_failure", duty=what)
