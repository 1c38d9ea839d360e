"""`roost channel`: named groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roost.interfaces.cli.verbs import Cli, group, part

if TYPE_CHECKING:
    from roost.channels.model import Channel


@group("channel")
def channel(ctx: click.Context) -> None:
    """Named groups: `roost send '#build' TEXT` reaches every member; `#all` is everybody."""


@part(channel, "create")
@click.argument("name")
@click.option("--topic", default="", help="What it is about.")
def create(cli: Cli, name: str, topic: str) -> None:
    """Make a channel and join it."""
    _told(cli, cli.hub.channels.create(_bare(name), topic=topic))


@part(channel, "join")
@click.argument("name")
@click.option("--agent", default="", metavar="NAME", help="Make somebody else a member; for people.")
def join(cli: Cli, name: str, agent: str) -> None:
    """Become a member: what is sent from now on reaches you."""
    _told(cli, cli.hub.channels.join(_bare(name), agent=agent))


@part(channel, "leave")
@click.argument("name")
@click.option("--agent", default="", metavar="NAME", help="Take somebody else out; for people.")
def leave(cli: Cli, name: str, agent: str) -> None:
    """Stop being a member."""
    _told(cli, cli.hub.channels.leave(_bare(name), agent=agent))


@part(channel, "close")
@click.argument("name")
def close(cli: Cli, name: str) -> None:
    """End a channel; its log stays."""
    _told(cli, cli.hub.channels.close(_bare(name)))


@part(channel, "show")
@click.argument("name")
def show(cli: Cli, name: str) -> None:
    """Show one channel with its members."""
    _told(cli, cli.hub.channels.get(_bare(name)))


@part(channel, "list")
@click.option("--mine", is_flag=True, help="Only those that you are a member of.")
@click.option("--closed", is_flag=True, help="Closed ones too.")
def list_(cli: Cli, mine: bool, closed: bool) -> None:
    """List the channels."""
    found = cli.hub.channels.list(mine=mine, closed=closed)

    def rows() -> None:
        cli.out.table(("channel", "members", "you", "topic"), [_row(one) for one in found])

    cli.answer(found, rows)


@part(channel, "log")
@click.argument("name")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="The last so many.")
def log(cli: Cli, name: str, limit: int) -> None:
    """Show what was said in a channel, oldest first."""
    from roost.interfaces.cli.speech import show_message

    said = cli.hub.channels.log(_bare(name), limit=limit)

    def show() -> None:
        for message in said:
            show_message(cli, message)
        if not said:
            cli.out.line(f"nothing was said in #{_bare(name)} yet")

    cli.answer(said, show)


def _told(cli: Cli, one: Channel) -> None:
    def show() -> None:
        over = " (closed)" if one.closed_at else ""
        cli.out.line((f"#{one.name}", "bold"), over, f"  {one.topic}" if one.topic else "")
        cli.out.line(f"  members: {', '.join(one.members) or one.member_count or 'none'}")

    cli.answer(one, show)


def _row(one: Channel) -> tuple[str | tuple[str, str], ...]:
    return (f"#{one.name}", "bold"), str(one.member_count), "member" if one.joined else "-", one.topic


def _bare(name: str) -> str:
    return name.removeprefix("#")
