"""What has arrived of one stream and waits for its reader."""

from __future__ import annotations

import asyncio
from collections import deque

from roost.interfaces.wire.frames import Answer


class Arrivals:
    """Answers of one stream, in their order, for one reader; None says that nothing more comes over this connection.

    A thousand streams of one process cost mostly the memory that each touches, so this is less than a queue.
    """

    __slots__ = ("_answers", "_reader")

    def __init__(self) -> None:
        self._answers: deque[Answer | None] = deque()
        self._reader: asyncio.Future[Answer | None] | None = None

    def __len__(self) -> int:
        return len(self._answers)

    def put(self, answer: Answer | None) -> None:
        """Add an answer: it goes to the reader, if that waits for one."""
        reader = self._reader
        if reader is None or reader.done():
            self._answers.append(answer)
        else:
            self._reader = None
            reader.set_result(answer)

    def next(self) -> asyncio.Future[Answer | None]:
        """Return the oldest answer as a future: where one is there already, awaiting it is no switch of tasks."""
        found: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        if self._answers:
            found.set_result(self._answers.popleft())
        else:
            self._reader = found
        return found
