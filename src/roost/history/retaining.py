"""One round of retention: write an archive, seal it, delete what lies in it; after a crash the rest is done first."""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from roost.errors import WrongState
from roost.history.archive import FORMAT, LOCK, archive_events, finish_cuts, locked, write
from roost.history.model import ArchiveRow, Left, Retained
from roost.history.retention import BEFORE_ALL, KINDS, Retention, RowKind
from roost.history.service import History
from roost.verbs import Sync

EVERY_SECONDS = 3_600.0
REST_SECONDS = 0.01
LINES_MAX = 5_000
"""Lines of one archive, about: a thread is never divided."""
FILES_MAX = 20
"""Archives of one kind in one round."""

Pause = Callable[[], None]


class RowsHeader(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of an archive of rows: of which kind and project, and its number."""

    roost: str
    version: int = FORMAT
    project: str
    n: int


def retain(caller: Any, *, dry_run: bool = False, pause: Pause = lambda: None) -> Retained:
    """Do one round; see `History.retain`. `pause` is called between two transactions; to end the round it raises."""
    Retention[Sync](caller).may()
    round_ = _Round(caller, pause)
    if dry_run:
        return Retained(kinds=(*map(round_.foreseen, KINDS), round_.foreseen_events()), dry_run=True)
    with locked(round_.folder):
        round_.finish()
        return Retained(kinds=(*map(round_.rows, KINDS), round_.events()))


def retain_if_due(history: History[Sync], *, pause: Pause = lambda: None) -> Retained | None:
    """Do one round if nobody did one within the hour; None if somebody did, or is at it.

    For the daemon's timer, in a thread: it rests between two transactions, so that callers notice nothing.
    """
    if not is_due(history.archive_folder()):
        return None

    def rest() -> None:
        pause()
        time.sleep(REST_SECONDS)

    with contextlib.suppress(WrongState):
        return retain(history._caller, pause=rest)
    return None


def is_due(folder: str) -> bool:
    """Say whether the last round was more than an hour ago, or what it left cannot be seen; a store in memory has
    none."""
    try:
        return not 0 <= time.time() - os.stat(os.path.join(folder, LOCK)).st_mtime < EVERY_SECONDS
    except OSError:  # there was none yet, or the next round says what is wrong
        return bool(folder)


class _Round:
    """One round, on the store of one caller."""

    def __init__(self, caller: Any, pause: Pause) -> None:
        self._history = History[Sync](caller)
        self._steps = Retention[Sync](caller)
        self._pause = pause
        self.folder = Path(self._history.archive_folder())

    def finish(self) -> None:
        """Delete what a round that was cut short has sealed already."""
        finish_cuts(self._history, pause=self._pause)
        for n in self._steps.unfinished():
            self._drop(n)

    def foreseen(self, kind: RowKind) -> Left:
        """Say what of a kind would leave, however much it is."""
        keys, stays = 0, Counter[str]()
        for found, why in self._pages(kind):
            keys += len(found)
            stays.update(why)
        return Left(kind=kind, count=keys, stays=dict(stays))

    def rows(self, kind: RowKind) -> Left:
        """Move what may leave of a kind, up to FILES_MAX archives of it."""
        count, files, stays, waiting = 0, list[str](), Counter[str](), list[str]()
        for found, why in self._pages(kind):
            stays.update(why)
            waiting += found
            while waiting and len(files) < FILES_MAX:
                gone, name = self._archive(kind, waiting)
                del waiting[:gone]
                count, files = count + gone, [*files, name]
            if waiting:
                break
        return Left(kind=kind, count=count, files=tuple(files), stays=dict(stays), more=bool(waiting))

    def _pages(self, kind: RowKind) -> Iterator[tuple[list[str], dict[str, int]]]:
        """Yield what may leave, about as much at a time as fills an archive."""
        after, keys, stays = "", list[str](), Counter[str]()
        while True:
            page = self._steps.due(kind, after)
            keys += page.keys
            stays.update(page.stays)
            if not page.after or len(keys) >= LINES_MAX:
                yield keys, dict(stays)
                keys, stays = [], Counter()
            if not page.after:
                return
            after = page.after
            self._pause()

    def _archive(self, kind: RowKind, keys: list[str]) -> tuple[int, str]:
        """Write one archive of the first of these things, seal it and delete them; return how many it took."""
        n, taken = self._steps.next_number(), list[str]()
        path = self.folder / f"{kind}-{n:06}.jsonl.gz"
        lines = _Counted(self._lines(kind, keys, taken))
        digest = write(path, RowsHeader(roost=kind, project=self._history.head().project, n=n), lines)
        made = ArchiveRow(n=n, kind=kind, archive=path.name, archive_hash=digest, lines=lines.count)
        self._steps.seal(made, taken)
        self._drop(n)
        return len(taken), path.name

    def _lines(self, kind: RowKind, keys: list[str], taken: list[str]) -> Iterator[bytes]:
        count, after = 0, BEFORE_ALL
        while len(taken) < len(keys) and (count < LINES_MAX or after != BEFORE_ALL):
            most = len(taken) + max(1, LINES_MAX - count)
            page = self._steps.lines(kind, keys[len(taken) : most], after)
            yield from (text.encode() for text in page.texts)
            taken += keys[len(taken) : len(taken) + page.done]
            count, after = count + len(page.texts), page.after
            self._pause()

    def _drop(self, n: int) -> None:
        while self._steps.drop(n):
            self._pause()

    def foreseen_events(self) -> Left:
        """Say how many events would leave in one archive."""
        first, most = self._history.sealable()
        last = min(most, self._steps.events_before())
        return Left(kind="events", count=max(0, last - first + 1))

    def events(self) -> Left:
        """Move the events that may leave, up to FILES_MAX archives of them."""
        count, files, until = 0, list[str](), self._steps.events_before()
        while len(files) < FILES_MAX:
            seal = archive_events(self._history, self.folder, until=until, pause=self._pause)
            if seal is None:
                return Left(kind="events", count=count, files=tuple(files))
            count, files = count + seal.last - seal.first + 1, [*files, seal.archive]
        return Left(kind="events", count=count, files=tuple(files), more=True)


class _Counted:
    """Passes lines on, and counts them."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self.count = 0

    def __iter__(self) -> Iterator[bytes]:
        for line in self._lines:
            self.count += 1
            yield line
