"""Where the command line writes down its own bugs: `.roost/cli.log`, bounded; a person sees one line."""

from __future__ import annotations

import os
import time
import traceback

import msgspec

LOG_BYTES_MAX = 256 * 1024


def write_down(error: BaseException) -> str:
    """Write an error with its traceback into the log and return the log's path, or say that there is none."""
    from pathlib import Path

    from roost import workdir

    place = workdir.find(Path.cwd(), os.environ)
    if place is None:
        return "the command that you ran (there is no project here that could keep a log)"
    entry = {"at": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "error": traceback.format_exception(error)}
    path = place / "cli.log"
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.open(path, flags, 0o600)
        try:
            if os.fstat(file).st_size > LOG_BYTES_MAX:
                os.ftruncate(file, 0)
            os.write(file, msgspec.json.encode(entry) + b"\n")
        finally:
            os.close(file)
    except OSError as trouble:
        return f"the command that you ran (its log could not be written: {trouble.strerror})"
    return str(path)
