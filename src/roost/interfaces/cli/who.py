"""`roost who`: everybody, what they do, and how each can be reached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from roost.interfaces.cli.times import ago, clock, length
from roost.interfaces.cli.verbs import Cli, verb

if TYPE_CHECKING:
    from roost.sessions.model import Activity, Endpoint

COLOURS = {
    "busy": "green",
    "starting": "green",
    "waiting": "yellow",
    "stalled": "red",
    "exhausted": "red",
    "offline": "dim",
}


@verb("who")
@click.argument("name", default="")
def who(cli: Cli, name: str) -> None:
    """Show everybody, or one agent: what it does since when, how it is reached, and when that last worked."""
    found = [_one(cli, activity) for activity in cli.hub.sessions.activity(name)]

    def show() -> None:
        cli.out.table(("agent", "state", "doing", "client", "reached by"), [_row(cli, one) for one in found])
        if not found:
            cli.out.line("nobody has joined yet; see `roost join --help`")

    cli.answer(found, show)


def _one(cli: Cli, activity: Activity) -> dict[str, object]:
    ways = cli.hub.sessions.endpoints(activity.session) if activity.session else ()
    kind = cli.hub.agents.get(activity.agent).kind
    return {"name": activity.agent, "kind": kind, "activity": activity, "endpoints": ways}


def _row(cli: Cli, one: dict[str, object]) -> tuple[str | tuple[str, str], ...]:
    activity: Activity = one["activity"]  # type: ignore[assignment]
    since = f" since {clock(activity.since, cli.moment)}" if activity.since else ""
    you = " (you)" if activity.session and activity.session == cli.me.session else ""
    return (
        (f"{activity.agent}{you}", "bold"),
        (f"{activity.state}{since}", COLOURS.get(activity.state, "")),
        activity.operation or activity.mark or "-",
        activity.client or "-",
        _reached(cli, one["kind"], activity, one["endpoints"]),  # type: ignore[arg-type]
    )


def _reached(cli: Cli, kind: str, activity: Activity, ways: Sequence[Endpoint]) -> str:
    if not activity.session:
        return "not reached now; its mail waits"
    if not ways:
        quiet = f", silent for {length(activity.silent_seconds)}" if kind == "agent" else ""
        return f"reads its inbox itself{quiet}"
    return ", ".join(_way(cli, way) for way in ways)


def _way(cli: Cli, way: Endpoint) -> str:
    if way.failed_at and way.failed_at > (way.worked_at or 0):
        return f"{way.kind} (failed {ago(way.failed_at, cli.moment)}: {way.last_error})"
    return f"{way.kind} (worked {ago(way.worked_at, cli.moment)})" if way.worked_at else f"{way.kind} (not proved yet)"
