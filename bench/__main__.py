"""Print one line per promised speed: `python -m bench [--table] [S2 S3 ...]`."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path

import apsw

from bench.claiming import s9
from bench.growth import s10
from bench.ledger import ledger
from bench.measure import ROUNDS, TABLE, Line
from bench.processes import s11, s14
from bench.pushing import s6, s7, s8
from bench.realclient import s13
from bench.sends import s2, s3
from bench.throughput import s1, s4, s5

ALL: dict[str, Callable[[], list[Line]]] = {
    "S1": s1, "S2": s2, "S3": s3, "S4": s4, "S5": s5, "S6": s6, "S7": s7, "S8": s8, "S9": s9, "S10": s10,
    "S11": s11, "S13": s13, "S14": s14, "S1L": ledger,
}  # fmt: skip


def main(arguments: list[str]) -> int:
    """Measure; return 2 for an unknown name. A target that is missed is printed as `short`, and is no failure."""
    names, as_table = [one for one in arguments if one != "--table"], "--table" in arguments
    unknown = [name for name in names if name not in ALL]
    if unknown:
        print(f"bench: no measurement is called {', '.join(unknown)}; there are {', '.join(ALL)}", file=sys.stderr)
        return 2
    print(f"# {about()}\n" + ("\n" + TABLE if as_table else ""), flush=True)
    for name in names or ALL:
        for line in ALL[name]():
            print(line.row() if as_table else line, flush=True)
    return 0


def about() -> str:
    """Say on what is measured, and how."""
    model = next((line.partition(": ")[2] for line in _cpuinfo() if line.startswith("model name")), "cores")
    return (
        f"{os.cpu_count()} x {model}, Python {platform.python_version()}, SQLite {apsw.sqlite_lib_version()},"
        f" load {os.getloadavg()[0]:.1f}; {ROUNDS} interleaved rounds, medians, 500-byte messages"
    )


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
