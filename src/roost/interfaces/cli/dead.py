"""Mail that did not arrive: `dead`, `dead redeliver`, `handover`."""

from __future__ import annotations

import click

from roost.interfaces.cli.verbs import Cli, group, part, verb


@group("dead", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def dead(ctx: click.Context, as_json: bool) -> None:
    """Show the dead letters; their content is kept."""
    cli: Cli = ctx.obj
    cli.out.as_json |= as_json
    if ctx.invoked_subcommand is None:
        letters = cli.hub.deliveries.dead()

        def show() -> None:
            if not letters:
                cli.out.line("no dead letters")
            rows = [(f"m{one.number}", cli.name_of(one.recipient), one.last_error) for one in letters]
            cli.out.table(("message", "to", "why"), rows)
            if letters:
                cli.out.line("try one again: ", f"roost dead redeliver m{letters[0].number}")

        cli.answer(letters, show)


@part(dead, "redeliver")
@click.argument("message")
@click.option("--recipient", default="", metavar="NAME", help="Only to this recipient.")
def redeliver(cli: Cli, message: str, recipient: str) -> None:
    """Bring a dead, expired or cancelled message back into the queue, its attempts counted anew."""
    from roost.interfaces.cli.receipts import show_standing

    found = cli.hub.deliveries.redeliver(message, recipient=recipient)
    cli.answer(found, lambda: show_standing(cli, message, found))


@verb("handover")
@click.argument("giver", metavar="FROM")
@click.argument("taker", metavar="TO")
def handover(cli: Cli, giver: str, taker: str) -> None:
    """Give the mail that an agent without a live session has not got to another agent."""
    moved = cli.hub.deliveries.hand_over(giver, taker)

    def show() -> None:
        refs = ", ".join(f"m{one.number}" for one in moved)
        cli.out.line(f"{taker} has what {giver} did not get: {refs}" if moved else f"{giver} has no mail that waits")

    cli.answer(moved, show)
