"""What a launched client is given: settings with its hooks by HTTP, beside a person's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from roost import launching
from roost.clients import changes
from roost.clients.claude import hooktable, install
from roost.clients.claude import launching as claude
from roost.clients.claude.install import Site
from roost.errors import BadSettings, InvalidInput, InvalidName, NotFound

URL = "http://127.0.0.1:8787/v1/hooks/claude"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A home with Roost's hooks in it."""
    made = Site(home=tmp_path, config=tmp_path / ".claude", project=tmp_path / "repo", managed=tmp_path / "managed")
    (tmp_path / "repo").mkdir()
    changes.apply(install.plan(made))
    return made


def test_the_settings_hold_the_hooks_and_the_key_and_nothing_else(site: Site) -> None:
    told = json.loads(claude.settings_text(site, "", URL, "rsl_key"))
    assert told == {"hooks": hooktable.http_groups(URL, "rsl_key")}


def test_a_persons_own_settings_stay_beside_them(site: Site) -> None:
    own = {"model": "opus", "hooks": {"Stop": [{"hooks": [{"type": "command", "command": "true"}]}]}}
    told = json.loads(claude.settings_text(site, json.dumps(own), URL, "rsl_key"))
    assert told["model"] == "opus"
    assert told["hooks"]["Stop"] == [*own["hooks"]["Stop"], *hooktable.http_groups(URL, "rsl_key")["Stop"]]  # type: ignore[index]


def test_a_client_without_batches_tells_of_single_tools(site: Site) -> None:
    changes.apply(install.plan(site, batch=False))
    assert "PostToolUse" in json.loads(claude.settings_text(site, "", URL, "k"))["hooks"]


@pytest.mark.parametrize(
    ("arguments", "rest", "given"),
    [
        (["-p", "hi"], ("-p", "hi"), ""),
        (["--settings", '{"a":1}', "-p"], ("-p",), '{"a":1}'),
        (["-p", '--settings= {"a":1}'], ("-p",), ' {"a":1}'),
        (["--settings"], (), ""),
        (["--", "--settings", "x"], ("--", "--settings", "x"), ""),
    ],
)
def test_a_persons_own_settings_are_taken_out_of_the_words(
    arguments: list[str], rest: tuple[str, ...], given: str
) -> None:
    assert claude.split(arguments) == (rest, given)


def test_settings_that_are_a_file_are_read_and_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "own.json").write_text('{"model":"opus"}')
    assert claude.split(["--settings", str(tmp_path / "own.json")]) == ((), '{"model":"opus"}')
    with pytest.raises(BadSettings):
        claude.split(["--settings", str(tmp_path / "none.json")])


def test_where_hooks_cannot_go_by_http_it_is_said_why(site: Site, tmp_path: Path) -> None:
    assert claude.obstacle(site, "") == ""
    only = '{"allowedHttpHookUrls": ["https://example.org/*"]}'
    assert "addresses" in claude.obstacle(site, only)
    site.managed.write_text(only)
    assert str(site.managed) in claude.obstacle(site, "")
    bare = Site(home=tmp_path / "no", config=tmp_path / "no" / ".claude", project=tmp_path / "repo")
    assert "roost init" in claude.obstacle(bare, "")


@pytest.mark.parametrize("command", ["sh", "bash", "/bin/sh", "python", "claude.sh", "", "claude -p"])
def test_only_coding_clients_are_started(tmp_path: Path, command: str) -> None:
    with pytest.raises(InvalidInput):
        launching.prepare(tmp_path, [command], environ={"PATH": "/bin"})


def test_a_client_that_is_not_there_and_a_name_that_is_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / ".roost").mkdir(mode=0o700)
    with pytest.raises(NotFound):
        launching.prepare(tmp_path, ["claude"], environ={"PATH": "/nowhere"})
    program = tmp_path / "codex"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    with pytest.raises(InvalidName):
        launching.prepare(tmp_path, [str(program)], as_="no such name!", environ={})


def test_another_client_is_started_as_it_is_and_gets_its_name(tmp_path: Path) -> None:
    (tmp_path / ".roost").mkdir(mode=0o700)
    program = tmp_path / "codex"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    environ = {"PATH": str(tmp_path), "ROOST_SESSION": "of who starts it", "ROOST_HOOKS": "http:1:2"}
    ready = launching.prepare(tmp_path, ["codex", "exec"], as_="builder", environ=environ)
    assert (ready.program, ready.words, ready.note) == (str(program), ("codex", "exec"), "")
    assert ready.environ == {"PATH": str(tmp_path), "ROOST_AGENT": "builder"}
