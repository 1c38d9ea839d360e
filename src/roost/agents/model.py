"""An agent: a stable name in a project, behind which sessions come and go."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["agent", "human", "service"]
AliasKind = Literal["id", "role", "window", "pane", "old-name", "external", "other"]


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an agent beside its name; the Discord fields attribute messages of people who share a bridge."""

    display_name: str = ""
    role: str = ""
    client: str = ""
    model: str = ""
    discord_username: str = ""
    discord_user_id: str = ""
    notes: str = ""


class Agent(msgspec.Struct, frozen=True, kw_only=True):
    """One agent of a project; `epoch` is that of its newest session, and only grows."""

    id: str
    name: str
    kind: Kind = "agent"
    epoch: int = 0
    capabilities: tuple[str, ...] = ()
    profile: Profile = Profile()
    generated: bool = False
    reserved: bool = False
    key_version: int = 1
    key_oldest: int = 1
    paused_at: int | None = None
    created_at: int = 0
    retired_at: int | None = None


class Alias(msgspec.Struct, frozen=True, kw_only=True):
    """Another way to name an agent; a renamed agent keeps its old name as one."""

    alias: str
    agent: str
    kind: AliasKind
