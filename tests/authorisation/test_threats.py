"""Threats that no single door answers alone; each test is named after the one that it plays."""

from __future__ import annotations

import json
import logging
import os
import re
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from websockets.sync.client import connect as ws

from roost import keyfiles
from roost.connect import Project, connect
from roost.daemon import native, places
from roost.daemon.logs import Folded
from roost.errors import UnsafeFolder, WhoAreYou
from roost.hub import Hub
from roost.interfaces.wire.frames import ERROR, HELLO, Hello
from roost.reach import at
from roost.tokens.rules import is_key, scope_of
from roost.verbs import Stream, Sync, Verb

from .callers import Credential, Wire, asked, by_http, by_mcp, by_pipe, by_wire, said, socket_of
from .stage import ALL, GUARD_SECONDS, LIMITS, LOCAL, Stage

HOUR = 3_600.0
EVERYTHING = list(ALL)


@pytest.fixture(autouse=True)
def fresh_count(stage: Stage) -> None:
    """Wrong tokens are counted by the minute."""
    stage.clock.advance(61)


class Filed(NamedTuple):
    """A project that no daemon serves, and who is in it."""

    project: Project
    person: Hub[Sync]
    planner: Hub[Sync]


@pytest.fixture
def filed(tmp_path: Path) -> Iterator[Filed]:
    place = tmp_path / ".roost"
    place.mkdir(mode=0o700)
    project = connect(place)
    session = project.system().turns.join("ada", kind="human", client="terminal")
    project.joined("builder")
    yield Filed(project, project.as_session(session.id), project.joined("planner"))
    project.close()


def every_verb() -> dict[str, str]:
    """Return the scope of every verb of the hub, by its name on the wire."""
    found: dict[str, str] = {}
    for service, one in vars(Hub).items():
        for kind in type(getattr(Hub[Any](None), service)).__mro__ if isinstance(one, property) else ():
            for name, verb in vars(kind).items():
                if isinstance(verb, (Verb, Stream)):
                    mode = "stream" if isinstance(verb, Stream) else verb.mode
                    found[f"{service}.{name}"] = scope_of(service, name, mode)
    return found


def test_each_threat_to_the_doors_is_played_by_a_test_that_names_it() -> None:
    text = "".join(path.read_text() for path in Path(__file__).parents[1].rglob("test_*.py"))
    named = {int(number) for number in re.findall(r"def test_t(\d+)_", text)}
    assert named >= {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20, 27, 28}


@pytest.mark.parametrize(
    ("name", "scopes"),
    [("builder", ["send"]), ("builder", ["read"]), ("builder", ["lease"]), ("builder", EVERYTHING[:3]),
     ("ada", ["admin"]), ("ada", EVERYTHING)],
    ids=lambda found: found if isinstance(found, str) else " ".join(found),
)  # fmt: skip
def test_t6_a_token_calls_no_verb_beyond_its_scopes(stage: Stage, name: str, scopes: list[str]) -> None:
    """Every verb that there is, by TLS; what is Roost's own is nobody's, an administrator's neither."""
    stage.joined("builder")
    key = stage.person.tokens.create(name, scopes=scopes).key
    beyond = {verb: scope for verb, scope in every_verb().items() if scope not in scopes}
    assert len(beyond) > 15
    with closing(Wire(stage, is_far=True)) as wire:
        assert wire.call(0, HELLO, Credential(token=key).hello()) == "done"
        told = {verb: wire.call(number, verb, {}) for number, verb in enumerate(beyond, start=1)}
    assert told == {verb: "not allowed" if scope == "none" else "no scope" for verb, scope in beyond.items()}
    denied = stage.system.history.since("", kinds=["token.denied"], limit=500).events
    assert stage.person.tokens.list(name)[-1].id in {one.object for one in denied}, "and it is in the log"


