"""Metrics: each family is served, is documented, and says what was done."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from roost.interfaces.http.metrics import DAEMON, registry
from roost.status.model import Depth, Latency, Metrics
from tests.interfaces.hooked import Hooked

from .conftest import SETTINGS, Site, begin, call, end

DOCS = Path(__file__).parents[3] / "docs" / "reference" / "metrics.md"
Values = dict[str, dict[tuple[str, ...], float]]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Site]:
    """A daemon on which nothing else happens."""
    (tmp_path / ".git").mkdir()
    made = begin(tmp_path, SETTINGS)
    yield made
    end(made)


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let hooks take their turn by the daemon."""
    monkeypatch.setenv("ROOST_DAEMON", "auto")


def values(site: Site) -> Values:
    """Return each family's values by its labels, in the order of their names."""
    text = site.client("read only").get("/metrics").text
    return {
        family.name: {tuple(value for _, value in sorted(one.labels.items())): one.value for one in family.samples}
        for family in text_string_to_metric_families(text)
    }


def changed(before: Values, after: Values, family: str) -> dict[tuple[str, ...], float]:
    """Return what a family's values grew by."""
    was = before[family]
    return {key: value - was.get(key, 0) for key, value in after[family].items() if value != was.get(key, 0)}


def test_every_family_that_is_served_is_documented_with_its_labels(own: Site, hooks: None) -> None:
    hooked = Hooked(Path(own.place).parent)
    try:
        assert hooked.start().exit == 0
    finally:
        hooked.crash()
    for _ in range(2):
        call(own.client("alice"), "POST", "/v1/messages", {"to": "bob", "text": "x"})
    take(own.client("bob"), limit=1)
    text = own.client("read only").get("/metrics").text
    rows = re.findall(r"^\| `(roost_\w+)` \|(.*?)\| .+ \|$", DOCS.read_text(), re.MULTILINE)
    documented = {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}
    served = {
        family.name: {label for one in family.samples for label in one.labels}
        for family in text_string_to_metric_families(text)
    }
    assert served == documented
    assert all(family.documentation for family in text_string_to_metric_families(text))


def take(client: httpx.Client, **asked: str | int) -> None:
    """Take mail, and say that it arrived."""
    page = client.post("/v1/messages/inbox/take", params=asked).json()
    call(client, "POST", "/v1/messages/inbox/arrived", {"batches": [page["batch"]]})


def test_the_queue_and_the_way_of_mail_are_told(own: Site) -> None:
    alice, bob = own.client("alice"), own.client("bob")
    before = values(own)
    for priority in ("high", "normal", "normal"):
        call(alice, "POST", "/v1/messages", {"to": "bob", "text": "x", "priority": priority})
    assert changed(before, values(own), "roost_queue_depth") == {("high", "pending"): 1.0, ("normal", "pending"): 2.0}
    first = bob.post("/v1/messages/inbox/take", params={"limit": 1}).json()["batch"]
    assert values(own)["roost_queue_depth"]["high", "offered"] == 1.0
    take(bob, arrived=first)
    after = values(own)
    assert not any(after["roost_queue_depth"].values()), "all arrived"
    assert after["roost_deliveries"]["delivered",] == 3.0
    assert changed(before, after, "roost_events")["message.sent",] == 3.0
    latency = {key: value for key, value in after["roost_delivery_latency_seconds"].items() if key[1] == "stream"}
    assert [key[0] for key in latency] == ["0.5", "0.95", "1"]
    assert 0 < latency["0.5", "stream"] <= latency["0.95", "stream"] <= latency["1", "stream"] < 60


def test_who_waits_for_a_lease_is_told(own: Site) -> None:
    alice, bob = own.client("alice"), own.client("bob")
    call(alice, "POST", "/v1/leases", {"key": "deploy"})
    waiting = threading.Thread(target=call, args=(bob, "POST", "/v1/leases", {"key": "deploy", "wait": 30.0}))
    waiting.start()
    deadline = time.monotonic() + 20
    while (found := values(own))["roost_lease_waits"][()] != 1.0 or not found["roost_lease_wait_oldest_seconds"][()]:
        assert time.monotonic() < deadline
    assert found["roost_daemon_waits"][()] == 1.0
    call(alice, "POST", "/v1/leases/release", {"key": "deploy"})
    waiting.join(20)
    after = values(own)
    assert (after["roost_lease_waits"][()], after["roost_lease_wait_oldest_seconds"][()]) == (0.0, 0.0)


