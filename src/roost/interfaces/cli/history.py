"""`roost history`: every change of state, and the proof that none is missing."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from roost.interfaces.cli.output import flush
from roost.interfaces.cli.times import TIME, clock_of_wall
from roost.interfaces.cli.verbs import Cli, group, part

if TYPE_CHECKING:
    from pathlib import Path

    from roost.history.model import Event, Left, Line, Verdict

PROBLEMS_SHOWN_MAX = 20


@group("history", invoke_without_command=True)
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="At most so many events.")
@click.option("--after", type=click.IntRange(0), default=None, metavar="N", help="What follows event number N.")
@click.option(
    "--since", "cursor", default=None, metavar="CURSOR", help="What follows a cursor; refused after a restore."
)
@click.option("--kind", "kinds", multiple=True, help="A kind (message.sent) or a family (message); may be repeated.")
@click.option("--by", "actor", default="", metavar="NAME", help="Only what this agent did; `roost` for Roost itself.")
@click.option("--of", "object_", default="", metavar="ID", help="Only what happened to this, m7 for example.")
@click.option("--follow", "-f", is_flag=True, help="Go on with what happens from now on.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def history(
    ctx: click.Context,
    limit: int,
    after: int | None,
    cursor: str | None,
    kinds: Sequence[str],
    actor: str,
    object_: str,
    follow: bool,
    as_json: bool,
) -> None:
    """Show the log of the project: the last events, or those that fit."""
    cli: Cli = ctx.obj
    cli.out.as_json |= as_json
    if ctx.invoked_subcommand is not None:
        return
    events = cli.hub.history
    if follow:
        gc.enable()
        for event in events.follow(cursor, kinds=kinds, actor=actor, object=object_):
            _show(cli, event)
        return
    if cursor is None and not kinds and not actor and not object_:
        head = events.head().seq
        found = events.lines(max(0, head - limit) if after is None else after, limit)
        cli.answer(found, lambda: _show_all(cli, found))
        return
    page = events.since(cursor or "", kinds=kinds, actor=actor, object=object_, limit=limit)

    def show() -> None:
        _show_all(cli, page.events)
        cli.out.line(
            f"go on with: --since {page.cursor}" if page.more else f"that is all; later: --since {page.cursor}"
        )

    cli.answer(page, show)


@part(history, "verify")
def verify(cli: Cli) -> None:
    """Recompute the whole chain, each message's hash and the archives. Exit status 4 if something is wrong."""
    from roost.errors import WrongState
    from roost.history.archive import problems

    found = cli.hub.history.verify()
    lost = problems(cli.hub.history, archives(cli))

    def show() -> None:
        _show_verdict(cli, found)
        for problem in lost:
            cli.out.line((problem.what, "red"))

    cli.answer({"verdict": found, "archives": lost}, show)
    if not found.good or lost:
        raise WrongState("the log is not what was written", hint="keep a copy, and put the newest good backup back")


@part(history, "at")
@click.argument("when", metavar="EVENT|TIME")
def at(cli: Cli, when: str) -> None:
    """Show the state after an event number, or at a time like 2026-01-31T18:00."""
    if when.isascii() and when.isdigit():
        found = cli.hub.history.at(seq=int(when))
    else:
        found = cli.hub.history.at(wall=TIME.convert(when, None, None))

    def show() -> None:
        cli.out.line(f"after event {found.seq}, {clock_of_wall(found.wall, cli.moment)}")
        for session in found.sessions:
            name = found.agents.get(session.agent, session.agent)
            cli.out.line(f"  {name} had a live session ({session.client}, epoch {session.epoch})")
        for lease in found.leases:
            cli.out.line(f"  {found.agents.get(lease.agent, lease.agent)} held {lease.what}")
        for one in found.deliveries:
            cli.out.line(f"  m{one.number} to {found.agents.get(one.recipient, one.recipient)} was {one.state}")
        cli.out.line(f"  {found.done} deliveries were done")

    cli.answer(found, show)


