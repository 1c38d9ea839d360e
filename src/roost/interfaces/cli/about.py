"""`roost version`, `roost completion`."""

from __future__ import annotations

import click

from roost.interfaces.cli.verbs import Cli, verb


@verb("version")
def version(cli: Cli) -> None:
    """Show the versions of Roost, its SQLite and Python."""
    import platform

    import apsw

    import roost

    found = {"roost": roost.__version__, "sqlite": apsw.sqlite_lib_version(), "python": platform.python_version()}

    def show() -> None:
        cli.out.line(", ".join(f"{name} {number}" for name, number in found.items()))

    if cli.out.as_json:
        cli.out.json(found)
    else:
        show()


@verb("completion")
@click.argument("shell", metavar="[SHELL]", type=click.Choice(["bash", "zsh", "fish"]), default="bash")
def completion(cli: Cli, shell: str) -> None:
    """Print the script that completes `roost` in your shell, bash, zsh or fish: eval "$(roost completion bash)"."""
    from click.shell_completion import get_completion_class

    from roost.interfaces.cli.app import app

    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(app, {}, "roost", "_ROOST_COMPLETE").source())
