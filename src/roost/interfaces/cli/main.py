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
    from roost.interfaces.cli.app import run

    status = run(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # nobody listens any more
            continue
    os._exit(status)


if __name__ == "__main__":
    main()
