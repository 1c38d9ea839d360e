"""Roost's hooks for Claude Code: planned, shown, written, checked and taken out again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from roost.clients import launcher
from roost.clients.changes import PRIVATE, FileChange, Plan, missing_folders, read
from roost.clients.claude import hooktable, jsontext, settings
from roost.clients.claude.record import Record, Shelf, digest
from roost.clients.claude.settings import Entries
from roost.errors import BadSettings

Scope = Literal["user", "project"]
PROJECT_MODE = 0o644
"""A project's settings go into its repository."""

PLUGIN_FOLDER = Path(__file__).with_name("plugin")
"""The plugin, which is its own marketplace: `claude plugin marketplace add FOLDER`."""

PLUGIN = "roost@"
"""How the key of our plugin begins in `enabledPlugins`; the marketplace's name follows."""


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """The places that an installation is about."""

    home: Path
    config: Path
    """The client's own folder."""
    project: Path
    """The top of the work area."""
    managed: Path = Path("/etc/claude-code/managed-settings.json")
    """What the machine's owner sets, above all others."""

    @classmethod
    def of(cls, environ: Mapping[str, str], project: Path) -> Site:
        """Return the site of this user. Raises RuntimeError where no home folder is known."""
        home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
        config = environ.get("CLAUDE_CONFIG_DIR")
        return cls(home=home, config=Path(config) if config else home / ".claude", project=project)

    def settings(self, scope: Scope) -> Path:
        """Return the settings file of a scope."""
        return self.config / "settings.json" if scope == "user" else self.project / ".claude" / "settings.json"

    def all_settings(self) -> tuple[Path, ...]:
        """Return every settings file of this user and project that the client reads."""
        return (self.settings("user"), self.settings("project"), self.project / ".claude" / "settings.local.json")


class Before(msgspec.Struct, frozen=True, kw_only=True):
    """A settings file now, and as it would be without us."""

    now: bytes | None
    without: bytes | None
    record: Record | None


def plan(
    site: Site, scope: Scope = "user", *, allow: bool = True, writable: Path | None = None, batch: bool = True
) -> Plan:
    """Plan the launcher and the settings of one scope; nothing to do gives a plan without changes.

    `allow` also lets agents run their own verbs without asking. `writable` is a workdir that commands shall write to
    where the client runs them in its sandbox; only a user's own settings name it. `batch` is False for a client without
    PostToolBatch. Raises BadSettings for a settings file that can't be read as one.
    """
    path = site.settings(scope)
    before, notes = examine(site, path), []
    had = settings.find(_text(before.now, path), _maybe_text(before.without, path))
    hooks = hooktable.groups(batch=batch)
    if has_plugin(site):
        hooks = {}
        notes.append("the roost plugin is enabled and brings the hooks; they are not put into the settings as well")
    wishes = [settings.writable_root(str(writable))] if writable and scope == "user" and has_sandbox(site) else []
    roots = {*had.writable, *wishes}
    rules = settings.RULES if allow else had.rules
    wanted = Entries(hooks=hooks, rules=_unheld(rules, before, settings.ALLOW), writable=tuple(sorted(roots)))
    changes = (*_launcher_changes(site), *_settings_changes(site, path, before, had, wanted, scope))
    return Plan(changes=changes, notes=tuple(notes))


def plan_removal(site: Site, scope: Scope = "user") -> Plan:
    """Plan to take out exactly what was put in; the launcher goes with the last settings file that Roost knows of.

    The settings get back their very bytes if nobody edited them since, else all but ours stays as it is.
    """
    path = site.settings(scope)
    before, shelf = examine(site, path), Shelf.of(site.home, path)
    made = tuple(map(Path, before.record.made)) if before.record else ()
    changes: list[FileChange] = []
    if before.now != before.without:
        changes.append(FileChange(path=path, before=before.now, after=before.without, prune=made))
    own = (shelf.folder.parent, *made)
    if _is_last(shelf):
        changes += [
            FileChange(path=file, before=noted, after=None, shown=file == launcher.path(site.home), prune=own)
            for file in (launcher.path(site.home), hash_path(site.home))
            if (noted := read(file)) is not None
        ]
    return Plan(changes=(*changes, *shelf.drop(own)))


