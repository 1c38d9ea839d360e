"""One process that contends for leases: `python -m tests.services.lease_racer FOLDER NAME ROUNDS`.

Every key it uses covers `src/a.py`, so whoever holds one must be alone: it makes a marker file that must not be there.
"""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

from roost.connect import Project
from roost.errors import LeaseHeld
from roost.hub import Hub
from roost.leases.model import Lease
from roost.runtimes.host import LocalHost
from roost.stores.sqlite.store import SqliteStore
from roost.verbs import Sync
from roost.wakeups.base import Silent

KEYS = ["src/a.py", "src/*.py", "src/**", "**/a.*", "s*/?.py", "src/", "[rst]rc/a.py", "**"]


def open_project(folder: Path) -> Project:
    """Open the one store that all racers share."""
    store = SqliteStore(folder / "store.db", host=LocalHost(), gate=folder / "gate")
    return Project(None, store, Silent())


def race(hub: Hub[Sync], folder: Path, rounds: int) -> None:
    """Take a lease, be alone for a moment, give it back."""
    chance = random.Random(os.getpid())
    for _ in range(rounds):
        key = chance.choice(KEYS)
        lease = hub.leases.wait(key, timeout=60) if chance.random() < 0.7 else insist(hub, key)
        be_alone(folder / "marker", lease.token)
        hub.leases.release(key, token=lease.token)


def insist(hub: Hub[Sync], key: str) -> Lease:
    """Ask until it is granted; a refusal must leave nothing behind."""
    while True:
        try:
            return hub.leases.acquire(key)
        except LeaseHeld:
            if hub.leases.list(mine=True):
                raise AssertionError("the loser holds something") from None
            time.sleep(0.01)


def be_alone(marker: Path, token: int) -> None:
    """Fail when somebody else is here too."""
    os.close(os.open(marker, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    time.sleep(0.001)
    os.unlink(marker)


if __name__ == "__main__":
    where = Path(sys.argv[1])
    with open_project(where).joined(sys.argv[2]) as mine:
        if sys.argv[3] == "hold":
            mine.leases.acquire("src/")
            print("held", flush=True)
            time.sleep(60)
        race(mine, where, int(sys.argv[3]))
