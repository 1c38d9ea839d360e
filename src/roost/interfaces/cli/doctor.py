"""`roost doctor`: is everything well, and what to do where it is not."""

from __future__ import annotations

import click

from roost.interfaces.cli.verbs import Cli, verb

COLOURS = {"pass": "green", "note": "cyan", "warn": "yellow", "fail": "red"}


@verb("doctor")
def doctor(cli: Cli) -> None:
    """Check store, machine, doors, agents and hooks: pass, note, warn or fail; exit status 1 if anything fails."""
    from roost.checkup import checkup

    found = checkup(cli.folder)
    if cli.out.as_json:
        cli.out.json(found)
    for check in () if cli.out.as_json else found:
        cli.out.line((f"{check.grade:<5}", COLOURS[check.grade]), f"{check.name}: {check.said}")
        if check.to_do:
            cli.out.line("      → ", check.to_do)
    if any(check.grade == "fail" for check in found):
        raise click.exceptions.Exit(1)
