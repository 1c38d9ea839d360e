"""`roost status`: what changed since you last looked, then how things stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roost.interfaces.cli.times import clock, length
from roost.interfaces.cli.verbs import Cli, verb

if TYPE_CHECKING:
    from roost.interfaces.cli.output import Part
    from roost.status.model import Changes, Line, Metrics, Status

NAMED_MAX = 5
"""Lines of one kind of change; the rest is counted."""


@verb("status")
@click.option("--metrics", is_flag=True, help="Show the project's counters instead.")
@click.option("--keep", is_flag=True, help="Do not note that you looked: the same changes are shown next time.")
def status(cli: Cli, metrics: bool, keep: bool) -> None:
    """Show what changed since you last looked, who is there, what is held and what waits."""
    if metrics:
        counted = cli.hub.status.metrics()
        cli.answer(counted, lambda: _show_metrics(cli, counted))
        return
    report = cli.hub.status.report()
    cli.answer(report, lambda: _show(cli, report))
    if not keep:
        _note(cli, report)


def _note(cli: Cli, report: Status) -> None:
    """Note that the caller looked. A disk that is full keeps nobody from knowing how things stand."""
    from roost.errors import Unavailable
    from roost.text import terminal_line

    try:
        cli.hub.status.looked(report.seq)
    except Unavailable as error:
        click.echo(f"roost: it is not noted that you looked: {terminal_line(error.message)}", err=True)


def _show(cli: Cli, report: Status) -> None:
    cli.out.moment = report.clock
    changed = [*_changes(report), *_waits(report)]
    for parts in changed:
        cli.out.line(*parts)
    if not changed:
        cli.out.line("nothing changed since you last looked, and no mail is stuck")
    cli.out.line()
    cli.out.line((report.project, "bold"), f" as {report.me}, event {report.seq}, durability {report.durability}")
    cli.out.table(("agent", "state", "doing", "mail", "leases"), [_row(report, line) for line in report.agents])
    for lease in report.leases[:20]:
        what = f"{lease.kind}:{lease.key}" if lease.kind != "path" else lease.key
        why = f" for: {lease.reason}" if lease.reason else ""
        cli.out.line(f"lease {what} held by {lease.holder} until {clock(lease.expires_at, report.clock)}{why}")
    for depth in report.queue:
        cli.out.line(f"queue {depth.priority}: {depth.pending} waiting, {depth.offered} offered, {depth.held} held")


def _changes(report: Status) -> list[list[Part]]:
    """Return what happened since the last look, worst first."""
    changes, at = report.changes, report.clock
    lines: list[list[Part]] = []
    for one in changes.ended[:NAMED_MAX]:
        back = "; it is back" if one.back else ""
        lines.append([(f"{one.agent}'s session ended at {clock(one.at, at)}: {one.reason}{back}", "yellow")])
    for gone in changes.lost[:NAMED_MAX]:
        which = f"m{gone.number} from {gone.sender} to {gone.recipient}"
        lines.append([(f"{which} is {gone.state}: {gone.reason}", "red"), f"  (roost dead redeliver m{gone.number})"])
    lines += [[f"the lease of {one.agent} on {one.what} is over: {one.why}"] for one in changes.freed[:NAMED_MAX]]
    for edit in changes.refused[:NAMED_MAX]:
        what = ", ".join(edit.files) or " ".join(edit.command)
        lines.append([f"{edit.agent} was refused at {clock(edit.at, at)}: {what}"])
    if beyond := _beyond(changes):
        lines.append([f"and {beyond} more: roost history --after {changes.after}"])
    return lines


def _beyond(changes: Changes) -> int:
    lists = (changes.ended, changes.lost, changes.freed, changes.refused)
    return changes.more + sum(max(0, len(one) - NAMED_MAX) for one in lists)


def _waits(report: Status) -> list[list[Part]]:
    """Return what needs somebody: mail without a reader, dead letters, duties that nobody does."""
    lines: list[list[Part]] = []
    for pause in report.pauses:
        mail = f"mail for {pause.agent}" if pause.agent else "all mail"
        by = f" by {pause.by}" if pause.by else ""
        why = f": {pause.reason}" if pause.reason else ""
        resume = f"roost resume {pause.agent}".rstrip()
        lines.append([(f"{mail} is held since {clock(pause.at, report.clock)}{by}{why}", "yellow"), f"  ({resume})"])
    for one in report.stranded:
        since = f"has no live session since {clock(one.since, report.clock)}" if one.since else "has never joined"
        command = f"roost handover {one.agent} TO"
        mail = "1 message waits" if one.waiting == 1 else f"{one.waiting} messages wait"
        lines.append([f"{mail} for {one.agent}, which {since}", f"  (hand it on: {command})"])
    if report.dead:
        letters = "1 dead letter" if report.dead == 1 else f"{report.dead} dead letters"
        lines.append([(letters, "red"), "  (roost dead)"])
    if report.overdue is not None:
        lines.append([f"overdue for {length(report.overdue.seconds)}: {report.overdue.duty}"])
    failing = [(one, clock(one.since, report.clock)) for one in report.failing]
    lines += [[(f"a duty fails since {since}: {one.duty}", "red"), f"  ({one.error})"] for one, since in failing]
    return lines


def _row(report: Status, line: Line) -> tuple[Part, ...]:
    activity = line.activity
    since = f" since {clock(activity.since, report.clock)}" if activity.since else ""
    kind = f" ({line.kind})" if line.kind != "agent" else ""
    return (
        (f"{activity.agent}{kind}", "bold"),
        f"{activity.state}{since}",
        activity.operation,
        str(line.waiting or ""),
        str(line.leases or ""),
    )


def _show_metrics(cli: Cli, found: Metrics) -> None:
    for state, count in found.deliveries.items():
        cli.out.line(f"deliveries {state}: {count}")
    for depth in found.queue:
        cli.out.line(f"queue {depth.priority}: {depth.pending} waiting, {depth.offered} offered, {depth.held} held")
    for one in found.latency:
        cli.out.line(
            f"delivered by {one.rung}: {one.count}, half within {one.p50_ms} ms, 95 % within {one.p95_ms} ms,"
            f" all within {one.max_ms} ms"
        )
    for name in ("sessions", "briefings", "compactions", "wakes", "refused_edits", "violated_leases", "reminders"):
        cli.out.line(f"{name.replace('_', ' ')}: {getattr(found, name)}")
    for kind, count in found.events.items():
        cli.out.line(f"events {kind}: {count}")
