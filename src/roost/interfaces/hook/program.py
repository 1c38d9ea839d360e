"""The hook program: run as `python -I -S program.py DOTROOST CLIENT [wait]` at every event of a coding client.

It beats, and if no bell rang, nothing is to be checked and the last full look is under 30 s old, it ends at the price of a bare
interpreter: only modules that are built into the interpreter are imported before that is known. It never fails its client: on
an error of its own it writes a line to `hooks.log` and ends with 0.
"""

import posix
import sys
import time

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
"""Events that may have nothing to do, and what the agent does after them."""
EDITS = (b"Edit", b"MultiEdit", b"Write", b"NotebookEdit")


def main(argv: list[str]) -> int:
    """Take one event; return the exit status."""
    place, client, waits = argv[1], argv[2], argv[3:] == ["wait"]
    raw = read_all(0)
    bell = bell_of(client, field(raw, b"session_id"))
    if waits:
        return _waiter(place, client, bell, raw)
    event = field(raw, b"hook_event_name")
    if bell:
        beat(place, bell, QUIET.get(event, b"producing"))
        if event in QUIET and is_quiet(place, bell, event, raw):
            return 0
    return _turn(place, client, bell, raw)


def read_all(file: int) -> bytes:
    """Read a descriptor to its end, up to a bound."""
    parts, size = [], 0
    while size < STDIN_BYTES_MAX:
        part = posix.read(file, 1 << 20)
        if not part:
            break
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def field(raw: bytes, name: bytes) -> bytes:
    """Return a text field of the client's JSON without parsing it; the client writes its own fields before any tool's."""
    at = raw.find(b'"' + name + b'"')
    if at < 0:
        return b""
    start = raw.find(b'"', at + len(name) + 2) + 1
    return raw[start : raw.find(b'"', start)] if start else b""


def bell_of(client: str, session: bytes) -> str:
    """Return the name of the session's bell and beat; '' if its id could not be a file's name (see sessions.service)."""
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
        if tool in EDITS or (tool == b"Bash" and b"git" in raw):
            return False
        return True  # before a tool no mail is given: the event after it does that
    if event in (b"Notification", b"PermissionRequest"):
        return True
    if exists(f"{place}/bells/{bell}") or (b"git" in raw and b"commit" in raw):
        return False  # a commit ends the leases of what it holds
    try:
        return 0 <= time.time() - posix.stat(f"{place}/looks/{bell}").st_mtime < LOOK_EVERY_SECONDS
    except OSError:
        return False


def exists(path: str) -> bool:
    """Say whether there is a file."""
    try:
        posix.stat(path)
    except OSError:
        return False
    return True


def _turn(place: str, client: str, bell: str, raw: bytes) -> int:
    _library()
    from roost.interfaces.hook.turn import turn

    return turn(place, client, bell, raw)


def _waiter(place: str, client: str, bell: str, raw: bytes) -> int:
    _library()
    from roost.interfaces.hook.waiter import wait

    return wait(place, client, bell, raw)


def _library() -> None:
    """Make the package and what it needs importable: beside this file, else by the interpreter's own site rules."""
    sys.path.insert(0, __file__.rsplit("/", 4)[0])
    try:
        import apsw  # noqa: F401
    except ImportError:
        import site

        site.main()


if __name__ == "__main__":
    status = 0
    try:
        status = main(sys.argv)
    except Exception as error:
        from roost.interfaces.hook.journal import complain

        complain(sys.argv[1], error)
    sys.stdout.flush()
    sys.stderr.flush()
    posix._exit(status)  # nothing is left to tidy, and a full shutdown costs milliseconds
