"""What the daemon does beside its calls, for as long as it serves: one look that fails is not the last."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from roost.errors import RoostError, StoreReplaced

AGAIN_SECONDS = 1.0
"""After so long a duty that failed begins again."""

log = logging.getLogger("roost.daemon")


async def kept_up(duty: Callable[[], Coroutine[Any, Any, None]], end: Callable[[], None]) -> None:
    """Run a duty until it is done or cancelled, anew after each error; call `end` when the store is not there any more.

    Without it a disk that failed once would leave a daemon that hears of nobody and never leaves.
    """
    while True:
        try:
            await duty()
            return
        except StoreReplaced as error:
            log.error("leaving: %s", error)
            end()
            return
        except RoostError as error:
            log.warning("a duty failed: %s", error)
        except Exception:
            log.exception("a duty failed")
        await asyncio.sleep(AGAIN_SECONDS)
