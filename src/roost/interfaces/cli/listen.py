"""`roost listen`: mail as it comes, for programs and for people who keep a window open."""

from __future__ import annotations

import gc

import click

from roost.interfaces.cli.output import flush
from roost.interfaces.cli.verbs import Cli, verb


@verb("listen")
@click.option("--count", type=click.IntRange(1), default=None, metavar="N", help="End after N messages.")
def listen(cli: Cli, count: int | None) -> None:
    """Show your mail as it comes; showing the next one confirms that the one before arrived.

    With --json, one JSON document a line.
    """
    from roost.interfaces.cli.speech import show_message

    gc.enable()
    for shown, item in enumerate(cli.hub.messages.listen(limit=1), 1):
        if cli.out.as_json:
            cli.out.moment = cli.moment
            cli.out.json(item)
        else:
            show_message(cli, item.message)
        flush()
        if shown == count:
            cli.hub.deliveries.confirm([item.message.id])
            return
