"""Waiting for what another process does: a poll with a deadline and a message."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(
    probe: Callable[[], T | None],
    what: str,
    *,
    timeout: float,
    every: float = 0.05,
    detail: Callable[[], str] = str,
) -> T:
    """Poll until `probe` gives something true and return it, or fail with `what` and `detail()`.

    Times are in seconds.
    """
    end = time.monotonic() + timeout
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"waited {timeout:g} s for {what}\n{detail()}")
        time.sleep(every)
