"""A token: a key to the hub, bound to one agent or person and to what it may do."""

from __future__ import annotations

from typing import Literal

import msgspec

Scope = Literal["send", "read", "lease", "admin"]
SCOPES: tuple[Scope, ...] = ("send", "read", "lease", "admin")


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """One token as the store knows it; times are milliseconds of the wall clock. The key itself is nowhere."""

    id: str
    agent: str
    name: str = ""
    scopes: tuple[Scope, ...]
    label: str = ""
    created_at: int
    expires_at: int
    revoked_at: int | None = None
    replaced_by: str = ""


class NewToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token that was just made: `key` is shown this once and kept nowhere."""

    key: str
    token: Token


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a token let in, and the session that it acts as; or why not: `refused`, and seconds until it may try
    again."""

    session: str = ""
    agent: str = ""
    name: str = ""
    kind: str = ""
    scopes: tuple[Scope, ...] = ()
    token: str = ""
    refused: str = ""
    retry_after: float = 0.0
