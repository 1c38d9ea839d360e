"""A project that is renamed while its daemon runs: who calls from where it is now is served, who cannot is told why."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from roost import reach
from roost.connect import connect
from roost.errors import NoProject
from roost.hub import Hub
from roost.interfaces.mcp import program
from roost.verbs import Sync
from tests.interfaces.conftest import keyed
from tests.interfaces.hooked import Hooked
from tests.leftovers import stop_daemons

from .served import GUARD_SECONDS, Served, eventually, is_alive, serving


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A project in a folder of its own, served."""
    try:
        with serving(tmp_path / "before", monkeypatch) as made:
            yield made.start()
    finally:
        stop_daemons(str(tmp_path / "after" / ".roost"))


def moved(site: Served) -> Path:
    """Rename the project's folder."""
    return site.folder.rename(site.folder.with_name("after"))


def test_the_first_call_after_a_move_is_answered(site: Served) -> None:
    first, pid = site.hub("alice").messages.send(to="alice", text="before"), site.pid
    place = str(moved(site) / ".roost")
    with reach.remote(place, as_="bob") as hub:
        assert hub.messages.send(to="alice", text="after").number == first.number + 1
        assert hub.sessions.me().name == "bob"
    eventually(lambda: not is_alive(pid), "the daemon of the old place left")


def test_a_daemon_whose_project_was_moved_takes_its_address_along(site: Served) -> None:
    hub, pid = site.hub("alice"), site.pid
    place = moved(site) / ".roost"
    with pytest.raises(NoProject):
        hub.messages.send(to="alice", text="hello")
    eventually(lambda: not is_alive(pid), "the daemon of the old place left")
    assert not (place / "socket").exists()
    assert not (place / "run.json").exists()


def test_a_caller_that_reaches_the_daemon_where_the_project_is_now_goes_on_with_its_next_call(site: Served) -> None:
    place = str(site.path)

    def here(hub: Hub[Sync]) -> None:
        hub.messages.send(to="bob", text="hello")

    with reach.remote(place, as_="bob") as hub:
        after = moved(site)
        site.folder.symlink_to(after)  # whoever knew the old path finds the project by it
        here(hub)
        here(hub)
        assert hub.messages.last_number() == 2
    site.folder.unlink()


def test_a_verb_is_answered_after_a_move(site: Served) -> None:
    session = keyed(site.project(), "alice")
    after = moved(site)
    calling = site.child("-m", "roost", "-C", str(after), "who", ROOST_SESSION=session)
    out, _ = calling.communicate(timeout=GUARD_SECONDS)
    assert calling.returncode == 0 and "alice" in out


def test_a_pipe_of_mcp_that_began_before_a_move_goes_on_after_it(site: Served) -> None:
    pipe, pid = site.child(program.__file__, site.place), site.pid
    assert pipe.stdin is not None
    assert pipe.stdout is not None
    answers = pipe.stdout

    def ask(number: int, method: str, **params: Any) -> Any:
        said = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        print(msgspec.json.encode(said).decode(), file=pipe.stdin, flush=True)
        return msgspec.json.decode(answers.readline())

    ask(0, "initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo={"name": "test", "version": "1"})
    print('{"jsonrpc": "2.0", "method": "notifications/initialized"}', file=pipe.stdin, flush=True)
    assert len(ask(1, "tools/list")["result"]["tools"]) > 1
    after = moved(site)
    eventually(lambda: not is_alive(pid), "the daemon of the old place left")
    assert ask(2, "tools/call", name="who", arguments={})["result"]["isError"] is False
    assert reach.is_running(str(after / ".roost"))


def test_a_hook_takes_its_turn_after_a_move(site: Served) -> None:
    auto = {"ROOST_DAEMON": "auto"}
    after = moved(site)
    client = Hooked(after)
    try:
        assert "You are builder" in client.hook("SessionStart", env=auto).context
    finally:
        client.crash()


def test_whoever_knows_the_old_place_only_is_told_at_once(site: Served) -> None:
    hub = site.hub("alice")
    moved(site)
    with pytest.raises(NoProject, match="is not there any more") as told:
        hub.messages.send(to="alice", text="hello")
    assert told.value.details["in_doubt"]
    assert "open it where it is now" in told.value.hint

    async def ask() -> None:
        await reach.aremote(str(site.path), as_="bob")

    with pytest.raises(NoProject):
        asyncio.run(ask())


def test_what_was_written_just_before_is_there(site: Served) -> None:
    alice = site.hub("alice")
    numbers = [alice.messages.send(to="alice", text=f"line {n}").number for n in range(5)]
    after = moved(site)
    project = connect(after)
    assert project.system().messages.last_number() == numbers[-1]
    project.close()
