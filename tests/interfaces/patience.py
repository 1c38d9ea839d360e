"""The launcher of hooks that have more time than they give themselves; see `patient`."""

from __future__ import annotations

from .hooked import PATIENCE_SECONDS, PATIENT

EXEC = b'exec "$python" -I -S '


def with_patience(rendered: bytes) -> bytes:
    """Return the launcher's program with one change: its hooks take their time.

    For whatever is not about it: a busy machine needs more than 400 ms for any turn.
    """
    assert rendered.count(EXEC) == 1
    return rendered.replace(EXEC, EXEC + f'"{PATIENT}" {PATIENCE_SECONDS} {PATIENCE_SECONDS} '.encode())
