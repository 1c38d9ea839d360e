"""The port of HTTP outlives the daemon: what clients were told of it stays true."""

from __future__ import annotations

import socket

import pytest

from roost.daemon import places
from roost.interfaces.http.serve import ports
from roost.runtimes.host import LocalHost

from .served import Served

SETTINGS = "[daemon]\nport = 0\nidle_seconds = 600\n"


@pytest.mark.parametrize(
    ("wanted", "kept", "tried"),
    [
        (8787, 0, (8787, 0)),
        (8787, 40_001, (40_001, 8787, 0)),
        (0, 40_001, (40_001, 0)),
        (0, 0, (0,)),
        (9000, 40_001, (9000, 40_001, 0)),
    ],
)
def test_a_port_that_somebody_chose_comes_before_that_of_before(wanted: int, kept: int, tried: tuple[int, ...]) -> None:
    assert ports(wanted, kept) == tried


def test_the_next_daemon_serves_at_the_port_of_the_last(unserved: Served) -> None:
    unserved.configure(SETTINGS)
    port = unserved.start().run.port
    unserved.crash()
    assert places.kept_port(unserved.place) == port
    assert unserved.start().run.port == port
    unserved.stop()
    with socket.create_server(("127.0.0.1", port)):
        assert unserved.start().run.port not in (0, port)


def test_the_file_names_the_process_that_serves_and_nobody_once_it_left(unserved: Served) -> None:
    unserved.configure(SETTINGS)
    run, file = unserved.start().run, unserved.path / "port"
    process = LocalHost().process(run.pid)
    assert process is not None
    assert file.read_text() == f"{run.port} {run.pid} {process.started}\n"
    unserved.stop()
    assert file.read_text() == f"{run.port}\n"


@pytest.mark.parametrize("text", ["", "\n", "x\n", "0\n", "70000 1 2\n", "-1\n", "8787x\n"])
def test_nonsense_in_the_file_is_no_port(unserved: Served, text: str) -> None:
    (unserved.path / "port").write_text(text)
    assert places.kept_port(unserved.place) == 0
