"""What a briefing is made of."""

from __future__ import annotations

import msgspec


class GitFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of the repository; all empty where there is none."""

    branch: str = ""
    status: tuple[str, ...] = ()
    commits: tuple[str, ...] = ()
