"""The hub: opened as someone, the same verbs for plain and async callers."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import roost
from roost import reach, workdir
from roost.connect import connect
from roost.errors import AgentAlive, NoProject, SessionEnded, UnknownAgent
from tests.services.served import Served, Thread


@pytest.fixture
def folder(
    tmp_path: Path, backend: str, thread: Callable[[], Thread], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A folder with a project, which a daemon serves or none."""
    place = workdir.create(tmp_path / workdir.NAME)
    if backend == "file":
        yield tmp_path
        return
    served = Served(thread(), lambda: connect(place.path))
    Path(place.at(reach.SOCKET)).write_text(served.socket)
    monkeypatch.setenv(reach.SWITCH, "auto")
    yield tmp_path
    served.close()


def test_a_hub_is_opened_as_someone_and_sends_in_that_name(folder: Path) -> None:
    with roost.open(folder, as_="planner") as planner, roost.open(folder, as_="builder") as builder:
        sent = planner.messages.send(to="builder", text="tests are red")
        assert [item.message.sender_name for item in builder.messages.inbox().items] == ["planner"]
    assert sent.ref == "m1"
    assert sent.durability == "D2"


def test_the_async_hub_has_the_same_verbs(folder: Path) -> None:
    async def talk() -> tuple[str, str]:
        async with (
            await roost.aopen(folder, as_="planner") as planner,
            await roost.aopen(folder, as_="builder") as builder,
        ):
            sent = await planner.messages.send(to="builder", text="tests are red", requires_ack=True)
            page = await builder.messages.inbox()
            await builder.deliveries.acknowledge(page.items[0].message.ref)
            (delivery,) = await planner.deliveries.wait(sent.ref, "acknowledged", timeout=5)
            async for message in planner.messages.follow():
                return delivery.state, message.body
        raise AssertionError("nothing followed")

    assert asyncio.run(talk()) == ("acknowledged", "tests are red")


def test_an_async_wait_does_not_block_others(folder: Path) -> None:
    async def wait_and_answer() -> str:
        async with (
            await roost.aopen(folder, as_="planner") as planner,
            await roost.aopen(folder, as_="builder") as builder,
        ):
            sent = await planner.messages.send(to="builder", text="ready?")
            waiting = asyncio.create_task(planner.deliveries.wait(sent.ref, "acknowledged", timeout=20))
            await builder.messages.reply(sent.ref, "yes")
            return (await waiting)[0].state

    assert asyncio.run(wait_and_answer()) == "acknowledged"


def test_a_project_in_memory_runs_the_same_code() -> None:
    with roost.open(":memory:", as_="planner") as hub:
        hub.messages.send(to="later", text="for whoever comes", hold=True)
        assert hub.agents.get("later").reserved
        with pytest.raises(UnknownAgent):
            hub.messages.send(to="nobody-yet", text="x")


def test_an_agent_that_lives_in_another_process_is_not_joined(folder: Path) -> None:
    script = (
        f"import roost, time; hub = roost.open({str(folder)!r}, as_='builder'); print('in', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"in\n"
        with pytest.raises(AgentAlive, match="builder is alive"):
            roost.open(folder, as_="builder")
        with roost.open(folder, as_="builder", takeover=True) as hub:
            assert hub.sessions.me().epoch == 2
        other.kill()


def test_what_a_fenced_session_still_tries_changes_nothing(folder: Path) -> None:
    with roost.open(folder, as_="builder") as hub, roost.open(folder, as_="planner"):
        hub.turns.leave()
        with pytest.raises(SessionEnded, match="is over"):
            hub.messages.send(to="planner", text="I am still here")
        with roost.open(folder, as_="planner") as planner:
            assert planner.messages.last_number() == 0


def test_outside_a_project_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROOST_DIR", raising=False)
    with pytest.raises(NoProject, match="roost init"):
        roost.open(tmp_path, as_="planner")


def test_importing_roost_loads_no_database() -> None:
    script = (
        "import sys, roost; print([name for name in ('apsw', 'msgspec', 'click', 'asyncio') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
