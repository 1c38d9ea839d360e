"""Where a project keeps its things: the folder `.roost`, found from any of its worktrees."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from roost.errors import UnsafeFolder

NAME = ".roost"
MODE = 0o700
FOLDERS = ("beats", "bells", "looks", "sessions", "waiters")


class Workdir(msgspec.Struct, frozen=True):
    """The places inside one `.roost` folder."""

    path: Path

    @property
    def store(self) -> Path:
        """Return the SQLite file that holds the truth."""
        return self.path / "store.db"

    @property
    def gate(self) -> Path:
        """Return the file whose flock every writer takes before it writes."""
        return self.path / "gate"

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
        return self.path / "secret"

    @property
    def run(self) -> Path:
        """Return the file that says where the daemon listens."""
        return self.path / "run.json"


def find(start: Path, environ: Mapping[str, str]) -> Path | None:
    """Return the `.roost` that serves `start`, or None outside a project.

    `ROOST_DIR` decides alone when it is set. Otherwise the nearest folder upwards wins; from a linked worktree
    its main worktree (or the folder of its bare repository) comes first. Git is not run. The launcher follows
    the same rules in shell, so a change here is a change there.
    """
    named = _named(environ)
    if named is not None:
        return named if named.is_dir() else None
    for folder in _candidates(start):
        if refusal(folder / NAME) is None:
            return folder / NAME
    return None


def choose(start: Path, environ: Mapping[str, str]) -> Path:
    """Return the `.roost` that a new project at `start` should get; it need not exist."""
    named = _named(environ)
    if named is not None:
        return named
    here = Path(os.path.realpath(start))
    for folder in (here, *here.parents):
        if (folder / ".git").exists():
            return (_main_of(folder) or folder) / NAME
        if _is_bare(folder):
            return folder.parent / NAME
    return here / NAME


def create(path: Path) -> Workdir:
    """Make `path` a workdir that only its owner can enter and that git never sees; an existing one is kept.

    Raises UnsafeFolder for one that `refusal` names, OSError where it can't be made.
    """
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=MODE)
    trouble = refusal(path)
    if trouble is not None:
        raise UnsafeFolder(f"{path} can't hold a project: {trouble}", path=str(path))
    for name in FOLDERS:
        (path / name).mkdir(mode=MODE, exist_ok=True)
    ignore = path / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="ascii")
    return Workdir(path)


def refusal(path: Path) -> str | None:
    """Say why `path` is not taken for a workdir, or None if it is one.

    A repository can carry a `.roost` of its author's with mail and keys in it, and a shared folder one of another
    user's. A checkout is open to others, ours never is.
    """
    try:
        facts = path.stat(follow_symlinks=False)
    except OSError as error:
        return error.strerror or "it can't be read"
    if not stat.S_ISDIR(facts.st_mode):
        return "it is not a folder"
    if facts.st_uid != os.geteuid():
        return f"it belongs to user {facts.st_uid}"
    if facts.st_mode & 0o077:
        return f"others can enter it (mode {stat.S_IMODE(facts.st_mode):04o}); run chmod 700 on it if you made it"
    return None


def _named(environ: Mapping[str, str]) -> Path | None:
    """Return what `ROOST_DIR` names: a `.roost` folder, or the folder that holds it."""
    value = environ.get("ROOST_DIR", "")
    if not value:
        return None
    path = Path(os.path.realpath(value))
    return path if path.name == NAME else path / NAME


def _candidates(start: Path) -> Iterator[Path]:
    here = Path(os.path.realpath(start))
    for folder in (here, *here.parents):
        main = _main_of(folder)
        if main is not None:
            yield main
        yield folder


def _main_of(folder: Path) -> Path | None:
    """Return the folder beside the shared repository if `folder` is a linked worktree's top, else None.

    A submodule's `.git` is a file too, but its repository has no `commondir`.
    """
    link = _read(folder / ".git")
    if link is None or not link.startswith("gitdir: "):
        return None
    gitdir = folder / link.removeprefix("gitdir: ")
    common = _read(gitdir / "commondir")
    common = _read(gitdir / "commondir")
    if common is None or not (gitdir / common).is_dir():
        return None
    return Path(os.path.realpath(gitdir / common / ".."))


def _read(path: Path) -> str | None:
    """Return a small file's text without its last newlines, or None if `path` is no readable file."""
    try:
        return os.fsdecode(path.read_bytes()).rstrip("\n")
    except OSError:
        return None


def _is_bare(folder: Path) -> bool:
    return (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir()


def secret(place: Workdir) -> bytes:
    """Return the project's 32 secret bytes, made once, readable by its owner only."""
    if place.secret.exists():
        return place.secret.read_bytes()
    with contextlib.suppress(FileExistsError):
        fresh = place.path / f"secret-{os.getpid()}-{os.urandom(4).hex()}"
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(file, os.urandom(32))
            os.fsync(file)
            os.link(fresh, place.secret)  # whole or not at all, and the first one stays
        finally:
            os.close(file)
            fresh.unlink()
    return place.secret.read_bytes()
