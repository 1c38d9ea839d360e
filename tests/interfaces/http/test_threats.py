"""What hostile pages, hosts and programs try; each test is named after the threat that it plays."""

from __future__ import annotations

import concurrent.futures
import gzip
import json
import os
import random
import re
import signal
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect as ws

from roost.config import Daemon as Settings
from roost.errors import Forbidden, InvalidInput
from roost.exposure import refuse_exposure
from roost.interfaces.http.table import ROUTES
from roost.tokens.rules import id_of
from tests.daemon.served import GUARD_SECONDS, eventually

from .conftest import SETTINGS, Site, begin, call, end

HOSTS = (
    "evil.example",
    "127.evil.example",
    "127.0.0.1",
    "127.0.0.1:1",
    "localhost",
    "127.0.0.1.evil.example:PORT",
    "0.0.0.0:PORT",
    "",
)
ORIGINS = (
    "http://evil.example", "null", "file://", "http://127.0.0.1", "http://127.0.0.1:PORT.evil.example",
    "https://127.0.0.1:PORT", "http://evil.example#http://127.0.0.1:PORT", "http://127.0.0.1:PORT/", "",
)  # fmt: skip
PATHS = ("/healthz", "/v1/agents", "/docs", "/mcp", "/v1/events/stream")


@pytest.mark.parametrize("host", HOSTS)
def test_t1_a_name_that_was_rebound_to_this_machine_gets_nothing(site: Site, host: str) -> None:
    named = host.replace("PORT", str(site.port))
    key = site.keys["alice"]
    for path in PATHS:
        answer = site.raw(f"GET {path} HTTP/1.1\r\nHost: {named}\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
        assert answer.startswith((b"HTTP/1.1 421", b"HTTP/1.1 400")), answer[:100]


def test_t1_no_host_and_two_hosts_get_nothing(site: Site) -> None:
    good = f"Host: 127.0.0.1:{site.port}\r\n"
    assert site.raw(b"GET /healthz HTTP/1.1\r\n\r\n").startswith((b"HTTP/1.1 421", b"HTTP/1.1 400"))
    assert site.raw(f"GET /healthz HTTP/1.1\r\n{good}{good}\r\n".encode()).startswith(
        (b"HTTP/1.1 421", b"HTTP/1.1 400")
    )
    assert site.raw(f"GET /healthz HTTP/1.1\r\n{good}\r\n".encode()).startswith(b"HTTP/1.1 200")


def test_t2_every_route_but_health_needs_a_token(site: Site) -> None:
    nobody, wrong = site.client(), site.client(Authorization="Bearer rst_" + "A" * 43)
    paths = [(one.method, re.sub(r"{\w+}", "m1", one.path)) for one in ROUTES]
    paths += [("GET", path) for path in ("/readyz", "/metrics", "/docs", "/openapi.json", "/v1/events/stream")]
    assert nobody.get("/healthz").status_code == 200
    for method, path in paths:
        refused = call(nobody, method, path, {} if method in ("POST", "PATCH") else None)
        assert (refused.status_code, refused.json()["code"]) == (401, "UNAUTHENTICATED"), path
        assert refused.headers["www-authenticate"].startswith("Bearer")
    assert wrong.get("/v1/agents").status_code == 401


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "8.8.8.8"])  # noqa: S104
def test_t2_an_address_of_the_network_is_refused_without_tls_and_a_word_for_it(host: str) -> None:
    for settings in (Settings(host=host), Settings(host=host, public=True), Settings(host=host, certificate="c")):
        with pytest.raises(Forbidden, match="open to others"):
            refuse_exposure(settings)
    refuse_exposure(Settings(host=host, public=True, certificate="c", private_key="k"))
    refuse_exposure(Settings(host="127.0.0.1"))
    with pytest.raises(InvalidInput):
        refuse_exposure(Settings(host="everywhere"))


@pytest.mark.parametrize("origin", ORIGINS)
def test_t3_a_page_of_another_origin_opens_no_socket_and_calls_nothing(site: Site, origin: str) -> None:
    named = origin.replace("PORT", str(site.port))
    headers = {"Origin": named, "Authorization": f"Bearer {site.keys['alice']}"}
    with (
        pytest.raises(InvalidStatus) as refused,
        ws(f"ws://127.0.0.1:{site.port}/v1/stream", additional_headers=headers),
    ):
        pass
    assert refused.value.response.status_code == 403
    assert site.client("alice", Origin=named).get("/v1/agents").status_code == 403


def test_t3_the_own_page_may_and_a_token_in_the_url_is_no_token(site: Site) -> None:
    own = {"Origin": f"http://127.0.0.1:{site.port}"}
    assert site.client("alice", **own).get("/v1/agents").status_code == 200
    url = f"ws://127.0.0.1:{site.port}/v1/stream?token={site.keys['alice']}"
    with ws(url, additional_headers=own) as socket_, pytest.raises(ConnectionClosed):
        socket_.send('{"type":"ping"}')
        while True:
            socket_.recv(timeout=GUARD_SECONDS)


