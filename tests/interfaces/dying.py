"""Runs the hook program and ends it, as `kill -9` does, at one step of its life.

`dying.py LANDMARK STEPS BUDGET GATE PROGRAM ...`: what follows the steps is for `patient.py`, for a counted step takes
longer than others, and a turn that runs out of time does not come to those that it is to die at.

A step is a call that a function of the program's own package makes, or the return from one. The steps are counted from
the first call of the function LANDMARK on: the same words end the same turn at the same place, on any machine. A turn
that does not come there, or has ended before, ends by itself.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from inspect import CO_OPTIMIZED
from types import FrameType
from typing import Any


class Doom:
    """Counts steps, and ends the process."""

    def __init__(self, package: str, landmark: str, steps: int) -> None:
        self.package = package
        self.landmark = landmark
        self.left = steps

    def step(self, frame: FrameType, event: str, what: Any) -> None:
        code = frame.f_code
        # Imports are left out: how many they are depends on what was compiled before.
        if not (code.co_flags & CO_OPTIMIZED and code.co_filename.startswith(self.package)):
            return
        if code.co_name == self.landmark:
            self.landmark = ""
        if not self.landmark:
            self.left -= 1
            if self.left < 0:
                os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Become the program, and end as was told."""
    landmark, steps, program = sys.argv[1], int(sys.argv[2]), sys.argv[5]
    sys.argv = [__file__.rpartition("/")[0] + "/patient.py", *sys.argv[3:]]
    sys.setprofile(Doom(program.rsplit("/", 3)[0] + "/", landmark, steps).step)
    runpy.run_path(sys.argv[0], run_name="__main__")


main()
