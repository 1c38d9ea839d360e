"""The byte pipe behind `roost mcp`: run as `python -I -S program.py DOTROOST`, once for each client that speaks MCP.

It copies lines between its client and the daemon, and knows of them only what it needs to outlive the daemon: which
requests wait for an answer, and how the client began. When the daemon ends, the next one is found or started, told the
client's handshake again, and what was under way is answered with an error. There is one of these beside every agent, so
it imports little: `_socket`, `select` and `json`.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _socket
import fcntl
import json
import posix
import select
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LINE_BYTES_MAX = 2 * 1024 * 1024
BUFFER_BYTES_MAX = 4 * 1024 * 1024
"""What waits for one side to read; until it is less, nothing more is read from the other."""
WRITE_BYTES = 4096
"""What a pipe that can be written to at all takes without blocking (pipe(7), PIPE_BUF)."""
READ_BYTES = 65536
RECONNECT_SECONDS_MAX = 20.0
ANSWER_SECONDS_MAX = 10.0
LAST_ANSWERS_SECONDS_MAX = 10.0
PENDING_MAX = 1024

FIONREAD, TIOCOUTQ = 0x541B, 0x5411
"""Requests of Linux: how much in a pipe nobody has read, and how much of what a socket sent (ioctl_list, unix(7))."""
FILE_TYPE, FIFO, SOCKET = 0o170000, 0o010000, 0o140000
ANSWERS = "notifications/roost/answers"
GONE = -32000
"""The JSON-RPC error of a request that got no answer."""
TOO_LONG = -32600
AGAIN = (
    "Roost's daemon ended before it answered. Ask again: inbox, ack, lease, who and search may be repeated as they are;"
    " a send or reply may be stored already, so repeat it with the key it had, or look with search first"
)
AWAY = "Roost's daemon does not answer; see `roost doctor`. Nothing was done"


class Gone(Exception):
    """The daemon hung up, or does not answer."""


class Lines:
    """Cuts bytes into lines, each with its end; one that is too long is passed over and comes out as b''."""

    def __init__(self) -> None:
        self.kept = bytearray()
        self.passing = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take more bytes; return the lines that are whole now."""
        *ends, rest = data.split(b"\n")
        found = []
        for end in ends:
            line = bytes(self.kept) + end + b"\n"
            self.kept.clear()
            found.append(b"" if self.passing or len(line) > LINE_BYTES_MAX else line)
            self.passing = False
        if not self.passing:
            self.kept += rest
        if len(self.kept) > LINE_BYTES_MAX:
            self.kept.clear()
            self.passing = True
        return found


class Talk:
    """What is known of the conversation: the client's handshake, and its requests that wait for an answer."""

    def __init__(self) -> None:
        self.handshake = b""
        self.initialized = b""
        self.pending: dict[str | int, bytes] = {}
        self.shown: list[str | int] = []

    def from_client(self, line: bytes) -> None:
        """Note what a line from the client begins or gives up."""
        said = parsed(line)
        method, number = said.get("method"), said.get("id")
        if method == "initialize":
            self.handshake = line
        elif method == "notifications/initialized":
            self.initialized = line
        elif method == "notifications/cancelled":
            params = said.get("params")
            given_up = params.get("requestId") if isinstance(params, dict) else None
            self.answered(given_up)
            self.shown = [one for one in self.shown if one != given_up]  # an answer that comes all the same is dropped
        if isinstance(method, str) and isinstance(number, (str, int)):
            while len(self.pending) >= PENDING_MAX:
                del self.pending[next(iter(self.pending))]
            self.pending[number] = line

    def from_daemon(self, line: bytes) -> None:
        """Note what a line from the daemon answers."""
        said = parsed(line)
        if "method" not in said:
            number = said.get("id")
            if isinstance(number, (str, int)) and b'"inbox"' in self.pending.get(number, b""):
                self.shown.append(number)
            self.answered(number)

    def answered(self, id: object) -> None:
        """A request needs no answer any more."""
        if isinstance(id, (str, int)):
            self.pending.pop(id, None)

    def give_up(self, message: str) -> bytes:
        """Return the errors that answer what is pending."""
        lines = [error(number, GONE, message) for number in self.pending]
        self.pending.clear()
        return b"".join(lines)

    def give_up_calls(self) -> bytes:
        """Return the errors that answer the calls of tools that are pending; the rest changes nothing."""
        calls = [number for number, line in self.pending.items() if parsed(line).get("method") == "tools/call"]
        for number in calls:
            del self.pending[number]
        return b"".join(error(number, GONE, AGAIN) for number in calls)


