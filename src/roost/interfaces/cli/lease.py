"""`roost lease`: the right to a path or a name, until a time."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING

import click

from roost.interfaces.cli.times import DURATION, clock, length
from roost.interfaces.cli.verbs import Cli, group, part

if TYPE_CHECKING:
    from roost.leases.model import Lease

TTL_SECONDS = 1_800.0
TIMEOUT_SECONDS = 300.0
KINDS = click.Choice(["path", "resource", "role", "endpoint", "task"])


@group("lease")
def lease(ctx: click.Context) -> None:
    """Hold paths, globs and names so that two do not work on one thing: `roost lease acquire 'src/auth/**'`.

    A KEY is a path or glob relative to the repository, or role:NAME, resource:NAME, endpoint:NAME, task:NAME.
    """


@part(lease, "acquire")
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
@click.option("--ttl", type=DURATION, default=TTL_SECONDS, show_default="30m", help="For how long: 90s, 10m, 2h.")
@click.option("--shared", is_flag=True, help="Others may hold it shared too; nobody alone.")
@click.option("--reason", default="", help="What for; others are told.")
@click.option("--wait", "waits", is_flag=True, help="Wait for it, in the order of asking.")
@click.option("--timeout", type=DURATION, default=TIMEOUT_SECONDS, show_default="5m", help="The longest --wait.")
def acquire(cli: Cli, keys: Sequence[str], ttl: float, shared: bool, reason: str, waits: bool, timeout: float) -> None:
    """Take leases, all of them or none."""
    leases, mode = cli.hub.leases, "shared" if shared else "exclusive"
    if waits:
        got = leases.wait_all(keys, timeout=timeout, ttl=ttl, mode=mode, reason=reason)  # type: ignore[arg-type]
    else:
        got = leases.acquire_all(keys, ttl=ttl, mode=mode, reason=reason)  # type: ignore[arg-type]
    _told(cli, got, "holds")


@part(lease, "wait")
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
@click.option("--ttl", type=DURATION, default=TTL_SECONDS, show_default="30m", help="For how long you want it.")
@click.option("--timeout", type=DURATION, default=TIMEOUT_SECONDS, show_default="5m", help="Give up after this time.")
@click.option("--reason", default="", help="What for; others are told.")
def wait(cli: Cli, keys: Sequence[str], ttl: float, timeout: float, reason: str) -> None:
    """Wait until you hold these leases, in the order of asking."""
    _told(cli, cli.hub.leases.wait_all(keys, timeout=timeout, ttl=ttl, reason=reason), "holds")


@part(lease, "renew")
@click.argument("key")
@click.option("--ttl", type=DURATION, default=None, help="For how long from now; the same as before by default.")
@click.option("--token", type=int, default=None, help="Only if this is still its token.")
def renew(cli: Cli, key: str, ttl: float | None, token: int | None) -> None:
    """Hold your lease for longer."""
    _told(cli, [cli.hub.leases.renew(key, ttl=ttl, token=token)], "holds")


@part(lease, "release")
@click.argument("key")
@click.option("--token", type=int, default=None, help="Only if this is still its token.")
@click.option("--whole", is_flag=True, help="At once, however often you acquired it.")
def release(cli: Cli, key: str, token: int | None, whole: bool) -> None:
    """Give a lease back."""
    one = cli.hub.leases.release(key, token=token, whole=whole)
    _told(cli, [one], "holds" if one.ended_at is None else "no longer holds")


@part(lease, "revoke")
@click.argument("key")
@click.option("--reason", required=True, help="Why; the holder is told.")
def revoke(cli: Cli, key: str, reason: str) -> None:
    """Take a lease from whoever holds it; for the project's person."""
    _told(cli, cli.hub.leases.revoke(key, reason=reason), "no longer holds")


@part(lease, "who")
@click.argument("key")
def who(cli: Cli, key: str) -> None:
    """Show every lease that touches a path, glob or name."""
    _told(cli, cli.hub.leases.who(key), "holds", none=f"{key} is free")


@part(lease, "list")
@click.option("--kind", type=KINDS, default=None, help="Only of this kind.")
@click.option("--mine", is_flag=True, help="Only yours.")
def list_(cli: Cli, kind: str | None, mine: bool) -> None:
    """List the live leases."""
    _told(cli, cli.hub.leases.list(kind=kind, mine=mine), "holds", none="nothing is held")  # type: ignore[arg-type]


@part(lease, "queue")
def queue(cli: Cli) -> None:
    """Show who waits for a lease, in the order of asking."""
    from roost.leases.rules import name_of

    waiters = cli.hub.leases.queue()

    def show() -> None:
        rows = [(one.waiter, ", ".join(map(name_of, one.wishes)), clock(one.asked_at, cli.moment)) for one in waiters]
        cli.out.table(("who", "waits for", "since"), rows)
        if not waiters:
            cli.out.line("nobody waits")

    cli.answer(waiters, show)


def _told(cli: Cli, leases: Sequence[Lease], what: str, *, none: str = "") -> None:
    def show() -> None:
        for one in leases:
            cli.out.line(*_line(cli, one, what))
        if not leases:
            cli.out.line(none)

    cli.answer(leases, show)


def _line(cli: Cli, one: Lease, what: str) -> list[str | tuple[str, str]]:
    from roost.leases.rules import name_of

    until = f" until {clock(one.expires_at, cli.moment)} ({length(ceil((one.expires_at - cli.moment.now) / 1000))})"
    said = [
        "by editing it" if one.implicit else "",
        "shared" if one.mode == "shared" else "",
        f"for: {one.reason}" if one.reason else "",
        f"token {one.token}",
    ]
    live = one.ended_at is None
    facts = ", ".join(fact for fact in said if fact)
    return [
        (one.holder or cli.name_of(one.agent), "bold"),
        f" {what} ",
        name_of(one),
        until if live else "",
        f"  [{facts}]",
    ]
