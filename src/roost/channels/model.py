"""A channel: a named group of agents that hear what is sent to it."""

from __future__ import annotations

import msgspec

EVERYBODY = "all"
"""The channel that is built in: everybody who is not retired, offline ones too."""


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """One channel; `joined` says whether the caller is in it.

    `members` are names, and filled in only where one channel was asked for. Times are milliseconds on the store clock.
    `created_by` is a name, '' for the channel that is built in.
    """

    name: str
    topic: str = ""
    created_by: str = ""
    created_at: int = 0
    closed_at: int | None = None
    member_count: int = 0
    joined: bool = False
    members: tuple[str, ...] = ()
