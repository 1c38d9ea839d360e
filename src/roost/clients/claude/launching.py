"""Claude Code launched by Roost: settings of its own that tell of its hooks by HTTP."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from roost.clients.changes import read
from roost.clients.claude import hooktable, install, settings
from roost.clients.claude.install import Site
from roost.clients.claude.settings import Entries
from roost.errors import BadSettings

PATH = "/v1/hooks/claude"
OPTION = "--settings"
CARRIED = ("ROOST_AGENT", "CLAUDE_CODE_STOP_HOOK_BLOCK_CAP")
"""Variables that its events are read with; a request carries none."""


def split(arguments: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """Take a person's own settings out of the client's arguments, as text; '' if none are named.

    Raises BadSettings for a file that cannot be read.
    """
    rest, given, words = [], "", iter(arguments)
    for word in words:
        if word == OPTION:
            given = next(words, "")
        elif word.startswith(f"{OPTION}="):
            given = word.partition("=")[2]
        else:
            rest += [word, *words] if word == "--" else [word]
    return tuple(rest), _text(given)


def obstacle(site: Site, given: str) -> str:
    """Say why this client's hooks cannot go by HTTP, '' if they can."""
    if next(_installed(site), None) is None and not install.has_plugin(site):
        return "Roost's hooks are not installed (`roost init`)"
    for path in (*site.all_settings(), site.managed):
        if "allowedHttpHookUrls" in install.peek(path):
            return f"{path} says which addresses hooks may call"
    return "the settings say which addresses hooks may call" if "allowedHttpHookUrls" in settings.load(given) else ""


def settings_text(site: Site, given: str, url: str, key: str) -> str:
    """Return the settings for one launch: a person's own, and the hooks by HTTP. Raises BadSettings."""
    batch = not any(hooktable.FALLBACK.event in hooks for hooks in _installed(site))
    return settings.add(given or None, Entries(hooks=hooktable.http_groups(url, key, batch=batch)))


def carried(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that this client's events are read with."""
    return {name: environ[name] for name in CARRIED if name in environ}


def _installed(site: Site) -> Iterator[dict[str, list[hooktable.Group]]]:
    """Yield Roost's hooks in each settings file that has some."""
    for path in site.all_settings():
        try:
            found = settings.find((read(path) or b"").decode()).hooks
        except (BadSettings, UnicodeDecodeError, OSError):
            continue  # the client cannot read it either
        if found:
            yield found


def _text(given: str) -> str:
    if not given or given.lstrip().startswith("{"):
        return given
    try:
        return Path(os.path.expanduser(given)).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"{given}: {error}", hint=f"correct what {OPTION} names", path=given) from None