def test_hooks_briefings_and_compactions_are_counted(own: Site, hooks: None) -> None:
    before = values(own)
    hooked = Hooked(Path(own.place).parent)
    try:
        hooked.start()
        hooked.hook("PreCompact")
        compacted = hooked.hook("SessionStart", source="compact").context
        hooked.shows(compacted, answered=True, event="SessionStart")
        hooked.hook("PostToolBatch")
        hooked.hook("UserPromptSubmit")  # nothing is to be done: the daemon does not hear of it
    finally:
        hooked.crash()
    after = values(own)
    assert changed(before, after, "roost_hooks") == {
        ("SessionStart", "ok"): 2.0,
        ("PreCompact", "ok"): 1.0,
        ("PostToolBatch", "ok"): 1.0,
    }
    assert changed(before, after, "roost_compactions") == {(): 1.0}
    assert changed(before, after, "roost_sessions") == {(): 1.0}
    assert changed(before, after, "roost_briefings") == {(): 2.0}, "one at the start, one after the compaction"


def test_the_daemon_tells_of_itself(own: Site) -> None:
    alice = own.client("alice")
    before = values(own)
    batch = {"messages": [{"to": ["bob"], "text": "x"}] * 5}
    for _ in range(4):
        call(alice, "POST", "/v1/messages/batch", batch)
    with own.stream("bob") as live:
        live.send('{"type":"subscribe"}')
        live.send('{"type":"ping"}')
        while "pong" not in live.recv(timeout=20):
            continue
        after = values(own)
    assert changed(before, after, "roost_daemon_calls")[()] >= 4
    assert changed(before, after, "roost_daemon_readers") == {(): 1.0}
    calls, batches = after["roost_daemon_calls"][()], after["roost_daemon_batches"][()]
    assert after["roost_daemon_batch_size"][()] == pytest.approx(calls / batches)
    assert after["roost_daemon_age_seconds"][()] >= before["roost_daemon_age_seconds"][()]


def test_each_number_stands_under_its_name() -> None:
    found = Metrics(
        deliveries={"dead": 3},
        queue=(Depth(priority="urgent", held=1, pending=2, offered=3),),
        latency=(Latency(rung="hook", count=9, p50_ms=20, p95_ms=300, max_ms=4_000),),
        sessions=4, briefings=5, compactions=6, wakes=7, refused_edits=8, violated_leases=9, reminders=10,
        lease_waits=11, lease_wait_oldest_seconds=12.5, events={"message.sent": 13},
    )  # fmt: skip
    facts: dict[str, Any] = {name: number for number, name in enumerate(DAEMON, start=20)}
    made = registry(found, {**facts, "batches": 4, "calls": 10, "hooks": {"PreToolUse StoreBusy": 2}})
    told = {(one.name, *one.labels.values()): one.value for family in made.collect() for one in family.samples}
    assert told["roost_deliveries", "dead"] == 3 and told["roost_events", "message.sent"] == 13
    assert [told["roost_queue_depth", "urgent", state] for state in ("held", "pending", "offered")] == [1, 2, 3]
    assert [told["roost_delivery_latency_seconds", "hook", share] for share in ("0.5", "0.95", "1")] == [0.02, 0.3, 4.0]
    assert told["roost_hooks", "PreToolUse", "StoreBusy"] == 2
    names = ("sessions", "briefings", "compactions", "wakes", "refused_edits", "violated_leases", "reminders")
    assert [told[f"roost_{name}",] for name in names] == [4, 5, 6, 7, 8, 9, 10]
    assert (told["roost_lease_waits",], told["roost_lease_wait_oldest_seconds",]) == (11, 12.5)
    assert told["roost_daemon_batch_size",] == 2.5


def test_what_a_label_says_cannot_forge_a_line() -> None:
    """T15: a name is quoted, whatever is in it."""
    from prometheus_client import generate_latest

    made = registry(Metrics(events={'x"} 1\nroost_forged 1\n# ': 1}), {**dict.fromkeys(DAEMON, 0), "hooks": {}})
    assert "\nroost_forged" not in generate_latest(made).decode()
