"""The daemon's log: no record looks like two, nothing in it steers a terminal, and the file stays bounded."""

from __future__ import annotations

import contextlib
import logging
import os

from roost.text import terminal_safe

LOG_BYTES_MAX = 4 * 1024 * 1024
"""Then the log is put aside as `daemon.log.1`, and a new one begins."""
FORM = "%(asctime)s %(levelname)s %(message)s"
FOLD = "\n    | "
"""What every further line of a record begins with: whatever callers put into it, it looks like no record."""
QUIET = ("uvicorn", "uvicorn.error", "mcp")


class Folded(logging.Formatter):
    """Writes a record so that its text can forge no other."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as it stands in the log."""
        return terminal_safe(super().format(record)).replace("\n", FOLD)


class Bounded(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to standard error; where that is the file `path`, it begins a new one when it is full."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        super().emit(record)
        written = os.fstat(2)
        if written.st_size > LOG_BYTES_MAX and _is(written, self._path):
            with contextlib.suppress(OSError):  # no descriptor is left, say: the next record tries again
                self._begin_anew()

    def _begin_anew(self) -> None:
        fresh = f"{self._path}.new"
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.replace(self._path, f"{self._path}.1")
            os.replace(fresh, self._path)
            os.dup2(file, 1)
            os.dup2(file, 2)
        finally:
            os.close(file)


def begin(path: str) -> None:
    """Write down what is logged from now on."""
    handler = Bounded(path)
    handler.setFormatter(Folded(FORM))
    logging.basicConfig(handlers=[handler], level=logging.INFO)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _is(written: os.stat_result, path: str) -> bool:
    try:
        found = os.stat(path)
    except OSError:
        return False
    return (found.st_dev, found.st_ino) == (written.st_dev, written.st_ino)
