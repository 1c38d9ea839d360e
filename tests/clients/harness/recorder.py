"""A hook program for tests: writes down what a client gives its hooks, and answers as told.

`recorder.py FOLDER` appends stdin, environment and time to `FOLDER/hooks.jsonl`, copies the
transcript as it is at that moment into `FOLDER/snapshots/`, and answers the n-th firing of an event with
the n-th entry for it in `FOLDER/replies.json`: `{"stdout", "stderr", "exit", "watch_ms"}`. With
`watch_ms` it first watches the transcript grow for so long.

`recorder.py FOLDER wake NAME` is a waker: it waits for the file `FOLDER/wake/NAME`, then ends with 2
and the file's text on stderr. Standard library only.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

Json = dict[str, Any]

WATCH_STEP_SECONDS = 0.002
WAKE_SECONDS_MAX = 120
SHOWN_ENV = ("CLAUDE", "TMUX", "ROOST", "PATH", "HOME", "PWD")
SECRET_ENV = ("KEY", "TOKEN")


def main(folder: Path, mode: list[str]) -> int:
    """Record one firing and answer it; returns the exit code."""
    started = time.time()
    raw = sys.stdin.read()
    if mode:
        return wake(folder / "wake" / mode[1])
    stdin: Json = json.loads(raw)
    event = str(stdin["hook_event_name"])
    transcript = Path(stdin.get("transcript_path") or os.devnull)
    seen = transcript.read_bytes() if transcript.is_file() else b""
    number = firing(folder, event)
    snapshot = folder / "snapshots" / f"{event}-{number}.jsonl"
    snapshot.parent.mkdir(exist_ok=True)
    snapshot.write_bytes(seen)
    reply = reply_to(folder, event, number)
    growth = watch(transcript, reply.get("watch_ms", 0) / 1000)
    record = {
        "at": started,
        "event": event,
        "number": number,
        "stdin": stdin,
        "env": shown_env(),
        "size": len(seen),
        "growth": growth,
        "ended_at": time.time(),
    }
    with (folder / "hooks.jsonl").open("a") as log:
        log.write(json.dumps(record) + "\n")
    sys.stdout.write(reply.get("stdout", ""))
    sys.stderr.write(reply.get("stderr", ""))
    return int(reply.get("exit", 0))


def firing(folder: Path, event: str) -> int:
    """Count this firing of `event`, from 0; a folder made is a number taken."""
    number = 0
    while True:
        try:
            (folder / f"fired-{event}-{number}").mkdir()
            return number
        except FileExistsError:
            number += 1


def reply_to(folder: Path, event: str, number: int) -> Json:
    """Look up the answer for this firing; none means an empty one."""
    path = folder / "replies.json"
    replies = json.loads(path.read_text()) if path.exists() else {}
    told: list[Json] = replies.get(event, [])
    return told[number] if number < len(told) else {}


def watch(transcript: Path, seconds: float) -> list[tuple[float, int]]:
    """Return each change of the transcript's size as (milliseconds since the start, bytes)."""
    start = time.monotonic()
    growth: list[tuple[float, int]] = []
    while (now := time.monotonic()) - start < seconds:
        size = transcript.stat().st_size if transcript.exists() else 0
        if not growth or growth[-1][1] != size:
            growth.append((round((now - start) * 1000, 1), size))
        time.sleep(WATCH_STEP_SECONDS)
    return growth


def wake(path: Path) -> int:
    """Wait for the file; say its text as a waker does."""
    end = time.monotonic() + WAKE_SECONDS_MAX
    while time.monotonic() < end:
        if path.exists():
            sys.stderr.write(path.read_text())
            path.unlink()
            return 2
        time.sleep(0.05)
    return 0


def shown_env() -> Json:
    """Keep the variables that matter, without secrets."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith(SHOWN_ENV) and not any(secret in name for secret in SECRET_ENV)
    }


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
