"""One call through each door, and what became of it in one word, whatever the door calls it."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import msgspec
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as ws

from roost.interfaces.wire import frames
from roost.interfaces.wire.frames import HELLO, Answer, Frames, Hello, Request

from .stage import GUARD_SECONDS, LOCAL, Stage

WORDS = {
    "UNAUTHENTICATED": "who are you",
    "UNKNOWN_MESSAGE": "unseen",
    "UNKNOWN_LEASE": "unseen",
    "NOT_FOUND": "unseen",
    "LEASE_LOST": "not yours",
    "LEASE_HELD": "not yours",
}


def said(code: str, message: str) -> str:
    """Return the word for a refusal."""
    if code == "FORBIDDEN":
        return "no scope" if message.startswith("this token may not") else "not allowed"
    return WORDS.get(code, f"{code}: {message}")


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody shows: a token, or a session and its key."""

    token: str = ""
    session: str = ""
    key: str = ""

    @property
    def header(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def hello(self, pipe: str = "") -> Hello:
        return Hello(caller=os.urandom(12).hex(), token=self.token, session=self.session, key=self.key, pipe=pipe)


class Wire:
    """A connection of the native protocol by hand."""

    def __init__(self, stage: Stage, *, is_far: bool) -> None:
        if is_far:
            plain = socket.create_connection((LOCAL, stage.tls_port), timeout=GUARD_SECONDS)
            self.end: socket.socket = stage.trust.wrap_socket(plain, server_hostname=LOCAL)
        else:
            self.end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.end.settimeout(GUARD_SECONDS)
            self.end.connect(stage.socket)
        self._frames = Frames(frames.FRAME_BYTES_MAX)
        self._arrived: list[Answer] = []

    def send(self, id: int, name: str, args: Any) -> None:
        self.end.sendall(frames.frame(Request(id, name, msgspec.Raw(frames.encode(args)))))

    def answer(self, id: int) -> tuple[int, Any]:
        """Return status and body of the answer to a request. Raises EOFError."""
        while True:
            while self._arrived:
                found = self._arrived.pop(0)
                if found.id == id:
                    return found.status, msgspec.msgpack.decode(found.body)
            data = self.end.recv(1 << 16)
            if not data:
                raise EOFError("the daemon hung up")
            self._arrived += frames.read_answers(self._frames, data)

    def call(self, id: int, name: str, args: Any) -> str:
        self.send(id, name, args)
        status, body = self.answer(id)
        return said(body["code"], body["message"]) if status == frames.ERROR else "done"

    def close(self) -> None:
        self.end.close()


def by_wire(stage: Stage, who: Credential, verb: str, args: dict[str, Any], *, is_far: bool) -> str:
    with closing(Wire(stage, is_far=is_far)) as wire:
        greeted = wire.call(0, HELLO, who.hello())
        return wire.call(1, verb, args) if greeted == "done" else greeted


def by_http(stage: Stage, who: Credential, method: str, path: str, body: Any = None) -> str:
    headers = {**who.header, **({"Content-Type": "application/json"} if body is not None else {})}
    content = json.dumps(body) if body is not None else None
    url = f"http://{LOCAL}:{stage.port}{path}"
    answer = stage.http.request(method, url, headers=headers, content=content)
    return "done" if answer.is_success else said(answer.json()["code"], answer.json()["message"])


@contextmanager
def socket_of(stage: Stage, who: Credential) -> Iterator[Any]:
    with ws(f"ws://{LOCAL}:{stage.port}/v1/stream", additional_headers=who.header) as live:
        if not who.token:
            live.send('{"type":"hello"}')  # its own word for that it has none
        yield live


def by_socket(stage: Stage, who: Credential, *said_: dict[str, Any], until: str) -> tuple[str, Any]:
    """Say frames on the WebSocket; return the word for the first error, or the first frame of the kind `until`."""
    with socket_of(stage, who) as live:
        for one in said_:
            with suppress(ConnectionClosed):  # a refusal may be here already
                live.send(json.dumps(one))
        while True:
            frame = json.loads(live.recv(timeout=GUARD_SECONDS))
            if frame["type"] == "error":
                return said(frame["code"], frame["message"]), None
            if frame["type"] == until:
                return "done", frame


def by_events(stage: Stage, who: Credential, since: str) -> tuple[str, Any]:
    """Open the event stream; return the word for its refusal, or its first event."""
    url = f"http://{LOCAL}:{stage.port}/v1/events/stream"
    asked = {"since": since, "kinds": "message.sent"}
    with stage.http.stream("GET", url, params=asked, headers=who.header) as answer:
        if not answer.is_success:
            told = json.loads(answer.read())
            return said(told["code"], told["message"]), None
        for line in answer.iter_lines():
            if line.startswith("data: "):
                return "done", json.loads(line.removeprefix("data: "))
    raise AssertionError("the stream ended without an event")


VERSION = "2025-06-18"


def asked(name: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 7, "method": name, "params": params}


def word_of(answer: Any) -> str:
    """Return the word for the answer to a tool call, or to the reading of a resource."""
    if "error" in answer:
        return said(answer["error"]["data"]["code"], answer["error"]["data"]["message"])
    if answer["result"].get("isError"):
        text = answer["result"]["content"][0]["text"]
        told = json.loads(text[text.index("{") :])
        return said(told["code"], told["message"])
    return "done"


def by_mcp(stage: Stage, who: Credential, name: str, params: dict[str, Any]) -> str:
    headers = {
        **who.header,
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": VERSION,
    }
    url = f"http://{LOCAL}:{stage.port}/mcp"
    answer = stage.http.post(url, headers=headers, content=json.dumps(asked(name, params)))
    return word_of(answer.json()) if answer.is_success else said(answer.json()["code"], answer.json()["message"])


@contextmanager
def pipe_of(stage: Stage, who: Credential, *, is_far: bool = False) -> Iterator[tuple[str, Any]]:
    """Open an MCP pipe; yield the word that greets, and the pipe as a file of lines."""
    with closing(Wire(stage, is_far=is_far)) as wire:
        greeted = wire.call(0, HELLO, who.hello("mcp"))
        with wire.end.makefile("rwb") as lines:
            yield greeted, lines


def by_pipe(stage: Stage, who: Credential, name: str, params: dict[str, Any], *, is_far: bool = False) -> str:
    with pipe_of(stage, who, is_far=is_far) as (greeted, lines):
        if greeted != "done":
            return greeted
        client = {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
        tell(lines, {**asked("initialize", client), "id": 1})
        assert json.loads(lines.readline())["id"] == 1
        tell(lines, {"jsonrpc": "2.0", "method": "notifications/initialized"})
        tell(lines, asked(name, params))
        return word_of(json.loads(lines.readline()))


def tell(lines: Any, message: dict[str, Any]) -> None:
    lines.write(json.dumps(message).encode() + b"\n")
    lines.flush()
