"""Installing into a scratch home, and leaving it as it was."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import given

from roost.clients import changes, launcher
from roost.clients.claude import hooktable, install, settings
from roost.clients.claude.check import check
from roost.clients.claude.install import Scope, Site
from roost.errors import BadSettings, SettingsChanged

from .test_settings import THEIRS, files

SANDBOXED = '{"sandbox": {"enabled": true}}'


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make_site(tmp_path)


def make_site(folder: Path) -> Site:
    (folder / "home").mkdir()
    (folder / "work").mkdir()
    home = folder / "home"
    return Site(home=home, config=home / ".claude", project=folder / "work", managed=folder / "managed.json")


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def tree(folder: Path) -> dict[str, tuple[int, bytes | str | None]]:
    """Return all that lies in a folder: modes, bytes, and where links lead."""
    found: dict[str, tuple[int, bytes | str | None]] = {}
    for path in sorted(folder.rglob("*")):
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        found[str(path)] = (path.lstat().st_mode, content)
    return found


def init(site: Site, scope: Scope = "user", *, writable: Path | None = None) -> None:
    changes.apply(install.plan(site, scope, writable=writable))


def uninstall(site: Site, scope: Scope = "user") -> None:
    changes.apply(install.plan_removal(site, scope))


def states(site: Site, scope: Scope = "user") -> dict[str, str]:
    return {part.name: part.state for part in check(site, scope)}


@given(files())
def test_after_uninstall_a_home_is_what_it_was(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        site = make_site(Path(folder))
        put(site.settings("user"), text)
        before = tree(Path(folder))
        init(site, writable=site.project / ".roost")
        assert tree(Path(folder)) != before
        uninstall(site)
        assert tree(Path(folder)) == before


@pytest.mark.parametrize("scope", ["user", "project"])
def test_where_there_was_nothing_nothing_stays(tmp_path: Path, site: Site, scope: Scope) -> None:
    before = tree(tmp_path)
    init(site, scope)
    assert states(site, scope) == {"launcher": "ok", "hooks": "ok"}
    uninstall(site, scope)
    assert tree(tmp_path) == before


def test_a_second_init_changes_nothing(site: Site) -> None:
    put(site.settings("user"), THEIRS)
    init(site, writable=site.project / ".roost")
    assert install.plan(site, writable=site.project / ".roost").changes == ()
    assert install.plan(site).changes == ()


def test_a_second_project_adds_its_folder_and_keeps_the_first(site: Site) -> None:
    put(site.settings("user"), SANDBOXED)
    init(site, writable=Path("/a/.roost"))
    init(site, writable=Path("/b/.roost"))
    written = settings.load(site.settings("user").read_text())
    assert written["sandbox"]["filesystem"]["allowWrite"] == ["//a/.roost", "//b/.roost"]
    uninstall(site)
    assert site.settings("user").read_text() == SANDBOXED


def test_without_a_sandbox_no_folder_is_named(site: Site) -> None:
    init(site, writable=Path("/a/.roost"))
    assert "sandbox" not in settings.load(site.settings("user").read_text())
    put(site.project / ".claude" / "settings.local.json", SANDBOXED)
    init(site, writable=Path("/a/.roost"))
    assert "//a/.roost" in site.settings("user").read_text()


def test_init_without_rules_keeps_those_of_before(site: Site) -> None:
    changes.apply(install.plan(site, allow=False))
    assert "permissions" not in settings.load(site.settings("user").read_text())
    init(site)
    assert install.plan(site, allow=False).changes == ()


def test_an_edit_after_us_stays_when_we_go(site: Site) -> None:
    path = put(site.settings("user"), THEIRS)
    init(site)
    path.write_text(path.read_text().replace('"opus"', '"sonnet"'))
    uninstall(site)
    assert path.read_text() == THEIRS.replace('"opus"', '"sonnet"')


def test_an_edit_after_us_survives_a_new_version_and_its_removal(site: Site) -> None:
    path = put(site.settings("user"), THEIRS)
    changes.apply(install.plan(site, batch=False))
    path.write_text(path.read_text().replace('"opus"', '"sonnet"'))
    init(site)
    assert "PostToolBatch" in path.read_text() and "PostToolUse" not in path.read_text()
    uninstall(site)
    assert path.read_text() == THEIRS.replace('"opus"', '"sonnet"')


def test_a_file_that_we_made_and_somebody_used_stays_without_us(site: Site) -> None:
    init(site)
    path = site.settings("user")
    path.write_text(json.dumps({**settings.load(path.read_text()), "model": "opus"}))
    uninstall(site)
    assert settings.load(path.read_text()) == {"model": "opus"}


def test_a_spoilt_copy_is_not_given_back(site: Site) -> None:
    path = put(site.settings("user"), THEIRS)
    init(site)
    (copy,) = (launcher.path(site.home).parent / "claude").glob("*.before")
    copy.write_text('{"hooks": {"Stop": "evil"}}')
    uninstall(site)
    assert path.read_text() == THEIRS


def test_a_lost_record_leaves_only_our_entries_to_go(site: Site) -> None:
    path = put(site.settings("user"), THEIRS)
    init(site)
    for file in (launcher.path(site.home).parent / "claude").iterdir():
        file.unlink()
    assert install.plan(site).changes == ()
    uninstall(site)
    assert path.read_text() == THEIRS


def test_a_link_into_dotfiles_stays_one(tmp_path: Path, site: Site) -> None:
    real = put(tmp_path / "dotfiles" / "claude.json", THEIRS)
    real.chmod(0o640)
    site.settings("user").parent.mkdir()
    site.settings("user").symlink_to(real)
    before = tree(tmp_path)
    init(site)
    assert site.settings("user").is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert hooktable.COMMAND in settings.load(real.read_text())["hooks"]["Stop"][1]["hooks"][0]["command"]
    uninstall(site)
    assert tree(tmp_path) == before


def test_what_we_write_is_closed_to_others_but_a_projects_settings(site: Site) -> None:
    init(site)
    init(site, "project")
    assert {path: mode for path, (mode, _) in tree(site.home).items() if mode & 0o077} == {}
    assert stat.S_IMODE(site.settings("project").stat().st_mode) == 0o644
    assert stat.S_IMODE(launcher.path(site.home).stat().st_mode) == 0o700


def test_the_launcher_stays_while_another_settings_file_names_it(site: Site) -> None:
    init(site)
    init(site, "project")
    uninstall(site)
    assert states(site, "project") == {"launcher": "ok", "hooks": "ok"}
    uninstall(site, "project")
    assert not launcher.path(site.home).exists()


@pytest.mark.parametrize("text", ['{"a": 1,}', "{\n  // mine\n}", '{"hooks": 1}', "[]", "\xff"])
def test_a_file_that_cannot_be_read_stops_all(tmp_path: Path, site: Site, text: str) -> None:
    put(site.settings("user"), "").write_bytes(text.encode("latin-1"))
    before = tree(tmp_path)
    with pytest.raises(BadSettings, match=r"settings\.json: .*nothing was written"):
        init(site)
    assert tree(tmp_path) == before


def test_an_edit_between_plan_and_writing_stops_all(tmp_path: Path, site: Site) -> None:
    path = put(site.settings("user"), THEIRS)
    plan = install.plan(site)
    path.write_text("{}")
    before = tree(tmp_path)
    with pytest.raises(SettingsChanged, match="run it again"):
        changes.apply(plan)
    assert tree(tmp_path) == before


def test_the_diff_shows_what_will_run_and_no_notes_of_ours(site: Site) -> None:
    put(site.settings("user"), '{"model": "\u009b31m"}')
    shown = install.plan(site).diff()
    assert hooktable.COMMAND in shown.replace('\\"', '"')
    assert "exec " in shown and ".before" not in shown and "sha256" not in shown
    assert "\u009b" not in shown and "\\ No newline at end of file\n" in shown


def test_a_removal_shows_the_launcher_and_the_settings_going(site: Site) -> None:
    init(site)
    assert [change.path for change in install.plan_removal(site).changes if change.shown] == [
        site.settings("user"),
        launcher.path(site.home),
    ]


def test_the_clients_own_folder_may_lie_elsewhere(tmp_path: Path) -> None:
    assert Site.of({"HOME": "/h"}, tmp_path).settings("user") == Path("/h/.claude/settings.json")
    site = Site.of({"HOME": str(tmp_path), "CLAUDE_CONFIG_DIR": str(tmp_path / "c")}, tmp_path)
    assert site.settings("user") == tmp_path / "c" / "settings.json"


def test_with_the_plugin_the_settings_get_no_hooks(site: Site) -> None:
    init(site)
    put(site.settings("project"), '{"enabledPlugins": {"roost@team": true}}')
    plan = install.plan(site)
    assert "plugin" in plan.notes[0]
    changes.apply(plan)
    assert "hooks" not in settings.load(site.settings("user").read_text())
    assert states(site) == {"launcher": "ok", "hooks": "ok"}


def test_doctor_sees_what_is_missing(site: Site) -> None:
    assert states(site) == {"launcher": "missing", "hooks": "missing"}


def test_doctor_sees_what_an_older_version_wrote(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as older:
        older.setattr(hooktable, "TABLE", hooktable.TABLE[:3])
        older.setattr(launcher, "program", lambda: Path("/old/program.py"))
        init(site)
    assert states(site) == {"launcher": "old", "hooks": "old"}
    init(site)
    assert states(site) == {"launcher": "ok", "hooks": "ok"}


def test_doctor_sees_what_somebody_changed(site: Site) -> None:
    init(site)
    path = site.settings("user")
    path.write_text(path.read_text().replace('"timeout": 5', '"timeout": 500', 1))
    launcher.path(site.home).write_text("#!/bin/sh\nevil\n")
    assert states(site) == {"launcher": "tampered", "hooks": "tampered"}
    init(site)
    assert states(site) == {"launcher": "ok", "hooks": "ok"}


@pytest.mark.parametrize(("mode", "says"), [(0o722, "others can change it"), (0o600, "not executable")])
def test_doctor_sees_a_launcher_of_the_wrong_mode(site: Site, mode: int, says: str) -> None:
    init(site)
    launcher.path(site.home).chmod(mode)
    (found,) = (part for part in check(site) if part.name == "launcher")
    assert found.state == "tampered" and says in found.detail


def test_doctor_sees_what_cannot_be_read(site: Site) -> None:
    put(site.settings("user"), "{,}")
    launcher.path(site.home).mkdir(parents=True)
    assert states(site) == {"launcher": "unreadable", "hooks": "unreadable"}
    put(site.home / "file", "")
    odd = Site(home=site.home, config=site.home / "file", project=site.project, managed=site.managed)
    assert states(odd)["hooks"] == "unreadable"


def test_doctor_sees_that_hooks_are_switched_off(site: Site) -> None:
    init(site)
    put(site.settings("project"), '{"disableAllHooks": true}')
    put(site.managed, '{"allowManagedHooksOnly": true}')
    off = [part for part in check(site) if part.state == "off"]
    assert [part.path for part in off] == [site.settings("project"), site.managed]
