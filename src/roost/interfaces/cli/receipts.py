"""How far a message got: `receipts`, `wait`, `cancel`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from roost.interfaces.cli.times import DURATION, clock_of_wall
from roost.interfaces.cli.verbs import Cli, verb

if TYPE_CHECKING:
    from roost.deliveries.model import Delivery

WAIT_SECONDS = 60.0
STAGES = click.Choice(["offered", "delivered", "acknowledged"])


@verb("receipts")
@click.argument("message")
def receipts(cli: Cli, message: str) -> None:
    """Show how far a message got with each recipient, and every dated fact about it."""
    found = cli.hub.messages.get(message)
    deliveries = cli.hub.deliveries.of(message)
    facts = cli.hub.deliveries.receipts(message)

    def show() -> None:
        what = f": {found.subject}" if found.subject else ""
        when = clock_of_wall(found.wall, cli.moment)
        cli.out.line((found.ref, "cyan"), f" from {found.sender_name}, stored {when}{what}")
        show_standing(cli, message, deliveries, details=True)

    cli.answer({"message": found, "deliveries": deliveries, "receipts": facts}, show)


@verb("wait")
@click.argument("message")
@click.argument("stage", metavar="[STAGE]", type=STAGES, default="delivered")
@click.option("--timeout", type=DURATION, default=WAIT_SECONDS, show_default="60s", help="Give up after this time.")
@click.option("--recipient", default="", metavar="NAME", help="Only this recipient.")
def wait(cli: Cli, message: str, stage: str, timeout: float, recipient: str) -> None:
    """Wait until a message reached a stage with its recipients, or can no longer.

    STAGE is offered, delivered (if you name none) or acknowledged.
    Exit status 0 only if it did; 4 if a delivery ended before, 7 if the time ran out.
    """
    from roost.deliveries.model import STAGES
    from roost.errors import WrongState

    found = cli.hub.deliveries.wait(message, stage, timeout=timeout, recipient=recipient)  # type: ignore[arg-type]
    cli.answer(found, lambda: show_standing(cli, message, found))
    wanted = STAGES.index(stage)
    if missed := [one for one in found if one.stage < wanted]:
        raise WrongState(
            f"{len(missed)} of {len(found)} deliveries ended before they were {stage}",
            hint=f"see `roost receipts {message}`",
        )


@verb("cancel")
@click.argument("message")
@click.option("--reason", default="", help="What its receipts say.")
def cancel(cli: Cli, message: str, reason: str) -> None:
    """Take back a message where it is not delivered yet."""
    found = cli.hub.deliveries.cancel(message, reason=reason)
    cli.answer(found, lambda: show_standing(cli, message, found))


def show_standing(cli: Cli, message: str, deliveries: Sequence[Delivery], *, details: bool = False) -> None:
    """Print a line for each delivery, and its dated facts where they are asked for."""
    from roost.interfaces.cli import words

    facts = cli.hub.deliveries.receipts(message)
    names = {fact.recipient: fact.recipient_name for fact in facts}
    for one in deliveries:
        own = [fact for fact in facts if fact.recipient == one.recipient]
        name = names.get(one.recipient) or cli.name_of(one.recipient)
        cli.out.line(words.standing(one, name, own, cli.moment))
        for fact in own if details else ():
            cli.out.line("    ", (words.receipt(fact, cli.moment), "dim"))
