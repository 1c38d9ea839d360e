"""Being somebody: `join`, `leave`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from roost.interfaces.cli.verbs import Cli, verb

if TYPE_CHECKING:
    from roost.calling import Joined


@verb("join")
@click.argument("name", required=False, default="")
@click.option("--takeover", is_flag=True, help="Fence a live session of that name; what it still tries is refused.")
@click.option(
    "--reclaim", metavar="OTHER", is_flag=False, flag_value="", help="Inherit the mail of an agent that is gone."
)
@click.option("--shell", is_flag=True, help='Print only what `eval "$(roost join NAME --shell)"` needs.')
def join(cli: Cli, name: str, takeover: bool, reclaim: str | None, shell: bool) -> None:
    """Join as NAME (default: ROOST_AGENT): this shell and what it starts speak as that agent.

    Inside a session that has joined already it takes the name instead.
    """
    from roost.calling import join_here

    name = name or reclaim or os.environ.get("ROOST_AGENT", "")
    if not name:
        raise click.UsageError("as whom? Write `roost join builder`, or set ROOST_AGENT")
    joined = join_here(cli.project, name, takeover=takeover, reclaim=reclaim)
    if shell:
        click.echo(f"export ROOST_SESSION={joined.session}")
        sys.stderr.write(f"roost: joined as {joined.name}\n")
        return
    cli.answer(joined, lambda: _show(cli, joined))


@verb("leave")
def leave(cli: Cli) -> None:
    """End this session: its leases are free, what it was offered without proof waits again."""
    from roost.calling import forget_key
    from roost.errors import WrongState

    me = cli.me
    if me.kind == "human":
        raise WrongState(f"you are {me.name}, the project's person, who does not leave", hint="nothing was changed")
    cli.hub.turns.leave()
    forget_key(cli.project, me.session)
    if cli.out.as_json:
        cli.out.json({"left": me.name, "session": me.session})
    else:
        cli.out.line(f"{me.name} has left; its mail waits until it joins again: roost join {me.name}")


def _show(cli: Cli, joined: Joined) -> None:
    out = cli.out
    if joined.how == "joined":
        out.line("joined as ", (joined.name, "bold"), f" in {joined.where}")
        out.line(f"  what leaves this shell speaks as {joined.name} with: export ROOST_SESSION={joined.session}")
    elif joined.how == "same":
        out.line("you are ", (joined.name, "bold"), " already")
    else:
        forwards = f"; mail to {joined.was} reaches you" if joined.forwards else ""
        out.line("you are ", (joined.name, "bold"), f" now, and no longer {joined.was}{forwards}")
    if joined.handed:
        out.line(f"  mail that came along: {joined.handed}")
    if joined.waiting:
        out.line(f"  mail that waits for you: {joined.waiting} (roost inbox)")
