"""Answering mail: `reply`, `ack`, `react`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from roost.interfaces.cli.verbs import Cli, verb


@verb("reply")
@click.argument("message")
@click.argument("text", default="-")
@click.option("--type", "type_", default="", help="What kind of answer; any word is taken.")
@click.option("--priority", default="normal", help="0-255, or low, normal, high, urgent.")
@click.option("--requires-ack", is_flag=True, help="Ask for an acknowledgement in turn.")
@click.option("--key", default=None, help="An idempotency key, 8-128 characters: repeating the call is safe.")
@click.option("--everybody", is_flag=True, help="Answer everybody, where the message went to `all`.")
def reply(
    cli: Cli,
    message: str,
    text: str,
    type_: str,
    priority: str,
    requires_ack: bool,
    key: str | None,
    everybody: bool,
) -> None:
    """Answer a message in its thread, which acknowledges it; TEXT is taken from stdin if it is '-' or missing."""
    from roost.interfaces.cli.send import number_or_name, read_text, tell

    sent = cli.hub.messages.reply(
        message,
        read_text(text),
        type=type_,
        priority=number_or_name(priority),
        requires_ack=requires_ack,
        idempotency_key=key,
        everybody=everybody,
    )
    tell(cli, sent)


@verb("ack")
@click.argument("messages", nargs=-1, required=True)
def ack(cli: Cli, messages: Sequence[str]) -> None:
    """Acknowledge messages: final, and the same however often it is said."""
    acknowledged = [cli.hub.deliveries.acknowledge(message) for message in messages]

    def show() -> None:
        for one in acknowledged:
            cli.out.line(f"m{one.number} is acknowledged")

    cli.answer(acknowledged, show)


@verb("react")
@click.argument("message")
@click.argument("value")
@click.option("--remove", is_flag=True, help="Take it back.")
def react(cli: Cli, message: str, value: str, remove: bool) -> None:
    """Put a reaction, a word or an emoji, on a message; that acknowledges it."""
    reactions = cli.hub.messages.react(message, value, remove=remove)

    def show() -> None:
        said = ", ".join(f"{one.value} {one.name}" for one in reactions)
        cli.out.line(f"reactions to {message}: {said or 'none'}")

    cli.answer(reactions, show)
