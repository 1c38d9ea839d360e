"""Record the fixtures of Claude Code anew: `python -m tests.clients.record [SCENARIO ...]`.

Each scenario drives the installed client, gives it text in one of the ways that a hook can, and
keeps what the client wrote: its transcript, and what its hooks got on stdin. Run it after the
pinned version changed and read the difference before committing it.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.clients.harness import Claude, Fleet, Recorder, Step, bash, call, calls, say, wait_until
from tests.clients.harness.cleaning import clean, clean_transcript
from tests.clients.harness.recording import PROGRAM, Firing, context

FIXTURES = Path(__file__).parent / "fixtures" / "claude"
Json = dict[str, Any]


class Studio:
    """One scenario's fleet and recorder, and where its recordings go."""

    def __init__(self, name: str, fleet: Fleet, recorder: Recorder) -> None:
        self.name = name
        self.fleet = fleet
        self.recorder = recorder

    def offers(self, **texts: list[str]) -> None:
        """Answer the n-th firing of each event with its n-th text as context."""
        self.recorder.answer(
            **{event: [context(event, offer(nonce)) for nonce in nonces] for event, nonces in texts.items()}
        )

    def hooks(self, *events: str, waker_on: tuple[str, ...] = ()) -> None:
        """Register the recorder for these events (all without any) and the waker."""
        made = self.recorder.hooks(events, waker_on=waker_on) if events else self.recorder.hooks(waker_on=waker_on)
        self.fleet.settings({"hooks": made})

    def transcripts(self) -> list[Path]:
        """List the transcripts of main sessions, the oldest first."""
        found = (self.fleet.home / ".claude" / "projects").glob("*/*.jsonl")
        return sorted(found, key=lambda path: path.stat().st_mtime)

    def keep(self) -> None:
        """Write the fixtures: one file a transcript, one for all hook calls."""
        for number, path in enumerate(self.transcripts()):
            entries = [json.loads(line) for line in path.read_text().splitlines()]
            name = self.name if number == 0 else f"{self.name}_{number + 1}"
            write_lines(FIXTURES / f"{name}.jsonl", clean_transcript(entries, self.names()))
        fired = [self.fired(one) for one in self.recorder.firings()]
        write_lines(FIXTURES / "hooks" / f"{self.name}.jsonl", fired)

    def fired(self, firing: Firing) -> Json:
        """Make the fixture of one hook call."""
        env = {name: value for name, value in firing.env.items() if name.startswith("CLAUDE")}
        told: Json = clean({"event": firing.event, "stdin": firing.stdin, "env": env}, self.names())
        return told

    def names(self) -> dict[str, str]:
        """Map the paths of this machine to names that mean the same everywhere."""
        folder = str(self.fleet.folder)
        return {
            str(self.recorder.folder): "/recorder",
            folder: "/scratch",
            folder.replace("/", "-").replace("_", "-"): "-scratch",
            self.fleet.env["TMPDIR"]: "/run/fleet",
            str(PROGRAM): "recorder.py",
            sys.executable: "python",
        }


def offer(nonce: str) -> str:
    """Make an envelope as small as one can be."""
    return f'<mail offer="{nonce}">hello</mail>'