@part(history, "export")
@click.argument("file", type=click.Path(dir_okay=False))
def export(cli: Cli, file: str) -> None:
    """Write the whole project as JSON lines. It holds agents, mail, leases and the log, not the secret that signs."""
    from pathlib import Path

    done = cli.project.export(Path(file))
    cli.answer(done, lambda: cli.out.line(f"{done.rows} rows with {counted(done.messages)} are in {file}"))


@part(history, "import")
@click.argument("file", type=click.Path(dir_okay=False, exists=True))
def import_(cli: Cli, file: str) -> None:
    """Fill a new project from an export, all of it or nothing. Every session has to join again."""
    from pathlib import Path

    done = cli.project.import_(Path(file))
    if cli.out.as_json:
        cli.out.json({"rows": done.rows, "seq": done.seq, "messages": done.messages})
    else:
        cli.out.line(f"{counted(done.messages)} and {done.seq} events are here now; `roost history verify` checks them")


def counted(messages: int) -> str:
    """Say how many messages."""
    return "1 message" if messages == 1 else f"{messages} messages"


@part(history, "seal")
@click.option("--until", type=click.IntRange(1), default=None, metavar="N", help="Up to event number N.")
def seal(cli: Cli, until: int | None) -> None:
    """Move old events into an archive that `verify` checks; for people. At most 50,000, into .roost/archives."""
    from roost.errors import Forbidden
    from roost.history.archive import archive

    if cli.me.kind == "agent":  # before a file is written that the log would then not take
        raise Forbidden("an agent may not seal the log", hint="ask the project's person")
    sealed = archive(cli.hub.history, archives(cli), until=until)

    def show() -> None:
        if sealed is None:
            cli.out.line("nothing may be sealed now: mail from then on is still on its way")
        else:
            cli.out.line(f"events {sealed.first}-{sealed.last} are in {archives(cli) / sealed.archive}")

    cli.answer(sealed, show)


@part(history, "retain")
@click.option("--dry-run", is_flag=True, help="Change nothing; show what would leave.")
def retain(cli: Cli, dry_run: bool) -> None:
    """Move what is final and older than its policy into .roost/archives; for people. The daemon does so every hour."""
    done = cli.hub.history.retain(dry_run=dry_run)

    def show() -> None:
        for one in done.kinds:
            cli.out.line((f"{one.kind:<11}", "bold"), _left(one, dry_run=dry_run))
            for reason, count in sorted(one.stays.items()):
                cli.out.line(f"  {count} older ones stay: {reason}")
        if any(one.more for one in done.kinds):
            cli.out.line("more may leave: say it again, or leave it to the daemon")

    cli.answer(done, show)


def _left(one: Left, *, dry_run: bool) -> str:
    noun = "threads" if one.kind == "messages" else one.kind
    things = f"1 {noun.removesuffix('s')}" if one.count == 1 else f"{one.count} {noun}"
    if dry_run:
        return f"{things} would leave"
    return f"{things} left" + (f" for {', '.join(one.files)}" if one.files else "")


def archives(cli: Cli) -> Path:
    """Return the folder of sealed events."""
    from pathlib import Path

    return Path(cli.hub.history.archive_folder())


def _show_all(cli: Cli, events: Sequence[Event] | Sequence[Line]) -> None:
    for event in events:
        _show(cli, event)


def _show(cli: Cli, event: Event | Line) -> None:
    from roost.interfaces.cli.output import json_text

    if cli.out.as_json:
        cli.out.moment = cli.moment
        cli.out.json(event)
    else:
        when = clock_of_wall(event.wall, cli.moment)
        data = event.data if isinstance(event.data, str) else json_text(event.data)
        name = cli.name_of(event.actor)
        cli.out.line((f"{event.seq:>6}  {when}  ", "dim"), (event.kind, "bold"), f"  {name}  {event.object}  {data}")
    flush()


def _show_verdict(cli: Cli, found: Verdict) -> None:
    span = f"events {found.first}-{found.last}, {found.messages} messages"
    if found.good:
        cli.out.line(("whole: ", "green"), f"{span}; every hash follows from the one before")
        return
    cli.out.line((f"not whole: {len(found.problems) + found.more_problems} problems in {span}", "red"))
    for problem in found.problems[:PROBLEMS_SHOWN_MAX]:
        cli.out.line(f"  {problem.what}")