class Place:
    """The `.roost` of a project, which may be moved while its client works on."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self.file = posix.open(path, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
        except OSError:
            self.file = -1

    def now(self) -> str:
        """Return where it is now, as far as the system tells (Linux); where it was, if it is gone."""
        try:
            found = posix.readlink(f"/proc/self/fd/{self.file}")
            posix.stat(found)
        except OSError:
            return self.path
        return found


class Pipe:
    """Copies between stdin, stdout and the daemon's socket; each side may be slow without holding up the other."""

    def __init__(self, place: str) -> None:
        self.place = Place(place)
        self.talk = Talk()
        self.end: Any = None
        self.to_daemon = bytearray()
        self.to_client = bytearray()
        self.from_client = Lines()
        self.from_daemon = Lines()
        self.is_open = True

    def run(self) -> int:
        """Copy until the client closes its side and has its last answers; return the exit status."""
        self.connect()
        while self.is_open:
            self.step(None)
        if self.end is not None:
            self.last_answers()
        return 0

    def step(self, seconds: float | None) -> bool:
        """Wait until one side can be read or written, and do it; False where neither could within `seconds`."""
        poll = select.poll()
        if self.is_open and len(self.to_daemon) < BUFFER_BYTES_MAX:
            poll.register(0, select.POLLIN)
        if self.to_client:
            poll.register(1, select.POLLOUT)
        if self.end is not None:
            reading = select.POLLIN if len(self.to_client) < BUFFER_BYTES_MAX else 0
            poll.register(self.end, reading | (select.POLLOUT if self.to_daemon else 0))
        ready = dict(poll.poll(None if seconds is None else max(0, seconds * 1000)))
        if 1 in ready:
            self.write_client()
        try:
            if self.end is not None and self.end.fileno() in ready:
                self.serve_daemon(ready[self.end.fileno()])
        except (Gone, OSError):
            self.reconnect()
        if 0 in ready:
            self.read_client()
        return bool(ready)

    def read_client(self) -> None:
        """Take what the client says."""
        data = posix.read(0, READ_BYTES)
        if not data:
            self.is_open = False
        for line in self.from_client.feed(data):
            if not line:
                self.to_client += error(None, TOO_LONG, "a message of more than 2 MiB is not read")
            elif line.strip():
                self.talk.from_client(line)
                self.tell_of_answers()
                self.to_daemon += line
        if self.end is None and self.to_daemon:
            self.connect()

    def tell_of_answers(self) -> None:
        """Tell the daemon of answers with mail that the client, which speaks again, has read; or that it has from us,
        where no more can be known."""
        if not self.talk.shown or self.to_client:
            return
        unread = unread_of(1)
        if not unread:
            self.to_daemon += answered("handed" if unread is None else "read", self.talk.shown)
            self.talk.shown = []

    def write_client(self) -> None:
        """Give the client what waits for it."""
        try:
            written = posix.write(1, self.to_client[:WRITE_BYTES])
        except BrokenPipeError:
            self.is_open = False
            self.to_client.clear()
            return
        del self.to_client[:written]

    def last_answers(self) -> None:
        """Let the daemon know that nothing more comes, and pass on what it still answers."""
        deadline = time.monotonic() + LAST_ANSWERS_SECONDS_MAX
        while (self.talk.pending and self.end is not None) or self.to_client:
            left = deadline - time.monotonic()
            if left <= 0 or not self.step(left):
                return

    def serve_daemon(self, events: int) -> None:
        """Exchange bytes with the daemon. Raises Gone, OSError."""
        if events & select.POLLOUT:
            del self.to_daemon[: self.end.send(self.to_daemon[:READ_BYTES])]
        if not events & (select.POLLIN | select.POLLHUP | select.POLLERR):
            return
        data = self.end.recv(READ_BYTES)
        if not data:
            raise Gone
        for line in self.from_daemon.feed(data):
            self.talk.from_daemon(line)
            self.to_client += line

    def reconnect(self) -> None:
        """Find the next daemon; it gets what the last one did not answer, but for calls, which may have been done."""
        self.hang_up()
        self.talk.shown = []  # the next daemon gave none of those answers
        self.to_client += self.talk.give_up_calls()
        self.to_daemon[:] = b"".join(self.talk.pending.values())
        if self.is_open:
            self.connect()

    def connect(self) -> None:
        """Connect to the daemon, which is started if none runs; where that fails, the client's requests are told so."""
        deadline, pause = time.monotonic() + RECONNECT_SECONDS_MAX, 0.02
        while True:
            try:
                self.end = greeted(self.place.now())
                self.from_daemon = Lines()
                self.shake_hands()
                return
            except (Gone, OSError):
                self.hang_up()
            if time.monotonic() > deadline:
                self.to_daemon.clear()
                self.to_client += self.talk.give_up(AWAY)
                return
            revive(self.place.now())
            time.sleep(pause)
            pause = min(1.0, pause * 2)

    def shake_hands(self) -> None:
        """Tell a new daemon how the client began, and keep its answer to ourselves: the client had one."""
        if not self.talk.initialized:
            return
        self.end.sendall(self.talk.handshake)
        until = time.monotonic() + ANSWER_SECONDS_MAX
        while time.monotonic() < until:
            data = self.end.recv(READ_BYTES)
            if not data:
                raise Gone
            if self.from_daemon.feed(data):
                self.end.sendall(self.talk.initialized)
                return
        raise Gone

    def hang_up(self) -> None:
        """Close the socket."""
        if self.end is not None:
            self.end.close()
        self.end = None


