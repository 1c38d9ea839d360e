"""`python -m roost.interfaces.mcp.revive DOTROOST`: start the daemon of a project where none runs, and wait for it."""

from __future__ import annotations

import sys

from roost import reach
from roost.errors import RoostError


def main(place: str) -> int:
    """Return 0 once a daemon answers."""
    try:
        if not reach.is_running(place):
            reach.start(place)
    except RoostError as error:
        sys.stderr.write(f"roost: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
