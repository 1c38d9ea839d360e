"""A small model server that answers from scripts in each vendor's words, and writes down every request.

Run as a program inside the network namespace: `-m tests.clients.harness.model_server FOLDER`. The first part of the
request's path names the session: `/alpha/v1/messages` is answered from `FOLDER/scripts/alpha.json`, its subagents from
`FOLDER/scripts/alpha.subagent.json`.
"""

import gzip
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from .anthropic import Messages
from .gemini import Gemini
from .openai import Chat, Responses
from .speech import Event, Json, Speech

# How long an answer waits for its gate before the run is called broken.
GATE_SECONDS_MAX = 120
COMPACTION_ANSWER = "<analysis>scripted</analysis><summary>SCRIPTED-SUMMARY</summary>"
LAST_STEP: Json = {"text": "DONE"}
SECRETS = ("x-api-key", "authorization", "x-goog-api-key")
# By how the path of a request ends.
SPEECHES: dict[str, Speech] = {
    "v1/messages": Messages(),
    "v1/responses": Responses(),
    "v1/chat/completions": Chat(),
    ":generateContent": Gemini(),
    ":streamGenerateContent": Gemini(),
}
# What else is asked: a size, or what there is.
KNOWN: dict[str, Json] = {
    "v1/messages/count_tokens": {"input_tokens": 1000},
    ":countTokens": {"totalTokens": 1000},
}


class Book:
    """The scripts, the request log and how far each session is; safe between threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._served: Counter[str] = Counter()
        self._seq = 0

    def enter(self, session: str, speech: Speech, headers: Json, body: Json) -> Json:
        """Log one request and return the step that answers it."""
        with self._lock:
            kind = speech.kind_of(body)
            index = self._served[session] if kind == "main" else None
            if index is not None:
                self._served[session] += 1
            self._seq += 1
            entry = {
                "seq": self._seq,
                "at": time.time(),
                "session": session,
                "speech": speech.name,
                "kind": kind,
                "index": index,
                "headers": headers,
                "body": body,
            }
            with (self.folder / "requests.jsonl").open("a") as log:
                log.write(json.dumps(entry) + "\n")
        if kind == "compaction":
            return {"text": COMPACTION_ANSWER}
        return {"text": speech.aside()} if index is None else self._step(session, index)

    def _step(self, session: str, index: int) -> Json:
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
        speech = next((one for end, one in SPEECHES.items() if path.endswith(end)), None)
        known = next((one for end, one in KNOWN.items() if path.endswith(end)), None)
        if speech is not None:
            self._speak(session, speech, path, body)
        else:
            self._json(200 if known else 404, known or {})

    def _speak(self, session: str, speech: Speech, path: str, body: Json) -> None:
        headers = {name.lower(): value for name, value in self.headers.items() if name.lower() not in SECRETS}
        if "x-claude-code-agent-id" in headers:
            session += ".subagent"
        step = self.book.enter(session, speech, headers, body)
        self.book.hold(step)
        if step.get("status"):
            self._json(step["status"], speech.error(step["status"]))
        elif speech.is_streamed(path, body):
            self._stream(speech.stream(speech.whole(step, body)), step.get("block_delay", 0))
        else:
            self._json(200, speech.whole(step, body))

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

    def _stream(self, events: Iterable[Event], block_delay: float) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        # Chunked: the client takes an answer that merely ends with the connection for a broken one.
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for event in events:
            data = _line(event)
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()
            if event.pause:
                time.sleep(block_delay)
        self.wfile.write(b"0\r\n\r\n")


def _line(event: Event) -> bytes:
    name = f"event: {event.name}\n" if event.name else ""
    data = event.data if isinstance(event.data, str) else json.dumps(event.data)
    return f"{name}data: {data}\n\n".encode()


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
