"""`roost token`: each verb, each way to get it wrong, and where its key goes."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from roost.connect import Project
from roost.tokens.rules import is_key
from tests.interfaces.conftest import HubOf, RunAs, keyed

WRONG = [
    ("token", 2, "missing command|see"),
    ("token frob", 2, "no verb"),
    ("token create nobody-here", 3, "nobody-here"),
    ("token create planner", 5, "planner"),
    ("token create builder more", 2, "unexpected"),
    ("token create --scope root", 2, "root"),
    ("token create --scope", 2, "argument"),
    ("token create --scope admin", 5, "admin"),
    ("token create --expires soon", 2, "is not a duration"),
    ("token create --expires 59m", 2, "life of a token"),
    ("token create --expires 366d", 2, "life of a token"),
    ("token create --expires=-1h", 2, "-1h"),
    ("token create --frob", 2, "no such option"),
    ("token list planner", 5, "planner"),
    ("token list nobody-here", 3, "nobody-here"),
    ("token revoke", 2, "missing argument"),
    ("token revoke 0000000000000000", 3, "there is no token"),
    ("token revoke nonsense", 3, "there is no token"),
    ("token rotate", 2, "missing argument"),
    ("token rotate 0000000000000000", 3, "there is no token"),
    ("token rotate 0000000000000000 --overlap 2d", 3, "there is no token"),
    ("token rotate x y", 2, "unexpected"),
    ("token rotate x --overlap never", 2, "is not a duration"),
    ("token create --file /nonexistent/key", 2, "nonexistent"),
    ("token create --file /tmp", 2, "exists"),
]


@pytest.mark.parametrize(("line", "status", "said"), WRONG, ids=[line for line, _, _ in WRONG])
def test_it_is_refused_with_what_and_what_to_do(cli: RunAs, hub: HubOf, line: str, status: int, said: str) -> None:
    hub("planner")
    plain = cli("builder", *line.split(" "))
    assert plain.status == status, plain.err
    assert plain.err.startswith("roost: ") and len(plain.err.splitlines()) <= 2 and plain.out == ""
    assert any(part in plain.err.lower() for part in said.split("|")), plain.err
    told = cli("builder", *line.split(" "), "--json")
    assert told.status == status and told.out == ""
    assert {"code", "message", "hint", "retryable"} <= json.loads(told.err).keys()
    assert hub("builder").tokens.list() == (), "nothing was made"


def test_a_key_is_shown_once_alone_on_standard_output(cli: RunAs) -> None:
    made = cli("builder", "token", "create", "--scope", "read", "--scope", "send", "--label", "nightly")
    assert made.status == 0 and is_key(made.out.rstrip("\n"))
    assert "shown this once" in made.err and made.out.strip() not in made.err
    listed = cli("builder", "token", "list")
    assert "send,read  valid, 89 d left  nightly" in listed.out or "send,read  valid, 90 d left" in listed.out
    assert made.out.strip() not in listed.out + listed.err
    assert "there are no tokens" in cli("planner", "token", "list").out


def test_json_has_the_key_once_and_the_file_instead_where_one_is_named(cli: RunAs, tmp_path: Path) -> None:
    told = json.loads(cli("builder", "token", "create", "--json").out)
    assert is_key(told["key"]) and told["token"]["scopes"] == ["send", "read", "lease"]
    listed = cli("builder", "token", "list", "--json").out
    assert json.loads(listed)[0]["id"] == told["token"]["id"] and told["key"] not in listed
    filed = json.loads(cli("builder", "token", "create", "--file", str(tmp_path / "key"), "--json").out)
    assert filed.keys() == {"token", "file"}


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_key_goes_into_a_new_file_of_its_owner_only(cli: RunAs, tmp_path: Path, umask: int) -> None:
    """T10: mode 0600 whatever the umask is, and nothing that lies there is written to."""
    path = tmp_path / "builder.token"
    before = os.umask(umask)
    try:
        made = cli("builder", "token", "create", "--file", str(path))
    finally:
        os.umask(before)
    assert made.status == 0 and made.out == "" and str(path) in made.err
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = path.read_text()
    assert is_key(key.rstrip("\n")) and key.strip() not in made.err
    again = cli("builder", "token", "create", "--file", str(path))
    assert again.status == 2 and "never overwrites" in again.err
    assert path.read_text() == key


def test_a_link_that_waits_at_the_files_name_gets_no_key(cli: RunAs, hub: HubOf, tmp_path: Path) -> None:
    elsewhere, link = tmp_path / "elsewhere", tmp_path / "link"
    link.symlink_to(elsewhere)
    refused = cli("builder", "token", "create", "--file", str(link))
    assert refused.status == 2 and not elsewhere.exists()
    assert hub("builder").tokens.list() == ()


def test_a_refused_token_leaves_no_file(cli: RunAs, tmp_path: Path) -> None:
    path = tmp_path / "key"
    assert cli("builder", "token", "create", "nobody-here", "--file", str(path)).status == 3
    assert cli("builder", "token", "rotate", "0" * 16, "--file", str(path)).status == 3
    assert not path.exists()


def test_a_rotated_key_goes_into_a_file_too(cli: RunAs, project: Project, tmp_path: Path) -> None:
    first = json.loads(cli("builder", "token", "create", "--json").out)
    path = tmp_path / "new.token"
    rotated = cli("builder", "token", "rotate", first["token"]["id"], "--overlap", "10m", "--file", str(path))
    assert rotated.status == 0 and stat.S_IMODE(path.stat().st_mode) == 0o600
    admit = project.system().tokens.admit
    assert not admit(path.read_text().strip()).refused and not admit(first["key"]).refused
    wrong = cli("builder", "token", "rotate", first["token"]["id"], "--overlap", "2d")
    assert wrong.status == 2 and "overlap" in wrong.err


def test_revoked_tokens_are_listed_as_such_and_revoking_twice_is_once(cli: RunAs, project: Project) -> None:
    made = [json.loads(cli("builder", "token", "create", "--json").out) for _ in range(2)]
    ids = [one["token"]["id"] for one in made]
    assert cli("builder", "token", "revoke", *ids).out.count("is revoked") == 2
    assert cli("builder", "token", "revoke", ids[0]).status == 0
    assert cli("builder", "token", "list").out.count("revoked") == 2
    assert project.system().tokens.admit(made[0]["key"]).refused
    over = cli("builder", "token", "rotate", ids[0])
    assert over.status == 5 and "is over" in over.err


def test_one_wrong_id_among_good_ones_is_told(cli: RunAs) -> None:
    made = json.loads(cli("builder", "token", "create", "--json").out)
    refused = cli("builder", "token", "revoke", made["token"]["id"], "0" * 16)
    assert refused.status == 3 and "0000000000000000" in refused.err


def test_a_key_among_the_arguments_is_not_repeated(cli: RunAs) -> None:
    key = json.loads(cli("builder", "token", "create", "--json").out)["key"]
    for line in (["revoke", key], ["rotate", key]):
        refused = cli("builder", "token", *line)
        assert refused.status in (2, 3, 5)
        assert key not in refused.out + refused.err, line


def test_a_person_makes_and_sees_everybodys(
    cli: RunAs, hub: HubOf, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub("builder")
    monkeypatch.setenv("ROOST_SESSION", keyed(project, "ada", kind="human"))
    assert cli("", "token", "create", "builder", "--expires", "1h").status == 0
    assert cli("", "token", "create", "--scope", "admin").status == 0
    refused = cli("", "token", "create", "builder", "--scope", "admin")
    assert refused.status == 5 and "admin" in refused.err
    assert [line.split()[1] for line in cli("", "token", "list").out.splitlines()] == ["builder", "ada"]
    assert len(cli("", "token", "list", "builder").out.splitlines()) == 1


def test_what_happened_to_tokens_is_in_the_history(cli: RunAs, project: Project) -> None:
    made = json.loads(cli("builder", "token", "create", "--json").out)
    project.system().tokens.admit("rst_" + "A" * 43, address="10.0.0.1")
    project.system().tokens.denied(token=made["token"]["id"], verb="messages.send", scope="send")
    cli("builder", "token", "revoke", made["token"]["id"])
    said = cli("builder", "history", "--kind", "token").out
    for kind in ("token.created", "token.refused", "token.denied", "token.revoked"):
        assert kind in said
    assert "10.0.0.1" in said
