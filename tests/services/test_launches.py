"""Launches: a key for a client's hooks that is good while that very process lives."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from roost import keyfiles
from roost.connect import Project
from roost.errors import Forbidden, WhoAreYou
from roost.launches.model import key_of
from tests.services.conftest import HubOf

ID = "0198c0de-0001-7000-8000-000000000001"


@pytest.fixture
def client() -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands for a client."""
    with subprocess.Popen(["sleep", "600"]) as started:
        yield started
        started.kill()


def launched(project: Project, client: subprocess.Popen[bytes], launch: str = ID) -> str:
    secret, key_hash = keyfiles.new_key()
    environ = {"ROOST_AGENT": "builder"}
    project.system().launches.begin(launch, client="claude", pid=client.pid, key_hash=key_hash, environ=environ)
    return key_of(launch, secret)


def test_a_key_opens_while_its_process_lives(project: Project, client: subprocess.Popen[bytes]) -> None:
    key = launched(project, client)
    found = project.system().launches.admit(key)
    assert (found.id, found.client, found.process.pid) == (ID, "claude", client.pid)
    assert found.environ == {"ROOST_AGENT": "builder"}
    client.kill()
    client.wait()
    with pytest.raises(WhoAreYou):
        project.system().launches.admit(key)


def test_what_is_no_key_of_a_launch_opens_nothing(project: Project, client: subprocess.Popen[bytes]) -> None:
    key = launched(project, client)
    other = "0198c0de-0001-7000-8000-000000000002"
    for wrong in ("", "rsl_", key[:-1], key + "0", key.upper(), key.replace(ID, other), key_of(ID, ""), "rst_" + key,
                  key_of(ID, "0" * 64), key_of(ID, "é"), "rsl_" + "x" * 200):  # fmt: skip
        with pytest.raises(WhoAreYou):
            project.system().launches.admit(wrong)


def test_the_store_and_its_log_know_no_key(project: Project, client: subprocess.Popen[bytes]) -> None:
    secret = launched(project, client).rpartition("_")[2]
    found = project.system().launches.admit(key_of(ID, secret))
    assert found.key_hash == keyfiles.digest(secret)
    (event,) = project.system().history.since(kinds=["client.launched"]).events
    assert event.data == {"client": "claude", "pid": client.pid}


def test_a_process_that_is_gone_and_a_session_begin_no_launch(
    project: Project, client: subprocess.Popen[bytes], hub: HubOf
) -> None:
    builder = hub("builder")
    with pytest.raises(Forbidden):
        builder.launches.begin(ID, client="claude", pid=client.pid, key_hash=b"k")
    client.kill()
    client.wait()
    with pytest.raises(WhoAreYou):
        launched(project, client)


def test_launches_of_dead_processes_are_forgotten_and_the_others_stay(
    project: Project, client: subprocess.Popen[bytes]
) -> None:
    with subprocess.Popen(["sleep", "600"]) as other:
        kept, gone = launched(project, client), "0198c0de-0001-7000-8000-000000000002"
        launched(project, other, gone)
        assert project.system().launches.tidy() == (ID, gone)
        other.kill()
    assert project.system().launches.tidy() == (ID,)
    assert project.system().launches.admit(kept).id == ID
