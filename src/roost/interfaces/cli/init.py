"""`roost init`: make this folder a project, and let its coding clients join by themselves."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from roost.interfaces.cli.verbs import Cli, verb

if TYPE_CHECKING:
    from roost.clients.changes import Plan
    from roost.installing import Prospect


@verb("init")
@click.option("--me", metavar="NAME", default="", help="Your name here; `git config user.name` by default.")
@click.option("--project", "in_project", is_flag=True, help="Put the hooks into the repository's settings, not yours.")
@click.option("--no-hooks", is_flag=True, help="Make the project only; touch no client's settings.")
@click.option("--no-allow", is_flag=True, help="Add no permission rules for the agents' own verbs.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Show what would be done and do nothing.")
def init(cli: Cli, me: str, in_project: bool, no_hooks: bool, no_allow: bool, yes: bool, dry_run: bool) -> None:
    """Make this folder a Roost project, and put Roost's hooks into Claude Code's settings.

    The change is shown first. It is the same however often it is made, and `roost hook uninstall` takes out exactly
    that.
    """
    from roost.installing import carry_out, prospect

    folder = Path(cli.folder or os.getcwd())
    found = prospect(folder, scope="project" if in_project else "user", me=me, allow=not no_allow)
    _show(cli, found, hooks=not no_hooks)
    if dry_run:
        cli.out.line("Nothing was done (--dry-run).")
        return
    changes = not no_hooks and bool(found.plan.changes)
    if changes and not yes and not agreed("Write this?"):
        cli.out.line("Nothing was done.")
        raise click.exceptions.Exit(1)
    name = carry_out(found, hooks=not no_hooks)
    _told(cli, found, name)


def agreed(question: str) -> bool:
    """Ask a person on the terminal; without one the answer is in the options. Raises UsageError there."""
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask on; say --yes, or --dry-run to look")
    return click.confirm(question, default=True)


def show_plan(cli: Cli, plan: Plan) -> None:
    """Print what would change in files of the user's."""
    for note in plan.notes:
        cli.out.line(note)
    diff = plan.diff()
    if diff:
        cli.out.body(diff, indent="  ")


def _show(cli: Cli, found: Prospect, *, hooks: bool) -> None:
    if cli.out.as_json:
        return
    cli.out.line("New project in " if found.is_new else "Project in ", (str(found.place), "bold"))
    if hooks:
        show_plan(cli, found.plan)


def _told(cli: Cli, found: Prospect, name: str) -> None:
    out = cli.out
    if out.as_json:
        files = [str(change.path) for change in found.plan.changes if change.shown]
        out.json({"place": str(found.place), "person": name, "written": files, "running": list(found.running)})
        return
    if not found.plan.changes:
        out.line("Claude Code's settings have Roost's hooks already.")
    out.line("You are ", (name, "bold"), " here. Start agents as usual: each joins by itself.")
    for session in found.running:
        what = "must be restarted to join" if session.needs_restart else "joins at its next event"
        out.line(f"  Claude Code session {session.pid} in {session.cwd} {what}")
    for other in found.others:
        out.line(f"  {other.name} has no hooks of Roost's yet; it joins and reads its mail over MCP: {other.add_mcp}")
    out.line('Try: roost who, and roost send NAME "hello"')
