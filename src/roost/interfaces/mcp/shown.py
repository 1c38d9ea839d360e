"""What sessions were shown by the tool `inbox`, and what is known of each of those answers."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping

from roost.interfaces.fates import Fate, Known

REMEMBERED_MAX = 4_096
"""Sessions of which the mail that they were shown is remembered; one that is forgotten is shown it again."""

ANSWERS_MAX = 32
"""Answers of one session of which nothing is known yet; what an older one showed is shown again."""

Refs = tuple[str, ...]


class Shown:
    """The answers of one session that showed mail, over one pipe or over HTTP, until what became of them is used."""

    def __init__(self) -> None:
        self._answers: list[tuple[Fate, Refs]] = []
        self._afresh = True  # of answers before the first of these nothing is known
        self.one_at_a_time = asyncio.Lock()

    def add(self, fate: Fate, refs: Refs) -> None:
        """Note what an answer shows."""
        self._answers.append((fate, refs))
        if len(self._answers) > ANSWERS_MAX:
            del self._answers[0]
            self._afresh = True

    def take(self, *fates: Known) -> dict[Known, Refs]:
        """Return what answers of these fates showed, which are done with."""
        found = {known: self._of(known) for known in fates}
        self._answers = [one for one in self._answers if one[0].known not in fates]
        return found

    def take_afresh(self) -> bool:
        """Return whether there may be answers that nothing is known of."""
        afresh, self._afresh = self._afresh, False
        return afresh

    def put_back(self, known: Mapping[Known, Refs], *, afresh: bool = False) -> None:
        """Note that the call failed which should have used this."""
        self._answers += [(Fate(fate), refs) for fate, refs in known.items() if refs]
        self._afresh = self._afresh or afresh

    def _of(self, known: Known) -> Refs:
        return tuple(ref for fate, refs in self._answers if fate.known == known for ref in refs)


class Memory:
    """What was shown to whom over HTTP, by session, bounded."""

    def __init__(self, most: int = REMEMBERED_MAX) -> None:
        self._most = most
        self._of: OrderedDict[str, Shown] = OrderedDict()

    def of(self, session: str) -> Shown:
        """Return what a session was shown."""
        shown = self._of.setdefault(session, Shown())
        self._of.move_to_end(session)
        while len(self._of) > self._most:
            self._of.popitem(last=False)
        return shown
