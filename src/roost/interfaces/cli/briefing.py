"""What an agent must know to go on, and what it leaves for its next context: `briefing`, `checkpoint`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from roost.interfaces.cli.verbs import Cli, verb

if TYPE_CHECKING:
    from roost.briefings.model import Checkpoint, GitFacts


@verb("briefing")
@click.option("--limit", type=click.IntRange(500, 100_000), default=None, metavar="BYTES", help="At most so long.")
def briefing(cli: Cli, limit: int | None) -> None:
    """Show what you are told at a start, after a compaction and after a restart. It offers no mail."""
    bounds = {} if limit is None else {"limit": limit}
    text = cli.hub.briefings.show(git=_git(cli), **bounds)
    cli.answer({"briefing": text}, lambda: cli.out.body(text, indent=""))


@verb("checkpoint")
@click.argument("note", nargs=-1)
@click.option("--file", "files", multiple=True, metavar="PATH", help="A file that you work on; may be repeated.")
@click.option("--of", "agent", default="", metavar="NAME", help="Show another agent's last one; for people.")
def checkpoint(cli: Cli, note: tuple[str, ...], files: tuple[str, ...], agent: str) -> None:
    """Write down what you are doing, for your next context: NOTE, the branch and the changed files.

    Without NOTE and --file the last one is shown. 20 are kept, and briefings show the last.
    """
    if agent and (note or files):
        raise click.UsageError("--of shows what another agent wrote; a checkpoint is written by its own agent")
    if note or files:
        written = cli.hub.briefings.checkpoint(" ".join(note), git=_git(cli), files=files)
        cli.answer(written, lambda: cli.out.line("written down; your next briefing shows it"))
        return
    last = cli.hub.briefings.last_checkpoint(agent)
    cli.answer(last, lambda: _show(cli, last))


def _show(cli: Cli, last: Checkpoint | None) -> None:
    from roost.interfaces.cli.times import clock

    if last is None:
        cli.out.line("there is no checkpoint yet; write one: roost checkpoint TEXT")
        return
    branch = f" on branch {last.branch}" if last.branch else ""
    kind = "" if last.kind == "note" else f" ({last.kind})"
    cli.out.line((f"{clock(last.at, cli.moment)}{branch}{kind}", "bold"))
    if last.note:
        cli.out.body(last.note)
    for file in last.files:
        cli.out.line(f"    {file}")


def _git(cli: Cli) -> GitFacts:
    from roost.connect import git_facts

    return git_facts(cli.folder or os.getcwd())
