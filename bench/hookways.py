"""What a hook costs by command and by HTTP, medians of interleaved calls: `python -m bench.hookways [--client]`.

With `--client` also what a real Claude Code takes from the end of a tool to its next request.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import roost
from bench.measure import Step, interleaved, ms, p50
from bench.scene import SETTINGS
from roost import keyfiles, reach, workdir
from roost.clients import launcher
from roost.connect import Project, connect
from roost.daemon.places import told
from roost.ids import new_id
from roost.launches.model import key_of

EACH = 20
SESSION = "0198c0de-0001"
PATH = "/v1/hooks/claude"
ROUNDS = 3


class Client:
    """A client in a scratch project with a daemon, by whose hands both ways are called."""

    def __init__(self, folder: Path, project: Project) -> None:
        self.folder = folder
        self.hook = folder / "hook"
        self.hook.write_bytes(launcher.render())
        self.hook.chmod(launcher.MODE)
        self.process = subprocess.Popen(["sleep", "600"])
        secret, key_hash = keyfiles.new_key()
        launch = new_id()
        project.system().launches.begin(launch, client="claude", pid=self.process.pid, key_hash=key_hash)
        self.key = key_of(launch, secret)
        self.planner = project.joined("planner")
        run = told(str(folder / ".roost"))
        assert run is not None
        self.port = run.port
        self.line = http.client.HTTPConnection("127.0.0.1", run.port)

    def event(self, name: str) -> bytes:
        told = {"session_id": SESSION, "transcript_path": "", "cwd": str(self.folder), "hook_event_name": name}
        return json.dumps({**told, "source": "startup", "tool_calls": []}).encode()

    def command(self, name: str, word: str = "", *, launched: bool = False) -> None:
        """Call the hook as the client does: by a shell."""
        environ = {"PATH": os.environ["PATH"], "CLAUDE_PID": str(self.process.pid), "ROOST_AGENT": "builder"}
        if launched:
            environ["ROOST_HOOKS"] = f"http:{self.process.pid}:{self.port}"
        subprocess.run(
            ["/bin/sh", "-c", f"{self.hook} claude {word}"],
            input=self.event(name), env=environ, cwd=self.folder, check=True, capture_output=True,
        )  # fmt: skip

    def post(self, name: str) -> None:
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        self.line.request("POST", PATH, body=self.event(name), headers=headers)
        assert self.line.getresponse().read()

    def loudly(self, step: Step) -> Step:
        """Make a step that finds mail."""

        def with_mail() -> None:
            self.planner.messages.send(to="builder", text="mail", hold=True)
            step()

        return with_mail

    def mail_only(self) -> None:
        self.planner.messages.send(to="builder", text="mail", hold=True)


@contextmanager
def clients() -> Iterator[Client]:
    with tempfile.TemporaryDirectory(prefix="bench-", dir=Path.cwd(), ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        place = workdir.create(folder / workdir.NAME)
        (place.path / "roost.toml").write_text(f"{SETTINGS}[daemon]\nport = 0\n")
        reach.start(place.folder)
        project = connect(place.folder)
        client = Client(folder, project)
        try:
            yield client
        finally:
            client.process.kill()
            client.process.wait()
            project.close()
            subprocess.run([sys.executable, "-m", "roost", "down"], cwd=folder, check=True, capture_output=True)


def processes() -> None:
    """Print what the ways cost beside each other, without a client around them."""
    with clients() as client:
        client.command("SessionStart")
        steps: dict[str, Step] = {
            "an empty shell": lambda: subprocess.run(["/bin/sh", "-c", ":"], input=b"", check=True),
            "command that steps aside in sh": lambda: client.command("PostToolBatch", "http", launched=True),
            "command, quiet: Python reads the event": lambda: client.command("PostToolBatch", "http"),
            "http, quiet": lambda: client.post("PostToolBatch"),
        }
        for name, taken in interleaved(steps, each=EACH).items():
            print(f"{ms(p50(taken)):>9}  {name}", flush=True)
        loud: dict[str, Step] = {
            "send": client.mail_only,
            "command": client.loudly(lambda: client.command("PostToolBatch", "http")),
            "http": client.loudly(lambda: client.post("PostToolBatch")),
        }
        found = {name: p50(taken) for name, taken in interleaved(loud, each=EACH).items()}
        for name in ("command", "http"):
            print(f"{ms(found[name] - found['send']):>9}  {name}, with mail (a full turn)", flush=True)


def client() -> None:
    """Print what a real client takes at a tool boundary, by each way, with mail and without."""
    from bench.realclient import boundaries, fleet

    taken: dict[str, list[float]] = {}
    with (
        fleet(hooks=False) as bare,
        fleet(hooks=True) as commanded,
        fleet(hooks=True, launched=True) as launched,
        roost.open(commanded.repo, as_="planner") as one,
        roost.open(launched.repo, as_="planner") as other,
    ):
        for number in range(ROUNDS):
            taken.setdefault("no hooks", []).extend(boundaries(bare, f"bare-{number}"))
            for name, where, hub in (("command", commanded, one), ("http", launched, other)):
                taken.setdefault(f"{name}, quiet", []).extend(boundaries(where, f"{name}-quiet-{number}"))
                taken.setdefault(f"{name}, with mail", []).extend(boundaries(where, f"{name}-mail-{number}", hub))
    for name, seconds in taken.items():
        print(f"{ms(p50(seconds)):>9}  a tool boundary of Claude Code: {name}", flush=True)


if __name__ == "__main__":
    processes()
    if sys.argv[1:] == ["--client"]:
        client()
