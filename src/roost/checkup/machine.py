"""Looks at the machine: its disk, its clocks, and the programs that Roost can use."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator

from roost import workdir
from roost.checkup.model import Check, judged
from roost.connect import Project
from roost.runtimes import tmux as tmux_program
from roost.stores.sqlite import files

FREE_BYTES_LEAST = 64 * 1024 * 1024
CLOCK_DRIFT_MS_MOST = 120_000
FLEETING = frozenset({"tmpfs", "ramfs", "overlay"})
"""File systems that are gone with a restart of the machine or with the container."""
TMUX_LEAST = (3, 0)


def file_system(place: workdir.Workdir) -> Iterator[Check]:
    """Does the store lie on a disk of this machine?"""
    kind = files.filesystem(place.folder, files.mounts())
    if kind in files.NETWORK:
        to_do = "set ROOST_DIR to a folder on a disk of this machine"
        said = f"{place.folder} lies on {kind}, where SQLite's locks do not hold"
        yield Check(name="file system", grade="fail", said=said, to_do=to_do)
    elif kind.startswith("fuse") or kind in FLEETING:
        what = "may be gone after a restart" if kind in FLEETING else "may lie on another machine"
        to_do = "keep backups elsewhere, or set ROOST_DIR to a folder on a disk"
        yield Check(name="file system", grade="warn", said=f"{place.folder} lies on {kind}: it {what}", to_do=to_do)
    else:
        yield Check(name="file system", grade="pass" if kind else "note", said=f"{place.folder} lies on {kind or '?'}")


def disk(place: workdir.Workdir) -> Iterator[Check]:
    """Is there room?"""
    facts = os.statvfs(place.folder)
    free = facts.f_bavail * facts.f_frsize
    said = f"{free // 1024**2:,} MiB free at {place.folder}"
    yield judged("disk", said, well=free >= FREE_BYTES_LEAST, to_do="free some space before sends are refused")


def clock(project: Project) -> Iterator[Check]:
    """Did somebody set the wall clock back, or by much since the machine started?"""
    moment, now = project.system().sessions.clock(), time.time_ns() // 1_000_000
    back = moment.wall - now
    to_do = "set it right; leases do not depend on it, expiry of messages does"
    if back > CLOCK_DRIFT_MS_MOST:
        yield Check(name="clock", grade="warn", said=f"the wall clock went back by {back // 1000} s", to_do=to_do)
        return
    drift = abs(now - moment.now) - _suspended_ms()
    said = f"the wall clock agrees with the store's, boot {_boot_id()[:8]}"
    if drift > CLOCK_DRIFT_MS_MOST:
        said = f"the wall clock and the store's are {drift // 1000} s apart: somebody set it, or time stood still"
    yield judged("clock", said, well=drift <= CLOCK_DRIFT_MS_MOST, otherwise="note", to_do=to_do)


def tmux(place: workdir.Workdir) -> Iterator[Check]:
    """Is tmux here, and new enough to paste into?"""
    said = tmux_program.version()
    if not said:
        yield Check(name="tmux", grade="note", said="tmux is not installed; agents are reached by their hooks")
        return
    found = re.search(r"(\d+)\.(\d+)", said)
    new = found is None or (int(found[1]), int(found[2])) >= TMUX_LEAST
    yield judged("tmux", said, well=new, to_do=f"upgrade it to {TMUX_LEAST[0]}.{TMUX_LEAST[1]} or newer")


def _suspended_ms() -> int:
    """Return for how long the machine slept since it started: the store clock stands still then."""
    slept = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns()
    return max(0, slept) // 1_000_000


def _boot_id() -> str:
    from roost.clock import SystemClock

    return SystemClock().boot_id()
