"""The `roost` program: it runs one command line and ends the process.

Agents pay its start with every call, so it loads only what the verb needs, collects no garbage in a process that ends
at once, and skips the interpreter's own clearing up.
"""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Run the command line of this process; never returns."""
    gc.disable()
    _open_what_is_missing()
    from roost.interfaces.cli.app import run

    status = run(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # nobody listens any more
            continue
    os._exit(status)


def _open_what_is_missing() -> None:
    """Stand in for standard streams that were closed: no file of ours gets their number, and writing there fails."""
    if None not in (sys.stdin, sys.stdout, sys.stderr):
        return
    while (end := os.open(os.devnull, os.O_RDONLY)) <= 2:
        pass
    os.close(end)
    sys.stdin = sys.stdin or os.fdopen(0)
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")


if __name__ == "__main__":
    main()