def test_t6_nothing_of_an_administrator_is_among_the_tools_of_mcp(stage: Stage) -> None:
    credential = Credential(token=stage.person.tokens.create(scopes=EVERYTHING).key)
    headers = {**credential.header, "Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    url = f"http://{LOCAL}:{stage.port}/mcp"
    tools = stage.http.post(url, headers=headers, content=json.dumps(asked("tools/list", {}))).json()["result"]["tools"]
    names = {tool["name"] for tool in tools}
    assert names == {"send", "inbox", "reply", "ack", "lease", "who", "search"}
    actions = next(tool for tool in tools if tool["name"] == "lease")["inputSchema"]["properties"]["action"]["enum"]
    assert set(actions) == {"acquire", "renew", "release", "list"}, "nobody's lease is revoked by a tool"


def test_t7_a_token_is_its_agent_whatever_the_hello_says(stage: Stage) -> None:
    """T7: by TLS neither a name nor a session nor a key in the hello makes anybody else of a token."""
    stage.joined("builder"), stage.joined("victim")
    key = stage.person.tokens.create("builder").key
    session, session_key = stage.keys["victim"]
    for claim in (
        {"name": "victim"}, {"name": "ada", "takeover": True}, {"session": session, "key": session_key},
        {"resume": session}, {"terminal": True},
    ):  # fmt: skip
        for is_far in (True, False):
            with closing(Wire(stage, is_far=is_far)) as wire:
                wire.send(0, HELLO, Hello(caller=os.urandom(12).hex(), token=key, **claim))
                assert wire.answer(0)[1]["name"] == "builder", claim
    assert stage.joined("victim").sessions.me().name == "victim", "whose session lives on"


NAMES = ("victim", "ada", "admin", "human", "system", "0wner", "vict\u0456m", "VICTIM", "victim ")


@pytest.mark.parametrize("name", NAMES)
def test_t7_a_name_that_somebody_has_or_nobody_may_have_is_not_taken_by_saying_it(stage: Stage, name: str) -> None:
    """T7: a process of this user's own joins as somebody new, or is refused; whoever is there is left alone."""
    before = stage.joined("victim").sessions.me()
    with closing(Wire(stage, is_far=False)) as wire:
        wire.send(0, HELLO, Hello(caller=os.urandom(12).hex(), name=name))
        status, body = wire.answer(0)
    assert status == ERROR and body["code"] in ("AGENT_ALIVE", "INVALID_NAME", "FORBIDDEN"), body
    assert stage.joined("victim").sessions.me() == before


@pytest.mark.parametrize(
    "name", ["ada", "admin", "human", "system", "owner", "roost", "all", "\u0430da", "ad\u0430", "a d a", ""]
)
def test_t7_a_token_takes_no_name_that_is_taken_reserved_or_looks_so(stage: Stage, name: str) -> None:
    stage.joined("builder")
    credential = Credential(token=stage.person.tokens.create("builder").key)
    for verb, args in (("agents.rename", {"name": name}), ("agents.add_alias", {"alias": name})):
        assert by_wire(stage, credential, verb, args, is_far=True) not in ("done", "no scope"), verb
    assert by_http(stage, credential, "POST", "/v1/agents/register", {"name": name or "x"}) == "not allowed"
    assert stage.system.agents.get("ada").kind == "human"


@pytest.mark.parametrize("field", ["sender", "from", "from_", "as_", "agent", "sender_session", "kind"])
def test_t7_no_door_takes_a_sender(stage: Stage, field: str) -> None:
    """T7: a call that names one is refused or sent as who made it; never as the one that it names."""
    stage.joined("builder"), stage.joined("victim")
    credential = Credential(token=stage.person.tokens.create("builder").key)
    message = {"to": "victim", "text": f"by {field}", field: "ada"}
    start = stage.system.history.head().cursor
    by_http(stage, credential, "POST", "/v1/messages", message)
    by_wire(stage, credential, "messages.send", message, is_far=True)
    by_mcp(stage, credential, "tools/call", {"name": "send", "arguments": message})
    by_pipe(stage, credential, "tools/call", {"name": "send", "arguments": message})
    builder = stage.system.agents.get("builder").id
    assert {one.actor for one in stage.system.history.since(start, kinds=["message.sent"]).events} <= {builder}


SIGNED = (
    "sender = 'x'", "sender_session = 'x'", "channel = 'x'", "type = 'alert'", "severity = 'critical'", "priority = 99",
    "subject = 'x'", "body = 'x'", "tags = '[\"x\"]'", "thread = 'x'", "parent = 'x'", "depends_on = '[\"x\"]'",
    "expires_at = 1", "not_before = 1", "requires_ack = 1", "hops = 3", "operation = 'x'", "metadata = '{\"a\":1}'",
    "sent_at = sent_at + 1", "key_id = '1.1.x'", "signature = zeroblob(32)", "signature = x''",
)  # fmt: skip


@pytest.mark.parametrize("change", SIGNED)
def test_t8_a_message_that_was_changed_in_the_store_is_not_verified(filed: Filed, change: str) -> None:
    """T8: every field that a reader goes by is covered."""
    filed.planner.messages.send(to="builder", text="hello", idempotency_key="the-first-one")
    assert filed.person.messages.verified("m1")
    with filed.project.store.write() as tx:
        tx._connection.execute(f"UPDATE message SET {change}")
    assert not filed.person.messages.verified("m1")


def test_t8_a_message_is_not_moved_to_another_recipient(filed: Filed) -> None:
    filed.planner.messages.send(to="builder", text="hello")
    with filed.project.store.write() as tx:
        tx._connection.execute("UPDATE delivery SET recipient = (SELECT id FROM agent WHERE name = 'planner')")
    assert not filed.person.messages.verified("m1")


def test_t8_a_message_that_is_sent_again_is_not_delivered_again(filed: Filed) -> None:
    """T8: a second later, and by a process that knows nothing of the first."""
    payment: dict[str, Any] = {"to": "builder", "text": "pay 100", "idempotency_key": "payment-1"}
    first, again = (filed.planner.messages.send(**payment) for _ in range(2))
    session = filed.planner.sessions.me().session
    assert filed.project.place is not None
    reopened = connect(filed.project.place.path)
    third = reopened.as_session(session).messages.send(**payment)
    reopened.close()
    assert [one.id for one in (again, third)] == [first.id] * 2 and again.duplicate and third.duplicate
    assert len(filed.person.deliveries.of("m1")) == 1


def test_t8_what_is_compared_may_be_any_text(stage: Stage) -> None:
    """T8: a key with letters that are not ASCII is wrong, and no error of the comparison."""
    assert not keyfiles.fits("\u00e9" * 64, keyfiles.digest("x")) and not keyfiles.fits("", b"")
    stage.joined("builder")
    session, _ = stage.keys["builder"]
    claim = Credential(session=session, key="\u00e9" * 64)
    assert by_wire(stage, claim, "agents.list", {}, is_far=False) == "who are you"
    with ws(f"ws://{LOCAL}:{stage.port}/v1/stream") as live:
        live.send(json.dumps({"type": "hello", "token": "rst_" + "\u00e9" * 43}))
        assert json.loads(live.recv(timeout=GUARD_SECONDS))["code"] == "UNAUTHENTICATED"


def test_t10_a_key_that_the_daemon_made_is_in_no_file(stage: Stage) -> None:
    """T10: by the wire each answer is kept for who repeats the call; one with a key is kept in no file."""
    stage.joined("builder")
    session, key = stage.keys["builder"]
    hello, keys = Credential(session=session, key=key).hello(), []
    with closing(Wire(stage, is_far=False)) as wire:
        assert wire.call(0, HELLO, hello) == "done"
        wire.send(1, "tokens.create", {})
        keys.append(wire.answer(1)[1])
        wire.send(2, "tokens.rotate", {"token": keys[0]["token"]["id"]})
        keys.append(wire.answer(2)[1])
        wire.send(3, "messages.send", {"to": "ada", "text": "kept with its answer"})
        wire.answer(3)
    with closing(Wire(stage, is_far=False)) as wire:  # the connection was lost, and the call is repeated
        assert wire.call(0, HELLO, hello) == "done"
        wire.send(1, "tokens.create", {})
        assert wire.answer(1)[1] == keys[0], "it is not done twice"
    admin = Credential(token=stage.person.tokens.create(scopes=["admin"]).key)
    url = f"http://{LOCAL}:{stage.port}/v1/tokens"
    given = {**admin.header, "Content-Type": "application/json"}
    keys.append(stage.http.post(url, headers=given, content='{"name":"builder"}').json())
    made = [one["key"] for one in keys] + [admin.token, key]
    assert all(is_key(one) for one in made[:-1]) and len(set(made)) == 5
    for path in stage.place.rglob("*"):
        if path.is_file() and path.parent.name != "sessions":
            assert not [one for one in made if one.encode() in path.read_bytes()], path
    for path in (stage.place / "sessions").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_t10_a_key_is_in_no_refusal(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    made = stage.person.tokens.create(scopes=["read"])
    stage.person.tokens.revoke(made.token.id)
    headers = Credential(token=made.key).header
    answers = [stage.http.get(f"http://{LOCAL}:{stage.port}{path}", headers=headers) for path in ("/v1/agents", "/mcp")]
    with closing(Wire(stage, is_far=True)) as wire:
        wire.send(0, HELLO, Credential(token=made.key).hello())
        told = repr(wire.answer(0))
    roost_said = "".join(one.getMessage() for one in caplog.records if one.name.startswith(("roost", "uvicorn")))
    assert made.key not in told + roost_said + "".join(answer.text + repr(answer.headers) for answer in answers)


HOSTILE = "x\x1b]0;owned\x07\x1b[2J\u202e\n2026-01-01 00:00:00,000 INFO forged"


def test_t15_what_callers_send_comes_into_no_log_unescaped(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    credential = Credential(token=stage.person.tokens.create(scopes=EVERYTHING).key)
    for args in (
        {HOSTILE: 1},
        {"to": HOSTILE, "text": "x"},
        {"to": "ada", "text": "x", "type": HOSTILE},
        {"to": 7, "text": {}},
    ):
        by_wire(stage, credential, "messages.send", args, is_far=True)
    by_http(stage, credential, "GET", "/v1/agents/%1b%5d0%3bowned%07%0aforged")
    text = "\n".join(Folded("%(message)s").format(record) for record in caplog.records)
    assert "\x1b" not in text and "\nforged" not in text


def test_t20_wrong_tokens_are_counted_by_address_over_all_doors(stage: Stage) -> None:
    """T20: who tries at another door tries no more often."""
    wrong = [Credential(token=f"rst_{number:043d}") for number in range(14)]
    tool = {"name": "who", "arguments": {}}
    answers = []
    for number, credential in enumerate(wrong):
        answers.append(
            (
                lambda who: by_http(stage, who, "GET", "/v1/agents"),
                lambda who: by_wire(stage, who, "agents.list", {}, is_far=True),
                lambda who: by_mcp(stage, who, "tools/call", tool),
                lambda who: by_pipe(stage, who, "tools/call", tool, is_far=True),
                lambda who: _greeting(stage, who),
            )[number % 5](credential)
        )
    assert answers[:10] == ["who are you"] * 10
    assert all(answer.startswith("RATE_LIMITED") for answer in answers[10:]), answers[10:]
    good = Credential(token=stage.person.tokens.create().key)
    assert by_http(stage, good, "GET", "/v1/agents") == "done"


def test_t20_strangers_from_far_take_no_place_of_who_is_here(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """T20: who connects by TLS and says nothing is one of few, and holds up nobody who has shown a token or a key."""
    stage.joined("builder")
    monkeypatch.setattr(native, "STRANGERS_MAX", 3)
    with closing(Wire(stage, is_far=True)) as friend:
        token = stage.person.tokens.create("builder").key
        assert friend.call(0, HELLO, Credential(token=token).hello()) == "done"
        strangers = [Wire(stage, is_far=True) for _ in range(3)]
        _until(lambda: len(stage.doors.strangers) == 3)
        with closing(Wire(stage, is_far=True)) as fourth, pytest.raises((EOFError, OSError)):
            fourth.call(0, HELLO, Credential(token=token).hello())
        session, key = stage.keys["builder"]
        assert by_wire(stage, Credential(session=session, key=key), "agents.list", {}, is_far=False) == "done"
        assert friend.call(1, "agents.list", {}) == "done"
        for stranger in strangers:
            stranger.close()
        _until(lambda: not stage.doors.strangers)
        assert by_wire(stage, Credential(token=token), "agents.list", {}, is_far=True) == "done"


def test_t27_what_one_sends_by_every_door_is_one_quota(tmp_path: Path) -> None:
    """T27: the file, the native socket, TLS, HTTP and MCP share it, and a second token buys nothing."""
    own = Stage(tmp_path, LIMITS.replace("rate_agent = 10000", "rate_agent = 12"))
    try:
        builder = own.joined("builder")
        own.joined("victim")
        keys = [own.person.tokens.create("builder").key for _ in range(2)]
        session, key = own.keys["builder"]
        message = {"to": "victim", "text": "x"}
        tool = {"name": "send", "arguments": message}
        for _ in range(2):
            builder.messages.send(to="victim", text="by the file")
            assert by_wire(own, Credential(session=session, key=key), "messages.send", message, is_far=False) == "done"
            assert by_wire(own, Credential(token=keys[0]), "messages.send", message, is_far=True) == "done"
            assert by_http(own, Credential(token=keys[1]), "POST", "/v1/messages", message) == "done"
            assert by_mcp(own, Credential(token=keys[0]), "tools/call", tool) == "done"
            assert by_pipe(own, Credential(session=session, key=key), "tools/call", tool) == "done"
        refused = [
            by_wire(own, Credential(session=session, key=key), "messages.send", message, is_far=False),
            by_wire(own, Credential(token=keys[1]), "messages.send", message, is_far=True),
            by_http(own, Credential(token=keys[0]), "POST", "/v1/messages", message),
            by_mcp(own, Credential(token=keys[1]), "tools/call", tool),
            by_pipe(own, Credential(session=session, key=key), "tools/call", tool),
        ]
        assert all(answer.startswith("RATE_LIMITED") for answer in refused), refused
        own.clock.advance(61)
        assert by_http(own, Credential(token=keys[0]), "POST", "/v1/messages", message) == "done"
    finally:
        own.close()


def test_t27_identities_are_not_to_be_had_by_asking(stage: Stage) -> None:
    """T27: a token makes neither agents nor tokens, so it has the one quota of its agent."""
    stage.joined("builder")
    credential = Credential(token=stage.person.tokens.create("builder").key)
    for verb, args in (("agents.add", {"name": "another"}), ("tokens.create", {}), ("turns.join", {"name": "another"})):
        assert by_wire(stage, credential, verb, args, is_far=True) in ("no scope", "not allowed")
    assert by_http(stage, credential, "POST", "/v1/agents/register", {"name": "another"}) == "not allowed"


def test_t28_another_users_process_is_hung_up_on_without_a_word(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """T28: the kernel says whose process it is (SO_PEERCRED); the folder's mode is not all that keeps it out."""
    stage.joined("builder")
    session, key = stage.keys["builder"]
    monkeypatch.setattr(native, "is_ours", lambda uid: uid != os.geteuid())
    with closing(Wire(stage, is_far=False)) as wire, pytest.raises((EOFError, ConnectionError)):
        wire.call(0, HELLO, Credential(session=session, key=key).hello())


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short name: a socket's path ends at 108 bytes."""
    with tempfile.TemporaryDirectory(prefix="roost-test-", dir="/tmp") as folder:
        yield Path(folder)


def test_t28_the_folder_of_the_sockets_is_made_for_one_user(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """T28: whatever the umask is, from the first moment on."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short))
    before = os.umask(0)
    try:
        folder = Path(places.sockets(str(short)))
    finally:
        os.umask(before)
    assert folder.parent == short / "roost"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder.parent)] == [0o700, 0o700]


@pytest.mark.parametrize("planted", ["a link", "open to others", "a file", "a link inside"])
def test_t28_a_folder_that_somebody_planted_is_not_taken(
    short: Path, monkeypatch: pytest.MonkeyPatch, planted: str
) -> None:
    """T28: in a directory that all may write to, where another user was first; nothing is made in it."""
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(short))
    elsewhere, folder = short / "elsewhere", short / f"roost-{os.geteuid()}"
    elsewhere.mkdir(0o700)
    if planted == "a link":
        folder.symlink_to(elsewhere)
    elif planted == "a file":
        folder.touch(0o600)
    elif planted == "a link inside":
        inside = Path(places.sockets(str(short)))
        inside.rmdir()
        inside.symlink_to(elsewhere)
    else:
        folder.mkdir()
        folder.chmod(0o777)
    with pytest.raises(UnsafeFolder):
        places.sockets(str(short))
    assert not list(elsewhere.iterdir())


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + GUARD_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _greeting(stage: Stage, who: Credential) -> str:
    with socket_of(stage, who) as live:
        frame = json.loads(live.recv(timeout=GUARD_SECONDS))
        return said(frame["code"], frame["message"]) if frame["type"] == "error" else "done"


def test_who_shows_no_token_to_the_tls_door_is_told_how_to(stage: Stage) -> None:
    with pytest.raises(WhoAreYou, match="needs a token") as refused:
        at(stage.url)
    assert "token_file=FILE" in refused.value.hint
