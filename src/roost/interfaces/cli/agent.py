"""`roost agent`: names, aliases and profiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import click

from roost.interfaces.cli.verbs import Cli, group, part

if TYPE_CHECKING:
    from roost.agents.model import Agent

FIELDS = ("display_name", "role", "discord_username", "discord_user_id", "notes")


@group("agent")
def agent(ctx: click.Context) -> None:
    """Names, aliases and profiles of agents. Without NAME a verb is about yourself; a person may change everybody."""


@part(agent, "list")
@click.option("--capability", default="", metavar="NAME", help="Only those who can do this.")
@click.option("--kind", type=click.Choice(["agent", "human", "service"]), default=None, help="Only of this kind.")
@click.option("--retired", is_flag=True, help="Retired ones too.")
def list_(cli: Cli, capability: str, kind: str | None, retired: bool) -> None:
    """List the agents."""
    found = cli.hub.agents.list(capability=capability, kind=kind, retired=retired)  # type: ignore[arg-type]

    def show() -> None:
        cli.out.table(("agent", "kind", "role", "can"), [_row(one) for one in found])
        if not found:
            cli.out.line("nobody")

    cli.answer(found, show)


@part(agent, "show")
@click.argument("name", default="")
def show(cli: Cli, name: str) -> None:
    """Show one agent: profile, capabilities and other names."""
    name = name or cli.me.name
    _told(cli, cli.hub.agents.get(name))


@part(agent, "add")
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(["agent", "service"]),
    default="agent",
    show_default=True,
    help="A service is no coding agent.",
)
def add(cli: Cli, name: str, kind: Literal["agent", "service"]) -> None:
    """Make an agent that has not joined yet, such as a program that will come with a token."""
    _told(cli, cli.hub.agents.add(name, kind=kind))


@part(agent, "rename")
@click.argument("new_name")
@click.option("--of", "name", default="", metavar="NAME", help="Rename somebody else; for people.")
def rename(cli: Cli, new_name: str, name: str) -> None:
    """Take a new name; the old one forwards."""
    _told(cli, cli.hub.agents.rename(new_name, name=name))


@part(agent, "retire")
@click.argument("name")
def retire(cli: Cli, name: str) -> None:
    """Take an agent off the list; a join brings it back."""
    _told(cli, cli.hub.agents.retire(name))


@part(agent, "profile")
@click.argument("name", default="")
@click.option("--display-name", default=None, help="How to show it.")
@click.option("--role", default=None, help="What it is for; also another name for it.")
@click.option(
    "--capability", "capabilities", multiple=True, metavar="NAME", help="Something it can do; may be repeated."
)
@click.option("--discord-username", default=None, help="Its name on Discord.")
@click.option("--discord-user-id", default=None, help="Its id on Discord, 17-20 digits.")
@click.option("--notes", default=None, help="Anything else.")
def profile(cli: Cli, name: str, capabilities: Sequence[str], **fields: str | None) -> None:
    """Change a profile; what is not named stays as it is."""
    _told(cli, cli.hub.agents.set_profile(name, capabilities=capabilities or None, **fields))


@part(agent, "alias")
@click.argument("alias")
@click.option("--of", "name", default="", metavar="NAME", help="Give it to somebody else; for people.")
def alias(cli: Cli, alias: str, name: str) -> None:
    """Answer to another name too."""
    cli.hub.agents.add_alias(alias, name=name)
    _told(cli, cli.hub.agents.get(name or cli.me.agent))


@part(agent, "rotate-key")
@click.argument("name", required=False, default="")
@click.option("--revoke", is_flag=True, help="What older keys signed is shown as from an unknown sender.")
def rotate_key(cli: Cli, name: str, revoke: bool) -> None:
    """Sign with a new key from now on."""
    done = cli.hub.agents.rotate_key(name, revoke=revoke)
    older = "older ones are revoked" if revoke else "older ones still verify"
    cli.answer(done, lambda: cli.out.line(f"{done.name} signs with key {done.key_version} from now on; {older}"))


def _told(cli: Cli, one: Agent) -> None:
    aliases = cli.hub.agents.aliases(one.id)

    def show() -> None:
        gone = " (retired)" if one.retired_at is not None else ""
        cli.out.line((one.name, "bold"), f"  {one.kind}{gone}")
        for field in FIELDS:
            if value := getattr(one.profile, field):
                cli.out.line(f"  {field.replace('_', ' ')}: {value}")
        if one.capabilities:
            cli.out.line(f"  can: {', '.join(one.capabilities)}")
        if aliases:
            cli.out.line(f"  also: {', '.join(found.alias for found in aliases)}")

    cli.answer({"agent": one, "aliases": aliases}, show)


def _row(one: Agent) -> tuple[str | tuple[str, str], ...]:
    gone = " (retired)" if one.retired_at is not None else ""
    return (f"{one.name}{gone}", "bold"), one.kind, one.profile.role, ", ".join(one.capabilities)
