"""`roost hook`: the hooks in coding clients."""

from __future__ import annotations

import os
from pathlib import Path

import click

from roost.interfaces.cli.verbs import Cli, group, part


@group("hook")
def hook(ctx: click.Context) -> None:
    """Show Roost's hooks in coding clients, or take them out."""


@part(hook, "status")
@click.option("--project", "in_project", is_flag=True, help="Those in the repository's settings.")
def status(cli: Cli, in_project: bool) -> None:
    """Say whether the hooks are what Roost wrote."""
    from roost.installing import parts

    found = parts(Path(cli.folder or os.getcwd()), scope="project" if in_project else "user")
    if cli.out.as_json:
        cli.out.json([{**_plain(one)} for one in found])
        return
    for one in found:
        style = "green" if one.state == "ok" else "yellow"
        cli.out.line(f"{one.name}: ", (one.state, style), f"  {one.path}" + (f"  ({one.detail})" if one.detail else ""))


@part(hook, "uninstall")
@click.option("--project", "in_project", is_flag=True, help="Those in the repository's settings.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Show what would be done and do nothing.")
def uninstall(cli: Cli, in_project: bool, yes: bool, dry_run: bool) -> None:
    """Take out exactly what `roost init` put into the client's settings. The project and its mail stay."""
    from roost.installing import carry_out_removal, removal
    from roost.interfaces.cli.init import agreed, show_plan

    plan = removal(Path(cli.folder or os.getcwd()), scope="project" if in_project else "user")
    if not plan.changes:
        cli.out.line("There is nothing of Roost's to take out.")
        return
    show_plan(cli, plan)
    if dry_run:
        cli.out.line("Nothing was done (--dry-run).")
        return
    if not yes and not agreed("Take this out?"):
        cli.out.line("Nothing was done.")
        raise click.exceptions.Exit(1)
    carry_out_removal(plan)
    cli.out.line("Taken out. Sessions that run now stop calling Roost within seconds.")


def _plain(one: object) -> dict[str, str]:
    return {name: str(getattr(one, name)) for name in ("name", "path", "state", "detail")}
