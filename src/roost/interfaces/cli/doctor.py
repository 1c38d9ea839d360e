"""`roost doctor`: is everything well, and what to do where it is not."""

from __future__ import annotations

import click

from roost.interfaces.cli.verbs import Cli, verb

COLOURS = {"ok": "green", "note": "cyan", "warn": "yellow", "bad": "red"}


@verb("doctor")
def doctor(cli: Cli) -> None:
    """Check the store, the disk, the clocks, the keys and the hooks; exit status 1 if something is broken."""
    from roost.checkup import checkup

    found = checkup(cli.folder)
    if cli.out.as_json:
        cli.out.json(found)
    for check in () if cli.out.as_json else found:
        cli.out.line((f"{check.grade:<5}", COLOURS[check.grade]), f"{check.name}: {check.said}")
        if check.to_do:
            cli.out.line("      → ", check.to_do)
    if any(check.grade == "bad" for check in found):
        raise click.exceptions.Exit(1)
