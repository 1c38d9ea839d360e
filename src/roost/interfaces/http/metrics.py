"""Metrics for Prometheus: what the store counts, and what the daemon does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from roost.interfaces.http import answers

if TYPE_CHECKING:
    from roost.interfaces.door import Door
    from roost.status.model import Metrics

KIND = "text/plain; version=0.0.4; charset=utf-8"


class Meter:
    """Answers /metrics."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def render(self, request: Request) -> Response:
        """Return every metric as it is now."""
        found = await self._door.hub(request.state.entrant).status.metrics()
        text = generate_latest(registry(found, self._door.status()))
        return Response(text, media_type=KIND, headers={"X-Request-Id": answers.new_request_id()})


def registry(found: Metrics, facts: dict[str, Any]) -> CollectorRegistry:
    """Return a registry with the counts of the store and of the daemon."""
    made = CollectorRegistry()
    depth = Gauge("roost_queue_depth", "Mail on its way, by priority and state", ["priority", "state"], registry=made)
    for band in found.queue:
        for state in ("held", "pending", "offered"):
            depth.labels(band.priority, state).set(getattr(band, state))
    latency = Gauge(
        "roost_delivery_latency_seconds", "From stored to delivered, newest deliveries", ["rung", "quantile"],
        registry=made,
    )  # fmt: skip
    for rung in found.latency:
        for quantile, value in (("0.5", rung.p50_ms), ("0.95", rung.p95_ms), ("1", rung.max_ms)):
            latency.labels(rung.rung, quantile).set(value / 1000)
    _by_label(made, "roost_deliveries", "Deliveries by state", "state", found.deliveries)
    _by_label(made, "roost_events", "Events of the log by kind", "kind", found.events)
    hooks = Gauge(
        "roost_hooks", "Turns of hooks since the daemon began: `ok`, or what failed", ["event", "outcome"],
        registry=made,
    )  # fmt: skip
    for turn, count in facts["hooks"].items():
        hooks.labels(*turn.rsplit(" ", 1)).set(count)
    for name, about in PROJECT.items():
        Gauge(f"roost_{name}", about, registry=made).set(getattr(found, name))
    for name, about in DAEMON.items():
        Gauge(f"roost_daemon_{name}", about, registry=made).set(facts[name])
    batches = Gauge("roost_daemon_batch_size", "Calls of one transaction, on average", registry=made)
    batches.set(facts["calls"] / max(1, facts["batches"]))
    return made


PROJECT = {
    "sessions": "Sessions that began",
    "briefings": "Briefings that sessions began with, and each new context",
    "compactions": "Contexts that were compacted",
    "wakes": "Idle agents that were woken",
    "refused_edits": "Edits that were refused, because another holds the file",
    "violated_leases": "Leased files that somebody else changed",
    "reminders": "Reminders of mail that asks for an acknowledgement",
    "lease_waits": "Calls that stand in line for a lease",
    "lease_wait_oldest_seconds": "How long the first of them has",
}

DAEMON = {
    "age_seconds": "How long the daemon runs",
    "connections": "Connections of the native socket",
    "batches": "Write transactions of the daemon",
    "calls": "Calls in them",
    "readers": "Streams at the end of the log",
    "listeners": "Sessions that take their mail as a stream",
    "waits": "Calls that wait for a lease or a receipt",
}


def _by_label(made: CollectorRegistry, name: str, about: str, label: str, counts: dict[str, int]) -> None:
    gauge = Gauge(name, about, [label], registry=made)
    for value, count in counts.items():
        gauge.labels(value).set(count)
