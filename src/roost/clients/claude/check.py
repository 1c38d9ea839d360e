"""What a doctor wants to know of an installation for Claude Code: is what lies there what Roost wrote?"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Literal

import msgspec

from roost.clients import launcher
from roost.clients.changes import read
from roost.clients.claude import hooktable, settings
from roost.clients.claude.install import Scope, Site, examine, has_plugin, hash_path, peek
from roost.clients.claude.record import digest
from roost.errors import BadSettings

State = Literal["ok", "old", "missing", "tampered", "off", "unreadable"]

SWITCHES = {"disableAllHooks": "all hooks are off", "allowManagedHooksOnly": "only managed hooks run"}


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One file of an installation, and what is wrong with it if anything is; `what_to_do` is one sentence."""

    name: Literal["launcher", "hooks", "switch"]
    path: Path
    state: State
    detail: str = ""


def check(site: Site, scope: Scope = "user") -> tuple[Part, ...]:
    """Return the parts of an installation; each is `ok` where hooks can fire. Nothing is raised and nothing changed."""
    return (check_launcher(site.home), check_hooks(site, scope), *_switches(site))


def check_launcher(home: Path) -> Part:
    """Compare the launcher with the one that this version writes, and with what was noted when it was written."""
    path = launcher.path(home)

    def part(state: State, detail: str = "") -> Part:
        return Part(name="launcher", path=path, state=state, detail=detail)

    try:
        content, noted = read(path), read(hash_path(home)) or b""
        if content is None:
            return part("missing", "run roost init")
        facts = path.stat()
    except OSError as error:
        return part("unreadable", str(error))
    if facts.st_mode & 0o022 or facts.st_uid not in {os.geteuid(), 0}:
        return part("tampered", f"others can change it (mode {stat.S_IMODE(facts.st_mode):04o}, user {facts.st_uid})")
    if not facts.st_mode & stat.S_IXUSR:
        return part("tampered", "it is not executable; run roost init")
    if content == launcher.render():
        return part("ok")
    if noted.partition(b" ")[0].decode("ascii", "replace") == digest(content):
        return part("old", "it starts another version or interpreter; run roost init")
    return part("tampered", "it is not what Roost wrote; look at it, then run roost init")


def check_hooks(site: Site, scope: Scope) -> Part:
    """Compare the hooks in the settings of a scope with the table of this version."""
    path = site.settings(scope)

    def part(state: State, detail: str = "") -> Part:
        return Part(name="hooks", path=path, state=state, detail=detail)

    try:
        plugin, before = has_plugin(site), examine(site, path)
        ours = settings.find((before.now or b"").decode(), (before.without or b"").decode())
    except (BadSettings, OSError) as error:
        return part("unreadable", str(error))
    if plugin:
        return (
            part("ok", "the roost plugin brings them") if not ours.hooks else part("old", "the plugin brings them too")
        )
    if not ours.hooks:
        return part("missing", "run roost init")
    if ours.hooks in (hooktable.groups(), hooktable.groups(batch=False)):
        return part("ok")
    if before.record is not None and before.record.entries == ours.digest():
        return part("old", "another version wrote them; run roost init")
    return part("tampered", "somebody edited them; run roost init to write them again")


def _switches(site: Site) -> tuple[Part, ...]:
    """Find the settings by which the client runs no hooks of the user's."""
    return tuple(
        Part(name="switch", path=path, state="off", detail=f'"{switch}" is set: {meaning}')
        for path in (*site.all_settings(), site.managed)
        for switch, meaning in SWITCHES.items()
        if peek(path).get(switch) is True and (switch == "disableAllHooks" or path == site.managed)
    )
