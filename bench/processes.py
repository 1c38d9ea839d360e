"""S11 and S14: whole processes, as a client starts them, against a bare interpreter."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path

import roost
from bench.measure import Line, interleaved, ms, p50
from bench.scene import BODY, project
from bench.serving import served
from roost import reach
from roost.connect import connect

BARE = [sys.executable, "-I", "-S", "-c", "pass"]
PROGRAM = str(Path(roost.__file__).parent / "interfaces/hook/program.py")


def s11() -> list[Line]:
    """The hook: with nothing to do, with mail through the daemon, and with mail taken in its own process."""
    with project() as opened, served() as daemon, tempfile.TemporaryDirectory() as scratch:
        assert opened.place is not None
        alone = Hooked(opened.place.folder, scratch, daemon="off")
        by_socket = Hooked(daemon.place, scratch, daemon="auto")
        taken = interleaved(
            {"bare": _run(BARE), "quiet": alone.quiet, "daemon": by_socket.with_mail, "alone": alone.with_mail}, each=12
        )
        sends = interleaved({"send": by_socket.send}, each=12)["send"]
        by_socket.close()
        alone.close()
    bare, quiet, full = (p50(taken[name]) for name in ("bare", "quiet", "alone"))
    mail = p50(taken["daemon"]) - p50(sends)
    least, most = 1.2 * bare, 2 * bare
    alone_too = "hook with mail, in-process, the send included"
    return [
        Line("S11", "hook with nothing to do", ms(quiet), ms(bare), quiet / bare, "<=1.2", "D1", quiet <= least),
        Line("S11", "hook with mail, through the daemon", ms(mail), ms(bare), mail / bare, "<=2", "D2", mail <= most),
        Line("S11", alone_too, ms(full), ms(bare), full / bare, "stated", "D2", True),
    ]


class Hooked:
    """A session whose hooks run as its client would run them, and somebody who sends it mail."""

    def __init__(self, place: str, folder: str, *, daemon: str) -> None:
        self._place, self._session = Path(place), str(uuid.uuid4())
        self._words = [sys.executable, "-I", "-S", PROGRAM, place, "claude"]
        event = {"session_id": self._session, "cwd": folder, "hook_event_name": "PostToolBatch", "tool_calls": []}
        self._raw = json.dumps(event, separators=(",", ":")).encode()
        self._environment = {
            **os.environ,
            "CLAUDE_PID": str(os.getpid()),
            "ROOST_AGENT": "agent",
            "ROOST_DAEMON": daemon,
        }
        self._sender = reach.remote(place, as_="sender") if daemon == "auto" else connect(place).joined("sender")
        self._hook()  # joins

    def quiet(self) -> None:
        """Run a hook that has nothing to do."""
        (self._place / f"bells/claude-{self._session}").unlink(missing_ok=True)
        (self._place / f"looks/claude-{self._session}").touch()
        self._hook()

    def send(self) -> None:
        """Send the session a message."""
        self._sender.messages.send(to="agent", text=BODY)

    def with_mail(self) -> None:
        """Send a message and run the hook that brings it."""
        self.send()
        self._hook(says=BODY.encode())

    def close(self) -> None:
        """Hang up."""
        self._sender.close()

    def _hook(self, says: bytes = b"") -> None:
        done = subprocess.run(self._words, input=self._raw, env=self._environment, check=True, stdout=subprocess.PIPE)
        assert says in done.stdout


def s14() -> list[Line]:
    """A verb of the command line, as the installed script starts."""
    script = shutil.which("roost", path=str(Path(sys.executable).parent))
    if script is None:
        raise SystemExit("the `roost` script is not beside this interpreter; run `make setup`")
    with project() as opened, tempfile.TemporaryDirectory() as scratch:
        assert opened.place is not None
        opened.joined("agent")
        environment = {**os.environ, "ROOST_DIR": str(opened.place.path), "HOME": scratch, "ROOST_DAEMON": "off"}
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
