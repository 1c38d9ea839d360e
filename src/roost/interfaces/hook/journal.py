"""What a hook leaves behind: how each turn ended, and its own errors, in files that stay bounded."""

from __future__ import annotations

import os
import time
from typing import Literal

import msgspec

LOG_BYTES_MAX = 256 * 1024

Way = Literal["process", "socket", "http"]


def complain(place: str, error: BaseException, **facts: object) -> None:
    """Write an error of the hook's own to `hooks.log`: one JSON line, never an error to the client."""
    line = {"at": int(time.time() * 1000), "error": type(error).__name__, "message": str(error)[:500], **facts}
    _append(f"{place}/hooks.log", msgspec.json.encode(line) + b"\n")


def count(place: str, event: str, outcome: str, milliseconds: int, by: Way) -> None:
    """Count one turn of the full path: its event, outcome and duration, and by which way it came to who took it."""
    line = {"at": int(time.time() * 1000), "event": event, "outcome": outcome, "ms": milliseconds, "by": by}
    _append(f"{place}/turns.log", msgspec.json.encode(line) + b"\n")


def _append(path: str, line: bytes) -> None:
    try:
        if os.path.exists(path) and os.stat(path).st_size > LOG_BYTES_MAX:
            os.replace(path, f"{path}.1")
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.write(file, line)
        os.close(file)
    except OSError:
        return  # nobody is left to tell
