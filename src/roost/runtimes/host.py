"""Facts about processes on this host, read from /proc: pid, kernel start time, boot."""

from __future__ import annotations

import os

from roost.clock import SystemClock
from roost.sessions.model import Process


class LocalHost:
    """This host, as the kernel shows it."""

    def __init__(self) -> None:
        self._name = os.uname().nodename

    def alive(self, process: Process) -> bool | None:
        if process.host != self._name:
            return None
        if process.boot_id != SystemClock().boot_id():
            return False
        return _started(process.pid) == process.started

    def process(self, pid: int) -> Process | None:
        started = _started(pid)
        if started is None:
            return None
        return Process(host=self._name, boot_id=SystemClock().boot_id(), pid=pid, started=started)

    def parents(self, pid: int) -> list[Process]:
        """The process and its parents, nearest first, at most 64."""
        found = []
        while pid > 1 and len(found) < 64:
            process = self.process(pid)
            if process is None:
                break
            found.append(process)
            pid = _parent(pid)
        return found

    def command(self, pid: int) -> str:
        """The process's short name (proc(5) comm), or ''."""
        try:
            with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
                return file.read().strip()
        except OSError:
            return ""


def _stat(pid: int) -> list[bytes] | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except OSError:
        return None
    # The name in parentheses may hold anything, so the fields are counted from its last closing one.
    return text[text.rindex(b")") + 2 :].split()


def _started(pid: int) -> int | None:
    fields = _stat(pid)
    # A zombie (state Z or X) has ended: only its parent has not looked yet.
    return None if fields is None or fields[0] in (b"Z", b"X") else int(fields[19])


def _parent(pid: int) -> int:
    fields = _stat(pid)
    return 0 if fields is None else int(fields[1])
