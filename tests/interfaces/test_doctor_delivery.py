"""`roost doctor --delivery`: canaries down each way, with real hooks and a real daemon; ways that fail say so."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from roost.checkup import canary
from roost.checkup.canary import RECEIVER, SENDER
from roost.checkup.delivery import WAYS, deliveries
from roost.checkup.model import Check
from roost.clients import launcher
from roost.connect import connect
from roost.runtimes.host import LocalHost
from tests.daemon.served import GUARD_SECONDS
from tests.interfaces.http.conftest import begin, end
from tests.interfaces.patience import with_patience

NAMES = [name for name, _, _ in WAYS]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the hooks a home of their own, with the launcher in it, and all who take part more time than they have."""
    home = tmp_path / "home"
    place = launcher.path(home)
    place.parent.mkdir(parents=True)
    place.write_bytes(with_patience(launcher.render()))
    monkeypatch.setattr(canary, "SECONDS_MAX", GUARD_SECONDS)
    place.chmod(launcher.MODE)
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture
def served(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the folder of a project whose daemon runs."""
    monkeypatch.setenv("ROOST_DAEMON", "auto")
    folder = tmp_path / "served"
    folder.mkdir()
    made = begin(folder)
    yield str(folder)
    end(made)


def flown(folder: str) -> dict[str, Check]:
    """Return the check of each way."""
    return {check.name: check for check in islice(deliveries(folder), len(WAYS))}


def test_every_way_passes_and_says_how_long_it_took(served: str) -> None:
    found = flown(served)
    assert {name: check.grade for name, check in found.items()} == dict.fromkeys(NAMES, "pass"), found
    assert all(check.seconds and check.seconds > 0 for check in found.values())


def test_every_way_is_tried_also_where_this_shell_keeps_to_the_file(
    served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROOST_DAEMON", "off")
    found = flown(served)
    assert {name: check.grade for name, check in found.items()} == dict.fromkeys(NAMES, "pass"), found


def test_nothing_of_the_canaries_waits_or_lives_on(served: str) -> None:
    assert all(check.grade == "pass" for check in flown(served).values())
    with connect(served).system() as hub:
        assert hub.sessions.of(SENDER) is None
        assert hub.sessions.of(RECEIVER) is None
        depth = [band for band in hub.status.metrics().queue if band.held or band.pending or band.offered]
        assert depth == []
        assert hub.status.report().changes.lost == ()


def test_no_agent_but_the_canaries_is_told_anything(served: str) -> None:
    assert all(check.grade == "pass" for check in flown(served).values())
    with connect(served).system() as hub:
        assert {item.name for item in hub.agents.list(retired=True) if "canary" in item.name} == {SENDER, RECEIVER}
        assert not [item.name for item in hub.agents.list() if "canary" in item.name], "they are off the list again"
        recipients = {delivery.recipient for delivery in hub.deliveries.dead()}
        assert recipients == set()


def test_ways_that_are_not_there_are_named_and_not_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    place = tmp_path / ".roost"
    place.mkdir(mode=0o700)
    connect(place).close()
    found = flown(str(tmp_path))
    assert {name: check.grade for name, check in found.items()} == {
        "inbox": "pass", "hook": "note", "wake": "note", "stream": "note", "websocket": "note", "mcp": "note",
    }  # fmt: skip
    assert "roost init" in found["hook"].said
    assert "roost up" in found["stream"].said


def test_hooks_that_print_nothing_fail(served: str, home: Path) -> None:
    launcher.path(home).write_text("#!/bin/sh\nexit 0\n")
    found = flown(served)
    assert (found["hook"].grade, found["wake"].grade) == ("fail", "fail")
    assert "did not join" in found["hook"].said


def mute(home: Path, event: str) -> None:
    """Let the hooks do nothing at one event."""
    program, real = launcher.path(home), launcher.path(home).with_name("real")
    program.rename(real)
    # Hooks run side by side: each keeps what it is given in a file of its own.
    keeps = f'case "$(tee "$0.$$")" in *{event}*) exit 0;; esac'
    program.write_text(f'#!/bin/sh\n{keeps}\n"{real}" "$@" <"$0.$$"\n')
    program.chmod(launcher.MODE)


def test_a_hook_that_joins_and_brings_no_mail_fails(served: str, home: Path) -> None:
    mute(home, "PostToolBatch")
    assert flown(served)["hook"].grade == "fail"
    with connect(served).system() as hub:
        assert [band for band in hub.status.metrics().queue if band.pending or band.offered] == []


def test_a_hook_that_had_no_time_at_the_end_of_its_session_fails_no_other_way(served: str, home: Path) -> None:
    mute(home, "SessionEnd")
    found = flown(served)
    assert {name: check.grade for name, check in found.items()} == dict.fromkeys(NAMES, "pass"), found


def test_two_at_once_are_told_apart(served: str) -> None:
    process = LocalHost().process(1)
    with connect(served).system() as hub:
        hub.turns.join(SENDER, process=process)
    (only,) = deliveries(served)
    assert (only.grade, only.to_do) == ("fail", "another canary flies; try again")
