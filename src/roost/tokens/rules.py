"""What a token looks like, how long it lives, and what each verb of the hub needs of one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Literal

from roost.errors import Forbidden, InvalidInput
from roost.limits import DAY, HOUR, check_duration
from roost.text import check_display
from roost.tokens.model import SCOPES, Scope

PREFIX = "rst_"
"""What a scanner for leaked keys looks for."""
KEY_BYTES = 32
KEY_CHARACTERS = 43
"""32 bytes in base64url without padding (RFC 4648, section 5)."""
LIFE_SECONDS = (HOUR, 365 * DAY)
LIFE_SECONDS_DEFAULT = 90 * DAY
OVERLAP_SECONDS_MAX = DAY
LABEL_CHARACTERS_MAX = 200
FAILURES_MAX = 10
"""Wrong tokens of one address in a minute; further ones are not even looked at."""

_KEY = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{{KEY_CHARACTERS}}}")
_ID = re.compile("[0-9a-f]{16}")

Needed = Scope | Literal["none"]

_NEEDED: dict[str, dict[str, str]] = {
    "messages": {"send": "send send_batch take reply react read inbox listen index_more"},
    "deliveries": {"send": "acknowledge arrived cancel confirm give_back", "admin": "pause resume redeliver hand_over"},
    "channels": {"send": "create join leave close"},
    "agents": {"send": "set_profile add_alias rename", "admin": "add retire rotate_key"},
    "sessions": {"send": "beat"},
    "leases": {
        "lease": "acquire acquire_all release renew stand look leave claim wait wait_all revoke",
        "none": "edit release_edits violated in_worktree",
    },
    "operations": {"lease": "begin add seal run abort"},
    "briefings": {"send": "checkpoint"},
    "history": {"admin": "seal cut retain", "none": "sealable sealed_state"},
    "status": {"read": "looked"},
    "tokens": {"admin": "create list revoke rotate", "none": "admit valid denied"},
    "turns": {
        "send": "inbox read leave",
        "read": "thread",
        "none": "join person arrive become reclaim take settle wake watch",
    },
    "launches": {"none": "begin admit tidy"},
    "duties": {"none": "tick"},
}
"""Verbs that need more than reading, by service; queries, waits for a stage and streams of the log need `read`."""


def scope_of(service: str, verb: str, mode: str) -> Needed:
    """Return the scope that a call needs; `none` is for what no door offers at all.

    A verb that writes and stands in no table is offered by no door.
    """
    for scope, verbs in _NEEDED.get(service, {}).items():
        if verb in verbs.split():
            return scope  # type: ignore[return-value]
    return "none" if mode == "write" else "read"


def id_of(key: str) -> str:
    """Return the id of the token that a key opens: the first 16 hex digits of its SHA-256. Says nothing of the key."""
    return sha256(key.encode()).hexdigest()[:16]


def is_key(text: object) -> bool:
    """Say whether a text has the form of a token's key."""
    return isinstance(text, str) and _KEY.fullmatch(text) is not None


def is_id(text: object) -> bool:
    """Say whether a text has the form of a token's id."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def check_scopes(scopes: Sequence[str], *, kind: str, by: str) -> tuple[Scope, ...]:
    """Return scopes in their order. `kind` is whose token it is, `by` who makes it. Raises InvalidInput, Forbidden."""
    if not isinstance(scopes, (list, tuple, set, frozenset)) or not scopes or any(one not in SCOPES for one in scopes):
        shown = repr(scopes)[:80]
        raise InvalidInput(f"scopes = {shown} is no choice of scopes", hint=f"choose among {', '.join(SCOPES)}")
    if "admin" in scopes and (kind == "agent" or by not in ("human", "system")):
        raise Forbidden("an agent's token cannot have the scope admin", hint="make it for a person, as a person")
    return tuple(scope for scope in SCOPES if scope in scopes)


def check_life(seconds: float) -> int:
    """Return a token's life in milliseconds, 1 h to 365 days. Raises InvalidTtl."""
    return check_duration(seconds, what="life of a token", least=LIFE_SECONDS[0], most=LIFE_SECONDS[1])


def check_overlap(seconds: float) -> int:
    """Return in milliseconds how long a replaced token still works, 0 to a day. Raises InvalidTtl."""
    return check_duration(seconds, what="overlap", least=0.0, most=OVERLAP_SECONDS_MAX)


def check_label(text: str) -> str:
    """Return a token's label. Raises InvalidText."""
    return check_display(text, what="label", most=LABEL_CHARACTERS_MAX) if text else ""
