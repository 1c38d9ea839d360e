"""Where a project keeps its things: the folder `.roost`, found from any of its worktrees."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from roost.errors import UnsafeFolder

if TYPE_CHECKING:
    from pathlib import Path

StrPath = str | os.PathLike[str]

NAME = ".roost"
MODE = 0o700
STORE, GATE, SECRET = "store.db", "gate", "secret"
LAUNCHES = "launches"
FOLDERS = ("beats", "bells", LAUNCHES, "looks", "sessions", "waiters")


class Workdir(msgspec.Struct, frozen=True):
    """The places inside one `.roost` folder."""

    folder: str

    def at(self, name: str) -> str:
        """Return the place of something inside, as text: what short processes use, which do without `pathlib`."""
        return os.path.join(self.folder, name)

    @property
    def path(self) -> Path:
        """Return the folder itself."""
        return _path(self.folder)

    @property
    def store(self) -> Path:
        """Return the SQLite file that holds the truth."""
        return self.path / STORE

    @property
    def gate(self) -> Path:
        """Return the file whose flock every writer takes before it writes."""
        return self.path / GATE

    @property
    def beats(self) -> Path:
        """Return the folder of heartbeats, one file a session."""
        return self.path / "beats"

    @property
    def bells(self) -> Path:
        """Return the folder of bells, one file for an agent with something new."""
        return self.path / "bells"

    @property
    def looks(self) -> Path:
        """Return the folder of last full looks, one file a session."""
        return self.path / "looks"

    @property
    def sessions(self) -> Path:
        """Return the folder of session keys, one 0600 file a session."""
        return self.path / "sessions"

    @property
    def hooks_log(self) -> Path:
        """Return the log of what went wrong in hooks, as JSON lines."""
        return self.path / "hooks.log"

    @property
    def secret(self) -> Path:
        """Return the 0600 file from which signing keys are derived."""
        return self.path / SECRET

    @property
    def run(self) -> Path:
        """Return the file that says where the daemon listens."""
        return self.path / "run.json"


def find(start: StrPath, environ: Mapping[str, str]) -> Path | None:
    """Return the `.roost` that serves `start`, or None outside a project; see `locate`."""
    found = locate(start, environ)
    return None if found is None else _path(found)


def locate(start: StrPath, environ: Mapping[str, str]) -> str | None:
    """Return the `.roost` that serves `start`, or None outside a project.

    `ROOST_DIR` decides alone when it is set. Otherwise the nearest folder upwards wins; from a linked worktree
    its main worktree (or the folder of its bare repository) comes first. Git is not run. The launcher follows
    the same rules in shell, so a change here is a change there.
    """
    named = _named(environ)
    if named is not None:
        return named if os.path.isdir(named) else None
    for folder in _candidates(start):
        place = os.path.join(folder, NAME)
        if refusal(place) is None:
            return place
    return None


def passed_over(start: StrPath) -> tuple[str, str] | None:
    """Return the first `.roost` that `locate` came by and did not take, and why; None where it saw none."""
    for folder in _candidates(start):
        place = os.path.join(folder, NAME)
        trouble = refusal(place) if os.path.lexists(place) else None
        if trouble is not None:
            return place, trouble
    return None


def choose(start: StrPath, environ: Mapping[str, str]) -> Path:
    """Return the `.roost` that a new project at `start` should get; it need not exist."""
    named = _named(environ)
    if named is not None:
        return _path(named)
    here = os.path.realpath(start)
    for folder in _upwards(here):
        if os.path.exists(os.path.join(folder, ".git")):
            return _path(_main_of(folder) or folder) / NAME
        if _is_bare(folder):
            return _path(folder).parent / NAME
    return _path(here) / NAME


def create(path: StrPath) -> Workdir:
    """Make `path` a workdir that only its owner can enter and that git never sees; an existing one is kept.

    Raises UnsafeFolder for one that `refusal` names, OSError where it can't be made.
    """
    folder = os.fspath(path)
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder, MODE)
    trouble = refusal(folder)
    if trouble is not None:
        hint = "mend that, or name another folder with ROOST_DIR"
        raise UnsafeFolder(f"{folder} can't hold a project: {trouble}", hint=hint, path=folder)
    for name in FOLDERS:
        with contextlib.suppress(FileExistsError):
            os.mkdir(os.path.join(folder, name), MODE)
    ignore = os.path.join(folder, ".gitignore")
    if not os.path.exists(ignore):
        with open(ignore, "w", encoding="ascii") as file:
            file.write("*\n")
    return Workdir(folder)


def refusal(path: StrPath) -> str | None:
    """Say why `path` is not taken for a workdir, or None if it is one.

    A repository can carry a `.roost` of its author's with mail and keys in it, and a shared folder one of another
    user's. A checkout is open to others, ours never is.
    """
    try:
        facts = os.stat(path, follow_symlinks=False)
    except OSError as error:
        return error.strerror or "it can't be read"
    if not stat.S_ISDIR(facts.st_mode):
        return "it is not a folder"
    if facts.st_uid != os.geteuid():
        return f"it belongs to user {facts.st_uid}"
    if facts.st_mode & 0o077:
        return f"others can enter it (mode {stat.S_IMODE(facts.st_mode):04o}); run chmod 700 on it if you made it"
    return None


def _named(environ: Mapping[str, str]) -> str | None:
    """Return what `ROOST_DIR` names: a `.roost` folder, or the folder that holds it."""
    value = environ.get("ROOST_DIR", "")
    if not value:
        return None
    path = os.path.realpath(value)
    return path if os.path.basename(path) == NAME else os.path.join(path, NAME)


def _candidates(start: StrPath) -> Iterator[str]:
    for folder in _upwards(os.path.realpath(start)):
        main = _main_of(folder)
        if main is not None:
            yield main
        yield folder


def _upwards(folder: str) -> Iterator[str]:
    """Yield a folder and those above it, up to the root."""
    while True:
        yield folder
        above = os.path.dirname(folder)
        if above == folder:
            return
        folder = above


def _main_of(folder: str) -> str | None:
    """Return the folder beside the shared repository if `folder` is a linked worktree's top, else None.

    A submodule's `.git` is a file too, but its repository has no `commondir`.
    """
    link = _read(os.path.join(folder, ".git"))
    if link is None or not link.startswith("gitdir: "):
        return None
    gitdir = os.path.join(folder, link.removeprefix("gitdir: "))
    common = _read(os.path.join(gitdir, "commondir"))
    return None if common is None else os.path.realpath(os.path.join(gitdir, common, ".."))


def _read(path: str) -> str | None:
    """Return a small file's text without its last newlines, or None if `path` is no readable file."""
    try:
        with open(path, "rb") as file:
            return os.fsdecode(file.read()).rstrip("\n")
    except OSError:
        return None


def _is_bare(folder: str) -> bool:
    inside = os.path.join
    return (
        os.path.isfile(inside(folder, "HEAD"))
        and os.path.isdir(inside(folder, "objects"))
        and os.path.isdir(inside(folder, "refs"))
    )


def _path(text: str) -> Path:
    from pathlib import Path  # 4 to 7 ms, which a call of the command line need not pay

    return Path(text)


def secret(place: Workdir) -> bytes:
    """Return the project's 32 secret bytes, made once, readable by its owner only."""
    kept = place.at(SECRET)
    if os.path.exists(kept):
        return _bytes(kept)
    with contextlib.suppress(FileExistsError):
        fresh = place.at(f"{SECRET}-{os.getpid()}-{os.urandom(4).hex()}")
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(file, os.urandom(32))
            os.fsync(file)
            os.link(fresh, kept)  # whole or not at all, and the first one stays
        finally:
            os.close(file)
            os.unlink(fresh)
    return _bytes(kept)


def _bytes(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
