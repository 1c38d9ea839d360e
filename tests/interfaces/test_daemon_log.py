"""The daemon's log: one record looks like one, nothing in it steers a terminal, and it fills no disk."""

from __future__ import annotations

import logging
import re
import stat
import subprocess
import sys
from pathlib import Path

from roost.daemon.logs import FOLD, LOG_BYTES_MAX, Folded

HOSTILE = "x\x1b]0;owned\x07\x1b[2J\u202e\n2026-01-01 00:00:00,000 INFO forged"


def test_t15_a_record_of_the_log_is_one_record_whatever_is_in_it() -> None:
    """T15: nothing steers the terminal of who reads it, and no line that a caller wrote looks like Roost's own."""
    try:
        raise ValueError(HOSTILE)
    except ValueError as error:
        record = logging.makeLogRecord({"msg": "%s failed", "args": (HOSTILE,), "exc_info": (ValueError, error, None)})
    text = Folded("%(asctime)s %(levelname)s %(message)s").format(record)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
    first, *rest = text.split("\n")
    assert rest and all(line.startswith(FOLD[1:]) for line in rest)
    assert "[U+001B]" in first


FILLING = """
import logging, sys
from roost.daemon import logs
logs.begin(sys.argv[1])
for _ in range(3 * logs.LOG_BYTES_MAX // 65_536):
    logging.error("x" * 65_536)
"""


def test_t20_the_log_is_put_aside_when_it_is_full(tmp_path: Path) -> None:
    """T20: whoever makes it long fills two files and no disk."""
    log = tmp_path / "daemon.log"
    with log.open("ab") as file:
        subprocess.run([sys.executable, "-c", FILLING, str(log)], stderr=file, check=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["daemon.log", "daemon.log.1"]
    assert all(path.stat().st_size < LOG_BYTES_MAX + 100_000 for path in tmp_path.iterdir())
    assert stat.S_IMODE(log.stat().st_mode) == 0o600, "the new one"


SHORT_OF_FILES = """
import logging, resource, sys
from roost.daemon import logs
logs.begin(sys.argv[1])
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
for limit in (3, soft):
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    for _ in range(logs.LOG_BYTES_MAX // 65_536 + 1):
        logging.error("x" * 65_536)
"""


def test_a_full_log_that_cannot_be_put_aside_now_fails_nobody_and_is_later(tmp_path: Path) -> None:
    log = tmp_path / "daemon.log"
    with log.open("ab") as file:
        subprocess.run([sys.executable, "-c", SHORT_OF_FILES, str(log)], stderr=file, check=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["daemon.log", "daemon.log.1"]
    assert "Traceback" not in log.read_text() + (tmp_path / "daemon.log.1").read_text()
