"""`roost run`: start a coding client, whose hooks then come by HTTP."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import click

from roost.interfaces.cli.verbs import Cli, verb

IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)
"""What Python ignores and a program that takes its place would go on ignoring."""


@verb("run", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--as", "name", metavar="NAME", default="", help="Who it is to be; default: a name of its own.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(cli: Cli, name: str, command: tuple[str, ...]) -> None:
    """Start a coding client here, with its own arguments behind it: `roost run --as builder -- claude`.

    The client takes this process's place. Its hooks come by HTTP where that can be, which costs less than a command
    each time; what must also work without the daemon stays a command.
    """
    from roost.launching import prepare

    if cli.folder is not None:
        os.chdir(cli.folder)
    ready = prepare(Path.cwd(), command, as_=name)
    if ready.note:
        click.echo(f"roost: {ready.note}", err=True)
    for number in IGNORED:
        signal.signal(number, signal.SIG_DFL)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(ready.program, ready.words, ready.environ)
