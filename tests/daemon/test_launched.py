"""`roost run`: this process becomes the client, whose hooks have a key of their own that nobody else can read."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from roost.clients import changes
from roost.clients.claude import install
from roost.clients.claude.install import Site

from .served import GUARD_SECONDS, Served, eventually

SETTINGS = "[daemon]\nport = 0\nidle_seconds = 600\n"
CLIENT = """#!{python} -S
import json, os, sys, time
told = {{"pid": os.getpid(), "words": sys.argv[1:], "environ": dict(os.environ), "cwd": os.getcwd()}}
open({told!r} + ".new", "w").write(json.dumps(told))
os.rename({told!r} + ".new", {told!r})
time.sleep(600)
"""
Json = dict[str, Any]


class Person:
    """Somebody with Roost's hooks installed and a client that tells how it was started."""

    def __init__(self, served: Served, folder: Path) -> None:
        self.served = served
        self.home = folder / "home"
        self.told = folder / "told.json"
        site = Site(home=self.home, config=self.home / ".claude", project=served.folder)
        changes.apply(install.plan(site))
        client = self.home / "claude"
        client.write_text(CLIENT.format(python=sys.executable, told=str(self.told)))
        client.chmod(0o755)
        self.running: list[subprocess.Popen[str]] = []

    def run(self, *words: str, **environ: str) -> subprocess.Popen[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ROOST", "CLAUDE"))}
        path = f"{self.home}:{os.environ['PATH']}"
        started = subprocess.Popen(
            [sys.executable, "-m", "roost", "run", *words],
            cwd=self.served.folder,
            env={**kept, "HOME": str(self.home), "PATH": path, "ROOST_DAEMON": "auto", **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.running.append(started)
        return started

    def launch(self, *words: str, **environ: str) -> Json:
        """Start the client by Roost and return how it was started."""
        started = self.run(*words, **environ)
        eventually(lambda: self.told.exists() or started.poll() is not None, "the client runs")
        assert started.poll() is None, started.communicate()
        found: Json = json.loads(self.told.read_text())
        self.told.unlink()
        assert found["pid"] == started.pid, "the client took the place of roost"
        return found

    def end(self) -> None:
        for one in self.running:
            with one:
                one.kill()


@pytest.fixture
def person(unserved: Served, tmp_path: Path) -> Iterator[Person]:
    unserved.configure(SETTINGS)
    made = Person(unserved, tmp_path)
    yield made
    made.end()


def file_of(client: Json) -> Path:
    assert client["words"][0] == "--settings"
    return Path(client["words"][1])


def post(client: Json) -> int:
    handler = json.loads(file_of(client).read_text())["hooks"]["PostToolBatch"][0]["hooks"][0]
    event = {"hook_event_name": "PostToolBatch", "session_id": "0198c0de-0001", "cwd": client["cwd"], "tool_calls": []}
    return httpx.post(handler["url"], headers=handler["headers"], json=event, timeout=GUARD_SECONDS).status_code


def test_the_client_gets_a_key_in_a_file_that_only_its_owner_reads(person: Person) -> None:
    client = person.launch("--as", "builder", "--", "claude", "--model", "opus", ROOST_SESSION="another's")
    port = person.served.run.port
    file = file_of(client)
    assert client["words"][2:] == ["--model", "opus"]
    assert file.parent == person.served.path / "launches" and stat.S_IMODE(file.stat().st_mode) == 0o600
    told = json.loads(file.read_text())["hooks"]["Stop"][0]["hooks"][0]
    assert told["url"] == f"http://127.0.0.1:{port}/v1/hooks/claude"
    key = told["headers"]["Authorization"].removeprefix("Bearer ")
    environ = client["environ"]
    assert environ["ROOST_HOOKS"] == f"http:{client['pid']}:{port}" and environ["ROOST_AGENT"] == "builder"
    assert "ROOST_SESSION" not in environ
    assert key[-64:] not in json.dumps([client["words"], environ, told["url"]])
    assert key[-64:].encode() not in (person.served.path / "store.db").read_bytes()
    assert post(client) == 200


def test_the_key_ends_with_the_client_and_the_next_daemon_takes_its_file_away(person: Person) -> None:
    client, other = person.launch("claude"), person.launch("claude")
    person.served.stop()
    person.running[0].kill()
    person.running[0].wait()
    person.served.start()
    assert (post(other), file_of(other).exists()) == (200, True)
    eventually(lambda: not file_of(client).exists(), "the settings of the dead client are gone")
    assert person.served.system().launches.tidy() == (file_of(other).stem,)


def test_a_daemon_that_it_starts_is_no_child_of_the_client(person: Person) -> None:
    client = person.launch("claude")
    above = Path(f"/proc/{person.served.pid}/stat").read_text().rpartition(")")[2].split()[1]
    assert int(above) != client["pid"]


def test_its_hooks_go_past_a_proxy(person: Person) -> None:
    environ = person.launch("claude", HTTP_PROXY="http://127.0.0.1:3128", NO_PROXY="example.org")["environ"]
    assert (environ["NO_PROXY"], environ["no_proxy"]) == ("example.org,127.0.0.1", "127.0.0.1")
    assert "NO_PROXY" not in person.launch("claude")["environ"]


@pytest.mark.parametrize(
    ("settings", "environ", "why"),
    [
        (SETTINGS, {"ROOST_DAEMON": "off"}, "ROOST_DAEMON is off"),
        ("[daemon]\nhttp = false\n", {}, "serves no HTTP"),
        (SETTINGS, {"CLAUDE_CONFIG_DIR": "/nowhere"}, "not installed"),
    ],
)
def test_where_hooks_cannot_go_by_http_the_client_starts_all_the_same(
    person: Person, settings: str, environ: dict[str, str], why: str
) -> None:
    person.served.configure(settings)
    client = person.launch("claude", "-p", "hello", **environ)
    assert client["words"] == ["-p", "hello"] and "ROOST_HOOKS" not in client["environ"]
    person.running[0].kill()
    assert why in person.running[0].communicate()[1]


def test_a_shell_is_refused(person: Person) -> None:
    refused = person.run("--", "sh", "-c", "echo no")
    out, err = refused.communicate(timeout=60)
    assert (refused.returncode, out) == (2, "") and "no coding client" in err
