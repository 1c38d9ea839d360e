"""What becomes of a duty that failed: when it is tried again, and what is said of it."""

from __future__ import annotations

from os.path import basename

from roost.duties.model import Failing

AGAIN_MS = 10_000
"""A duty that failed is tried again after so long: not at every write, for it may have failed slowly."""
TOLD_EVERY = 60
"""Of failures in a row the first is told, and then one in so many: at AGAIN_MS, one in ten minutes."""
ERROR_CHARACTERS_MAX = 300


def failed(before: Failing | None, duty: str, error: Exception, now: int) -> Failing:
    """Return what is noted of a duty that failed now, and that may have failed before."""
    return Failing(
        duty=duty,
        error=words_of(error),
        since=before.since if before else now,
        count=before.count + 1 if before else 1,
        again_at=now + AGAIN_MS,
    )


def is_told(failing: Failing) -> bool:
    """Say whether this failure goes into a log, too."""
    return failing.count % TOLD_EVERY == 1


def words_of(error: Exception) -> str:
    """Return an error's name, what it says, and where it was raised."""
    at, where = error.__traceback__, ""
    while at is not None:
        where = f" ({basename(at.tb_frame.f_code.co_filename)}:{at.tb_lineno})"
        at = at.tb_next
    return f"{type(error).__name__}: {error}"[: ERROR_CHARACTERS_MAX - len(where)] + where
