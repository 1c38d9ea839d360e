"""Forwarding a hook's event to the daemon: the raw bytes in one frame, and the answer printed as it comes.

Only modules built into the interpreter are imported: a turn through the daemon costs little more than a bare
interpreter. Anything that goes wrong here means: take the turn in this process.
"""

import _socket
import posix

HOOK = b"\xc1"
"""The first byte of a hook's frame; see interfaces.wire.frames."""
NONE = b"-"
"""Stands for a bell that a session has not got."""
ANSWER_BYTES_MAX = 1 << 20
CARRIED = (b"CLAUDE_", b"ROOST_AGENT", b"TMUX")
"""Variables that say something about a client's session; nothing else of the environment leaves this process."""


def forward(place: str, client: str, bell: str, raw: bytes, seconds: float) -> tuple[int, bytes, bytes] | None:
    """Let the daemon take the event; return (exit, stdout, stderr), or None where none answered in time."""
    path = socket_of(place)
    if not path:
        return None
    end = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        end.settimeout(seconds)
        end.connect(path)
        end.sendall(framed(client, bell, raw, posix.environ))
        return answered(end)
    except OSError:
        return None
    finally:
        end.close()


def socket_of(place: str) -> bytes:
    """Return where the daemon says that it listens, or b''; see `reach.socket_of`."""
    try:
        facts, file = posix.stat(place), posix.open(f"{place}/socket", posix.O_RDONLY)
    except OSError:
        return b""
    try:
        path = posix.read(file, 256).rstrip(b"\n")
    finally:
        posix.close(file)
    return path if b"/%x-%x/" % (facts.st_dev, facts.st_ino) in path else b""


def framed(client: str, bell: str, raw: bytes, environ: dict[bytes, bytes]) -> bytes:
    """Return the frame: client, bell and the variables that matter, each ended by NUL; an empty one; the event."""
    carried = [name + b"=" + value for name, value in environ.items() if name.startswith(CARRIED)]
    body = HOOK + b"\0".join([client.encode(), bell.encode() or NONE, *carried, b"", b""]) + raw
    return len(body).to_bytes(4, "big") + body


def answered(end: _socket.socket) -> tuple[int, bytes, bytes] | None:
    """Read the answer: its length, one byte of exit status, the length of stdout, stdout, stderr."""
    data = b""
    while len(data) < 4 or len(data) < 4 + int.from_bytes(data[:4], "big"):
        part = end.recv(1 << 16)
        if not part or len(data) > ANSWER_BYTES_MAX:
            return None
        data += part
    if len(data) < 9:
        return None
    split = 9 + int.from_bytes(data[5:9], "big")
    return data[4], data[9:split], data[split:]
