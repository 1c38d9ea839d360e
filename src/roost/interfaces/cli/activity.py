"""`roost activity`: what agents are doing, and telling what you do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from roost.interfaces.cli.times import clock, length
from roost.interfaces.cli.verbs import Cli, verb

if TYPE_CHECKING:
    from roost.sessions.model import Activity

STATES = click.Choice(["busy", "idle", "waiting"])


@verb("activity")
@click.argument("name", default="")
@click.option("--set", "operation", default=None, metavar="TEXT", help="Tell what you are doing now.")
@click.option("--state", type=STATES, default=None, help="With --set, or alone: the state that you are in.")
def activity(cli: Cli, name: str, operation: str | None, state: str | None) -> None:
    """Show what one agent, or everybody, is doing and since when; or tell what you do."""
    if operation is not None or state is not None:
        own = cli.hub.sessions.beat(state or "busy", operation=operation or "")  # type: ignore[arg-type]
        found: Sequence[Activity] = (own,)
    else:
        found = cli.hub.sessions.activity(name)

    def show() -> None:
        cli.out.table(("agent", "state", "since", "silent", "doing"), [_row(cli, one) for one in found])

    cli.answer(found, show)


def _row(cli: Cli, one: Activity) -> tuple[str | tuple[str, str], ...]:
    since = clock(one.since, cli.moment) if one.since else "-"
    silent = length(one.silent_seconds) if one.session else "-"
    mark = f" ({one.mark})" if one.mark and one.mark not in (one.state, one.operation) else ""
    return (one.agent, "bold"), f"{one.state}{mark}", since, silent, one.operation
