"""Holding mail and letting it go on: `pause`, `resume`."""

from __future__ import annotations

import click

from roost.interfaces.cli.verbs import Cli, verb


@verb("pause")
@click.argument("agent", required=False, default="")
@click.option("--reason", default="", metavar="TEXT", help="Why, for `roost status` and the log.")
def pause(cli: Cli, agent: str, reason: str) -> None:
    """Hold all mail, or that of AGENT: what is sent is stored and waits. Nobody is woken meanwhile."""
    held = cli.hub.deliveries.pause(agent, reason=reason)
    who = f"mail for {held[0]}" if held else "all mail"
    cli.answer({"paused": list(held) or "all"}, lambda: cli.out.line(f"{who} is held; roost resume {agent}".rstrip()))


@verb("resume")
@click.argument("agent", required=False, default="")
def resume(cli: Cli, agent: str) -> None:
    """Let all mail, or that of AGENT, go on in its order."""
    freed = cli.hub.deliveries.resume(agent)
    who = f"mail for {freed[0]}" if agent else "all mail"
    cli.answer({"resumed": list(freed)}, lambda: cli.out.line(f"{who} goes on"))
