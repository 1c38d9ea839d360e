"""Facts about processes on this host, read from /proc: pid, kernel start time, boot."""

from __future__ import annotations

import os
import time

from roost.clock import SystemClock
from roost.sessions.model import Beat, Mark, Process

COMMAND_LINE_BYTES_MAX = 4_096
ARGUMENTS_MAX = 8

MARKS: dict[bytes, Mark] = {b"producing": "producing", b"tool": "tool", b"waiting": "waiting", b"idle": "idle"}


class LocalHost:
    """This host, as the kernel shows it."""

    def __init__(self, beats: str | os.PathLike[str] | None = None) -> None:
        self._name = os.uname().nodename
        self._beats = beats

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

    def beat(self, bell: str) -> Beat | None:
        # A beat holds CLOCK_MONOTONIC in ms: no clock that somebody sets decides who looks silent.
        try:
            with open(f"{self._beats}/{bell}", "rb") as file:
                at, mark = file.read(32).split()
            age = time.monotonic_ns() / 1e9 - int(at) / 1e3
        except (OSError, ValueError):
            return None
        return Beat(age_seconds=age, mark=MARKS.get(mark, "")) if age >= 0 else None

    def parents(self, pid: int) -> list[Process]:
        """The process and its parents, nearest first, at most 64."""
        found: list[Process] = []
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

    def command_line(self, pid: int) -> tuple[str, ...]:
        """The first arguments that a process was started with, or () if that cannot be seen."""
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                text = file.read(COMMAND_LINE_BYTES_MAX)
        except OSError:
            return ()
        return tuple(os.fsdecode(part) for part in text.split(b"\0")[:ARGUMENTS_MAX])

    def group(self, pid: int) -> int:
        """The id of the process's group, or 0 if that cannot be seen."""
        fields = _stat(pid)
        return 0 if fields is None else int(fields[2])


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
    return None if fields is None or _has_ended(state=fields[0], threads=int(fields[17])) else int(fields[19])


def _has_ended(*, state: bytes, threads: int) -> bool:
    """Say whether a process is over, though its parent has not looked yet (state Z or X, proc(5)).

    The state is the first thread's; while another one runs, or is only being killed, the process still holds its locks.
    """
    return state in (b"Z", b"X") and threads <= 1


def _parent(pid: int) -> int:
    fields = _stat(pid)
    return 0 if fields is None else int(fields[1])
