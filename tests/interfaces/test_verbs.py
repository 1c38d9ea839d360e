"""The verbs of the command line: what they answer, as lines and as JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from roost.connect import Project
from roost.errors import StoreFull
from roost.history.archive import archive
from roost.stores.sqlite.store import SqliteStore
from tests.interfaces.conftest import HubOf, RunAs, keyed


def test_send_says_that_it_is_stored_and_when_the_recipient_gets_it(cli: RunAs, hub: HubOf) -> None:
    hub("builder")
    said = cli("planner", "send", "builder", "tests are red")
    assert said.out == "stored as m1; builder reads its mail itself (shell); it waits in its inbox\n"
    assert (said.status, said.err) == (0, "")


def test_send_to_several_says_it_for_each(cli: RunAs, hub: HubOf) -> None:
    hub("builder")
    said = cli("planner", "send", "builder,tester", "hi", "--hold")
    assert said.out.splitlines()[0] == "stored as m1 for 2:"
    assert "  tester has never joined; it waits" in said.out.splitlines()


def test_send_in_json_has_the_fields_of_the_api(cli: RunAs, hub: HubOf) -> None:
    hub("builder")
    said = json.loads(cli("planner", "send", "--to", "builder", "hi", "--json").out)
    assert said["sent"]["ref"] == "m1"
    assert said["sent"]["durability"] == "D2"
    assert said["outlook"][0]["recipient"] == "builder"


def test_send_takes_every_option(cli: RunAs, hub: HubOf) -> None:
    hub("builder")
    options = (
        "--subject red --type question --severity warning --priority high --tag ui --tag css --expires-in 2h"
        " --requires-ack --key 12345678"
    )
    assert cli("planner", "send", "builder", "look", *options.split()).status == 0
    message = hub("builder").messages.get("m1")
    assert (message.subject, message.type, message.severity, message.priority) == ("red", "question", "warning", 20)
    assert message.tags == ("ui", "css")
    assert message.requires_ack
    assert message.expires_at
    again = cli("planner", "send", "builder", "look", *options.split())
    assert "was stored before as m1" in again.out
    held = cli("planner", "send", "builder", "then", "--depends-on", "m1")
    assert held.out == "stored as m2; builder: held until what it depends on is delivered\n"
    later = cli("planner", "send", "builder", "later", "--not-before", "2020-01-01T00:00Z")
    assert later.status == 0


def test_text_comes_from_stdin(cli: RunAs, hub: HubOf, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hub("builder")
    (tmp_path / "in").write_bytes("zwei\nZeilen ü\n".encode())
    for arguments in (("send", "builder"), ("send", "builder", "-")):
        with (tmp_path / "in").open() as stdin:
            monkeypatch.setattr("sys.stdin", stdin)
            assert cli("planner", *arguments).status == 0
    assert hub("builder").messages.get("m2").body == "zwei\nZeilen ü"
    (tmp_path / "in").write_bytes(b"\xff\xfe")
    with (tmp_path / "in").open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        refused = cli("planner", "send", "builder")
    assert (refused.status, refused.err.startswith("roost: body is not valid UTF-8")) == (2, True)


def test_a_batch_is_stored_whole_or_not_at_all(cli: RunAs, hub: HubOf, tmp_path: Path) -> None:
    hub("builder")
    (tmp_path / "good").write_text('{"to": "builder", "text": "one"}\n\n{"to": ["builder"], "text": "two"}\n')
    assert cli("planner", "send", "--batch", "good").out == "stored 2 messages: m1 to m2\n"
    (tmp_path / "bad").write_text('{"to": "builder", "text": "one"}\n{"to": "builder", "text": "x", "sender": "ada"}\n')
    refused = cli("planner", "send", "--batch", "bad")
    assert refused.status == 2
    assert "line 2" in refused.err
    assert hub("builder").messages.last_number() == 2


def test_wait_answers_when_the_message_arrived_and_fails_when_it_cannot(cli: RunAs, hub: HubOf) -> None:
    hub("builder")
    cli("planner", "send", "builder", "hi")
    assert cli("planner", "wait", "m1", "--timeout", "0").status == 7
    cli("builder", "ack", "m1")
    assert cli("planner", "wait", "m1", "acknowledged").out.startswith("builder: acknowledged at ")
    cli("planner", "send", "builder", "never mind")
    cli("planner", "cancel", "m2")
    gone = cli("planner", "wait", "m2")
    assert (gone.status, "ended before" in gone.err) == (4, True)


def test_an_inbox_says_for_whom_and_as_of_when_even_if_empty(cli: RunAs, hub: HubOf) -> None:
    assert cli("builder", "inbox").out == f"inbox of builder as of {hub('builder').history.head().seq}: nothing waits\n"
    hub("planner").messages.send(to="builder", text="one\ntwo", requires_ack=True)
    said = cli("builder", "inbox").out.splitlines()
    assert said[0].startswith("inbox of builder as of ")
    assert said[0].endswith(": 1")
    assert "    one" in said
    assert "    two" in said
    assert any("roost reply m1" in line and "roost ack m1" in line for line in said)


def test_the_next_mail_is_shown_with_the_acknowledgement_of_the_last(cli: RunAs, hub: HubOf) -> None:
    hub("builder")
    for text in ("first", "second"):
        hub("planner").messages.send(to="builder", text=text, requires_ack=True)
    assert "first" in cli("builder", "inbox", "--limit", "1").out
    assert "second" in cli("builder", "inbox", "--ack", "m1").out
    assert hub("planner").deliveries.of("m1")[0].state == "acknowledged"
    assert cli("builder", "inbox", "--ack", "m2", "--peek").status == 2


def test_looking_at_anothers_inbox_changes_nothing(cli: RunAs, hub: HubOf) -> None:
    hub("builder")
    hub("planner").messages.send(to="builder", text="hi")
    for options in (("--peek",), ("--all",), ("--state", "pending")):
        assert "hi" in cli("builder", "inbox", *options).out
    assert hub("planner").deliveries.of("m1")[0].attempts == 0


def test_reading_replying_and_reacting(cli: RunAs, hub: HubOf) -> None:
    hub("builder")
    hub("planner").messages.send(to="builder", text="ready?", subject="release", type="question")
    assert "release" in cli("builder", "read", "m1").out
    assert cli("builder", "read", "m1", "--body").out == "ready?\n"
    assert cli("builder", "reply", "m1", "yes").out.startswith("stored as m2; planner ")
    assert cli("planner", "react", "m2", "👍").out == "reactions to m2: 👍 planner\n"
    assert "↳ m1" in cli("planner", "thread", "m1").out
    told = cli("planner", "receipts", "m1").out
    assert "builder: acknowledged" in told
    assert "proved by a reply" in told


def test_the_log_shows_who_said_what_to_whom(cli: RunAs, hub: HubOf) -> None:
    hub("builder")
    cli("planner", "send", "builder", "first\nsecond line")
    cli("planner", "send", "all", "to everybody")
    said = cli("planner", "log").out
    assert "planner → builder" in said
    assert "    second line" in said
    assert "planner → all" in said
    assert [row["number"] for row in json.loads(cli("planner", "log", "--json").out)] == [1, 2]
    assert "first" not in cli("planner", "log", "--after", "1").out


def test_listen_confirms_what_it_showed(cli: RunAs, hub: HubOf) -> None:
    hub("builder")
    hub("planner").messages.send(to="builder", text="one")
    hub("planner").messages.send(to="builder", text="two")
    lines = cli("builder", "listen", "--count", "2", "--json").out.splitlines()
    assert [json.loads(line)["message"]["body"] for line in lines] == ["one", "two"]
    assert [hub("planner").deliveries.of(ref)[0].state for ref in ("m1", "m2")] == ["delivered", "delivered"]


def test_channels_from_making_to_closing(cli: RunAs, hub: HubOf) -> None:
    hub("builder")
    assert "members: planner" in cli("planner", "channel", "create", "#build", "--topic", "the build").out
    assert cli("builder", "channel", "join", "build").status == 0
    assert "#build: 1 recipient" in cli("planner", "send", "#build", "hi").out
    assert "hi" in cli("builder", "channel", "log", "build").out
    assert "#build" in cli("builder", "channel", "list", "--mine").out
    assert cli("builder", "channel", "leave", "build").status == 0
    assert "(closed)" in cli("planner", "channel", "close", "build").out
    assert cli("planner", "send", "--channel", "biuld", "x").status == 3


def test_leases_are_refused_with_who_and_what_to_do(cli: RunAs, hub: HubOf) -> None:
    assert (
        "planner holds src/**" in cli("planner", "lease", "acquire", "src/**", "--ttl", "10m", "--reason", "auth").out
    )
    refused = cli("builder", "lease", "acquire", "src/a.py")
    assert refused.status == 4
    assert "planner" in refused.err
    assert "auth" in refused.err
    assert "hint: wait for it" in refused.err
    assert cli("builder", "lease", "wait", "src/a.py", "--timeout", "0").status == 7
    assert "holds src/**" in cli("builder", "lease", "who", "src/a.py").out
    assert cli("planner", "lease", "renew", "src/**").status == 0
    assert "no longer holds" in cli("planner", "lease", "release", "src/**").out
    assert cli("planner", "lease", "list").out == "nothing is held\n"
    assert cli("planner", "lease", "queue").out == "nobody waits\n"


def test_operations_from_begin_to_abort(cli: RunAs, hub: HubOf) -> None:
    hub("builder")
    begun = json.loads(cli("planner", "operation", "begin", "builder", "--title", "onboarding", "--json").out)
    assert cli("planner", "operation", "add", begun["id"], "step one").out.startswith("stored as m1")
    assert "onboarding of planner is open" in cli("planner", "operation", "show").out
    assert "is sealed" in cli("planner", "operation", "seal").out
    assert cli("planner", "operation", "list").status == 0
    assert "is aborted" in cli("planner", "operation", "abort", begun["id"], "--reason", "changed plans").out


def test_who_says_how_everybody_is_reached(cli: RunAs, hub: HubOf) -> None:
    hub("builder")
    said = cli("planner", "who").out
    assert "planner (you)" in said
    assert "inbox (not proved yet)" in said
    shown = json.loads(cli("planner", "who", "builder", "--json").out)
    assert shown[0]["activity"]["state"] == "idle"


def test_activity_is_told_and_shown(cli: RunAs) -> None:
    assert "reading code" in cli("planner", "activity", "--set", "reading code").out
    assert "busy" in cli("planner", "activity").out
    assert cli("planner", "activity", "nobody-here").status == 3


def test_agents_are_listed_described_and_renamed(cli: RunAs, hub: HubOf) -> None:
    cli("planner", "agent", "profile", "--role", "lead", "--capability", "python")
    assert "lead" in cli("planner", "agent", "list", "--capability", "python").out
    cli("planner", "agent", "alias", "Boss-1")
    assert "boss-1" in cli("planner", "agent", "show").out
    assert cli("planner", "agent", "rename", "architect").out.startswith("architect")
    assert cli("builder", "agent", "retire", "architect").status == 5


def test_status_begins_with_what_changed_and_then_forgets_it(cli: RunAs, hub: HubOf) -> None:
    hub("gone").turns.leave(reason="its process is gone")
    hub("planner").messages.send(to="gone", text="hi")
    first = cli("planner", "status").out.splitlines()
    assert first[0].startswith("gone's session ended at ")
    assert "its process is gone" in first[0]
    assert any("roost handover gone TO" in line for line in first)
    assert not any("session ended" in line for line in cli("planner", "status").out.splitlines())
    assert cli("planner").out.splitlines()[-1]
    assert "sessions: " in cli("planner", "status", "--metrics").out


def test_status_is_shown_also_where_nothing_can_be_stored(
    cli: RunAs, hub: HubOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreFull("the disk is full")

    hub("planner").messages.send(to="planner", text="hi")
    monkeypatch.setattr(SqliteStore, "_commit", full)
    said = cli("planner", "status")
    assert (said.status, "as planner" in said.out) == (0, True)
    assert said.err == "roost: it is not noted that you looked: the disk is full\n"


def test_mail_of_who_is_gone_is_handed_on(cli: RunAs, hub: HubOf) -> None:
    hub("gone").turns.leave()
    hub("planner").messages.send(to="gone", text="hi")
    assert cli("builder", "handover", "gone", "builder").out == "builder has what gone did not get: m1\n"
    assert "hi" in cli("builder", "inbox").out


def test_dead_letters_are_shown_and_tried_again(cli: RunAs, hub: HubOf) -> None:
    assert cli("planner", "dead").out == "no dead letters\n"
    hub("builder")
    cli("planner", "send", "builder", "x")
    cli("planner", "cancel", "m1")
    assert "builder: stored, waits" in cli("planner", "dead", "redeliver", "m1").out
    assert cli("planner", "dead", "redeliver", "m1").status == 4


def test_the_history_is_shown_verified_and_replayed(cli: RunAs, hub: HubOf) -> None:
    cli("planner", "send", "planner", "hi")
    assert "message.sent" in cli("planner", "history").out
    page = json.loads(cli("planner", "history", "--kind", "message.sent", "--json").out)
    assert [event["kind"] for event in page["events"]] == ["message.sent"]
    assert cli("planner", "history", "--since", page["cursor"]).status == 0
    assert cli("planner", "history", "verify").out.startswith("whole: ")
    assert "planner had a live session" in cli("planner", "history", "at", str(hub("planner").history.head().seq)).out
    assert cli("planner", "history", "--since", "zz").status == 2


def test_old_events_are_sealed_by_a_person_only(cli: RunAs, project: Project, tmp_path: Path) -> None:
    refused = cli("planner", "history", "seal")
    assert (refused.status, refused.out) == (5, "")
    sealed = archive(
        project.as_session(project.system().turns.person("ada").id).history, tmp_path / ".roost" / "archives"
    )
    assert sealed is not None
    assert cli("planner", "history", "verify").status == 0
    (tmp_path / ".roost" / "archives" / sealed.archive).unlink()
    broken = cli("planner", "history", "verify")
    assert (broken.status, "events-" in broken.out) == (4, True)


def test_what_is_old_leaves_at_a_persons_word(
    cli: RunAs, project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cli("planner", "send", "planner", "hi")
    for _ in range(2):
        cli("planner", "inbox")
    with project.store.write() as tx:
        for table, column in (("message", "sent_at"), ("receipt", "at")):
            tx.raw(f"UPDATE {table} SET {column} = {column} - 100 * 86400000")
    assert cli("planner", "history", "retain").status == 5
    monkeypatch.setenv("ROOST_SESSION", keyed(project, "ada", kind="human"))
    foreseen = cli("", "history", "retain", "--dry-run")
    assert foreseen.out.splitlines()[0] == "messages   1 thread would leave"
    done = json.loads(cli("", "history", "retain", "--json").out)
    assert [one["count"] for one in done["kinds"]] == [1, 0, 0, 0]
    assert cli("", "history", "verify").status == 0
    (tmp_path / ".roost" / "archives" / "messages-000001.jsonl.gz").write_bytes(b"")
    assert "was altered" in cli("", "history", "verify").out


def test_only_a_person_puts_a_backup_back(
    cli: RunAs, hub: HubOf, project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cli("planner", "send", "planner", "hi")
    assert cli("planner", "backup", "copy.db").status == 0
    for words in (("restore", "copy.db", "--yes"), ("restore", "copy.db", "--dry-run")):
        assert (refused := cli("planner", *words)).status == 5
        assert "planner is no person" in refused.err
    monkeypatch.setenv("ROOST_SESSION", keyed(project, "ada", kind="human"))
    assert "its log is whole" in cli("", "restore", "copy.db", "--dry-run").out
    assert cli("", "restore", "copy.db", "--yes").status == 4  # planner lives
    assert "as store epoch 2" in cli("", "restore", "copy.db", "--yes", "--force").out


def test_a_store_that_cannot_be_read_is_put_back_by_who_sits_at_a_terminal(
    cli: RunAs, project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert cli("planner", "backup", "copy.db").status == 0
    (tmp_path / ".roost" / "store.db").write_bytes(b"no database" * 1_000)
    for suffix in ("-wal", "-shm"):
        (tmp_path / ".roost" / f"store.db{suffix}").unlink()
    assert "unset ROOST_SESSION" in cli("", "restore", "copy.db", "--yes").err
    monkeypatch.delenv("ROOST_SESSION")
    monkeypatch.setattr("os.isatty", lambda descriptor: False)
    assert cli("", "restore", "copy.db", "--yes").status == 5
    monkeypatch.setattr("os.isatty", lambda descriptor: True)
    monkeypatch.setattr("roost.whoami.client_of", lambda parent: "")
    assert "restored" in cli("", "restore", "copy.db", "--yes").out


def test_words_are_found(cli: RunAs, hub: HubOf) -> None:
    cli("planner", "send", "planner", "the quick brown fox")
    assert "fox" in cli("planner", "search", "quick", "fox").out
    assert cli("planner", "search", "zebra").out == "nothing was found\n"


def test_words_are_found_since_a_time(cli: RunAs, hub: HubOf) -> None:
    cli("planner", "send", "planner", "the quick brown fox")
    for since in ("1h", "2000-01-01", "2d"):
        assert "fox" in cli("planner", "search", "fox", "--since", since).out
    assert cli("planner", "search", "fox", "--since", "2100-01-01T00:00Z").out == "nothing was found\n"
    refused = cli("planner", "search", "fox", "--since", "yesterday")
    assert (refused.status, "2h for two hours ago" in refused.err) == (2, True)


def test_a_pause_and_its_reason_are_shown(cli: RunAs, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOST_SESSION", keyed(project, "ada", kind="human"))
    assert cli("", "pause", "--reason", "the release is out").out == "all mail is held; roost resume\n"
    said = cli("planner", "status").out.splitlines()[0]
    assert said.startswith("all mail is held since ")
    assert said.endswith(" by ada: the release is out  (roost resume)")


def test_who_says_since_when_somebody_is_offline(cli: RunAs, hub: HubOf) -> None:
    hub("builder").turns.leave()
    assert re.search(r"builder  offline since \d\d:\d\d", cli("planner", "who").out)


def test_a_briefing_says_who_you_are_and_offers_nothing(cli: RunAs, hub: HubOf) -> None:
    hub("builder")
    cli("planner", "send", "builder", "look at this")
    said = cli("builder", "briefing")
    assert said.out.startswith("You are builder: an agent of the Roost project")
    assert "1 message waits for you." in said.out
    assert [one.state for one in hub("planner").deliveries.of("m1")] == ["pending"]
    assert "You are builder" in json.loads(cli("builder", "briefing", "--json").out)["briefing"]


def test_a_checkpoint_is_written_shown_and_briefed(
    cli: RunAs, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no checkpoint yet" in cli("planner", "checkpoint").out
    assert cli("planner", "checkpoint", "half", "of", "the", "parser", "--file", "parser.py").status == 0
    shown = cli("planner", "checkpoint").out
    assert "    half of the parser\n    parser.py\n" in shown
    assert "half of the parser" in cli("planner", "briefing").out
    assert cli("builder", "checkpoint", "--of", "planner").status == 5
    assert cli("planner", "checkpoint", "x", "--of", "planner").status == 2
    monkeypatch.setenv("ROOST_SESSION", keyed(project, "ada", kind="human"))
    assert json.loads(cli("", "checkpoint", "--of", "planner", "--json").out)["note"] == "half of the parser"


def test_versions_and_completion(cli: RunAs) -> None:
    assert cli("planner", "--version").out.startswith("roost ")
    assert "sqlite" in json.loads(cli("planner", "version", "--json").out)
    for shell in ("bash", "zsh", "fish"):
        assert "_ROOST_COMPLETE" in cli("planner", "completion", shell).out


def test_another_folder_is_named_as_with_git(cli: RunAs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert cli("planner", "-C", str(tmp_path), "who").status == 0
    assert cli("planner", "who").status == 3


def test_the_doctor_finds_this_project_well(cli: RunAs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    said = cli("planner", "doctor")
    assert said.status == 0
    assert "integrity: the quick check finds nothing wrong" in said.out
    assert "hooks missing" in said.out
    (tmp_path / ".roost" / "secret").chmod(0o644)
    assert cli("planner", "doctor").status == 1
