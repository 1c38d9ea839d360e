"""Wrong input at each verb: one line of what, one of what to do, and an exit status."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from roost import errors
from roost.interfaces.cli.app import VERBS, app
from roost.interfaces.errors import EXITS, exit_of
from tests.interfaces.conftest import HubOf, RunAs

WRONG = [
    ("frobnicate", 2, "did you mean|see `roost"),
    ("sned builder hi", 2, "did you mean send?"),
    ("send", 2, "to whom"),
    ("send nobody-here hi", 3, "no agent is called"),
    ("send bulider hi", 3, "did you mean builder?"),
    ("send #biuld hi", 3, "no channel"),
    ("send builder two words", 2, "quotes"),
    ("send builder hi --priority huge", 2, "priority"),
    ("send builder hi --priority critical", 5, "priority"),
    ("send builder hi --expires-in soon", 2, "is not a duration"),
    ("send builder hi --expires-in 0", 2, "ttl"),
    ("send builder hi --not-before noon", 2, "is not a time"),
    ("send builder hi --severity terrible", 2, "severity"),
    ("send builder hi --depends-on m99", 3, "m99"),
    ("send builder hi --key short", 2, "idempotency key"),
    ("send builder hi --wait=tomorrow", 2, "offered"),
    ("send builder hi --frob", 2, "no such option"),
    ("send --batch /nonexistent", 2, "cannot read"),
    ("send all,builder hi", 2, "mixed"),
    ("inbox --limit 0", 2, "limit"),
    ("inbox --of nobody-here", 3, "nobody-here"),
    ("inbox --state lost", 2, "lost"),
    ("read m99", 3, "m99"),
    ("read", 2, "missing argument"),
    ("reply m99 hi", 3, "m99"),
    ("ack", 2, "missing argument"),
    ("ack m99", 3, "m99"),
    ("react m99 ok", 3, "m99"),
    ("receipts m99", 3, "m99"),
    ("wait m99", 3, "m99"),
    ("wait m1 sometime", 2, "invalid value for '[stage]': 'sometime'"),
    ("cancel m99", 3, "m99"),
    ("dead redeliver m99", 3, "m99"),
    ("handover nobody-here builder", 3, "nobody-here"),
    ("handover builder planner", 4, "alive"),
    ("thread m99", 3, "m99"),
    ("log --limit 0", 2, "limit"),
    ("log --with nobody-here", 3, "nobody-here"),
    ("search", 2, "missing argument"),
    ("listen --count 0", 2, "count"),
    ("channel", 2, "which verb of `roost channel`? there are create, join,"),
    ("hook", 2, "which verb of `roost hook`? there are status, uninstall\n"),
    ("channel create Build!", 2, "build!"),
    ("channel join nowhere", 3, "nowhere"),
    ("channel frob", 2, "no verb"),
    ("lease acquire ../etc/passwd", 2, "passwd"),
    ("lease acquire x --ttl 2d", 2, "ttl"),
    ("lease renew free", 4, "free"),
    ("lease release free", 4, "free"),
    ("lease revoke free --reason x", 3, "free"),
    ("lease list --kind house", 2, "house"),
    ("operation begin nobody-here", 3, "nobody-here"),
    ("operation add nothing hi", 3, "nothing"),
    ("operation seal nothing", 3, "nothing"),
    ("activity nobody-here", 3, "nobody-here"),
    ("activity --state sleeping", 2, "sleeping"),
    ("history --since zz", 2, "cursor"),
    ("history --kind Message!", 2, "kind"),
    ("history at 99999", 2, "99999"),
    ("history at teatime", 2, "is not a time"),
    ("agent rename builder", 4, "builder"),
    ("agent rename Bad!Name", 2, "bad!name"),
    ("agent retire builder", 5, "builder"),
    ("agent show nobody-here", 3, "nobody-here"),
    ("agent profile --discord-user-id 12", 2, "17-20 digits"),
    ("agent alias builder", 4, "builder"),
    ("join", 2, "as whom"),
    ("join Bad!Name", 2, "write bad-name"),
    ("join builder", 4, "alive"),
    ("join admin", 2, "reserved"),
    ("completion tcsh", 2, "tcsh"),
    ("pause", 5, "person"),
    ("resume builder", 5, "person"),
    ("backup /nonexistent/x.db", 7, "nonexistent"),
    ("restore /nonexistent/x.db --yes", 2, "no backup"),
    ("hook frob", 2, "no verb"),
    ("init --frob", 2, "no such option"),
    ("-C /nonexistent who", 3, "there is no folder /nonexistent"),
    ("-C / who", 3, "no .roost folder"),
]


@pytest.mark.parametrize(("line", "status", "said"), WRONG, ids=[line for line, _, _ in WRONG])
def test_it_is_refused_with_what_and_what_to_do(cli: RunAs, hub: HubOf, line: str, status: int, said: str) -> None:
    hub("builder")
    answer = cli("planner", *line.split(" "))
    assert answer.status == status, answer.err
    told = answer.err.splitlines()
    assert told[0].startswith("roost: ")
    assert len(told) <= 2
    assert any(part in answer.err.lower() for part in said.lower().split("|")), answer.err
    assert answer.out == ""
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("line", ["send builder", "send builder -", "reply m1", "operation add x"])
def test_a_message_without_a_word_is_refused(
    cli: RunAs, hub: HubOf, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    hub("builder")
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    answer = cli("planner", *line.split(" "))
    assert answer.status == 2
    assert "there is no text" in answer.err


def test_an_error_is_json_too(cli: RunAs) -> None:
    told = json.loads(cli("planner", "read", "m99", "--json").err)
    assert told["code"] == "UNKNOWN_MESSAGE"
    assert not told["retryable"]
    assert json.loads(cli("planner", "send", "--json").err)["code"] == "USAGE"


def test_who_calls_is_refused_where_nothing_says_it(cli: RunAs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.isatty", lambda descriptor: False)
    refused = cli("", "inbox")
    assert refused.status == 5
    assert "roost join" in refused.err


def test_every_error_belongs_to_a_family_with_a_status() -> None:
    def below(kind: type[errors.RoostError]) -> list[type[errors.RoostError]]:
        return [kind, *(each for child in kind.__subclasses__() for each in below(child))]

    assert sorted(EXITS.values()) == [2, 3, 4, 5, 6, 7]
    for kind in below(errors.RoostError)[1:]:
        assert exit_of(kind("x")) in EXITS.values()


def test_a_bug_is_one_line_and_the_log_has_the_rest(
    cli: RunAs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(hub: object) -> None:
        raise KeyError("\x1b]0;title\x07")

    with monkeypatch.context() as patched:
        patched.setattr("roost.hub.Hub.leases", property(broken))
        answer = cli("planner", "lease", "list")
    assert answer.status == 1
    assert answer.err.startswith("roost: this is a bug in Roost: KeyError: ")
    assert len(answer.err.splitlines()) == 2
    assert "\x1b" not in answer.err
    log = tmp_path / ".roost" / "cli.log"
    assert str(log) in answer.err
    assert "Traceback" in json.loads(log.read_text().splitlines()[-1])["error"][0]
    assert log.stat().st_mode & 0o777 == 0o600


def test_every_verb_has_help(cli: RunAs) -> None:
    for name in VERBS:
        answer = cli("planner", name, "--help")
        assert answer.status == 0, name
        assert answer.out.startswith(f"Usage: roost {name}")
    assert app.name == "roost"
