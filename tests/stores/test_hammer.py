"""Eight processes write at once: nobody sees BUSY, nobody starves (F8), every message is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from roost import workdir
from roost.connect import connect

PROCESSES = 8
SECONDS = 4.0
FAIRNESS_MAX = 3.0
SETTINGS = "[limits]\nrate_agent = 10000\ninbox_messages_max = 1000000\n"
WRITER = Path(__file__).with_name("hammer_writer.py")


def test_eight_writers_see_no_busy_and_share_fairly(tmp_path: Path) -> None:
    place = workdir.create(tmp_path / workdir.NAME)
    (place.path / "roost.toml").write_text(SETTINGS)
    project = connect(tmp_path)
    project.joined("reader")
    words = [[sys.executable, str(WRITER), str(tmp_path), f"writer-{n}", str(SECONDS)] for n in range(PROCESSES)]
    writers = [subprocess.Popen(one, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for one in words]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    reports = [writer.communicate(timeout=60)[0].split() for writer in writers]
    counts = [int(report[0]) for report in reports]
    print(f"{sum(counts) / SECONDS:.0f} sends/s by {PROCESSES}, each {min(counts)}-{max(counts)}, slowest {reports}")
    assert [report[1] for report in reports] == ["-"] * PROCESSES
    assert max(counts) <= FAIRNESS_MAX * min(counts)
    assert project.system().messages.last_number() == sum(counts)
    assert not project.system().history.verify().problems
    project.close()
