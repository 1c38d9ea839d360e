"""Which checkout a folder lies in, told from the file system: git is not run."""

from __future__ import annotations

import os

import msgspec

LINE_CHARACTERS_MAX = 4_096


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


def head_of(top: str) -> str:
    """Return the commit that a checkout stands at, as git's own files say; '' where they do not say it plainly."""
    folder = _git_folder(top)
    head = _line(f"{folder}/HEAD") if folder else ""
    if not head.startswith("ref: "):
        return head
    ref = head.removeprefix("ref: ")
    common = os.path.normpath(os.path.join(folder, _line(f"{folder}/commondir") or "."))
    return _line(f"{folder}/{ref}") or _line(f"{common}/{ref}") or _packed(f"{common}/packed-refs", ref)


def _git_folder(top: str) -> str:
    git = os.path.join(top, ".git")
    if os.path.isdir(git):
        return git
    link = _line(git)
    return os.path.join(top, link.removeprefix("gitdir: ")) if link.startswith("gitdir: ") else ""


def _packed(path: str, ref: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return next((line.split(" ")[0] for line in file if line.rstrip("\n").endswith(f" {ref}")), "")
    except OSError:
        return ""


def _line(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.readline(LINE_CHARACTERS_MAX).rstrip("\n")
    except OSError:
        return ""
