"""Changes to files of the user's: planned, shown, and then made as they were shown or not at all."""

from __future__ import annotations

import contextlib
import difflib
import os
import stat
import tempfile
from pathlib import Path

import msgspec

from roost.errors import SettingsChanged
from roost.text import terminal_safe

PRIVATE = 0o600
PRIVATE_FOLDER, OPEN_FOLDER = 0o700, 0o755
DIFF_CONTEXT_LINES = 3


class FileChange(msgspec.Struct, frozen=True, kw_only=True):
    """What one file holds before and after; None is no file."""

    path: Path
    before: bytes | None
    after: bytes | None
    mode: int = PRIVATE
    """Permissions of a file that is new; an existing one keeps its own."""
    shown: bool = True
    """False for Roost's own notes about what it wrote."""
    prune: tuple[Path, ...] = ()
    """Folders to remove after the file, innermost first, as far as they are empty."""

    def diff(self) -> str:
        """Return the change as a unified diff that is safe to print."""
        name = str(self.path)
        lines = difflib.unified_diff(
            _lines(self.before),
            _lines(self.after),
            "/dev/null" if self.before is None else name,
            "/dev/null" if self.after is None else name,
            n=DIFF_CONTEXT_LINES,
        )
        ended = (line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines)
        return terminal_safe("".join(ended))


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """File changes in the order in which they are safe to make, and what a person should know."""

    changes: tuple[FileChange, ...] = ()
    notes: tuple[str, ...] = ()

    def diff(self) -> str:
        """Return all that is to be shown as one diff; empty if there is nothing to do."""
        return "".join(change.diff() for change in self.changes if change.shown)


def apply(plan: Plan) -> None:
    """Make the changes, each file at once and whole, through links, with its mode and owner.

    Raises SettingsChanged before anything is written if a file is no longer what the plan saw, OSError if one can't be
    written.
    """
    for change in plan.changes:
        if read(change.path) != change.before:
            raise SettingsChanged(
                f"{change.path} was edited since the plan was made", hint="run it again", path=str(change.path)
            )
    for change in plan.changes:
        if change.after is None:
            _remove(change)
        else:
            _write(change.path, change.after, change.mode)


def read(path: Path) -> bytes | None:
    """Return a file's bytes, None if there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def missing_folders(path: Path) -> tuple[Path, ...]:
    """Return the folders that writing `path` will make, innermost first."""
    return tuple(folder for folder in _target(path).parents if not folder.exists())


def _lines(content: bytes | None) -> list[str]:
    return (content or b"").decode("utf-8", "backslashreplace").splitlines(keepends=True)


def _target(path: Path) -> Path:
    """Return the file behind a link, there or not: a link into somebody's dotfiles stays one."""
    return Path(os.path.realpath(path))


def _write(path: Path, content: bytes, mode: int) -> None:
    target = _target(path)
    for folder in reversed(missing_folders(path)):
        folder.mkdir(mode=OPEN_FOLDER if mode & 0o077 else PRIVATE_FOLDER)
    file, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(file, "wb") as fresh:
            fresh.write(content)
            _dress(fresh.fileno(), target, mode)
            fresh.flush()
            os.fsync(fresh.fileno())
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise


def _dress(file: int, target: Path, mode: int) -> None:
    """Give a fresh file the mode and owner of the one that it replaces."""
    try:
        facts = target.stat()
    except FileNotFoundError:
        os.fchmod(file, mode)
        return
    if (facts.st_uid, facts.st_gid) != (os.geteuid(), os.getegid()):
        os.fchown(file, facts.st_uid, facts.st_gid)
    os.fchmod(file, stat.S_IMODE(facts.st_mode))


def _remove(change: FileChange) -> None:
    _target(change.path).unlink(missing_ok=True)
    for folder in change.prune:
        with contextlib.suppress(OSError):  # somebody has put something there
            folder.rmdir()
