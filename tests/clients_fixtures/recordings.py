"""The recordings of a real Claude Code that `python -m tests.clients.record` makes."""

import json
from pathlib import Path
from typing import Any

from roost.clients.base import Offer, Unreadable
from roost.clients.claude import events
from roost.turns.model import ClientEvent

FOLDER = Path(__file__).parents[1] / "clients" / "fixtures" / "claude"
SCENARIOS = sorted(path.stem for path in (FOLDER / "hooks").glob("*.jsonl"))
LONG_AGO = 0

Json = dict[str, Any]


def transcript(name: str) -> bytes:
    """Return the recorded transcript of a scenario."""
    return (FOLDER / f"{name}.jsonl").read_bytes()


def entries(name: str) -> list[Json]:
    """Return the entries of a recorded transcript."""
    return [json.loads(line) for line in transcript(name).splitlines()]


def joined(entries: list[Json]) -> bytes:
    """Make a transcript of entries."""
    return b"".join(json.dumps(entry, separators=(",", ":")).encode() + b"\n" for entry in entries)


def offer(nonce: str, offered_wall: int = LONG_AGO) -> Offer:
    """Make an open offer; without a time it is one of long ago."""
    return Offer(nonce=nonce, marker=f'offer="{nonce}"', offered_wall=offered_wall)


def hook_calls(scenario: str, event: str | None = None) -> list[Json]:
    """Return the recorded hook calls of a scenario: `{"event", "stdin", "env"}`."""
    lines = (FOLDER / "hooks" / f"{scenario}.jsonl").read_text().splitlines()
    calls = [json.loads(line) for line in lines]
    return [call for call in calls if event in (None, call["event"])]


def read(call: Json, **env: str) -> ClientEvent:
    """Read a recorded hook call."""
    found = events.read(json.dumps(call["stdin"]).encode(), call["env"] | env)
    assert not isinstance(found, Unreadable), found.reason
    return found


def recorded(scenario: str, event: str) -> list[ClientEvent]:
    """Read all recorded calls of one event in a scenario."""
    return [read(call) for call in hook_calls(scenario, event)]
