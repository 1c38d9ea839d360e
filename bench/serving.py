"""A project that a daemon serves, to be measured."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.scene import SETTINGS
from roost import reach, workdir
from roost.connect import connect
from roost.daemon.places import Run, stop, told

STOP_SECONDS_MAX = 60.0
"""Only that a hung run ends."""
DAEMON = "[daemon]\nport = 0\nidle_seconds = 3600\nstreams_max = 20000\n"


class Served:
    """A daemon that runs: its place, and what it wrote down of itself."""

    def __init__(self, place: str, run: Run) -> None:
        self.place = place
        self.run = run

    def tokens(self, count: int) -> list[str]:
        """Return keys of so many agents."""
        project = connect(self.place)
        person = project.as_session(project.system().turns.person("ada").id)
        keys = []
        for number in range(count):
            project.system().agents.add(f"caller-{number}")
            keys.append(person.tokens.create(f"caller-{number}").key)
        project.close()
        return keys

    def memory(self) -> int:
        """Return the resident memory of the daemon in bytes."""
        return self.memory_of(self.run.pid)

    @staticmethod
    def memory_of(pid: int) -> int:
        """Return the resident memory of a process in bytes."""
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
        assert found
        return int(found.group(1)) * 1024


@contextlib.contextmanager
def served() -> Iterator[Served]:
    """A new project on the disk of this checkout with its daemon, and an agent `sink` that everybody writes to."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=Path.cwd(), ignore_cleanup_errors=True) as scratch:
        place = workdir.create(Path(scratch) / workdir.NAME).folder
        (Path(place) / "roost.toml").write_text(SETTINGS + DAEMON)
        project = connect(place)
        project.system().agents.add("sink")
        project.close()
        reach.start(place)
        run = told(place)
        assert run is not None
        try:
            yield Served(place, run)
        finally:
            stop(place, seconds=STOP_SECONDS_MAX)
