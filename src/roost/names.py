"""The rule for names of agents, channels and leases, and the other ways to write an agent.

A name is `[a-z0-9][a-z0-9._-]*`, 1 to 64 characters, without `..`. Everything else that people write for an agent
(`Agent-4`, `session:window`, `%pane`, a uuid) is an alias: it is folded here and looked up by who keeps the aliases.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from roost.errors import InvalidName
from roost.lookalikes import skeleton

NAME_CHARACTERS_MAX = 64
SUGGESTIONS_MAX = 3
_SUGGEST_FROM_MAX = 2_000  # difflib compares with each candidate; a reply to a typing error must stay quick

RESERVED = frozenset(
    {
        "admin",
        "administrator",
        "all",
        "anonymous",
        "daemon",
        "everybody",
        "everyone",
        "here",
        "human",
        "me",
        "nobody",
        "none",
        "null",
        "owner",
        "person",
        "root",
        "roost",
        "self",
        "somebody",
        "someone",
        "superuser",
        "sysadmin",
        "system",
        "undefined",
        "unknown",
        "user",
        "you",
    }
)
"""Names that would let an agent pass for a person, for Roost itself or for a group."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_PANE = re.compile(r"%[0-9]{1,9}")
_WINDOW = re.compile(r"[!-9;-~]{1,64}:[!-9;-~]{1,64}")  # printable ASCII but blank and colon, as tmux prints targets
_RESERVED_LOOKS = frozenset(skeleton(name) for name in RESERVED)

AliasForm = Literal["uuid", "pane", "window", "name"]


def check_name(value: object, *, what: str = "agent") -> str:
    """Return `value` if it may name a new agent, channel or lease (`what` says which). Raises InvalidName."""
    name = _text(value, what)
    if "@" in name:
        raise InvalidName(
            f"{what} name {_shown(name)} has the form name@project, which is reserved for mail between projects",
            hint="mail stays in its own project: leave out the @ and what follows",
        )
    if not _NAME.fullmatch(name):
        raise InvalidName(f"{what} name {_shown(name)} {_fault(name)}", hint=_remedy(name))
    if ".." in name:
        raise InvalidName(f"{what} name {_shown(name)} holds two dots in a row", hint="use a single dot or a dash")
    if is_reserved(name):
        raise InvalidName(
            f"{what} name {_shown(name)} is reserved, or looks like a name that is",
            hint="choose a name that says what it does",
        )
    return name


def is_reserved(name: str) -> bool:
    """Say whether `name` is a reserved word or looks like one (`adm1n`, `sys-tem`, `hurnan`)."""
    return name in RESERVED or skeleton(name) in _RESERVED_LOOKS


def alias_form(text: str) -> AliasForm | None:
    """Say which way of writing an agent `text` is; None if none."""
    if _UUID.fullmatch(text):
        return "uuid"
    if _PANE.fullmatch(text):
        return "pane"
    if _WINDOW.fullmatch(text) and "@" not in text:
        return "window"
    # ASCII before folding: the Kelvin sign folds to an ordinary k.
    if text.isascii() and len(text) <= NAME_CHARACTERS_MAX and ".." not in text and _NAME.fullmatch(text.casefold()):
        return "name"
    return None


def fold_alias(value: object) -> str:
    """Return the one form in which an agent's name or alias is stored and looked up: `Agent-4` becomes `agent-4`.

    Uuids and names lose their case; panes and windows keep theirs, because tmux does. Reserved words pass, for they may
    be looked up. Raises InvalidName.
    """
    text = _text(value, "agent")
    form = alias_form(text)
    if form in ("uuid", "name"):
        return text.casefold()
    if form:
        return text
    if "@" in text:
        raise InvalidName(
            f"{_shown(text)} has the form name@project, which is reserved for mail between projects",
            hint="address agents of this project by their name alone",
        )
    raise InvalidName(
        f"{_shown(text)} {_fault(text.casefold())}",
        hint=f"{_remedy(text)}; an agent also goes by its uuid, session:window or %pane",
    )


def slug(text: str) -> str | None:
    """Return a valid, unreserved name made from `text` (`Ada Lovelace`: `ada-lovelace`), or None if it yields none."""
    import unicodedata  # only when somebody joins or a name is refused

    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().casefold()
    name = re.sub(r"\.{2,}", ".", re.sub(r"[^a-z0-9._]+", "-", plain))
    name = name.strip("-._")[:NAME_CHARACTERS_MAX].rstrip("-._")
    return None if not name or is_reserved(name) else name


def suggest(name: str, candidates: Iterable[str], *, count: int = SUGGESTIONS_MAX) -> list[str]:
    """Return up to `count` of `candidates` that the writer of `name` may have meant, the nearest first."""
    import difflib  # only when a name was wrong

    wish = name.casefold()
    known = list(dict.fromkeys(candidates))[:_SUGGEST_FROM_MAX]
    starts = sorted((one for one in known if wish and one.casefold().startswith(wish)), key=len)
    folded = {one.casefold(): one for one in known}
    near = [folded[one] for one in difflib.get_close_matches(wish[:NAME_CHARACTERS_MAX], folded, n=count, cutoff=0.6)]
    return list(dict.fromkeys(starts + near))[:count]


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise InvalidName(f"{what} name must be text, not {type(value).__name__}", hint="give the name as a string")
    if not value:
        raise InvalidName(f"{what} name is empty", hint="give a name of 1 to 64 characters")
    if len(value) > NAME_CHARACTERS_MAX * 2 + 1 or (len(value) > NAME_CHARACTERS_MAX and ":" not in value):
        raise InvalidName(
            f"{what} name {_shown(value)} has {len(value)} characters",
            hint=f"at most {NAME_CHARACTERS_MAX} are allowed",
        )
    return value


def _fault(name: str) -> str:
    """Say what the first thing wrong in a name is."""
    for place, letter in enumerate(name, start=1):
        if not _NAME.fullmatch("a" + letter):
            fault = f"holds {_shown(letter)} (U+{ord(letter):04X}) as character {place}"
            return f"{fault}; names are a-z, 0-9, dot, underscore and dash"
    if ".." in name:
        return "holds two dots in a row"
    return "does not begin with a letter or digit"


def _remedy(name: str) -> str:
    better = slug(name)
    return f"write {better}" if better else "begin with a letter or digit and use a-z, 0-9, dot, underscore and dash"


def _shown(text: str) -> str:
    """Quote `text` for a message: escapes for what does not print, at most 80 characters."""
    return repr(text if len(text) <= 80 else text[:79] + "…")