def greeted(place: str) -> Any:
    """Return a socket on which the daemon serves MCP. Raises Gone, OSError."""
    end = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        end.settimeout(ANSWER_SECONDS_MAX)
        end.connect(socket_of(place))
        hello = packed([0, "hello", {"caller": posix.urandom(12).hex(), "pipe": "mcp", **client(), **claim(place)}, 0])
        end.sendall(len(hello).to_bytes(4, "big") + hello)
        size = int.from_bytes(exactly(end, 4), "big")
        answer = exactly(end, size)
        if answer[:3] != b"\x93\x00\x00":  # [0, ANSWER, ...]
            raise Gone
    except BaseException:
        end.close()
        raise
    return end


def client() -> dict[str, str]:
    """Return what is known of the client before it says anything: its environment's name for it, and its folder."""
    agent = posix.environ.get(b"ROOST_AGENT", b"").decode("utf-8", "replace")
    try:
        return {"agent": agent, "folder": posix.getcwd()}
    except OSError:  # it was removed under the client
        return {"agent": agent}


def claim(place: str) -> dict[str, str]:
    """Return the session that ROOST_SESSION names, and its key as far as this process can read it."""
    session = posix.environ.get(b"ROOST_SESSION", b"").decode("ascii", "replace")
    if len(session) != 36 or not set(session) <= set("0123456789abcdef-"):
        return {}
    try:
        file = posix.open(f"{place}/sessions/{session}.key", posix.O_RDONLY | posix.O_NOFOLLOW)
    except OSError:
        return {"session": session}
    try:
        return {"session": session, "key": posix.read(file, 128).decode("ascii", "replace")}
    finally:
        posix.close(file)


def socket_of(place: str) -> bytes:
    """Return where the daemon says that it listens; see `reach.socket_of`. Raises Gone, OSError."""
    facts, file = posix.stat(place), posix.open(f"{place}/socket", posix.O_RDONLY)
    try:
        path = posix.read(file, 256).rstrip(b"\n")
    finally:
        posix.close(file)
    if b"/%x-%x/" % (facts.st_dev, facts.st_ino) not in path:
        raise Gone
    return path


def revive(place: str) -> None:
    """Start the daemon where none runs, in a helper of its own: this process stays small."""
    helper = [sys.executable, "-m", "roost.interfaces.mcp.revive", place]
    actions = [(posix.POSIX_SPAWN_OPEN, 0, "/dev/null", posix.O_RDONLY, 0), (posix.POSIX_SPAWN_DUP2, 2, 1)]
    posix.waitpid(posix.posix_spawn(sys.executable, helper, posix.environ, file_actions=actions), 0)


def exactly(end: Any, size: int) -> bytes:
    """Return so many bytes. Raises Gone."""
    data = b""
    while len(data) < size:
        part = end.recv(size - len(data))
        if not part:
            raise Gone
        data += part
    return data


def packed(value: Any) -> bytes:
    """Return a value as msgpack: what a hello needs of it."""
    if isinstance(value, str):
        text = value.encode()
        return b"\xda" + len(text).to_bytes(2, "big") + text
    if isinstance(value, dict):
        return bytes((0x80 | len(value),)) + b"".join(packed(key) + packed(each) for key, each in value.items())
    if isinstance(value, list):
        return bytes((0x90 | len(value),)) + b"".join(map(packed, value))
    return bytes((value,))


def parsed(line: bytes) -> dict[str, Any]:
    """Return a line's object; an empty one for what is none."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def unread_of(file: int) -> int | None:
    """Return how much of what was written to a pipe or socket is not read yet; None where nobody can tell."""
    kind = posix.fstat(file).st_mode & FILE_TYPE
    if sys.platform != "linux" or kind not in (FIFO, SOCKET):
        return None
    return int.from_bytes(fcntl.ioctl(file, FIONREAD if kind == FIFO else TIOCOUTQ, bytes(4)), sys.byteorder)


def answered(known: str, numbers: list[str | int]) -> bytes:
    """Return the line that tells the daemon what is known of answers."""
    return json.dumps({"jsonrpc": "2.0", "method": ANSWERS, "params": {known: numbers}}).encode() + b"\n"


def error(number: str | int | None, code: int, message: str) -> bytes:
    """Return the line that answers a request with an error."""
    said = {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message}}
    return json.dumps(said).encode() + b"\n"


if __name__ == "__main__":
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)  # how clients end their servers: no traceback for that
    sys.exit(Pipe(sys.argv[1]).run())
