"""Processes that send through the daemon as fast as they can, and the proof that each answer is stored once."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

from roost.messages.model import Message

from .served import Served, eventually

SENDER = str(Path(__file__).with_name("load_sender.py"))


class Load:
    """Some senders, and what each was answered."""

    def __init__(self, site: Served, count: int, *, daemon: str = "auto", prefix: str = "sender") -> None:
        self._site = site
        self._stop = site.folder / "stop"
        self._stop.unlink(missing_ok=True)
        self.answered: dict[str, dict[int, int]] = {f"{prefix}-{n}": {} for n in range(count)}
        self._children = {name: site.child(SENDER, str(site.folder), name, daemon=daemon) for name in self.answered}
        self._threads = [threading.Thread(target=self._read, args=one) for one in self._children.items()]
        for thread in self._threads:
            thread.start()
        self.goes_on()

    def __len__(self) -> int:
        """How many sends were answered."""
        return sum(map(len, self.answered.values()))

    def goes_on(self) -> None:
        """Wait until every sender was answered some more."""
        before = {name: len(found) for name, found in self.answered.items()}

        def all_went_on() -> bool:
            assert not any(child.poll() for child in self._children.values()), "a sender failed"
            return all(len(found) > before[name] + 2 for name, found in self.answered.items())

        eventually(all_went_on, "every sender is answered")

    def end(self) -> None:
        """Let the senders end, each after an answer to its last call; none may have failed."""
        self._stop.touch()
        for thread in self._threads:
            thread.join()
        assert [child.wait() for child in self._children.values()] == [0] * len(self._children)

    def check(self, *others: Load) -> None:
        """Assert that what was answered is stored, once, under the number that was answered, and nothing else is."""
        stored = {message.number: message.body for message in messages(self._site)}
        told = {
            number: f"{name} {n}"
            for load in (self, *others)
            for name, found in load.answered.items()
            for n, number in found.items()
        }
        assert stored == told
        assert sorted(stored) == list(range(1, len(stored) + 1))
        assert not self._site.system().history.verify().problems

    def _read(self, name: str, child: subprocess.Popen[str]) -> None:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        for line in child.stdout:
            n, number = line.split()
            self.answered[name][int(n)] = int(number)


def messages(site: Served) -> list[Message]:
    """Return everything that was sent, in its order."""
    hub, found = site.system(), list[Message]()
    while page := hub.messages.log(after=found[-1].number if found else 0, limit=500):
        found += page
    return found
