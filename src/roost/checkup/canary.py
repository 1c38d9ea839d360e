"""The two agents that the canaries fly between, and what receives them."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any, Protocol, Self

from roost import keyfiles, reach
from roost.connect import Project
from roost.daemon.places import Run
from roost.errors import SessionEnded
from roost.runtimes.host import LocalHost
from roost.sessions.model import Session

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

SENDER, RECEIVER = "canary-sender", "canary"
SECONDS_MAX = 10.0
LIFE_SECONDS = 3_600.0
FOREIGN = ("ROOST_SESSION", "ROOST_AGENT", "ROOST_DIR", "CLAUDE")
"""Variables of whoever runs the doctor: a canary is nobody's session but its own."""

HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "canary", "version": "1"}}


class Lost(Exception):
    """A canary did not arrive."""


class Receiver(Protocol):
    """Who gets the mail, as a session of `canary`."""

    id: str


class Canary:
    """Sends, takes the time, and acknowledges what arrived."""

    def __init__(self, project: Project, place: str) -> None:
        self.project = project
        self.place = place
        by_wire = reach.hub(place, as_=SENDER)
        self._is_by_wire = by_wire is not None
        self._sender = by_wire or project.joined(SENDER)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._sender.turns.leave(reason="the canary has flown")
        if self._is_by_wire:
            self._sender.close()
        agents = self.project.system().agents
        for name in {one.name for one in agents.list()} & {SENDER, RECEIVER}:
            agents.retire(name)  # nobody need see them between two flights

    def fly(self, receiver: Receiver, arrived: Callable[[], str], *, requires_ack: bool = False) -> float:
        """Send one and wait until `arrived` returns a text that holds it; return the seconds. Raises Lost."""
        mark = f"canary {secrets.token_hex(8)}"
        began = time.monotonic()
        sent = self._sender.messages.send(to=RECEIVER, text=mark, requires_ack=requires_ack)
        try:
            if mark not in arrived():
                raise Lost("what came does not hold the canary")
            seconds = time.monotonic() - began
        except BaseException:
            self._sender.deliveries.cancel(sent.id, reason="the canary did not arrive")
            raise
        self.project.as_session(receiver.id).deliveries.acknowledge(sent.id)
        return seconds

    def ended(self, session: str) -> None:
        """See to it that a session of `canary` is over: the next way needs the name, and a hook may run out of time."""
        with contextlib.suppress(SessionEnded):
            self.project.as_session(session).turns.leave(reason="the canary has flown")

    @contextlib.contextmanager
    def joined(self) -> Iterator[Joined]:
        """Begin a session of `canary` that a child process can act as."""
        key, key_hash = keyfiles.new_key()
        session = self.project.system().turns.join(
            RECEIVER, client="shell", process=LocalHost().process(os.getpid()), key_hash=key_hash
        )
        folder = os.path.join(self.place, "sessions")
        keyfiles.write(folder, session.id, key)
        try:
            yield Joined(session, self.place)
        finally:
            self.ended(session.id)
            keyfiles.drop(folder, session.id)


class Joined:
    """A session of `canary`; `env` lets a process act as it."""

    def __init__(self, session: Session, place: str) -> None:
        self.id = session.id
        self.env = environment(ROOST_SESSION=session.id, ROOST_DIR=place)


class Client:
    """A coding client without a model: its hooks run as the client would run them."""

    def __init__(self, bird: Canary, command: Path) -> None:
        self._bird = bird
        self._command = str(command)
        self._session = str(uuid.uuid4())
        self._scratch = tempfile.TemporaryDirectory(prefix="roost-canary-")
        self._waiters: list[Waiter] = []
        self.id = ""

    def __enter__(self) -> Self:
        self.hook("SessionStart", source="startup")
        live = [one for one in self._bird.project.system().sessions.list() if one.client_session == self._session]
        if not live:
            self._scratch.cleanup()
            raise Lost("the hook of a starting session did not join; see `roost doctor`")
        self.id = live[0].id
        return self

    def __exit__(self, *exc: object) -> None:
        for waiter in self._waiters:
            waiter.end()
        try:
            self.hook("SessionEnd", reason="other")
        finally:
            self._bird.ended(self.id)
            self._scratch.cleanup()

    def hook(self, event: str, **fields: Any) -> str:
        """Run one hook to its end; return what it printed."""
        return said([self._command, "claude"], env=self._env, given=self._stdin(event, fields))

    def waiter(self) -> Waiter:
        """Start the waiter beside this session."""
        made = Waiter([self._command, "claude", "wait"], self._env, self._stdin("SessionStart", {"source": "startup"}))
        self._waiters.append(made)
        return made

    @property
    def _env(self) -> dict[str, str]:
        return environment(
            ROOST_DIR=self._bird.place,
            ROOST_AGENT=RECEIVER,
            CLAUDE_PID=str(os.getpid()),
            CLAUDE_CODE_SESSION_ID=self._session,
            CLAUDE_CODE_SESSION_ATTENDED="1",
        )

    def _stdin(self, event: str, fields: dict[str, Any]) -> bytes:
        transcript = os.path.join(self._scratch.name, "transcript.jsonl")
        known = {"session_id": self._session, "transcript_path": transcript, "cwd": os.path.dirname(self._bird.place)}
        return json.dumps({**known, "hook_event_name": event, **fields}).encode()


