"""A small Anthropic Messages server that answers from scripts and writes down every request.

Run as a program inside the network namespace: `model_server.py FOLDER`. The first part of the
request's path names the session: `/alpha/v1/messages` is answered from `FOLDER/scripts/alpha.json`, its
subagents from `FOLDER/scripts/alpha.subagent.json`.
Standard library only, so that any interpreter runs it.
"""

import gzip
import json
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Json = dict[str, Any]

# How long an answer waits for its gate before the run is called broken.
GATE_SECONDS_MAX = 120
COMPACTION_MARK = "Your task is to create a detailed summary"
COMPACTION_ANSWER = "<analysis>scripted</analysis><summary>SCRIPTED-SUMMARY</summary>"
LAST_STEP: Json = {"text": "DONE"}
# The client decides by this name, more than by the status, whether to try again.
ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    413: "request_too_large",
    429: "rate_limit_error",
}


class Book:
    """The scripts, the request log and how far each session is; safe between threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._served: Counter[str] = Counter()
        self._seq = 0

    def enter(self, session: str, headers: Json, body: Json) -> Json:
        """Log one request and return the step that answers it."""
        with self._lock:
            kind = kind_of(body)
            index = self._served[session] if kind == "main" else None
            if index is not None:
                self._served[session] += 1
            self._seq += 1
            entry = {
                "seq": self._seq,
                "at": time.time(),
                "session": session,
                "kind": kind,
                "index": index,
                "headers": headers,
                "body": body,
            }
            with (self.folder / "requests.jsonl").open("a") as log:
                log.write(json.dumps(entry) + "\n")
        return self._step(session, kind, index)

    def _step(self, session: str, kind: str, index: int | None) -> Json:
        if kind == "compaction":
            return {"text": COMPACTION_ANSWER}
        if index is None:
            return {"text": "{}"}
        path = self.folder / "scripts" / f"{session}.json"
        steps = json.loads(path.read_text()) if path.exists() else []
        return steps[index] if index < len(steps) else LAST_STEP

    def hold(self, step: Json) -> None:
        """Wait until the step may be answered."""
        time.sleep(step.get("delay", 0))
        gate = step.get("gate")
        end = time.monotonic() + GATE_SECONDS_MAX
        while gate and not (self.folder / "gates" / gate).exists() and time.monotonic() < end:
            time.sleep(0.02)


def kind_of(body: Json) -> str:
    """Tell a request of the agent's own loop from compaction and from small side requests."""
    # The instruction is not always the last message: what a Stop hook said may follow it.
    if COMPACTION_MARK in json.dumps(body.get("messages", [])[-3:]):
        return "compaction"
    return "main" if body.get("tools") and body.get("max_tokens", 0) > 1 else "side"


def blocks_of(step: Json) -> list[Json]:
    """Turn a step into content blocks."""
    text: list[Json] = [{"type": "text", "text": step["text"]}] if step.get("text") else []
    return text + [
        {"type": "tool_use", "id": f"toolu_{uuid.uuid4().hex[:24]}", "name": one["tool"], "input": one["input"]}
        for one in step.get("calls", ())
    ]


def message_of(step: Json, body: Json) -> Json:
    """Build the whole answer, as the endpoint without streaming gives it."""
    return {
        "id": f"msg_{uuid.uuid4().hex[:24]}",
        "type": "message",
        "role": "assistant",
        "model": body.get("model"),
        "content": blocks_of(step),
        "stop_reason": "tool_use" if step.get("calls") else "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": step.get("tokens", 100),
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 5,
        },
    }


def stream_of(message: Json) -> Iterator[Json]:
    """Cut an answer into the events of the streaming endpoint."""
    empty = {**message, "content": [], "stop_reason": None}
    yield {"type": "message_start", "message": empty}
    for index, block in enumerate(message["content"]):
        if block["type"] == "text":
            start: Json = {"type": "text", "text": ""}
            delta: Json = {"type": "text_delta", "text": block["text"]}
        else:
            start = {**block, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        yield {"type": "content_block_start", "index": index, "content_block": start}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    stop = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": stop, "usage": message["usage"]}
    yield {"type": "message_stop"}


class Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    book: Book

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent: the request log has it all."""

    def do_HEAD(self) -> None:
        self._answer(200, b"")

    def do_GET(self) -> None:
        self._json(404, {})

    def do_POST(self) -> None:
        body = self._read()
        session, _, path = self.path.lstrip("/").partition("/")
        path = path.partition("?")[0]
        if path == "v1/messages/count_tokens":
            self._json(200, {"input_tokens": 1000})
        elif path == "v1/messages":
            self._messages(session, body)
        else:
            self._json(404, {})

    def _messages(self, session: str, body: Json) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        headers.pop("x-api-key", None)
        headers.pop("authorization", None)
        if "x-claude-code-agent-id" in headers:
            session += ".subagent"
        step = self.book.enter(session, headers, body)
        self.book.hold(step)
        if step.get("status"):
            kind = ERROR_TYPES.get(step["status"], "overloaded_error")
            error = {"type": kind, "message": "scripted error"}
            self._json(step["status"], {"type": "error", "error": error})
        elif body.get("stream"):
            self._stream(message_of(step, body), step.get("block_delay", 0))
        else:
            self._json(200, message_of(step, body))

    def _read(self) -> Json:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.headers.get("content-encoding") == "gzip":
            raw = gzip.decompress(raw)
        body: Json = json.loads(raw or b"{}")
        return body

    def _json(self, status: int, value: Json) -> None:
        self._answer(status, json.dumps(value).encode())

    def _answer(self, status: int, data: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, message: Json, block_delay: float) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        # Chunked: the client takes an answer that merely ends with the connection for a broken one.
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for event in stream_of(message):
            data = f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()
            if event["type"] == "content_block_stop":
                time.sleep(block_delay)
        self.wfile.write(b"0\r\n\r\n")


class Server(ThreadingHTTPServer):
    """The server; a client that hangs up in the middle is part of the tests, not an error."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def main(folder: Path) -> None:
    """Serve on a free port of 127.0.0.1 and write the port into `FOLDER/port`."""
    (folder / "scripts").mkdir(parents=True, exist_ok=True)
    (folder / "gates").mkdir(exist_ok=True)
    handler = type("BoundHandler", (Handler,), {"book": Book(folder)})
    server = Server(("127.0.0.1", 0), handler)
    partial = folder / "port.partial"
    partial.write_text(str(server.server_port))
    partial.rename(folder / "port")
    server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
