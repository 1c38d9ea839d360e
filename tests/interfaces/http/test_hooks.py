"""Hooks that a launched client tells of by HTTP: its key and no other, the same turn, never a failure."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from roost import keyfiles
from roost.connect import connect
from roost.ids import new_id
from roost.interfaces.http.security import BODY_BYTES_MAX, HOOK_BYTES_MAX
from roost.launches.model import key_of
from tests.daemon.served import eventually
from tests.interfaces.hooked import Hooked, Json

from .conftest import Site, begin, end

PATIENT = "from roost.daemon import hooks; hooks.BUDGET_SECONDS = hooks.TAKE_SECONDS_MAX = 25.0"
"""For whatever is not about its budget: on a machine that has a lot to do, 400 ms are not enough for any turn."""
PATH = "/v1/hooks/claude"
NUMBERS = itertools.count(1)


class Launched(Hooked):
    """A client that tells of its events by HTTP, as one does that `roost run` started."""

    def __init__(self, site: Site, folder: Path, **named: str) -> None:
        super().__init__(folder, **named)
        self.site = site
        secret, key_hash = keyfiles.new_key()
        project = self.project()
        pid, environ = int(self.environment()["CLAUDE_PID"]), {"ROOST_AGENT": self.wants}
        made = project.system().launches.begin(new_id(), client="claude", pid=pid, key_hash=key_hash, environ=environ)
        project.close()
        self.key = key_of(made.id, secret)

    def post(self, raw: bytes, *, key: str | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.key if key is None else key}", "Content-Type": "application/json"}
        return self.site.client().post(PATH, content=raw, headers=headers)

    def tell(self, event: str, **fields: Any) -> Json:
        """Tell of one event and return what the client is told."""
        answer = self.post(self.stdin(event, **fields))
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        specific: Json = found.get("hookSpecificOutput", found)
        return specific

    def facts(self) -> Json:
        found: Json = self.site.client("alice").get("/readyz").json()
        return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("hooks")
    (folder / ".git").mkdir()
    made = begin(folder, but=getattr(request, "param", PATIENT))
    yield made
    end(made)


@pytest.fixture
def client(site: Site) -> Iterator[Launched]:
    """A launched client whose start came by the command, as it always does."""
    name = f"worker-{next(NUMBERS)}"
    made = Launched(site, Path(site.place).parent, session=new_id(), wants=name)
    assert f"You are {name}" in made.start().context
    yield made
    made.crash()


def send(client: Hooked, text: str, **fields: Any) -> str:
    project = connect(client.place)
    try:
        return project.joined("planner").messages.send(to=client.wants, text=text, **fields).ref
    finally:
        project.close()


def test_mail_comes_between_tool_calls_in_the_answer(client: Launched) -> None:
    send(client, "tests are red")
    before = client.facts()
    told = client.tell("PostToolBatch")
    assert told["hookEventName"] == "PostToolBatch" and "tests are red" in told["additionalContext"]
    (line,) = [one for one in client.log("turns.log") if one["by"] == "http"][-1:]
    assert (line["event"], line["outcome"]) == ("PostToolBatch", "ok")
    assert client.facts()["hooks_by_http"] == before["hooks_by_http"] + 1


def test_a_question_at_the_end_of_a_turn_keeps_it_going(client: Launched) -> None:
    send(client, "which branch?", type="question")
    assert "which branch?" in client.tell("Stop")["additionalContext"]


def test_without_a_bell_a_turn_is_not_even_taken(client: Launched) -> None:
    client.tell("PostToolBatch")
    before, lines = client.facts(), len(client.log("turns.log"))
    assert client.tell("PostToolBatch", tool_calls=[]) == {}
    assert len(client.log("turns.log")) == lines
    after = client.facts()
    assert after["hooks"]["PostToolBatch quiet"] == before["hooks"].get("PostToolBatch quiet", 0) + 1
    assert client.beat.split()[1] == "producing"
    assert client.tell("Stop") == {} and client.beat.split()[1] == "idle"


def test_only_the_key_of_a_launch_opens_it(site: Site, client: Launched) -> None:
    raw = client.stdin("PostToolBatch")
    for wrong in ("x", site.keys["alice"], site.keys["ada"], client.key[:-1] + "~", client.key.upper()):
        refused = client.post(raw, key=wrong)
        assert (refused.status_code, refused.json()["code"]) == (401, "UNAUTHENTICATED")
    assert site.client().post(f"{PATH}?key={client.key}", content=raw).status_code in (401, 415)
    assert client.post(raw).status_code == 200


def test_the_key_of_a_launch_opens_nothing_else(site: Site, client: Launched) -> None:
    holder = site.client(Authorization=f"Bearer {client.key}")
    for path in ("/v1/agents/me", "/v1/messages/inbox", "/readyz", "/metrics", "/openapi.json"):
        assert holder.get(path).status_code == 401


def test_a_key_ends_with_its_process(client: Launched) -> None:
    raw = client.stdin("PostToolBatch")
    assert client.post(raw).status_code == 200
    client.crash()
    assert client.post(raw).status_code == 401


def test_a_script_around_the_client_is_not_taken_for_it(site: Site, client: Launched) -> None:
    """The launched process is a parent of the client: the session stays that of the client's own process."""
    project = client.project()
    before = project.system().sessions.of(client.wants)
    secret, key_hash = keyfiles.new_key()
    outer = project.system().launches.begin(new_id(), client="claude", pid=os.getpid(), key_hash=key_hash)
    send(client, "still you")
    answer = client.post(client.stdin("PostToolBatch"), key=key_of(outer.id, secret))
    assert "still you" in answer.json()["hookSpecificOutput"]["additionalContext"]
    after = project.system().sessions.of(client.wants)
    assert before is not None and after is not None and (after.id, after.process) == (before.id, before.process)
    project.close()


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"null", b"\xff", b'{"hook_event_name": 7}', b"{}" * 10_000, b'{"a":' * 100_000]
)
def test_nonsense_is_answered_with_nothing_and_written_down(client: Launched, raw: bytes) -> None:
    lines = len(client.log("hooks.log"))
    answer = client.post(raw)
    assert (answer.status_code, answer.json()) == (200, {})
    assert len(client.log("hooks.log")) == lines + 1


def test_what_tools_answered_may_be_long_and_has_an_end(client: Launched) -> None:
    long = [{"tool_name": "Read", "tool_input": {}, "tool_response": "x" * 2 * BODY_BYTES_MAX}]
    assert client.post(client.stdin("PostToolBatch", tool_calls=long)).status_code == 200
    assert client.post(b" " * (HOOK_BYTES_MAX + 1)).status_code == 413


@pytest.mark.parametrize("site", [""], ids=["with its own patience"], indirect=True)
def test_a_store_that_is_held_up_costs_the_client_no_more_than_its_patience(site: Site, client: Launched) -> None:
    client.tell("PostToolBatch")
    send(client, "later then")
    with open(Path(site.place) / "gate", "rb") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        answer = client.post(client.stdin("PostToolBatch"))
        assert (answer.status_code, answer.json()) == (200, {})
    assert [(one["by"], one["error"]) for one in client.log("hooks.log") if "by" in one] == [("http", "TimeoutError")]
    assert client.bell.exists()

    def comes() -> bool:
        client.shows("nothing of it", answered=True)
        return "later then" in json.dumps(client.tell("PostToolBatch"))

    eventually(comes, "the mail, with a later event")
