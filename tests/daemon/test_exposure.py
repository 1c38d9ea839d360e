"""What listens where others reach it: only with TLS and an explicit word, whichever the door."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from roost.checkup import checkup
from tests.certificates import certified

from .served import Served

EVERYWHERE = "0.0.0.0"  # noqa: S104


def settings(folder: Path, *, http: bool, tls_port: int = 0, public: bool = False) -> str:
    made = certified(folder)
    return (
        f'[daemon]\nhost = "{EVERYWHERE}"\nport = 0\nhttp = {str(http).lower()}\ntls_port = {tls_port}\n'
        f'public = {str(public).lower()}\ncertificate = "{made.certificate}"\nprivate_key = "{made.private_key}"\n'
    )


def free_port() -> int:
    with socket.socket() as end:
        end.bind(("127.0.0.1", 0))
        return int(end.getsockname()[1])


@pytest.mark.parametrize("http", [False, True])
def test_no_door_opens_to_others_without_an_explicit_word(unserved: Served, tmp_path: Path, http: bool) -> None:
    port = free_port()
    unserved.configure(settings(tmp_path, http=http, tls_port=port))
    run = unserved.start().run
    assert "open to others" in run.trouble
    assert (run.port, run.tls_port) == (0, 0)
    with socket.socket() as end:
        assert end.connect_ex(("127.0.0.1", port)) != 0
    assert unserved.hub("planner").sessions.me().name == "planner"


def test_what_is_meant_to_be_open_is_told_and_fails_no_checkup(
    unserved: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    unserved.configure(settings(tmp_path, http=True, tls_port=free_port(), public=True))
    run = unserved.start().run
    assert run.trouble == ""
    assert run.url == f"https://{EVERYWHERE}:{run.port}"
    up = unserved.child("-m", "roost", "-C", str(tmp_path), "up")
    assert run.url in up.communicate()[0]
    (told,) = [check for check in checkup(str(tmp_path)) if check.name == "daemon"]
    assert told.grade == "warn"
    assert "with a token" in told.to_do
