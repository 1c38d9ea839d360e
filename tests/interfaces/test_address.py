"""Addresses of daemons: what a URL names, where its token comes from, and what is told of a wrong one."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import roost
from roost.errors import InvalidInput, TimedOut, Unavailable
from roost.interfaces.wire import address
from roost.interfaces.wire.address import Address, parse
from tests.certificates import ADDRESS, certified

KEY = "rst_" + "A" * 43


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROOST_TOKEN", raising=False)


def test_a_url_names_a_socket_or_a_host_and_port(tmp_path: Path) -> None:
    assert parse("roost+unix:///run/native.sock") == Address(path="/run/native.sock")
    assert parse("roost+tls://build.example:8790") == Address(host="build.example", port=8790)
    assert parse("roost+tls://[::1]:8790?ca=roost.pem") == Address(host="::1", port=8790, ca="roost.pem")


def test_the_token_comes_from_a_file_or_else_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROOST_TOKEN", "rst_" + "B" * 43)
    assert parse("roost+tls://h:1").token == "rst_" + "B" * 43
    path = tmp_path / "builder.token"
    path.write_text(KEY + "\n")
    assert parse(f"roost+tls://h:1?token_file={path}").token == KEY


@pytest.mark.parametrize(
    "content", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n", b"\xff\xfe", b"rst_short", b"x" * 10_000]
)
def test_t10_what_is_no_token_is_not_sent_to_anybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    """T10: a wrong file's content goes neither to the daemon nor into the error."""
    path = tmp_path / "file"
    path.write_bytes(content)
    if not content:
        assert parse(f"roost+tls://h:1?token_file={path}").token == ""
        return
    with pytest.raises(InvalidInput, match="holds no token") as refused:
        parse(f"roost+tls://h:1?token_file={path}")
    assert "PRIVATE" not in str(refused.value)
    if content.isascii():
        monkeypatch.setenv("ROOST_TOKEN", content.decode())
        with pytest.raises(InvalidInput, match="ROOST_TOKEN holds no token"):
            parse("roost+tls://h:1")


def test_a_file_that_is_not_there_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="holds no token"):
        parse(f"roost+tls://h:1?token_file={tmp_path / 'gone'}")


@pytest.mark.parametrize(
    "url",
    [f"roost+tls://h:1?token={KEY}", f"roost+tls://{KEY}@h:1", f"roost+tls://me:{KEY}@h:1", f"roost+tls://h?x={KEY}",
     f"roost+tls://h:port?key={KEY}", f"http://far.example:1?token={KEY}", f"http://{KEY}@far.example"],
)  # fmt: skip
def test_t10_a_key_in_an_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"token_file|no address") as refused:
        parse(url)
    assert KEY not in f"{refused.value} {refused.value.hint}"


@pytest.mark.parametrize(
    "url",
    ["", "native.sock", "roost+unix://", "roost+unix://relative", "http://localhost", "roost+tls://",
     "roost+tls://[::1:8790"],
)  # fmt: skip
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput):
        parse(url)


def test_a_daemon_far_away_that_is_gone_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Plain:
        def wrap_socket(self, end: socket.socket, server_hostname: str) -> socket.socket:
            return end

    monkeypatch.setattr(address, "trust", lambda address: Plain())
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
        with address.connected(Address(host=host, port=port)) as end:
            assert end.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[str]:
    """Return where somebody speaks TLS with a certificate of its own, `tls.pem` in the scratch folder."""
    made = certified(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.private_key)
    with socket.create_server((ADDRESS, 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    end, _ = server.accept()
                    with contextlib.suppress(OSError):
                        context.wrap_socket(end, server_side=True).close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.mark.parametrize(
    ("host", "ca", "said"),
    [
        (ADDRESS, "", "is not trusted: self-signed certificate"),
        ("localhost", "tls.pem", "is not trusted: Hostname mismatch"),
        (ADDRESS, "tls.key", "holds no certificate"),
        (ADDRESS, "gone.pem", "holds no certificate"),
    ],
)
def test_a_certificate_that_is_not_trusted_is_told_at_once_and_not_tried_again(
    guarded: str, tmp_path: Path, host: str, ca: str, said: str
) -> None:
    url = f"roost+tls://{host}:{guarded}" + (f"?ca={tmp_path / ca}" if ca else "")
    with pytest.raises(InvalidInput, match=said) as refused:
        roost.open(url)
    assert "ca=FILE" in refused.value.hint
    with pytest.raises(InvalidInput, match=said):
        asyncio.run(roost.aopen(url))


def test_where_no_daemon_answers_what_to_do_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roost.interfaces.wire.client.RESUME_SECONDS_MAX", 0.0)
    with pytest.raises(Unavailable) as refused:
        roost.open(f"roost+unix://{tmp_path}/native.sock")
    assert str(refused.value).count("start it") == 1


@contextlib.contextmanager
def answering(server: socket.socket, said: bytes) -> Iterator[None]:
    """Let somebody say always the same at a socket."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                end, _ = server.accept()
                with end, contextlib.suppress(OSError):
                    end.sendall(said)
                    end.recv(1 << 16)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield
    server.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.mark.parametrize("said", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\0\5hello", b"\0\0\0\1\xc1"])
def test_what_is_no_daemon_is_told_at_once_and_not_tried_again(tmp_path: Path, said: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{tmp_path}/http.sock")
        server.listen()
        with answering(server, said):
            for opened in (roost.open, lambda url: asyncio.run(roost.aopen(url))):
                with pytest.raises(InvalidInput, match="is no daemon of Roost"):
                    opened(f"roost+unix://{tmp_path}/http.sock")


def test_who_speaks_no_tls_is_told_so_at_once() -> None:
    with socket.create_server((ADDRESS, 0)) as server, answering(server, b"HTTP/1.1 400 Bad Request\r\n\r\n"):
        for opened in (roost.open, lambda url: asyncio.run(roost.aopen(url))):
            with pytest.raises(InvalidInput, match="speaks no TLS"):
                opened(f"roost+tls://{ADDRESS}:{server.getsockname()[1]}")


def test_nobody_waits_long_for_who_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "CONNECT_SECONDS_MAX", 0.1)
    monkeypatch.setattr("roost.interfaces.wire.client.RESUME_SECONDS_MAX", 0.0)
    with socket.create_server((ADDRESS, 0)) as server:
        port = server.getsockname()[1]
        for opened in (roost.open, lambda url: asyncio.run(roost.aopen(url))):
            with pytest.raises(Unavailable, match=f"no daemon answers at {ADDRESS}:{port}"):
                opened(f"roost+tls://{ADDRESS}:{port}")


def test_a_daemon_that_was_stopped_is_told_from_one_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roost.interfaces.wire.client.HELLO_SECONDS_MAX", 0.1)
    monkeypatch.setattr("roost.interfaces.wire.client.RESUME_SECONDS_MAX", 0.0)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{tmp_path}/native.sock")
        server.listen()  # and nobody takes who comes
        for opened in (roost.open, lambda url: asyncio.run(roost.aopen(url))):
            with pytest.raises(TimedOut, match="did not answer") as refused:
                opened(f"roost+unix://{tmp_path}/native.sock")
            assert "roost down" in refused.value.hint