def write_lines(path: Path, values: list[Json]) -> None:
    """Write JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values))


def turn(studio: Studio) -> None:
    """Give context at every event of an ordinary turn."""
    studio.hooks()
    studio.offers(
        SessionStart=["start001"],
        UserPromptSubmit=["prompt01"],
        PreToolUse=["pretool1"],
        PostToolUse=["posttoo1"],
        PostToolUseFailure=["failure1"],
        PostToolBatch=["batch001"],
        Stop=["stop0001"],
    )
    steps = [bash("echo one"), bash("exit 3"), say("first"), say("second")]
    studio.fleet.ask("turn", "hello there", script=steps)


def quoted(studio: Studio) -> None:
    """Let a nonce appear everywhere where it proves nothing."""
    studio.hooks("PreToolUse")
    steps = [bash("""echo '<mail offer="quoted01">'"""), say('I saw offer="quoted01"'), say()]
    studio.fleet.ask("quoted", 'the user says offer="quoted01"', script=steps)


def parallel(studio: Studio) -> None:
    """Give context at each of three parallel tool calls."""
    studio.hooks("PreToolUse", "PostToolUse", "PostToolBatch")
    studio.offers(PreToolUse=["pretool1", "pretool2", "pretool3"], PostToolBatch=["batch001"])
    batch = calls(bash("echo one"), bash("sleep 1; echo two"), bash("echo three"))
    studio.fleet.ask("parallel", "hello there", script=[batch, say("done")])


def edits(studio: Studio) -> None:
    """Use each tool that writes files."""
    studio.hooks("PreToolUse", "PostToolUse")
    repo = studio.fleet.repo
    (repo / "n.ipynb").write_text(json.dumps(NOTEBOOK))
    steps = [
        call("Read", file_path=str(repo / "a.txt")),
        call("Edit", file_path=str(repo / "a.txt"), old_string="first", new_string="second"),
        call("Write", file_path=str(repo / "b.txt"), content="new\n"),
        call("Read", file_path=str(repo / "n.ipynb")),
        call("NotebookEdit", notebook_path=str(repo / "n.ipynb"), cell_id="c1", new_source="x = 2"),
        say("done"),
    ]
    studio.fleet.ask("edits", "edit", script=steps)


def subagent(studio: Studio) -> None:
    """Fire hooks inside a subagent."""
    studio.hooks()
    task = call("Agent", description="look", prompt="look around", subagent_type="general-purpose")
    studio.fleet.script("subagent.subagent", [bash("echo inside"), say("looked")])
    studio.fleet.ask("subagent", "use a subagent", script=[task, say("waiting"), say("done")])


def crash(studio: Studio) -> None:
    """Kill the client after the context was written and before the model answered."""
    studio.hooks("PostToolBatch")
    studio.offers(PostToolBatch=["batch001"])
    started = studio.fleet.start_ask("crash", "hello", script=[bash("echo one"), say(gate="never")])
    studio.fleet.wait_request("crash", 2)
    wait_until(lambda: "batch001" in studio.transcripts()[0].read_text(), "the flush", timeout=5)
    started.kill()
    started.communicate()


def stream(studio: Studio) -> None:
    """Let tools run while the answer that called them still streams."""
    studio.hooks("PreToolUse", "PostToolUse", "PostToolBatch")
    studio.offers(PreToolUse=["pretool1", "pretool2"], PostToolUse=["posttoo1"])
    batch = calls(bash("echo one"), bash("echo two"), block_delay=1.5)
    studio.fleet.ask("stream", "hello there", script=[batch, say("done")])


def api_error(studio: Studio) -> None:
    """Let the request that holds the context fail for good; interactive, so that every hook ends."""
    studio.hooks()
    studio.offers(PostToolBatch=["batch001"])
    client = studio.fleet.claude("api_error", script=[bash("echo one"), *[Step(status=400)] * 19])
    client.type("hello")
    wait_until(lambda: studio.recorder.firings("StopFailure"), "the failure", timeout=60)
    client.wait_idle()
    client.exit()


def rewake(studio: Studio) -> None:
    """Wake an idle session, then a busy one."""
    studio.hooks(waker_on=("SessionStart", "Stop"))
    steps = [say("ready"), say("woken"), bash("sleep 3"), say("told"), say("spare")]
    client = studio.fleet.claude("rewake", script=steps)
    client.type("hello there")
    settle(client, 1)
    studio.recorder.wake(offer("rewidle1"))
    settle(client, 2)
    client.type("be busy")
    client.wait_request(3)
    client.wait_screen("sleep 3")
    studio.recorder.wake(offer("rewbusy1"))
    settle(client, 4)
    client.exit()


def inbox(studio: Studio) -> None:
    """Push through the inbox socket to an idle session, then to a busy one, and type while busy."""
    studio.hooks()
    steps = [say("ready"), say("pushed"), bash("sleep 3"), say("told"), say("spare")]
    client = studio.fleet.claude("inbox", script=steps)
    client.type("hello there")
    settle(client, 1)
    client.push(offer("inbidle1"))
    settle(client, 2)
    client.type("be busy")
    client.wait_request(3)
    client.wait_screen("sleep 3")
    client.push(offer("inbbusy1"))
    client.type('typed while busy offer="typed001"')
    settle(client, 4)
    client.exit()


def compaction(studio: Studio) -> None:
    """Compact by hand, with context before, by and after it."""
    studio.hooks()
    studio.offers(SessionStart=["start001", "compact1"], Stop=["stop0001"])
    client = studio.fleet.claude("compaction", script=[say("one"), say("two"), say("three")])
    client.type("hello there")
    settle(client, 2)
    client.type("/compact")
    wait_until(lambda: studio.recorder.firings("PostCompact"), "the compaction", timeout=30)
    client.wait_idle()
    client.type("after compaction")
    settle(client, 3)
    client.exit()


def clear(studio: Studio) -> None:
    """Clear the context: a new transcript in the same process."""
    studio.hooks()
    studio.offers(SessionStart=["start001", "clear001"])
    client = studio.fleet.claude("clear", script=[say("one"), say("two")])
    client.type("hello there")
    settle(client, 1)
    client.type("/clear")
    wait_until(lambda: len(studio.recorder.firings("SessionStart")) == 2, "the clearing", timeout=30)
    client.wait_idle()
    client.type("after clear")
    settle(client, 2)
    client.exit()


def resume(studio: Studio) -> None:
    """Resume a session, then fork it."""
    studio.hooks()
    studio.offers(SessionStart=["start001", "resume01", "fork0001"])
    ask = studio.fleet.ask
    ask("resume", "hello there", script=[say("one"), say("two"), say("three")])
    session = studio.recorder.firings("SessionStart")[0].stdin["session_id"]
    ask("resume", "again", args=["--resume", session])
    ask("resume", "forked", args=["--resume", session, "--fork-session"])


def settle(client: Claude, requests: int) -> None:
    """Wait until so many requests were answered and the client is idle, its transcript written."""
    client.wait_request(requests)
    client.wait_idle()
    stops = client.fleet.home / ".claude" / "projects"
    wait_until(
        lambda: sum(path.read_text().count('"stop_hook_summary"') for path in stops.glob("*/*.jsonl")),
        "the end of the turn in the transcript",
        timeout=5,
    )


NOTEBOOK: Json = {
    "cells": [
        {"cell_type": "code", "id": "c1", "metadata": {}, "outputs": [], "source": "x = 1", "execution_count": None}
    ],
    "metadata": {"language_info": {"name": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}

SCENARIOS: dict[str, Callable[[Studio], None]] = {
    one.__name__: one
    for one in (
        *(turn, quoted, parallel, stream, edits, subagent, crash, api_error),
        *(rewake, inbox, compaction, clear, resume),
    )
}


def main(names: list[str]) -> None:
    """Record the named scenarios, or all."""
    for name in names or SCENARIOS:
        with tempfile.TemporaryDirectory(prefix="record-", ignore_cleanup_errors=True) as folder:
            recorder = Recorder(Path(folder) / "recorder")
            with Fleet(Path(folder) / "fleet") as fleet:
                studio = Studio(name, fleet, recorder)
                SCENARIOS[name](studio)
                studio.keep()
        print(name, "recorded")


if __name__ == "__main__":
    main(sys.argv[1:])
