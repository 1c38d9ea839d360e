"""The Claude Code sessions that run on this machine, by the client's own register, and the client's version."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import msgspec

Version = tuple[int, ...]

LIVE_SINCE: Version = (2, 1, 329)
"""The version that was seen to take hooks from changed settings within seconds; older ones may need a restart."""
BATCH_SINCE: Version = (2, 1, 119)
"""The first version whose documentation had PostToolBatch."""
PROBE_SECONDS = 10.0


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """One session that runs now."""

    pid: int
    session: str
    cwd: str
    version: str = ""
    name: str = ""
    status: str = ""

    @property
    def needs_restart(self) -> bool:
        """Tell whether its version may not see new hooks. It joins at its next event where it does."""
        known = parse(self.version)
        return known is None or known < LIVE_SINCE


class _Entry(msgspec.Struct, rename="camel"):
    pid: int
    session_id: str = ""
    cwd: str = ""
    version: str = ""
    name: str = ""
    status: str = ""
    proc_start: str | int | None = None


def running(config: Path, *, proc: Path = Path("/proc")) -> tuple[Running, ...]:
    """Return the sessions whose process is still the one that registered; `config` is the client's own folder."""
    found = []
    for file in sorted((config / "sessions").glob("*.json")):
        try:
            entry = msgspec.json.decode(file.read_bytes(), type=_Entry)
        except (OSError, msgspec.DecodeError):
            continue  # being written or removed, or of a version that writes otherwise
        if is_alive(entry.pid, entry.proc_start, proc=proc):
            found.append(
                Running(
                    pid=entry.pid,
                    session=entry.session_id,
                    cwd=entry.cwd,
                    version=entry.version,
                    name=entry.name,
                    status=entry.status,
                )
            )
    return tuple(found)


def is_alive(pid: int, started: str | int | None, *, proc: Path = Path("/proc")) -> bool:
    """Tell whether process `pid` runs and began when the register says; where /proc is missing only whether it runs."""
    if pid <= 0:
        return False
    try:
        stat = (proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return not proc.is_dir() and _exists(pid)
    return started is None or stat.rpartition(")")[2].split()[19] == str(started)


def version(environ: Mapping[str, str]) -> Version | None:
    """Ask the client on PATH for its version; None if there is none or it does not say within 10 s."""
    program = shutil.which("claude", path=environ.get("PATH"))
    if program is None:
        return None
    try:
        said = subprocess.run(
            [program, "--version"], env=environ, capture_output=True, timeout=PROBE_SECONDS, check=True, text=True
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return parse(said.stdout)


def has_batches(version_: Version | None) -> bool:
    """Tell whether a version has PostToolBatch; one that is not known is taken for a new one."""
    return version_ is None or version_ >= BATCH_SINCE


def parse(text: str) -> Version | None:
    """Read `2.1.329 (Claude Code)`; None for what is no version."""
    found = re.match(r"\s*(\d+(?:\.\d+)+)", text)
    return tuple(map(int, found.group(1).split("."))) if found else None


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
