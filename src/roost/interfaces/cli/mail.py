"""One's own mail: `inbox`, `outbox`, `read`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from roost.interfaces.cli.output import flush
from roost.interfaces.cli.verbs import Cli, verb

if TYPE_CHECKING:
    from roost.messages.model import Item, Page

STATES = ("held", "pending", "offered", "delivered", "acknowledged", "expired", "cancelled", "dead")
LISTED_CHARACTERS_MAX = 70


@verb("inbox")
@click.option("--limit", type=int, default=20, show_default=True, help="At most so many, 1-500.")
@click.option("--peek", is_flag=True, help="Only look: nothing is offered, and nothing counts as shown.")
@click.option("--of", "agent", default="", metavar="NAME", help="For people: look at somebody else's; changes nothing.")
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="Look at mail in this state.")
@click.option("--all", "everything", is_flag=True, help="Look at all mail, delivered mail too.")
@click.option("--ack", "done", multiple=True, metavar="MESSAGE", help="First acknowledge this; several are allowed.")
def inbox(
    cli: Cli, limit: int, peek: bool, agent: str, states: Sequence[str], everything: bool, done: Sequence[str]
) -> None:
    """Show the mail that waits for you; your next call proves that it arrived."""
    messages = cli.hub.messages
    if peek or agent or states or everything:
        if done:
            raise click.UsageError("--ack goes with taking mail; only looking changes nothing")
        wanted = () if everything else tuple(states) or STATES[:3]
        page = messages.peek(agent, limit=limit, states=wanted)
    else:
        page = messages.inbox(limit=limit, acknowledge=done)
        _hand_out(cli, page)
        return
    cli.answer(page, lambda: _show_inbox(cli, page))


@verb("outbox")
@click.option("--limit", type=int, default=20, show_default=True, help="At most so many messages, 1-500.")
def outbox(cli: Cli, limit: int) -> None:
    """Show what you sent, newest first, and how far it got with each recipient."""
    page = cli.hub.messages.outbox(limit=limit)

    def show() -> None:
        cli.out.line(f"outbox of {page.agent} as of {page.seq}: {len(page.items) or 'nothing'}")
        rows = [(item.message.ref, cli.name_of(item.recipient), _how_far(item), _preview(item)) for item in page.items]
        cli.out.table(("message", "to", "how far", "what"), rows)

    cli.answer(page, show)


@verb("read")
@click.argument("message")
@click.option("--body", "only_body", is_flag=True, help="Print the body and nothing else.")
def read(cli: Cli, message: str, only_body: bool) -> None:
    """Show a whole message and note that you read it. Reading is no acknowledgement."""
    found = cli.hub.messages.read(message)

    def show() -> None:
        from roost.interfaces.cli.speech import age, show_message

        if only_body:
            cli.out.body(found.body, indent="")
            return
        to = [cli.name_of(one.recipient) for one in cli.hub.deliveries.of(found.id)]
        notes = [f"sent {age(cli, found)}"]
        if found.parent:
            notes.append(f"answers {cli.hub.messages.get(found.parent).ref}; all of it: roost thread {found.ref}")
        show_message(cli, found, to=to, whole=True, notes=notes)
        if reactions := cli.hub.messages.reactions(found.id):
            cli.out.line("  reactions: ", ", ".join(f"{one.value} {one.name}" for one in reactions))

    cli.answer(found, show)


def _hand_out(cli: Cli, page: Page) -> None:
    """Print mail that was just offered; what nobody could be shown waits on, and no later call proves it."""
    try:
        cli.answer(page, lambda: _show_inbox(cli, page))
        flush()
    except OSError:
        if page.items:
            cli.hub.deliveries.give_back([item.message.id for item in page.items])
        raise


def _show_inbox(cli: Cli, page: Page) -> None:
    from roost.interfaces.cli.speech import age, show_message

    count = f"{len(page.items)} of {len(page.items) + page.more}" if page.more else str(len(page.items))
    cli.out.line(f"inbox of {page.agent} as of {page.seq}: {count if page.items else 'nothing waits'}")
    for item in page.items:
        show_message(cli, item.message, notes=[f"{age(cli, item.message)}, {_how_far(item)}"])
        cli.out.line(f'  answer: roost reply {item.message.ref} "..."', _owed(item))
    if page.more:
        cli.out.line(f"{page.more} more wait: roost inbox")


def _owed(item: Item) -> str:
    owed = item.message.requires_ack and item.state != "acknowledged"
    return f"   or: roost ack {item.message.ref}" if owed else ""


def _how_far(item: Item) -> str:
    from roost.interfaces.cli.words import held

    if item.state == "held":
        return held(item.hold)
    again = f" (offered {item.attempts} times)" if item.attempts > 1 else ""
    return f"{item.state}{', read' if item.read_at else ''}{again}"


def _preview(item: Item) -> str:
    text = item.message.subject or item.message.body
    return text if len(text) <= LISTED_CHARACTERS_MAX else text[: LISTED_CHARACTERS_MAX - 1] + "…"