class Waiter:
    """The process that ends when there is mail worth waking for."""

    def __init__(self, command: list[str], env: dict[str, str], given: bytes) -> None:
        self._process = subprocess.Popen(
            command, env=env, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        assert self._process.stdin is not None
        self._process.stdin.write(given)
        self._process.stdin.close()
        self._process.stdin = None

    def woken(self) -> str:
        """Return what it ended with. Raises Lost."""
        try:
            _, told = self._process.communicate(timeout=SECONDS_MAX)
        except subprocess.TimeoutExpired:
            raise Lost(
                f"nothing was woken within {SECONDS_MAX:g} s; an agent is woken 12 times an hour at most"
            ) from None
        return told.decode("utf-8", "replace")

    def end(self) -> None:
        """Let it wait no longer."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()


class Stream:
    """A listener at the native socket."""

    def __init__(self, bird: Canary) -> None:
        self._hub = reach.remote(bird.place, as_=RECEIVER)
        self._came: Queue[str] = Queue()
        self.id = self._hub.sessions.me().session
        threading.Thread(target=self._listen, name="roost-canary", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._hub.turns.leave(reason="the canary has flown")
        self._hub.close()

    def heard(self) -> str:
        """Return the next message's text. Raises Lost."""
        try:
            return self._came.get(timeout=SECONDS_MAX)
        except Empty:
            raise Lost(f"the stream was silent for {SECONDS_MAX:g} s") from None

    def _listen(self) -> None:
        with contextlib.suppress(Exception):  # the end of the connection; who waits is told that nothing came
            for item in self._hub.messages.listen():
                self._came.put(item.message.body)


class Socket:
    """A listener on a WebSocket of the daemon."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._socket.send(json.dumps({"type": "listen"}))

    def heard(self) -> str:
        """Return the next message's text. Raises Lost."""
        from websockets.exceptions import WebSocketException

        try:
            while True:
                frame = json.loads(self._socket.recv(timeout=SECONDS_MAX))
                if frame["type"] == "mail":
                    self._socket.send(json.dumps({"type": "more"}))
                    return str(frame["item"]["message"]["body"])
        except TimeoutError:
            raise Lost(f"the WebSocket was silent for {SECONDS_MAX:g} s") from None
        except WebSocketException as error:
            raise Lost(f"the WebSocket ended: {error}") from None


@contextlib.contextmanager
def listening(bird: Canary, run: Run) -> Iterator[Socket]:
    """Listen with a token that is revoked afterwards."""
    from websockets.sync.client import unix_connect

    tokens = bird.project.system().tokens
    made = tokens.create(RECEIVER, scopes=("send", "read"), expires_in=LIFE_SECONDS, label="canary")
    shown = {"Authorization": f"Bearer {made.key}"}
    try:
        with unix_connect(run.http_socket, "ws://localhost/v1/stream", additional_headers=shown) as socket:
            yield Socket(socket)
    finally:
        tokens.revoke(made.token.id)


class Mcp:
    """A client of `roost mcp`."""

    def __init__(self, bird: Canary, session: Joined) -> None:
        env = {name: value for name, value in session.env.items() if name != reach.SWITCH}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "roost", "mcp"],
            env=env, cwd=os.path.dirname(bird.place), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._number = 0
        self._ask("initialize", HELLO)
        self._tell({"method": "notifications/initialized"})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.kill()
        self._process.communicate()

    def inbox(self) -> str:
        """Return what the tool says. Raises Lost."""
        return self._ask("tools/call", {"name": "inbox", "arguments": {}})

    def _ask(self, method: str, params: dict[str, Any]) -> str:
        self._number += 1
        self._tell({"id": self._number, "method": method, "params": params})
        assert self._process.stdout is not None
        late = threading.Timer(SECONDS_MAX, self._process.kill)
        late.start()
        try:
            for line in self._process.stdout:
                if json.loads(line).get("id") == self._number:
                    return line.decode()
        finally:
            late.cancel()
        raise Lost(f"`roost mcp` ended, or said nothing for {SECONDS_MAX:g} s")

    def _tell(self, request: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"jsonrpc": "2.0", **request}).encode() + b"\n")
        self._process.stdin.flush()


def environment(**more: str) -> dict[str, str]:
    """Return this process's environment without what says who it is."""
    return {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)} | more


def said(command: list[str], *, env: dict[str, str], given: bytes = b"") -> str:
    """Run a command to its end; return what it printed. Raises Lost if it fails or takes too long."""
    try:
        done = subprocess.run(command, env=env, input=given, capture_output=True, timeout=SECONDS_MAX, check=False)
    except subprocess.TimeoutExpired:
        raise Lost(f"{command[0]} did not end within {SECONDS_MAX:g} s") from None
    if done.returncode:
        raise Lost(f"{command[0]} ended with {done.returncode}: {done.stderr.decode('utf-8', 'replace').strip()}")
    return done.stdout.decode("utf-8", "replace")
