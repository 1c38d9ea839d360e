"""Traces: what a daemon tells a collector that speaks OTLP over HTTP, and what it never tells."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

import roost
from roost.config import Daemon as Settings
from roost.daemon import places
from roost.daemon.tracing import traces_of
from roost.errors import InvalidInput, NotFound, Unavailable
from tests.interfaces.http.conftest import SETTINGS, begin, call, end

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector(ThreadingHTTPServer):
    """Takes what is exported, and keeps it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taken)
        self.bodies: list[bytes] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def spans(self) -> list[Span]:
        found = []
        for body in self.bodies:
            for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                found += [span for scope in of_resource.scope_spans for span in scope.spans]
        return found


class _Taken(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert isinstance(self.server, Collector)
        self.server.bodies.append(body)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        return


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.shutdown()
    made.server_close()


def facts(span: Span) -> dict[str, str]:
    """Return a span's attributes."""
    return {one.key: one.value.string_value or str(one.value.int_value) for one in span.attributes}


def test_a_request_its_call_and_their_transaction_are_one_trace(
    collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROOST_DAEMON", "auto")
    site = begin(tmp_path, f"{SETTINGS}\n".replace("[daemon]", f'[daemon]\notlp = "{collector.url}"'))
    with roost.open(tmp_path, as_="planner") as hub:
        hub.messages.send(to="bob", text="the secret plan")
        with pytest.raises(NotFound):
            hub.messages.send(to="nobody", text="x")
    body = {"to": "bob", "text": "another secret"}
    shown = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    assert call(site.client("alice"), "POST", "/v1/messages", body, **shown).status_code == 201
    end(site)

    spans = collector.spans()
    sends = [span for span in spans if span.name == "messages.send"]
    assert len(sends) == 3
    (request,) = [span for span in spans if span.name == "POST"]
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, PARENT)
    assert facts(request)["http.response.status_code"] == "201"
    (inside,) = [span for span in sends if span.trace_id == request.trace_id]
    assert inside.parent_span_id == request.span_id
    whole = {span.span_id: span for span in spans if span.name == "transaction"}
    assert all(span.links[0].span_id in whole for span in sends)
    assert sorted(facts(span).get("error.type", "") for span in sends) == ["", "", "UNKNOWN_AGENT"]
    assert b"secret" not in b"".join(collector.bodies)
    assert not any(key.encode() in body for key in site.keys.values() for body in collector.bodies)


def test_a_collector_that_is_away_holds_nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOST_DAEMON", "auto")
    site = begin(tmp_path, SETTINGS.replace("[daemon]", '[daemon]\notlp = "http://127.0.0.1:9"'))
    with roost.open(tmp_path, as_="planner") as hub:
        assert hub.messages.send(to="bob", text="x").number
    end(site)
    log = (tmp_path / ".roost" / "daemon.log").read_text()
    assert "stopped" in log
    assert "Traceback" not in log


def test_without_the_extra_the_daemon_serves_and_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROOST_DAEMON", "auto")
    site = begin(tmp_path, SETTINGS.replace("[daemon]", '[daemon]\notlp = "collector:4318"'))
    run = places.told(site.place)
    assert run is not None
    assert "no traces" in run.trouble
    assert "collector:4318" in run.trouble
    with roost.open(tmp_path, as_="planner") as hub:
        assert hub.messages.send(to="bob", text="x").number
    end(site)


def test_what_is_wanted_and_cannot_be_is_said() -> None:
    assert traces_of(Settings(), "1") is None
    with pytest.raises(InvalidInput, match="is no URL"):
        traces_of(Settings(otlp="localhost"), "1")


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roost.daemon.tracing.find_spec", lambda name: None)
    with pytest.raises(Unavailable) as raised:
        traces_of(Settings(otlp="http://127.0.0.1:4318"), "1")
    assert "roost[otel]" in raised.value.hint


@pytest.mark.parametrize("wanted", [False, True])
def test_who_wants_no_traces_loads_nothing_of_them(
    wanted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROOST_DAEMON", "auto")
    settings = SETTINGS.replace("[daemon]", '[daemon]\notlp = "http://127.0.0.1:9"') if wanted else SETTINGS
    site = begin(tmp_path, settings)
    maps = Path(f"/proc/{site.pid}/maps").read_text()
    end(site)
    assert ("google/_upb" in maps) == wanted  # protobuf's own library, which traces are sent with
