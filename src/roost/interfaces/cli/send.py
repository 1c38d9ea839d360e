"""`roost send`: one message, or a file of them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from roost.interfaces.cli.receipts import STAGES, WAIT_SECONDS
from roost.interfaces.cli.times import DURATION, TIME
from roost.interfaces.cli.verbs import Cli, verb

if TYPE_CHECKING:
    from roost.deliveries.model import Delivery
    from roost.messages.model import Draft, Sent

STDIN_BYTES_MAX = 4 * 1024 * 1024


@verb("send")
@click.argument("words", nargs=-1, metavar="TO TEXT")
@click.option(
    "--to", "also", multiple=True, metavar="NAME", help="A recipient; may be repeated. Then only TEXT follows."
)
@click.option("--channel", metavar="NAME", help="Send to a channel: the same as the recipient '#NAME'.")
@click.option("--subject", default="", help="A line that says what it is about.")
@click.option("--type", "type_", default="", help="question, blocker, task.result, ...; any word is taken.")
@click.option("--severity", default="info", help="info, warning, error or high.")
@click.option("--priority", default="normal", help="0-255, or low, normal, high, urgent.")
@click.option("--tag", "tags", multiple=True, help="A tag; may be repeated.")
@click.option("--depends-on", multiple=True, metavar="ID", help="Hold it until that message is delivered.")
@click.option("--expires-in", type=DURATION, help="Not worth delivering after this time: 10m, 2h.")
@click.option("--not-before", type=TIME, help="Hold it until this time: 2026-01-31T18:00.")
@click.option("--requires-ack", is_flag=True, help="Ask for an acknowledgement, and remind.")
@click.option("--key", default=None, help="An idempotency key, 8-128 characters: repeating the call is safe.")
@click.option("--hold", is_flag=True, help="Keep it for a name that nobody has yet.")
@click.option("--operation", default="", metavar="ID", help="Make it a step of an open operation.")
@click.option("--wait", "stage", type=STAGES, is_flag=False, flag_value="delivered", help="Wait for this stage.")
@click.option("--timeout", type=DURATION, default=WAIT_SECONDS, show_default="60s", help="The longest --wait.")
@click.option("--batch", metavar="FILE", help="Send each line of a JSON Lines file, all or none; '-' is stdin.")
def send(cli: Cli, words: tuple[str, ...], batch: str | None, stage: str | None, timeout: float, **given: Any) -> None:
    """Send a message; TEXT is taken from stdin if it is '-' or missing.

    TO is an agent, several (builder,tester), all, or a channel ('#build').
    """
    if batch is not None:
        from roost.interfaces.cli.batch import send_file

        send_file(cli, batch)
        return
    draft = _draft(words, given)
    sent = cli.hub.messages.send_batch([draft])[0]
    reached = cli.hub.deliveries.wait(sent.id, stage, timeout=timeout) if stage else ()  # type: ignore[arg-type]
    tell(cli, sent, reached)


def _draft(words: tuple[str, ...], given: dict[str, Any]) -> Draft:
    from roost.messages.model import Draft

    to, rest = _recipients(words, given)
    if len(rest) > 1:
        raise click.UsageError(f"{len(rest)} words stand where one TEXT is expected: put it in quotes")
    return Draft(
        to=to,
        text=read_text(rest[0] if rest else "-"),
        subject=given["subject"],
        type=given["type_"],
        severity=given["severity"],
        priority=number_or_name(given["priority"]),
        tags=given["tags"],
        depends_on=given["depends_on"],
        expires_in=given["expires_in"],
        not_before=given["not_before"],
        requires_ack=given["requires_ack"],
        idempotency_key=given["key"],
        hold=given["hold"],
        operation=given["operation"],
    )


def _recipients(words: tuple[str, ...], given: dict[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    named = [name for part in given["also"] for name in part.split(",")]
    if given["channel"]:
        named.append("#" + given["channel"].removeprefix("#"))
    if named:
        return tuple(named), words
    if not words:
        raise click.UsageError('to whom? Write `roost send builder "tests are red"`')
    return tuple(name for name in words[0].split(",") if name), words[1:]


def read_text(given: str) -> str:
    """Return a text argument, or standard input if it is '-'. Raises InvalidUtf8, BodyTooLarge, UsageError for none."""
    if given != "-":
        return given
    from roost.text import check_body

    if sys.stdin.isatty():
        sys.stderr.write("Write the message; end it with Ctrl-D.\n")
    stdin = getattr(sys.stdin, "buffer", sys.stdin)
    text = check_body(stdin.read(STDIN_BYTES_MAX)).removesuffix("\n")
    if not text:  # a shell whose input is closed, or a pipe whose first part failed
        raise click.UsageError("there is no text: neither an argument nor anything on standard input")
    return text


def number_or_name(priority: str) -> int | str:
    """Return a priority as the number that it spells, or as the name that it is."""
    return int(priority) if priority.isascii() and priority.isdigit() and len(priority) < 6 else priority


def tell(cli: Cli, sent: Sent, reached: tuple[Delivery, ...] = ()) -> None:
    """Say what is known after a message was stored: its id, and when each recipient gets it."""
    from roost.interfaces.cli import words

    looks = cli.hub.deliveries.outlook(sent.id)
    if cli.out.as_json:
        cli.out.moment = cli.moment
        cli.out.json({"sent": sent, "outlook": looks, "deliveries": reached})
        return
    if reached:
        from roost.interfaces.cli.receipts import show_standing

        cli.out.line(words.stored(sent))
        show_standing(cli, sent.id, reached)
        return
    lines = [words.outlook(one, cli.moment) for one in looks]
    if len(lines) == 1:
        cli.out.line(f"{words.stored(sent)}; {lines[0]}")
        return
    cli.out.line(words.stored(sent) + (":" if lines else ""))
    for line in lines:
        cli.out.line(f"  {line}")
