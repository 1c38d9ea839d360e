"""Which checkout a folder lies in, told from the file system: git is not run."""

from __future__ import annotations

import os

import msgspec


class Worktree(msgspec.Struct, frozen=True, kw_only=True):
    """The top of a checkout; `linked_name` is its folder's name if it is a linked worktree."""

    top: str = ""
    linked_name: str = ""


def worktree_of(folder: str) -> Worktree:
    """Return the checkout that holds a folder; an empty one outside any."""
    here = os.path.realpath(folder)
    while True:
        git = os.path.join(here, ".git")
        if os.path.exists(git):
            linked = os.path.isfile(git) and os.path.basename(here)
            return Worktree(top=here, linked_name=linked or "")
        above = os.path.dirname(here)
        if above == here:
            return Worktree()
        here = above
