"""Copies of the store: `backup`, `restore`."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from roost.interfaces.cli.verbs import Cli, verb

if TYPE_CHECKING:
    from roost.stores.sqlite.backup import Copy
    from roost.workdir import Workdir

PROGRESS_SECONDS = 0.5


@verb("backup")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path), default=None)
def backup(cli: Cli, file: Path | None) -> None:
    """Copy the store to FILE while it is in use (default: .roost/backups/ with the time in its name)."""
    to = file or _default(cli)
    copy = cli.project.backup(to, _progress(cli))
    what = f"the state of event {copy.seq} (messages: {copy.messages}) is in "
    cli.answer(copy, lambda: cli.out.line(what, (str(to), "bold")))


@verb("restore")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Even while sessions live; what they did since is lost to them.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Try it in a scratch folder, verify that, and change nothing.")
def restore(cli: Cli, file: Path, force: bool, yes: bool, dry_run: bool) -> None:
    """Put a backup in the place of the store. The store that it replaces is kept beside it.

    It works for a store that cannot be opened any more, too. Cursors and fencing tokens from before are void, and
    every session has to join again. Only the project's person may.
    """
    from roost import reach, restoring, workdir
    from roost.interfaces.cli.init import agreed

    place = workdir.Workdir(reach.place_of(cli.folder))
    copy = restoring.look(file)
    restoring.refuse_agents(place)
    if dry_run:
        _rehearse(cli, place, file)
        return
    what = _what(copy)
    if not yes and not agreed(f"Put back {what}?"):
        cli.out.line("Nothing was done.")
        raise click.exceptions.Exit(1)
    done = restoring.restore(place, file, force=force)
    if cli.out.as_json:
        cli.out.json({"seq": copy.seq, "epoch": done.epoch, "kept": str(done.kept)})
    else:
        cli.out.line(f"restored {what}, as store epoch {done.epoch}; the store before is kept as {done.kept}")


def _rehearse(cli: Cli, place: Workdir, file: Path) -> None:
    from roost import restoring
    from roost.errors import WrongState

    tried = restoring.rehearse(place, file)
    if tried.problem:
        raise WrongState(
            f"{file} can be put back, but its log is not whole: {tried.problem}", hint="take another backup"
        )
    if cli.out.as_json:
        cli.out.json({"seq": tried.copy.seq, "epoch": tried.copy.epoch, "messages": tried.copy.messages})
    else:
        cli.out.line(f"would restore {_what(tried.copy)}; put back in a scratch folder it opens, and its log is whole")
        cli.out.line("nothing was done (--dry-run)")


def _what(copy: Copy) -> str:
    return f"the state of event {copy.seq} (messages: {copy.messages})"


def _default(cli: Cli) -> Path:
    assert cli.project.place is not None
    folder = cli.project.place.path / "backups"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / f"store-{time.strftime('%Y%m%d-%H%M%S')}.db"


def _progress(cli: Cli) -> Callable[[int, int], None]:
    shown = [time.monotonic()]

    def tell(done: int, of: int) -> None:
        if cli.out.on_terminal and not cli.out.as_json and time.monotonic() - shown[0] >= PROGRESS_SECONDS:
            shown[0] = time.monotonic()
            cli.out.line(f"{done * 100 // max(of, 1)} % of {of} pages")

    return tell
