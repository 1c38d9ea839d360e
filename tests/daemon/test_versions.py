"""After an upgrade: a daemon of before makes way for the first caller of the new version, and says who cannot talk."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import msgspec
import pytest

import roost
from roost import reach
from roost.checkup.doors import daemon as looked_at
from roost.errors import InvalidInput
from roost.interfaces.wire import frames, versions
from roost.interfaces.wire.frames import HELLO, Hello, Request
from roost.workdir import Workdir

from .served import GUARD_SECONDS, Served, Wire, eventually, is_alive

OLD = """
import sys, roost
roost.__version__ = "0.0.9"
from roost.daemon.run import main
sys.exit(main(sys.argv[1:]))
"""


def begin(site: Served, *words: str) -> subprocess.Popen[str]:
    """Start a daemon of an older version."""
    old = site.child("-c", OLD, *words, site.place)
    eventually(lambda: reach.is_running(site.place), "it serves")
    assert (site.run.pid, site.run.version) == (old.pid, "0.0.9")
    return old


def said(site: Served, **fields: Any) -> list[Any]:
    """Say hello, and return what is answered before the daemon hangs up, or the first answer."""
    end = site.raw()
    hello = Hello(caller="one", **fields)
    end.sendall(frames.frame(Request(0, HELLO, msgspec.Raw(frames.encode(hello)))))
    data = end.recv(1 << 16)
    return [msgspec.msgpack.decode(body) for body in frames.Frames().feed(data)]


def test_a_daemon_of_before_makes_way_for_a_newer_caller(unserved: Served) -> None:
    old = begin(unserved, "--starting")
    before = unserved.wire("planner")
    before.send(1, "agents.add", {"name": "carol"})
    assert unserved.hub("alice").agents.get("carol").name == "carol"
    assert before.answer(1)["name"] == "carol"
    assert old.wait(GUARD_SECONDS) == 0
    assert unserved.run.version == roost.__version__


def test_it_makes_way_for_a_caller_by_asyncio_too(unserved: Served) -> None:
    begin(unserved, "--starting")

    async def name() -> str:
        hub = await reach.aremote(unserved.place, as_="alice")
        try:
            return (await hub.sessions.me()).name
        finally:
            hub.close()

    assert asyncio.run(name()) == "alice"
    assert unserved.run.version == roost.__version__


def test_one_that_somebody_runs_in_a_terminal_stays_and_the_doctor_says_so(unserved: Served) -> None:
    old = begin(unserved)
    assert unserved.hub("alice").sessions.me().name == "alice"
    assert is_alive(old.pid) and unserved.pid == old.pid
    found = [one for one in looked_at(Workdir(unserved.place)) if one.grade == "warn"]
    assert [one.said for one in found] == [f"process {old.pid} is Roost 0.0.9, and this is {roost.__version__}"]
    assert "roost down" in found[0].to_do


@pytest.mark.parametrize(
    "fields",
    [
        {"roost": "0.0.1", "name": "alice"},
        {"roost": roost.__version__, "name": "alice"},
        {"roost": "", "name": "alice"},
        {"roost": "latest", "name": "alice"},
        {"roost": "9" * 5_000, "name": "alice"},
        {"roost": "99.0.0", "token": "rst_" + "x" * 43},
    ],
)
def test_it_stays_for_everybody_else(served: Served, fields: dict[str, str]) -> None:
    pid = served.pid
    (answer,) = said(served, **fields)
    assert answer[1] == (frames.ERROR if "token" in fields else frames.ANSWER)
    assert isinstance(served.wire("ada"), Wire)
    assert served.pid == pid


def test_it_makes_way_for_another_protocol_only_if_that_is_newer(served: Served) -> None:
    pid = served.pid
    (answer,) = said(served, version=0)
    assert "speaks version 1 of the protocol, the caller 0" in answer[2]["message"]
    assert "upgrade" in answer[2]["hint"]
    assert served.pid == pid
    assert said(served, version=2) == []
    eventually(lambda: not is_alive(pid), "it left")


def test_in_a_terminal_it_refuses_a_newer_protocol_and_says_what_to_do(unserved: Served) -> None:
    with subprocess.Popen([sys.executable, "-m", "roost.daemon", unserved.place]) as running:
        eventually(lambda: reach.is_running(unserved.place), "it serves")
        (answer,) = said(unserved, version=2)
        assert "speaks version 1 of the protocol, the caller 2" in answer[2]["message"]
        assert "roost down" in answer[2]["hint"]
        assert is_alive(running.pid)
        running.terminate()


def test_a_client_goes_no_further_with_a_daemon_of_another_protocol() -> None:
    welcome = frames.Welcome(version=2, session="s", agent="a", name="ada", kind="agent", epoch=1)
    with pytest.raises(InvalidInput, match="speaks version 2 of the protocol, this program 1"):
        versions.read_welcome(frames.encode(welcome))
    with pytest.raises(InvalidInput):
        versions.read_welcome(frames.encode(None))


@pytest.mark.parametrize(
    ("one", "other", "newer"),
    [
        ("0.1.1", "0.1.0", True),
        ("0.10.0", "0.9.9", True),
        ("1.0", "0.9.9", True),
        ("0.1.0", "0.1.0", False),
        ("0.1", "0.1.0", False),
        ("0.1.0rc1", "0.1.0", False),
        ("0.0.9", "0.1.0", False),
        ("", "0.1.0", False),
        ("x", "0.1.0", False),
        ("1.0", "x", False),
    ],
)
def test_versions_are_compared_by_their_numbers(one: str, other: str, newer: bool) -> None:
    assert versions.is_newer(one, other) is newer
