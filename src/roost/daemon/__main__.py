"""`python -m roost.daemon PLACE`: the daemon of one project, in the foreground.

With `--starting` before the place it goes on in the background, and its stdin is the lock of `.roost/starting`, which
it lets go of when it serves; see `reach.spawn`.
"""

import os
import sys


def run(argv: list[str]) -> int:
    """Be the daemon; of `--starting` this is a child of a process that has ended."""
    if argv[0] == "--starting" and os.fork():
        os._exit(0)  # at once, before anything is loaded: whoever spawned this waits for it
    from roost.daemon.run import main

    return main(argv)


sys.exit(run(sys.argv[1:]))
