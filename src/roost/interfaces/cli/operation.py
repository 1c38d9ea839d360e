"""`roost operation`: a sequence of messages that nobody's message interrupts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from roost.interfaces.cli.times import DURATION, clock
from roost.interfaces.cli.verbs import Cli, group, part

if TYPE_CHECKING:
    from roost.operations.model import Operation

TTL_SECONDS = 600.0


@group("operation")
def operation(ctx: click.Context) -> None:
    """Take the input of several agents, tell them something in order and undisturbed, then let others speak."""


@part(operation, "begin")
@click.argument("targets", nargs=-1, required=True, metavar="NAME...")
@click.option("--title", default="", help="What it is about.")
@click.option(
    "--ttl", type=DURATION, default=TTL_SECONDS, show_default="10m", help="It ends by itself after this time."
)
def begin(cli: Cli, targets: Sequence[str], title: str, ttl: float) -> None:
    """Take the input of all these agents, or of none."""
    _told(cli, cli.hub.operations.begin(targets, title=title, ttl=ttl))


@part(operation, "add")
@click.argument("which", metavar="ID")
@click.argument("text", default="-")
@click.option("--to", "to", multiple=True, metavar="NAME", help="Only to these targets.")
@click.option("--subject", default="", help="A line that says what it is about.")
@click.option("--requires-ack", is_flag=True, help="Ask for an acknowledgement.")
def add(cli: Cli, which: str, text: str, to: Sequence[str], subject: str, requires_ack: bool) -> None:
    """Send the next step; TEXT is taken from stdin if it is '-' or missing."""
    from roost.interfaces.cli.send import read_text, tell

    words = read_text(text)
    tell(cli, cli.hub.operations.add(which, words, to=to, subject=subject, requires_ack=requires_ack))


@part(operation, "seal")
@click.argument("which", default="", metavar="[ID]")
def seal(cli: Cli, which: str) -> None:
    """Say that it is complete; it closes when every step has arrived or ended."""
    _told(cli, cli.hub.operations.seal(which))


@part(operation, "abort")
@click.argument("which", default="", metavar="[ID]")
@click.option("--reason", default="", help="Why; the log keeps it.")
def abort(cli: Cli, which: str, reason: str) -> None:
    """End it now; steps that have not arrived are cancelled."""
    _told(cli, cli.hub.operations.abort(which, reason=reason))


@part(operation, "show")
@click.argument("which", default="", metavar="[ID]")
def show(cli: Cli, which: str) -> None:
    """Show how far one got."""
    found = cli.hub.operations.get(which)

    def lines() -> None:
        _line(cli, found.operation)
        counts = f"{found.delivered} delivered, {found.waiting} waiting, {found.failed} failed"
        cli.out.line(f"  {found.deliveries} deliveries: {counts}")

    cli.answer(found, lines)


@part(operation, "list")
@click.option("--ended", is_flag=True, help="Those that are over, too.")
def list_(cli: Cli, ended: bool) -> None:
    """List the operations, newest first."""
    found = cli.hub.operations.list(ended=ended)

    def lines() -> None:
        for one in found:
            _line(cli, one)
        if not found:
            cli.out.line("no operation holds anybody's input")

    cli.answer(found, lines)


def _told(cli: Cli, one: Operation) -> None:
    cli.answer(one, lambda: _line(cli, one))


def _line(cli: Cli, one: Operation) -> None:
    until = (
        f" until {clock(one.expires_at, cli.moment)}"
        if one.ended_at is None
        else f": {one.reason}"
        if one.reason
        else ""
    )
    cli.out.line((one.id, "cyan"), f"  {one.title or 'operation'} of {one.owner_name} is {one.state}{until}")
    cli.out.line(f"  {one.steps} steps for {', '.join(one.targets) or 'nobody any more'}")
