"""How a daemon ends beside those who are connected: streams are told, nothing is logged that is no trouble."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from roost.daemon.places import told
from tests.interfaces.http.conftest import SETTINGS, Site, begin, end

from .served import Served, eventually

QUICK = SETTINGS.replace("idle_seconds = 600", "idle_seconds = 1")
ONCE_THERE_IS = """
from roost.daemon import run; import os; anybody = run.Daemon._is_anybody_alive
run.Daemon._is_anybody_alive = lambda self: not os.path.exists({!r}) or anybody(self)
"""
"""Lets a daemon take somebody for alive until there is a file: nobody knows how long it takes to come to it."""


def log_of(site: Site) -> str:
    return Path(site.place, "daemon.log").read_text()


def test_streams_are_told_that_the_daemon_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOST_DAEMON", "auto")
    site = begin(tmp_path)
    with site.stream("alice") as live, site.client("bob").stream("GET", "/v1/events/stream") as events:
        live.recv()
        lines = events.iter_lines()
        assert next(lines).startswith(": from ")
        os.kill(site.pid, signal.SIGTERM)
        said = json.loads(live.recv())
        assert (said["type"], said["code"], said["retryable"]) == ("error", "STOPPING", True)
        with pytest.raises(ConnectionClosed) as closed:
            live.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        assert '"code":"STOPPING"' in "".join(lines)
    end(site)
    assert "stopped: " in log_of(site)
    assert "ERROR" not in log_of(site)
    assert "Traceback" not in log_of(site)


def test_a_refused_frame_leaves_no_trouble_in_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOST_DAEMON", "auto")
    site = begin(tmp_path)
    for query, said in (("?wrong=1", ""), ("", '{"type":"listen"}')):
        with site.stream("read only", query) as live, pytest.raises(ConnectionClosed):
            if said:
                live.send(said)
            while True:
                live.recv()
    end(site)
    assert "never retrieved" not in log_of(site)
    assert "ERROR" not in log_of(site)


@pytest.mark.parametrize("kind", ["WebSocket", "events"])
def test_it_stays_while_somebody_watches(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOST_DAEMON", "auto")
    watched = tmp_path / "watched"
    site = begin(tmp_path, QUICK, but=ONCE_THERE_IS.format(str(watched)))
    with site.stream("ada") if kind == "WebSocket" else site.client("ada").stream("GET", "/v1/events/stream"):
        watched.touch()
        time.sleep(3.0)
        assert told(site.place) is not None
    eventually(lambda: told(site.place) is None, "the daemon to leave when nobody watches any more")
    end(site)
    assert "nobody is alive: leaving" in log_of(site)


def test_a_hook_under_way_is_answered_before_the_daemon_ends(served: Served) -> None:
    ada, hook = served.wire("ada"), served.raw()
    event = {"session_id": "one", "hook_event_name": "SessionStart", "cwd": str(served.folder), "source": "startup"}
    body = b"\xc1claude\0-\0\0" + json.dumps(event).encode()
    with served.project().store.gate():
        hook.sendall(len(body).to_bytes(4, "big") + body)
        ada.send(1, "messages.last_number", {})
        ada.answer(1)
        served.kill(signal.SIGTERM)
        eventually(lambda: told(served.place) is None, "it ends")
    assert int.from_bytes(hook.recv(4), "big") > 0


def test_while_the_daemon_ends_it_takes_no_further_call(served: Served) -> None:
    ada = served.wire("ada")
    with served.project().store.gate():
        ada.send(1, "agents.add", {"name": "bob"})
        ada.send(2, "messages.last_number", {})
        assert ada.answer(2) == 0
        served.kill(signal.SIGTERM)
        eventually(lambda: told(served.place) is None, "it ends")
        ada.send(3, "agents.add", {"name": "cyn"})
    assert ada.answer(1)["name"] == "bob"
    with pytest.raises((EOFError, OSError)):
        ada.answer(3)
    assert "cyn" not in [agent.name for agent in served.system().agents.list()]