def test_t4_no_header_kills_it(site: Site) -> None:
    """Random bytes in the head of 20,000 requests, many on one connection: no 5xx, and it goes on."""
    rolled = random.Random(7)
    until, sent = time.monotonic() + 15, 0
    while sent < 20_000 and time.monotonic() < until:
        burst = b"".join(_strange(rolled, site.port) for _ in range(200))
        answer = site.raw(burst + b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert not re.search(rb"HTTP/1\.1 5\d\d", answer), answer[:300]
        sent += 200
    assert sent >= 1_000
    assert site.client().get("/healthz").status_code == 200


def test_t5_a_form_of_another_site_changes_nothing(site: Site) -> None:
    alice = site.client("alice")
    body = json.dumps({"to": "bob", "text": "forged"})
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        refused = alice.post("/v1/messages", content=body, headers={"Content-Type": kind})
        assert (refused.status_code, refused.json()["code"]) == (415, "NOT_JSON")
    assert not any(name.lower().startswith("access-control") for name in alice.get("/v1/agents").headers)
    assert alice.options("/v1/messages").status_code in (401, 405)


def test_t6_an_agents_token_can_do_nothing_of_an_administrator(site: Site) -> None:
    alice = site.client("alice")
    for method, path, body in (
        ("GET", "/v1/tokens", None),
        ("POST", "/v1/tokens", {"name": "bob"}),
        ("POST", "/v1/tokens/x/rotate", {}),
        ("DELETE", "/v1/tokens/x", None),
    ):
        assert call(alice, method, path, body).status_code == 403
    refused = call(site.client("ada"), "POST", "/v1/tokens", {"name": "alice", "scopes": ["admin"]})
    assert refused.status_code == 403


def test_t7_a_sender_in_the_body_is_refused(site: Site) -> None:
    for field in ("sender", "from", "from_agent", "agent_id", "as_"):
        refused = call(site.client("alice"), "POST", "/v1/messages", {"to": "bob", "text": "x", field: "ada"})
        assert (refused.status_code, refused.json()["code"]) == (422, "INVALID_JSON")


def test_t9_a_rotated_token_overlaps_and_a_revoked_one_is_soon_off(site: Site) -> None:
    """How soon is for the authorisation tests, which hold the looks of every door to a second."""
    ada = site.client("ada")
    made = call(ada, "POST", "/v1/tokens", {"name": "bob", "scopes": ["read"]}).json()
    site.keys["old"] = made["key"]
    old = site.client("old")
    with site.stream("old") as live:
        live.recv(timeout=GUARD_SECONDS)
        new = call(ada, "POST", f"/v1/tokens/{made['token']['id']}/rotate", {"overlap": 600}).json()
        site.keys["new"] = new["key"]
        with concurrent.futures.ThreadPoolExecutor(4) as threads:
            codes = list(
                threads.map(
                    lambda n: site.client("new" if n % 2 else "old").get("/v1/agents/me").status_code, range(40)
                )
            )
        assert set(codes) == {200}, "both are valid while they overlap"
        ada.delete(f"/v1/tokens/{made['token']['id']}")
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                live.recv(timeout=GUARD_SECONDS)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1008
    eventually(lambda: old.get("/v1/agents/me").status_code == 401, "it opens no route either")
    assert site.client("new").get("/v1/agents/me").status_code == 200


def test_t10_keys_are_in_no_file_log_or_answer(site: Site) -> None:
    for key in site.keys.values():
        site.client(Authorization=f"Bearer {key}").get("/v1/agents")
        for path in Path(site.place).rglob("*"):
            if path.is_file():
                assert key.encode() not in path.read_bytes(), path
    for path in (Path(site.place) / "run.json", Path(site.place) / "socket", Path(site.place) / "daemon.log"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert key[:20] not in Path(f"/proc/{site.pid}/cmdline").read_text()
    assert not any(name in Path(f"/proc/{site.pid}/environ").read_text() for name in ("ROOST_SESSION", "ROOST_TOKEN"))
    assert id_of(key) not in key


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Site]:
    """A daemon with the limits as they come."""
    made = begin(tmp_path, "[daemon]\nport = 0\n")
    yield made
    end(made)


def test_t20_wrong_tokens_are_counted_by_address_and_a_good_one_still_enters(strict: Site) -> None:
    codes = [strict.client(Authorization=f"Bearer rst_{n:043d}").get("/v1/agents").status_code for n in range(14)]
    assert codes[:10] == [401] * 10 and set(codes[10:]) == {429}
    assert strict.client("alice").get("/v1/agents").status_code == 200
    kinds = [
        one["event"]["kind"] for one in strict.client("ada").get("/v1/events", params={"limit": 500}).json()["items"]
    ]
    assert kinds.count("token.refused") == 1, "told once a minute: nobody fills the log so"


def test_t20_bombs_are_refused_before_they_are_read(site: Site) -> None:
    alice, before = site.client("alice"), _memory(site.pid)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {site.keys['alice']}"}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + f"Host: 127.0.0.1:{site.port}\r\n"
    assert (
        site.raw(f"POST /v1/messages HTTP/1.1\r\n{head}Content-Length: 99999999999\r\n\r\n".encode())[:12]
        == b"HTTP/1.1 413"
    )
    bomb = gzip.compress(b"x" * 50_000_000)
    assert alice.post("/v1/messages", content=bomb, headers={**headers, "Content-Encoding": "gzip"}).status_code == 415
    deep = '{"to":"bob","text":"x","metadata":' + '{"a":' * 100_000 + "1" + "}" * 100_001
    assert alice.post("/v1/messages", content=deep, headers=headers).status_code in (400, 413, 422)
    huge = '{"to":"bob","text":"x","priority":' + "9" * 1_000_000 + "}"
    assert alice.post("/v1/messages", content=huge, headers=headers).status_code in (400, 422)
    assert call(alice, "GET", "/v1/agents?" + "a" * 5_000).status_code in (400, 414)
    many = "".join(f"X-{n}: y\r\n" for n in range(200))
    assert b" 431 " in site.raw(f"GET /healthz HTTP/1.1\r\n{head}{many}\r\n".encode())[:40]

    def chunked() -> Iterator[bytes]:
        for _ in range(40):
            yield b'{"to":"bob"' + b" " * 100_000

    assert alice.post("/v1/messages", content=chunked(), headers=headers).status_code == 413
    assert _memory(site.pid) - before < 64 * 1024


def test_t20_who_sends_slowly_holds_up_nobody(site: Site) -> None:
    slow = [socket.create_connection(("127.0.0.1", site.port)) for _ in range(100)]
    try:
        for end_ in slow:
            end_.sendall(b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nX")
        assert site.client("alice").get("/v1/agents").status_code == 200
        for end_ in slow:
            end_.setblocking(False)
            with pytest.raises(BlockingIOError):  # it is still waited for
                end_.recv(1)
    finally:
        for end_ in slow:
            end_.close()


def test_t27_a_broadcast_costs_what_it_reaches_and_a_header_buys_nothing(strict: Site) -> None:
    alice = strict.client("alice")
    codes = [
        call(
            alice, "POST", "/v1/messages", {"to": "all", "text": "x"}, **{"X-Forwarded-For": f"10.0.0.{n}"}
        ).status_code
        for n in range(20)
    ]
    assert codes[:15] == [201] * 15, "15 broadcasts to two others are 30 messages"
    assert set(codes[15:]) == {429}
    refused = call(alice, "POST", "/v1/messages", {"to": "bob", "text": "x"})
    details = refused.json()["details"]
    assert int(refused.headers["retry-after"]) >= details["retry_after"] > 0 and details["limit"] == 30


def test_t28_sockets_are_the_users_own(site: Site) -> None:
    folder = os.path.dirname(site.socket)
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700 and os.stat(folder).st_uid == os.geteuid()
    for name in ("native.sock", "http.sock"):
        assert stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode) & 0o077 == 0


def test_the_unix_socket_serves_the_same_routes_and_needs_a_token_too(site: Site) -> None:
    import httpx

    transport = httpx.HTTPTransport(uds=site.socket)
    with httpx.Client(transport=transport, base_url="http://localhost", timeout=GUARD_SECONDS) as local:
        assert local.get("/healthz").status_code == 200
        assert local.get("/v1/agents").status_code == 401
        assert local.get("/v1/agents", headers={"Authorization": f"Bearer {site.keys['alice']}"}).status_code == 200


def test_a_stop_answers_what_was_asked_and_closes_streams(tmp_path: Path) -> None:
    made = begin(tmp_path, SETTINGS)
    with made.stream("alice") as live:
        live.recv(timeout=GUARD_SECONDS)
        os.kill(made.pid, signal.SIGTERM)
        with pytest.raises(ConnectionClosed):
            while True:
                live.recv(timeout=GUARD_SECONDS)
        end(made)
    log = Path(made.place, "daemon.log").read_text()
    assert "stopped: " in log and "unanswered" not in log, "it did not have to be cut"


def _strange(rolled: random.Random, port: int) -> bytes:
    names = (b"Host", b"Origin", b"Authorization", b"Content-Length", b"Transfer-Encoding", b"Cookie", b"\xff\xfe", b"")
    lines = [b"GET /v1/agents HTTP/1.1"]
    if rolled.random() < 0.7:
        lines.append(b"Host: 127.0.0.1:%d" % port)
    lines += [
        rolled.choice(names) + b": " + rolled.randbytes(rolled.randrange(30)).replace(b"\n", b" ")
        for _ in range(rolled.randrange(6))
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _memory(pid: int) -> int:
    """Return the resident memory of a process in KiB."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found.group(1))
