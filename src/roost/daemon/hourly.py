"""What the daemon does now and then beside its calls, in a thread and on a store of its own: retention."""

from __future__ import annotations

import asyncio
import logging
import threading

from roost.connect import connect
from roost.errors import RoostError, Stopping
from roost.history.model import Retained
from roost.history.retaining import is_due, retain_if_due

FIRST_SECONDS = 10.0
LOOK_SECONDS = 60.0

log = logging.getLogger("roost.daemon")


async def retain(place: str, archives: str) -> None:
    """Move what is old into the archives once an hour, until cancelled; a round under way ends within some 10 ms."""
    stop = threading.Event()
    try:
        await asyncio.sleep(FIRST_SECONDS)
        while True:
            if is_due(archives):
                await asyncio.to_thread(_round, place, stop)
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        stop.set()


def _round(place: str, stop: threading.Event) -> None:
    def pause() -> None:
        if stop.is_set():
            raise Stopping("the daemon ends", hint="the next round goes on with what was begun")

    try:
        project = connect(place)
        try:
            _tell(retain_if_due(project.system().history, pause=pause))
        finally:
            project.close()
    except (RoostError, OSError) as error:
        log.warning("retention: %s", error)


def _tell(done: Retained | None) -> None:
    for one in done.kinds if done else ():
        if one.count:
            log.info("retention: %s of %s left for %s", one.count, one.kind, ", ".join(one.files))
