"""The conversation: `log`, `thread`, `search`."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import click

from roost.interfaces.cli.output import flush
from roost.interfaces.cli.verbs import Cli, verb

if TYPE_CHECKING:
    from roost.messages.model import Message

LOOKED_BACK_MAX = 500
"""How many messages a filtered `log` looks through for those to show."""


@verb("log")
@click.option(
    "--limit", type=click.IntRange(1, LOOKED_BACK_MAX), default=20, show_default=True, help="The last so many."
)
@click.option("--after", type=click.IntRange(0), default=None, metavar="N", help="What follows message number N.")
@click.option("--channel", default="", metavar="NAME", help="Only what was said in a channel.")
@click.option("--with", "agent", default="", metavar="NAME", help="Only what an agent said or was told.")
@click.option("--follow", "-f", is_flag=True, help="Go on with what is said from now on.")
def log(cli: Cli, limit: int, after: int | None, channel: str, agent: str, follow: bool) -> None:
    """Show the conversation as people read it, oldest first: who said what to whom."""
    messages = cli.hub.messages
    start = max(0, messages.last_number() - LOOKED_BACK_MAX) if after is None else after
    shown = messages.log(after=start, limit=LOOKED_BACK_MAX, channel=channel, agent=agent)
    shown = shown[-limit:] if after is None else shown[:limit]
    if cli.out.as_json and not follow:
        cli.answer(shown, lambda: None)
        return
    for message in shown:
        _say(cli, message)
    if not shown and not follow:
        cli.out.line("nothing was said yet")
    if follow:
        gc.enable()
        for message in messages.follow(after=shown[-1].number if shown else start, channel=channel, agent=agent):
            _say(cli, message)


@verb("thread")
@click.argument("message")
def thread(cli: Cli, message: str) -> None:
    """Show the thread that a message belongs to, oldest first."""
    found = cli.hub.messages.thread(message)

    def show() -> None:
        for one in found:
            _say(cli, one)

    cli.answer(found, show)


@verb("search")
@click.argument("words", nargs=-1, required=True)
@click.option("--from", "sender", default="", metavar="NAME", help="Only what an agent said.")
@click.option("--channel", default="", metavar="NAME", help="Only what was said in a channel.")
@click.option(
    "--limit", type=click.IntRange(1, LOOKED_BACK_MAX), default=20, show_default=True, help="At most so many."
)
def search(cli: Cli, words: tuple[str, ...], sender: str, channel: str, limit: int) -> None:
    """Find messages that hold all these words, best first."""
    from roost.messages.search import CLOSING, OPENING

    found = cli.hub.messages.search(" ".join(words), sender=sender, channel=channel, limit=limit)

    def show() -> None:
        for one in found:
            text = one.snippet.replace(OPENING, "[").replace(CLOSING, "]")
            where = f" in #{one.message.channel}" if one.message.channel else ""
            cli.out.line((one.message.ref, "bold"), f" {one.message.sender_name}{where}: {text}")
        if not found:
            cli.out.line("no message holds these words")

    cli.answer(found, show)


def _say(cli: Cli, message: Message) -> None:
    from roost.interfaces.cli.speech import show_message

    if cli.out.as_json:
        cli.out.moment = cli.moment
        cli.out.json(message)
    else:
        to = () if message.channel else [cli.name_of(one.recipient) for one in cli.hub.deliveries.of(message.id)]
        parent = cli.hub.messages.get(message.parent).ref if message.parent else ""
        show_message(cli, message, to=to, answers=parent)
    flush()
