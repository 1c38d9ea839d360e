"""S11 and S14: whole processes, as a client starts them, against a bare interpreter."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import roost
from bench.measure import Line, interleaved, ms, p50
from bench.scene import BODY, project

BARE = [sys.executable, "-I", "-S", "-c", "pass"]
PROGRAM = str(Path(roost.__file__).parent / "interfaces/hook/program.py")


def s11() -> list[Line]:
    """The hook: with nothing to do, and with mail, taken in this process without a daemon."""
    with project() as opened, tempfile.TemporaryDirectory() as scratch:
        assert opened.place is not None
        place, session = str(opened.place.path), "5f0c8a3e-0000-4000-8000-000000000001"
        words = [sys.executable, "-I", "-S", PROGRAM, place, "claude"]
        event = {"session_id": session, "cwd": scratch, "hook_event_name": "PostToolBatch", "tool_calls": []}
        raw = json.dumps(event, separators=(",", ":")).encode()
        environment = {**os.environ, "CLAUDE_PID": str(os.getpid()), "ROOST_AGENT": "agent"}

        def hook() -> None:
            subprocess.run(words, input=raw, env=environment, check=True, stdout=subprocess.DEVNULL)

        hook()  # joins
        sender = opened.joined("sender")
        bell, look = opened.place.bells / f"claude-{session}", opened.place.looks / f"claude-{session}"

        def quiet() -> None:
            bell.unlink(missing_ok=True)
            look.touch()
            hook()

        def with_mail() -> None:
            sender.messages.send(to="agent", text=BODY)
            hook()

        taken = interleaved({"bare": _run(BARE), "quiet": quiet, "mail": with_mail}, each=12)
    bare, silent, full = (p50(taken[name]) for name in ("bare", "quiet", "mail"))
    return [
        Line(
            "S11", "hook with nothing to do", ms(silent), ms(bare), silent / bare, "<=1.2", "D1", silent <= 1.2 * bare
        ),
        Line("S11", "hook with mail, in-process, send included", ms(full), ms(bare), full / bare, "stated", "D2", True),
    ]


def s14() -> list[Line]:
    """A verb of the command line, as the installed script starts."""
    script = shutil.which("roost", path=str(Path(sys.executable).parent))
    if script is None:
        raise SystemExit("the `roost` script is not beside this interpreter; run `make setup`")
    with project() as opened, tempfile.TemporaryDirectory() as scratch:
        assert opened.place is not None
        opened.joined("agent")
        environment = {**os.environ, "ROOST_DIR": str(opened.place.path), "HOME": scratch}
        steps = {
            "bare": _run(BARE),
            "libraries": _run([sys.executable, "-c", "import click, msgspec, apsw"]),
            "who": _run([script, "who", "--json"], environment),
            "inbox": _run([script, "inbox", "--json"], environment),
        }
        taken = interleaved(steps, each=10)
    bare = p50(taken["bare"])
    lines = []
    for name in ("libraries", "who", "inbox"):
        found = p50(taken[name])
        what = "click + msgspec + apsw alone" if name == "libraries" else f"roost {name}"
        lines.append(Line("S14", what, ms(found), ms(bare), found / bare, "<=9", "-", found <= 9 * bare))
    return lines


def _run(words: list[str], environment: dict[str, str] | None = None) -> Callable[[], object]:
    return lambda: subprocess.run(
        words, env=environment, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    )
