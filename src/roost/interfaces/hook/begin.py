"""What the hook program does first, and mostly all it does: `program.py` runs this at every event of a coding client.

It beats, and if no bell rang, nothing is to be checked and the last full look is under 30 s old, it ends at the price
of a bare interpreter: only modules that are built into the interpreter are imported before that is known. It never
fails its client: on an error of its own it writes a line to `hooks.log` and ends with 0.
"""

import _signal  # type: ignore[import-not-found]
import posix
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

BUDGET_SECONDS = 0.4
DAEMON_SECONDS = 0.25
"""After so long without the daemon's answer the rest of the budget is for this process."""
DAEMON_LONG_SECONDS = 1.5
"""The same for events that also look at the repository."""
LONG = (b"SessionStart", b"PreCompact")
LOOK_EVERY_SECONDS = 30
STDIN_BYTES_MAX = 16 * 1024 * 1024
QUIET = {
    b"PostToolBatch": b"producing",
    b"PostToolUse": b"producing",
    b"UserPromptSubmit": b"producing",
    b"Stop": b"idle",
    b"PreToolUse": b"tool",
    b"Notification": b"waiting",
    b"PermissionRequest": b"waiting",
}
"""Events that may have nothing to do, and what the agent does after them. A full turn says itself what it does."""
EDITS = (b"Edit", b"MultiEdit", b"Write", b"NotebookEdit")
READS = (b"Read", b"Glob", b"Grep", b"LS", b"TodoWrite", b"WebFetch", b"WebSearch", b"ToolSearch")
"""Tools that change no file; after any other one, leased files are looked at where somebody watches them."""


def run(argv: list[str]) -> "NoReturn":
    """Take one event and end the process."""
    status = 0
    try:
        status = main(argv)
    except BaseException as error:
        _complain(argv[1], error)
    posix._exit(status)  # nothing is left to tidy, and a full shutdown costs milliseconds


def main(argv: list[str]) -> int:
    """Take one event; return the exit status."""
    began = time.monotonic()
    place, client, waits = argv[1], argv[2], argv[3:] == ["wait"]
    # Somebody who never closes our input must not hold the client up; what follows has a deadline of its own.
    _signal.signal(_signal.SIGALRM, lambda number, frame: posix._exit(0))
    _signal.setitimer(_signal.ITIMER_REAL, BUDGET_SECONDS)
    raw = read_all(0)
    _signal.setitimer(_signal.ITIMER_REAL, 0)
    bell = bell_of(client, field(raw, b"session_id"))
    if waits:
        return _waiter(place, client, bell, raw)
    event = field(raw, b"hook_event_name")
    if bell and event in QUIET:
        beat(place, bell, QUIET[event])
        if is_quiet(place, bell, event, raw) and not is_unheard(argv[3:]):
            return 0
    return _turn(place, client, bell, raw, began)


def read_all(file: int) -> bytes:
    """Read a descriptor to its end; what goes beyond a bound is read too, so that its writer is not cut off, and left
    out."""
    parts, size = [], 0
    while part := posix.read(file, 1 << 20):
        if size <= STDIN_BYTES_MAX:
            parts.append(part)
        size += len(part)
    return b"".join(parts)


def field(raw: bytes, name: bytes) -> bytes:
    """Return a text field of the client's JSON without parsing it; the client writes its own fields before any
    tool's."""
    at = raw.find(b'"' + name + b'"')
    if at < 0:
        return b""
    start = raw.find(b'"', at + len(name) + 2) + 1
    return raw[start : raw.find(b'"', start)] if start else b""


def bell_of(client: str, session: bytes) -> str:
    """Return the name of the session's bell and beat; '' if its id could not be a file's name (see
    sessions.service)."""
    text = session.decode("ascii", "replace")
    fit = 0 < len(text) <= 64 and all(c.isascii() and (c.isalnum() or c == "-") for c in text)
    return f"{client}-{text}" if fit else ""


