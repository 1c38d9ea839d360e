"""How one message is printed: a head that only Roost writes, and a body behind an indent that no body can leave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from roost.interfaces.cli.times import ago, clock_of_wall
from roost.priorities import priority_word

if TYPE_CHECKING:
    from roost.interfaces.cli.output import Part
    from roost.interfaces.cli.verbs import Cli
    from roost.messages.model import Message

SHOWN_CHARACTERS_MAX = 8_000
"""A longer body is shown in part where several are; `roost read` shows it whole."""


def show_message(
    cli: Cli,
    message: Message,
    *,
    to: Sequence[str] = (),
    whole: bool = False,
    answers: str = "",
    indent: str = "",
    notes: Sequence[str] = (),
) -> None:
    """Print a message: when, who, to whom, what it is about, its body; `answers` names the one that it answers."""
    genuine = cli.hub.messages.verified(message.id)
    cli.out.line(indent, *_head(cli, message, to, genuine, answers))
    for note in notes:
        cli.out.line(indent, "  ", (note, "dim"))
    most = len(message.body) if whole else SHOWN_CHARACTERS_MAX
    cli.out.body(message.body[:most], indent=f"{indent}    ")
    if len(message.body) > most:
        cli.out.line(indent, f"  {len(message.body) - most:,} more characters: roost read {message.ref}")


def _head(cli: Cli, message: Message, to: Sequence[str], genuine: bool, answers: str) -> list[Part]:
    when = clock_of_wall(message.wall, cli.moment)
    parts: list[Part] = [(f"{when} ", "dim"), (message.ref, "cyan"), " "]
    parts += [(message.sender_name, "bold")] if genuine else [(f"unknown, claims to be {message.sender_name}", "red")]
    parts.append(f" → {audience(message, to)}" if to or message.channel else "")
    parts.append((f"  ↳ {answers}", "cyan") if answers else "")
    parts += [f"  {fact}" for fact in _facts(message)]
    if message.subject:
        parts += ["  ", (message.subject, "bold")]
    if not genuine:
        parts.append(("  its signature does not match", "red"))
    return parts


def audience(message: Message, to: Sequence[str]) -> str:
    """Say to whom a message went: a channel, or names."""
    if message.channel:
        return "all" if message.channel == "all" else f"#{message.channel}"
    return ", ".join(to)


def _facts(message: Message) -> list[str]:
    word = priority_word(message.priority)
    said = [
        message.type if message.type != "message" else "",
        message.severity if message.severity != "info" else "",
        f"{word} priority" if word != "normal" else "",
        "asks for an acknowledgement" if message.requires_ack else "",
        "person" if message.sender_kind == "human" else "",
        " ".join(f"+{tag}" for tag in message.tags),
    ]
    return [f"[{fact}]" for fact in said if fact]


def age(cli: Cli, message: Message) -> str:
    """Say how long ago a message was sent."""
    return ago(message.sent_at, cli.moment)
