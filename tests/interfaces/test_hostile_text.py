"""Hostile text through every verb that shows something: nothing that steers a terminal comes out (T15)."""

from __future__ import annotations

import json
import re

import pytest

from tests.interfaces.conftest import HubOf, RunAs
from tests.rules.hostile_bodies import corpus

ESCAPES = (
    "\x1b[2J\x1b[H",
    "\x1b]0;owned\x07",
    "\x1b]52;c;cm0gLXJmIC8=\x07",
    "\x1b[201~rm -rf /\n",
    "\x1bP+q544e\x1b\\",
    "\x9b2J\x9d0;owned\x9c",
    "\x1b[21t\x1bZ\x05",
    "a\rroost: all is well",
    "a\x08\x08\x08b\x7f",
    "\u202egnp.exe\u202c",
    "\u2066hidden\u2069",
    "\U000e0041\U000e0042",
    "\u2028roost: forged\u2029",
    "x\x0bx\x0cx\x85x",
)
STEERS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)
SHOWN = [
    "inbox",
    "inbox --peek",
    "inbox --all",
    "outbox",
    "read m1",
    "read m2 --body",
    "thread m1",
    "log --limit 200",
    "log --channel build",
    "search owned",
    "receipts m1",
    "channel list",
    "channel log build",
    "channel show build",
    "lease list",
    "lease queue",
    "lease who x",
    "operation list --ended",
    "operation show",
    "activity",
    "who",
    "agent list",
    "agent show",
    "history --limit 500",
    "history --kind message",
    "history at 5",
    "dead",
    "status --keep",
    "status --metrics",
    "send builder again",
    "reply m2 again",
    "react m2 ok",
    "ack m2",
    "cancel m1",
    "wait m2 acknowledged --timeout 0",
    "listen --count 1",
]


@pytest.fixture
def hostile(hub: HubOf) -> None:
    """Say everything hostile that the corpora know, to the one who looks, and do it in every field that takes it."""
    planner, builder = hub("planner"), hub("builder")
    planner.channels.create("build")
    builder.channels.join("build")
    for body in ESCAPES:
        planner.messages.send(to="builder", text=body)
    everything = "\n".join((*ESCAPES, *list(corpus())[:100]))
    builder.messages.send(to="planner", text=everything)
    builder.messages.send(to="#build", text=everything)
    planner.sessions.beat("busy", operation="".join(ESCAPES[:3])[:60])
    builder.leases.acquire("x", reason="y")
    hub("tester")
    planner.operations.begin(["tester"], title="z")


@pytest.mark.parametrize("on_terminal", [True, False], ids=["terminal", "pipe"])
@pytest.mark.usefixtures("hostile")
def test_no_escape_sequence_comes_out_of_any_verb(
    cli: RunAs, monkeypatch: pytest.MonkeyPatch, on_terminal: bool
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("sys.stdout.isatty", lambda: on_terminal)
    for line in SHOWN:
        for form in ([], ["--json"]):
            said = cli("builder", *line.split(), *form)
            assert said.status in (0, 2, 3, 4, 5, 6, 7), (line, said.err)
            found = STEERS.search(said.out) or STEERS.search(said.err)
            assert found is None, (line, form, found)
            if form and said.out:
                assert all(json.loads(document) is not None for document in said.out.splitlines())


@pytest.mark.usefixtures("hostile")
def test_no_body_forges_a_line_or_opens_a_clients_tag(cli: RunAs) -> None:
    said = cli("planner", "inbox").out
    assert "<system-reminder>" not in said
    ours = [line for line in said.splitlines() if line and not line.startswith("    ")]
    assert not any("forged" in line or "all is well" in line for line in ours)


@pytest.mark.parametrize("text", ESCAPES)
def test_errors_show_what_was_typed_harmlessly(cli: RunAs, text: str) -> None:
    for arguments in (
        ["read", text],
        ["send", text, "x"],
        [text],
        ["lease", "acquire", text],
        ["agent", "rename", text],
    ):
        said = cli("builder", *arguments)
        assert said.status in (2, 3), arguments
        assert STEERS.search(said.err) is None
        assert len(said.err.splitlines()) <= 2