def examine(site: Site, path: Path) -> Before:
    """Look at a settings file: what it holds, what it held before us or would hold without us."""
    now, shelf = read(path), Shelf.of(site.home, path)
    record = shelf.record()
    if now is None:
        return Before(now=None, without=None, record=record)
    try:
        kept = shelf.backup(record) if record else None
        known = record is not None
    except ValueError:
        kept, known = None, False
    text = _text(now, path)
    if record and known and digest(now) == record.after:
        return Before(now=now, without=kept, record=record)
    if not known and not settings.find(text).hooks:
        return Before(now=now, without=now, record=record)  # rules like ours may be anybody's
    without = settings.remove(text, _maybe_text(kept, path) if known else None)
    gone = record is not None and known and kept is None and settings.is_empty(without)
    return Before(now=now, without=None if gone else without.encode(), record=record)


def has_plugin(site: Site) -> bool:
    """Tell whether a settings file enables our plugin."""
    found = (peek(path).get("enabledPlugins") for path in site.all_settings())
    return any(
        name.startswith(PLUGIN) and plugins[name] is True
        for plugins in found
        if isinstance(plugins, dict)
        for name in plugins
    )


def has_sandbox(site: Site) -> bool:
    """Tell whether a settings file makes the client run commands in its sandbox."""
    return any(settings.at(peek(path), ("sandbox", "enabled")) is True for path in (*site.all_settings(), site.managed))


def peek(path: Path) -> dict[str, Any]:
    """Return the settings in a file that is not to be written; one that can't be read says nothing."""
    try:
        return settings.load((read(path) or b"").decode())
    except (BadSettings, UnicodeDecodeError, OSError):
        return {}


def hash_path(home: Path) -> Path:
    """Return where the launcher's hash is noted."""
    return launcher.path(home).with_name("hook.sha256")


def _unheld(rules: tuple[str, ...], before: Before, path: jsontext.Path) -> tuple[str, ...]:
    """Leave out what the file holds without us."""
    held = settings.at(settings.load((before.without or b"").decode()), path)
    return tuple(rule for rule in rules if not isinstance(held, list) or rule not in held)


def _settings_changes(
    site: Site, path: Path, before: Before, had: Entries, wanted: Entries, scope: Scope
) -> tuple[FileChange, ...]:
    if had == wanted:
        return ()
    try:
        text = settings.add(_maybe_text(before.without, path), wanted)
    except BadSettings as error:
        raise _of_file(error, path) from error
    after, shelf = text.encode(), Shelf.of(site.home, path)
    old = before.record.made if before.record else ()
    made = (*map(str, missing_folders(path)), *map(str, missing_folders(shelf.folder)))
    noted = Record(
        settings=str(shelf.settings),
        before=None if before.without is None else digest(before.without),
        after=digest(after),
        entries=wanted.digest(),
        made=tuple(dict.fromkeys((*old, *made))),
    )
    mode = PROJECT_MODE if scope == "project" else PRIVATE
    return (*shelf.keep(noted, before.without), FileChange(path=path, before=before.now, after=after, mode=mode))


def _launcher_changes(site: Site) -> tuple[FileChange, ...]:
    file, wanted = launcher.path(site.home), launcher.render()
    noted = f"{digest(wanted)}  {file.name}\n".encode()
    changes = (
        FileChange(path=hash_path(site.home), before=read(hash_path(site.home)), after=noted, shown=False),
        FileChange(path=file, before=read(file), after=wanted, mode=launcher.MODE),
    )
    return tuple(change for change in changes if change.before != change.after)


def _is_last(shelf: Shelf) -> bool:
    others = shelf.folder.glob("*.json") if shelf.folder.is_dir() else ()
    return all(record == shelf.record_path for record in others)


def _maybe_text(content: bytes | None, path: Path) -> str | None:
    return None if content is None else _text(content, path)


def _text(content: bytes | None, path: Path) -> str:
    """Return a settings file's text. Raises BadSettings, which names the file, if it is not what the client reads."""
    try:
        text = (content or b"").decode()
        settings.load(text)
    except UnicodeDecodeError as error:
        raise BadSettings(
            f"{path}: byte {error.start} is no UTF-8", hint="correct it by hand, nothing was written", path=str(path)
        ) from error
    except BadSettings as error:
        raise _of_file(error, path) from error
    return text


def _of_file(error: BadSettings, path: Path) -> BadSettings:
    return BadSettings(f"{path}: {error.message}", hint=error.hint, path=str(path), **error.details)
