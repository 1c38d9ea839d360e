"""Runs the hook program with more time than it gives itself: `patient.py BUDGET GATE PROGRAM ...`, in seconds.

For whatever is not about its budget: on a machine that has a lot to do, 400 ms are not enough for any turn.
"""

from __future__ import annotations

import runpy
import sys


def main() -> None:
    """Become the program."""
    budget, gate = float(sys.argv[1]), float(sys.argv[2])
    sys.argv = sys.argv[3:]
    sys.path.insert(0, sys.argv[0].rsplit("/", 1)[0])
    import begin  # type: ignore[import-not-found]

    begin.BUDGET_SECONDS = begin.DAEMON_SECONDS = begin.DAEMON_LONG_SECONDS = budget
    found = begin.library

    def library() -> None:
        found()
        from roost.interfaces.hook import turn

        turn.BUDGET_SECONDS = turn.LONG_BUDGET_SECONDS = budget
        turn.GATE_SECONDS = gate

    begin.library = library
    runpy.run_path(sys.argv[0], run_name="__main__")


main()
