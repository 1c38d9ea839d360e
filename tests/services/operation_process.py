"""Other processes for the tests of operations: `python -m tests.services.operation_process ROLE FOLDER NAME COUNT`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from roost.connect import connect


def source(folder: str, name: str, count: int) -> None:
    """Send so many messages to the worker, one after the other."""
    with connect(Path(folder)).joined(name) as hub:
        for n in range(count):
            hub.messages.send(to="worker", text=f"{name} {n}")


def crashing_owner(folder: str, name: str, count: int) -> None:
    """Begin an operation, add so many steps, and die without another word."""
    hub = connect(Path(folder)).joined(name)
    hub.operations.begin(["worker"], title="onboarding")
    for n in range(count):
        hub.operations.add("", f"step {n}")
    os.kill(os.getpid(), signal.SIGKILL)


def sealing_owner(folder: str, name: str, count: int) -> None:
    """Seal an operation of so many steps, then die."""
    hub = connect(Path(folder)).joined(name)
    hub.operations.run(["worker"], [f"step {n}" for n in range(count)], title="onboarding")
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    role = {"source": source, "crash": crashing_owner, "seal": sealing_owner}[sys.argv[1]]
    role(sys.argv[2], sys.argv[3], int(sys.argv[4]))
