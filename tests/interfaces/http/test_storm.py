"""A thousand WebSockets and a thousand event streams, one in twenty slow, and the daemon killed in the middle of it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from roost import reach
from roost.connect import connect
from roost.daemon.places import told

from .conftest import begin, end
from .storm_readers import Plan
from .test_streams import _free_port

READERS = 1_000
MESSAGES = 60
SLOW_EVERY = 20
PRINCIPALS = 250
"""Eight streams each."""
MEMORY_KIB_MAX = 400 * 1024


@pytest.mark.timeout(240)
def test_two_thousand_readers_miss_nothing_and_see_nothing_twice(tmp_path: Path) -> None:
    port = _free_port()
    limits = "[limits]\nrate_agent = 10000\nrate_human = 10000\ninbox_messages_max = 100000\n"
    site = begin(tmp_path, f"[daemon]\nport = {port}\nstreams_max = 2500\nidle_seconds = 600\n{limits}")
    try:
        plan = Plan(
            port=port,
            keys=_keys(site.place),
            start=site.client("ada").get("/v1/events", params={"limit": 1}).json()["cursor"],
            readers=READERS,
            slow_every=SLOW_EVERY,
            slow_seconds=3.0,
            last=MESSAGES,
            seconds_max=200.0,
        )
        (tmp_path / "plan.json").write_bytes(msgspec.json.encode(plan))
        words = [sys.executable, str(Path(__file__).parent / "storm_readers.py"), str(tmp_path / "plan.json")]
        with subprocess.Popen(words, stdout=subprocess.PIPE) as readers:
            memory = _play(site.place)
            out, _ = readers.communicate(timeout=220)
        assert readers.returncode == 0
        found = msgspec.json.decode(out)
        assert len(found) == 2 * READERS
        expected = list(range(1, MESSAGES + 1))
        wrong = [one for one in found if one["seen"] != expected]
        assert wrong == [], f"{len(wrong)} readers missed something or saw it twice"
        assert sum(one["cuts"] for one in found) >= 2 * READERS * 0.9, "the daemon was killed under them"
        assert memory < MEMORY_KIB_MAX
        print(f"\n2,000 readers, {MESSAGES} messages, one kill -9: daemon {memory / 1024:.0f} MiB at most")
    finally:
        end(site)


def _keys(place: str) -> list[str]:
    """Return a key of each of many agents."""
    project = connect(place)
    person = project.as_session(project.system().turns.person("ada").id)
    keys = []
    for number in range(PRINCIPALS):
        project.system().agents.add(f"reader-{number}")
        keys.append(person.tokens.create(f"reader-{number}", scopes=["read"]).key)
    project.close()
    return keys


def _play(place: str) -> int:
    """Send while they read; kill the daemon half way; return the most memory that it was seen to have, in KiB."""
    most = 0
    hub = reach.remote(place, as_="sender")
    _until_connected(place)
    for number in range(MESSAGES):
        hub.messages.send(to="alice", text=f"storm {number} " + "x" * 500)
        most = max(most, _memory(place))
        if number == MESSAGES // 2:
            run = told(place)
            assert run is not None
            os.kill(run.pid, signal.SIGKILL)
        time.sleep(0.05)
    hub.close()
    return most


def _until_connected(place: str) -> None:
    run = told(place)
    assert run is not None
    deadline = time.monotonic() + 90
    while len(os.listdir(f"/proc/{run.pid}/fd")) < 2 * READERS:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def _memory(place: str) -> int:
    run = told(place)
    try:
        text = Path(f"/proc/{run.pid}/status").read_text() if run is not None else ""
    except OSError:
        return 0
    found = re.search(r"VmRSS:\s+(\d+)", text)
    return int(found.group(1)) if found else 0
