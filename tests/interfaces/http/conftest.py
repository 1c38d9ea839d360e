"""What the tests of the HTTP interface share: a real daemon of a scratch project, and tokens for who calls it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as ws

from roost import reach
from roost.connect import connect
from roost.daemon.places import Run, told
from tests.daemon.served import GUARD_SECONDS, eventually
from tests.leftovers import stop_daemons

SILENT_SECONDS = 1.0
"""So long after the first part of an answer nothing more is expected of a connection that stays."""
DAEMON = "import sys; from roost.daemon.run import main; sys.exit(main([sys.argv[1]]))"
SETTINGS = "[daemon]\nport = 0\nidle_seconds = 600\n[limits]\nrate_agent = 10000\nrate_human = 10000\n"


class Site:
    """A daemon that serves a scratch project, and the keys of who may come in."""

    def __init__(
        self, place: str, run: Run, keys: dict[str, str], daemon: subprocess.Popen[bytes] | None = None
    ) -> None:
        self.place = place
        self.port = run.port
        self.socket = run.http_socket
        self.pid = run.pid
        self.keys = keys
        self._daemon = daemon
        self._clients: list[httpx.Client] = []

    def client(self, who: str = "", **headers: str) -> httpx.Client:
        """Return an HTTP client of somebody; of nobody without a name."""
        if who:
            headers["Authorization"] = f"Bearer {self.keys[who]}"
        made = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=GUARD_SECONDS)
        self._clients.append(made)
        return made

    def shows(self, who: str) -> dict[str, str]:
        """Return the header that shows somebody's token."""
        return {"Authorization": f"Bearer {self.keys[who]}"}

    def stream(self, who: str, query: str = "") -> ClientConnection:
        """Open the WebSocket as somebody."""
        url = f"ws://127.0.0.1:{self.port}/v1/stream{query}"
        return ws(url, additional_headers=self.shows(who), open_timeout=GUARD_SECONDS, close_timeout=GUARD_SECONDS)

    def close(self) -> None:
        """Hang up everywhere."""
        for client in self._clients:
            client.close()

    def end(self) -> None:
        """Hang up everywhere, stop the daemon, and wait until it is gone."""
        self.close()
        stop_daemons(self.place)
        if self._daemon is not None:
            self._daemon.wait(GUARD_SECONDS)

    def raw(self, request: bytes) -> bytes:
        """Send bytes to the port and return what comes back until it closes, or says nothing more for a second."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=GUARD_SECONDS) as end:
            end.sendall(request)
            answer = b""
            try:
                while part := end.recv(65536):
                    answer += part
                    end.settimeout(SILENT_SECONDS)
            except TimeoutError:
                pass  # it keeps the connection open, and has said what it had to say
            return answer


def call(client: httpx.Client, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
    """Make one call with a JSON body."""
    if body is None:
        return client.request(method, path, headers=headers)
    return client.request(
        method, path, content=json.dumps(body), headers={"Content-Type": "application/json", **headers}
    )


def begin(folder: Path, settings: str = SETTINGS, *, but: str = "") -> Site:
    """Start a daemon in a folder, with a person, two agents, and a token for each scope.

    `but` is code that it runs first: a daemon with other limits than its own.
    """
    place = folder / ".roost"
    place.mkdir(mode=0o700)
    (place / "roost.toml").write_text(settings)
    project = connect(place)
    system = project.system()
    person = project.as_session(system.turns.person("ada").id)
    for name in ("alice", "bob"):
        system.agents.add(name)
    keys = {name: person.tokens.create(name).key for name in ("alice", "bob")}
    keys["ada"] = person.tokens.create("ada", scopes=["send", "read", "lease", "admin"]).key
    for scope in ("send", "read", "lease"):
        keys[f"{scope} only"] = person.tokens.create("bob", scopes=[scope]).key
    project.close()
    daemon = changed(place, but) if but else None
    reach.start(str(place))
    run = told(str(place))
    assert run is not None
    return Site(str(place), run, keys, daemon)


def changed(place: Path, but: str) -> subprocess.Popen[bytes]:
    """Start a daemon that runs some code first."""
    with (place / reach.LOG).open("ab") as log:
        made = subprocess.Popen([sys.executable, "-c", f"{but}\n{DAEMON}", str(place)], stderr=log)
    eventually(lambda: made.poll() is not None or reach.is_running(str(place)), "it serves")
    return made


def end(site: Site) -> None:
    """Stop the daemon of a site and wait until it is gone."""
    site.end()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = begin(tmp_path_factory.mktemp("site"))
    yield made
    end(made)
