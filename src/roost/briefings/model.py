"""What a briefing is made of, and what an agent leaves for its next context."""

from __future__ import annotations

from typing import Literal

import msgspec

CheckpointKind = Literal["note", "compaction", "end"]


class GitFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of the repository; all empty where there is none.

    `status` holds the first changed files as `git status --short` prints them, `changed` counts them all; `note` says
    what could not be seen.
    """

    branch: str = ""
    status: tuple[str, ...] = ()
    changed: int = 0
    commits: tuple[str, ...] = ()
    note: str = ""


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent was doing, in its own words or as seen before a context was lost; `at` is on the store clock."""

    agent: str
    n: int = 0
    session: str = ""
    at: int
    kind: CheckpointKind = "note"
    note: str = ""
    branch: str = ""
    files: tuple[str, ...] = ()


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a briefing: lines under a title. The section of least `weight` loses lines first, from its end.

    `beyond` counts what is not among the lines to begin with, and `rest` says where all of it is found.
    """

    title: str = ""
    lines: tuple[str, ...] = ()
    weight: int
    beyond: int = 0
    rest: str = ""
