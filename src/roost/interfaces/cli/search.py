"""`roost search`: messages by their words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roost.interfaces.cli.times import SINCE
from roost.interfaces.cli.verbs import Cli, verb

if TYPE_CHECKING:
    from roost.interfaces.cli.output import Part
    from roost.messages.search import Found


@verb("search")
@click.argument("words", nargs=-1, required=True)
@click.option("--from", "sender", default="", metavar="NAME", help="Only what this agent said.")
@click.option("--channel", default="", metavar="NAME", help="Only what was said in a channel.")
@click.option(
    "--since", type=SINCE, default=0, metavar="TIME|AGO", help="Only what was said since: 2026-01-31T18:00, or 2h."
)
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="At most so many.")
def search(cli: Cli, words: tuple[str, ...], sender: str, channel: str, since: int, limit: int) -> None:
    """Find messages that hold all these words, best first."""
    found = cli.hub.messages.search(" ".join(words), sender=sender, channel=channel, since=since, limit=limit)

    def show() -> None:
        for one in found:
            cli.out.line(*_line(cli, one))
        if not found:
            cli.out.line("nothing was found")

    cli.answer(found, show)


def _line(cli: Cli, one: Found) -> list[Part]:
    from roost.interfaces.cli.times import clock_of_wall
    from roost.messages.search import CLOSING, OPENING

    said = one.message
    parts: list[Part] = [
        (f"{clock_of_wall(said.wall, cli.moment)} ", "dim"),
        (said.ref, "cyan"),
        f" {said.sender_name}: ",
    ]
    first, *rest = one.snippet.split(OPENING)
    parts.append(first)
    for piece in rest:
        word, _, after = piece.partition(CLOSING)
        parts += [(word, "bold"), after]
    return parts
