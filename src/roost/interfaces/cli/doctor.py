"""`roost doctor`: is everything well, and what to do where it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roost.interfaces.cli.verbs import Cli, verb

if TYPE_CHECKING:
    from roost.checkup.model import Check

COLOURS = {"pass": "green", "note": "cyan", "warn": "yellow", "fail": "red"}


@verb("doctor")
@click.option("--delivery", is_flag=True, help="Send a canary down each way to an agent and say how long it took.")
def doctor(cli: Cli, delivery: bool) -> None:
    """Check store, machine, doors, agents and hooks: pass, note, warn or fail; exit status 1 if anything fails.

    With --delivery the ways are tried by which mail reaches agents, each with real mail between two agents of the
    doctor's own; nobody else is told anything.
    """
    from roost.checkup import checkup
    from roost.checkup.delivery import deliveries

    found = []
    for check in deliveries(cli.folder) if delivery else checkup(cli.folder):
        found.append(check)
        if not cli.out.as_json:
            _show(cli, check)
    if cli.out.as_json:
        cli.out.json(found)
    if any(check.grade == "fail" for check in found):
        raise click.exceptions.Exit(1)


def _show(cli: Cli, check: Check) -> None:
    cli.out.line((f"{check.grade:<5}", COLOURS[check.grade]), f"{check.name}: {check.said}")
    if check.to_do:
        cli.out.line("      → ", check.to_do)
