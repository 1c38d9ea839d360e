"""Which git commands in a shell command rewrite files of a worktree, and which files.

It reads the command as a shell would split it, but expands nothing: what stands in variables, scripts and aliases is
not seen. That is found afterwards, by hash.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from itertools import pairwise
from posixpath import join, normpath

import msgspec

COMMAND_CHARS_MAX = 20_000
"""Longer commands are not read: they are data in a here-document, and a hook has no time for them."""
DEPTH_MAX = 3
"""How deep `sh -c` and `eval` are followed."""

_SEPARATORS = "();<>|&\n`{}"
_HEREDOC = re.compile(r"<<-?[ \t]*(['\"]?)(\w+)\1(?P<rest>[^\n]*)\n.*?^[ \t]*\2[ \t]*$", re.DOTALL | re.MULTILINE)
_ASSIGNMENT = re.compile(r"\w+\+?=")
_DURATION = re.compile(r"\d+(\.\d+)?[smhd]?\Z")
_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh"})
_WRAPPERS = frozenset(
    {"!", "builtin", "command", "do", "doas", "elif", "else", "env", "exec", "if", "nice", "nohup", "sudo", "then"}
    | {"time", "timeout", "until", "while", "xargs"}
)
_GIT_OPTIONS_WITH_VALUE = frozenset({"-c", "--git-dir", "--namespace", "--config-env"})
_STASH_READS = frozenset({"list", "show", "drop", "clear", "create", "store"})
_WHOLE = frozenset({".", "./", ":/", "*"})


class Rewrite(msgspec.Struct, frozen=True):
    """One git command that rewrites files: `folder` is where it runs, no `paths` means the whole worktree."""

    action: str
    folder: str
    paths: tuple[str, ...] = ()


def rewrites(command: str, cwd: str) -> tuple[Rewrite, ...]:
    """Return the rewriting git commands in `command`, when it is run in the absolute folder `cwd`."""
    if "git" not in command or len(command) > COMMAND_CHARS_MAX:
        return ()
    return tuple(_find(command, cwd, DEPTH_MAX))


def _find(command: str, cwd: str, depth: int) -> Iterator[Rewrite]:
    folder = cwd
    for words in map(_unwrap, _commands(command)):
        if not words:
            continue
        program = words[0].rpartition("/")[2]
        if program in ("cd", "pushd"):
            folder = _enter(folder, words[1:])
        elif program == "git":
            yield from _git(words[1:], folder)
        elif depth and (inner := _inner(program, words[1:])):
            yield from _find(inner, folder, depth - 1)


def _commands(command: str) -> Iterator[list[str]]:
    """Cut a shell line into simple commands, each a list of words without quotes."""
    words: list[str] = []
    comment = False
    for token in _tokens(_HEREDOC.sub(r"\g<rest>", command).replace("\\\n", " ")):
        if token and not token.strip(_SEPARATORS):
            yield words
            words, comment = [], comment and "\n" not in token
        elif token.startswith("#"):
            comment = True
        elif not comment:
            words.append(token)
    yield words


def _tokens(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=_SEPARATORS)
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        return list(lexer)
    except ValueError:
        # An open quote: not what the shell will read either, so words cut at spaces are as good a guess as any.
        return re.findall(rf"[{re.escape(_SEPARATORS)}]+|[^\s{re.escape(_SEPARATORS)}]+", line)


def _unwrap(words: list[str]) -> list[str]:
    """Drop what stands before the program: assignments, `sudo -n`, `timeout 5`, `then`."""
    rest = _without_assignments(words)
    while rest and rest[0].rpartition("/")[2] in _WRAPPERS:
        rest = rest[1:]
        while rest and (rest[0].startswith("-") or _ASSIGNMENT.match(rest[0]) or _DURATION.match(rest[0])):
            rest = rest[1:]
    return rest


def _without_assignments(words: list[str]) -> list[str]:
    first = next((n for n, word in enumerate(words) if not _ASSIGNMENT.match(word)), len(words))
    return words[first:]


def _enter(folder: str, args: Sequence[str]) -> str:
    target = next((arg for arg in args if not arg.startswith("-")), "")
    # What is not known here (a variable, the home folder) leaves the folder as it was: rather ask once too often.
    return folder if not target or target[0] in "~$" else normpath(join(folder, target))


def _inner(program: str, args: Sequence[str]) -> str:
    if program == "eval":
        return " ".join(args)
    if program in _SHELLS:
        for option, value in pairwise(args):
            if option.startswith("-") and not option.startswith("--") and option.endswith("c"):
                return value
    return ""


def _git(words: Sequence[str], folder: str) -> Iterator[Rewrite]:
    rest = list(words)
    while rest and rest[0].startswith("-"):
        option, equals, value = rest.pop(0).partition("=")
        takes_next = option in _GIT_OPTIONS_WITH_VALUE or (option in ("-C", "--work-tree") and not equals)
        if takes_next and not equals and rest:
            value = rest.pop(0)
        if option in ("-C", "--work-tree"):
            folder = _enter(folder, [value])
    if rest and (paths := _scope(rest[0], rest[1:])) is not None:
        yield Rewrite(
            rest[0], folder, () if _is_whole(paths) else tuple(normpath(join(folder, path)) for path in paths)
        )


def _is_whole(paths: Sequence[str]) -> bool:
    return any(path in _WHOLE or path.startswith(":") or set(path) & set("*?[$") for path in paths)


def _scope(action: str, args: Sequence[str]) -> Sequence[str] | None:
    """Return the paths that a git action rewrites, none for all of them, and None when it rewrites nothing."""
    options = [arg for arg in args[: _separator(args)] if arg.startswith("-") and arg != "-"]
    named = args[_separator(args) + 1 :]
    words = [arg for arg in args[: _separator(args)] if not arg.startswith("-") or arg == "-"]
    match action:
        case "checkout" | "switch":
            return None if _only_makes_branch(options, words) else named
        case "reset":
            return () if {"--hard", "--merge", "--keep"} & set(options) else None
        case "clean":
            return None if _has(options, "n", "--dry-run") else [*words, *named]
        case "restore":
            only_index = _has(options, "S", "--staged") and not _has(options, "W", "--worktree")
            return None if only_index else [*_without_value(args, words), *named]
        case "stash":
            return None if words[:1] and words[0] in _STASH_READS else named
    return None


def _separator(args: Sequence[str]) -> int:
    return args.index("--") if "--" in args else len(args)


def _has(options: Sequence[str], letter: str, word: str) -> bool:
    return any(one == word or (not one.startswith("--") and letter in one) for one in options)


def _only_makes_branch(options: Sequence[str], words: Sequence[str]) -> bool:
    """Tell whether a new branch starts where the worktree is: `-b NAME` without a start point."""
    makes = {"-b", "-B", "-c", "-C", "--create", "--force-create", "--orphan"}
    return bool(makes & set(options)) and len(words) <= 1


def _without_value(args: Sequence[str], words: Sequence[str]) -> list[str]:
    """Drop the value of `--source TREE` from the words of `restore`."""
    sources = {args[n + 1] for n, arg in enumerate(args[:-1]) if arg in ("-s", "--source")}
    return [word for word in words if word not in sources]
