"""Traces for OpenTelemetry (extra `otel`): requests, calls, the transactions that made them true, and hooks.

Spans hold names of verbs, ids of sessions and codes of errors: no text of a message, no path of a file, no key.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from roost.errors import InvalidInput, RoostError, Unavailable

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span

    from roost.config import Daemon as Settings
    from roost.daemon.job import Job

EXPORT_SECONDS_MAX = 2.0
"""So long one try to reach the collector takes; what it does not take is dropped, the daemon does not wait for it."""
CLOSE_SECONDS_MAX = 1.0

Begun = tuple["Context", int]
"""Inside what a call was begun, and when, in nanoseconds since 1970."""


class Traces:
    """Makes spans and sends them to a collector in a thread of its own."""

    def __init__(self, url: str, version: str) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        for noisy in ("opentelemetry.exporter.otlp.proto.http.trace_exporter", "opentelemetry.sdk"):
            logging.getLogger(noisy).setLevel(logging.CRITICAL)  # a collector that is away is no news at each try
        about = Resource.create({"service.name": "roost", "service.version": version})
        self._provider = TracerProvider(resource=about, shutdown_on_exit=False)
        exporter = OTLPSpanExporter(f"{url.rstrip('/')}/v1/traces", timeout=EXPORT_SECONDS_MAX)
        self._provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1_000))
        self._tracer = self._provider.get_tracer("roost", version)

    def begun(self) -> Begun:
        """Return where and when something begins now."""
        from opentelemetry.context import get_current

        return get_current(), time.time_ns()

    def ended(self, name: str, begun: Begun, error: BaseException | None, **facts: str | int) -> Span:
        """Make the span of something that is over now."""
        context, began = begun
        span = self._tracer.start_span(name, context, start_time=began, attributes=_named(facts))
        _fail(span, error)
        span.end()
        return span

    def transaction(self, outcomes: Sequence[tuple[Job, Any, BaseException | None]], began: Begun) -> None:
        """Make the spans of a transaction and of each call in it, from when it was taken; they are linked to it."""
        from opentelemetry.trace import Link

        whole = self.ended("transaction", began, None, calls=len(outcomes))
        for job, _, error in outcomes:
            if job.begun is None:
                continue  # a listener's own
            context, taken = job.begun
            span = self._tracer.start_span(
                _verb_of(job.service, job.verb), context, start_time=taken,
                attributes=_named({"session": job.session}), links=[Link(whole.get_span_context())],
            )  # fmt: skip
            _fail(span, error)
            span.end()

    @contextlib.contextmanager
    def span(self, name: str, **facts: str | int) -> Iterator[Span]:
        """Make a span around what happens here; calls that are made inside belong to it."""
        with self._tracer.start_as_current_span(name, attributes=_named(facts), record_exception=False) as made:
            yield made

    def reading(self, service: type, verb: Any, session: str) -> contextlib.AbstractContextManager[Span]:
        """Return the span around a query."""
        return self.span(_verb_of(service, verb), session=session)

    def around(self, app: Any) -> Any:
        """Return an ASGI application whose HTTP requests are spans, inside the caller's (`traceparent`)."""
        from opentelemetry.propagate import extract
        from opentelemetry.trace import SpanKind

        async def traced(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            facts = {"http.request.method": scope["method"]}
            with self._tracer.start_as_current_span(
                scope["method"], extract(carrier), SpanKind.SERVER, facts, record_exception=False
            ) as span:
                await app(scope, receive, _told(span, send))

        return traced

    def close(self) -> None:
        """Send what is left, as far as the collector takes it within a second."""
        last = threading.Thread(target=self._provider.shutdown, name="roost-traces", daemon=True)
        last.start()
        last.join(CLOSE_SECONDS_MAX)


def traces_of(settings: Settings, version: str) -> Traces | None:
    """Return the traces that are wanted, None if none are. Raises InvalidInput, Unavailable."""
    if not settings.otlp:
        return None
    if not settings.otlp.startswith(("http://", "https://")):
        raise InvalidInput(f"daemon.otlp = {settings.otlp!r} is no URL", hint='such as "http://127.0.0.1:4318"')
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.exporter") is None:
        raise Unavailable("daemon.otlp needs OpenTelemetry", hint='install it: pip install "roost[otel]"')
    return Traces(settings.otlp, version)


def _verb_of(service: type, verb: Any) -> str:
    return f"{service.__module__.split('.')[1]}.{verb.name}"


def _named(facts: dict[str, str | int]) -> dict[str, str | int]:
    return {f"roost.{name}": value for name, value in facts.items() if value != ""}


def _fail(span: Span, error: BaseException | None) -> None:
    if error is None:
        return
    from opentelemetry.trace import Status, StatusCode

    code = error.code if isinstance(error, RoostError) else type(error).__name__
    span.set_attribute("error.type", code)
    span.set_status(Status(StatusCode.ERROR))


def _told(span: Span, send: Any) -> Any:
    async def told(message: Any) -> None:
        if message["type"] == "http.response.start":
            span.set_attribute("http.response.status_code", message["status"])
        await send(message)

    return told