def beat(place: str, bell: str, mark: bytes) -> None:
    """Leave a sign of life: CLOCK_MONOTONIC in milliseconds, and what the agent does now."""
    try:
        file = posix.open(f"{place}/beats/{bell}", posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC, 0o600)
        posix.write(file, b"%d %s\n" % (time.monotonic_ns() // 1_000_000, mark))
        posix.close(file)
    except OSError:
        return  # a beat is a hint; the process itself says that the agent lives


def is_quiet(place: str, bell: str, event: bytes, raw: bytes) -> bool:
    """Say whether nothing is to be done: no bell, nothing to check, and a full look not long ago."""
    if event == b"PreToolUse":
        tool = field(raw, b"tool_name")
        # Before a tool no mail is given, the event after it does that; a full look is only for what must be checked.
        return tool not in EDITS and not (tool == b"Bash" and b"git" in raw[raw.find(b'"tool_input"') :])
    if event in (b"Notification", b"PermissionRequest"):
        return True
    if exists(f"{place}/bells/{bell}"):
        return False
    try:
        look = posix.stat(f"{place}/looks/{bell}")
    except OSError:
        return False
    if not 0 <= time.time() - look.st_mtime < LOOK_EVERY_SECONDS:
        return False
    # A look that was left with a word in it says that leased files are watched.
    return not look.st_size or not event.startswith(b"PostTool") or reads_only(raw)


def is_unheard(words: "list[str]") -> bool:
    """Say whether this client told a daemon of the event that is not there: a full turn starts the next one.

    A client that Roost launched; its launcher steps aside (`http`) while the daemon lives.
    """
    client = posix.environ.get(b"CLAUDE_PID", b"-")
    return words == ["http"] and posix.environ.get(b"ROOST_HOOKS", b"").startswith(b"http:%s:" % client)


def reads_only(raw: bytes) -> bool:
    """Say whether every tool of an event is one that changes no file."""
    return all(part.split(b'"', 2)[1:2] in [[name] for name in READS] for part in raw.split(b'"tool_name"')[1:])


def exists(path: str) -> bool:
    """Say whether there is a file."""
    try:
        posix.stat(path)
    except OSError:
        return False
    return True


def _turn(place: str, client: str, bell: str, raw: bytes, began: float) -> int:
    if daemon_wanted():
        answer = _forwarded(place, client, bell, raw)
        if answer is not None:
            write_all(1, answer[1])
            write_all(2, answer[2])
            return answer[0]
    library()
    from roost.interfaces.hook.turn import turn

    return turn(place, client, bell, raw, began=began)


def write_all(file: int, text: bytes) -> None:
    """Write a whole text to a descriptor."""
    while text:
        text = text[posix.write(file, text) :]


def daemon_wanted() -> bool:
    """Say whether a daemon may take the turn."""
    wanted: bool = posix.environ.get(b"ROOST_DAEMON", b"auto") != b"off"
    return wanted


def _forwarded(place: str, client: str, bell: str, raw: bytes) -> "tuple[int, bytes, bytes] | None":
    if not exists(f"{place}/socket"):
        return None
    import forward  # type: ignore[import-not-found]  # beside this file, so that no package is imported

    seconds = DAEMON_LONG_SECONDS if field(raw, b"hook_event_name") in LONG else DAEMON_SECONDS
    found: tuple[int, bytes, bytes] | None = forward.forward(place, client, bell, raw, seconds)
    return found


def _waiter(place: str, client: str, bell: str, raw: bytes) -> int:
    sys.path.insert(0, __file__.rsplit("/", 4)[0])  # the rest of the library only its children need
    from roost.interfaces.hook.waiter import wait

    return wait(place, client, bell, raw)


def library() -> None:
    """Make the package and what it needs importable: beside this file or the interpreter, else by the interpreter's
    own site rules."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    beside = f"{sys.executable.rsplit('/', 2)[0]}/lib/{version}/site-packages"
    sys.path[:0] = [__file__.rsplit("/", 4)[0], beside]
    # msgspec asks it for older spellings of types, which cost a tenth of a turn and which nothing here uses.
    sys.modules["typing_extensions"] = None  # type: ignore[assignment]
    try:
        import apsw  # noqa: F401
        import msgspec  # noqa: F401
    except ImportError:
        import site

        site.main()


def _complain(place: str, error: BaseException) -> None:
    import contextlib

    with contextlib.suppress(BaseException):  # an installation so broken that it cannot even say so
        library()
        from roost.interfaces.hook.journal import complain

        complain(place, error)
