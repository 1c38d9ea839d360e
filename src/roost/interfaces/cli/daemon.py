"""The daemon: `up`, `down`, `logs`."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import click

from roost import config, reach
from roost.interfaces.cli.output import flush
from roost.interfaces.cli.times import DURATION
from roost.interfaces.cli.verbs import Cli, verb

if TYPE_CHECKING:
    from roost.daemon.places import Run

DOWN_SECONDS_MAX = 10.0
LOGS = ("daemon.log", "hooks.log")
FOLLOW_SECONDS = 0.25


@verb("up")
@click.option("--detach", is_flag=True, help="Start it in the background and return when it answers.")
def up(cli: Cli, detach: bool) -> None:
    """Start the project's daemon: in this terminal until Ctrl-C, or with --detach in the background.

    Hooks and verbs start it by themselves, and it leaves when no agent is alive; this is for who wants to see it.
    """
    place = reach.place_of(cli.folder)
    if reach.is_running(place):
        _show(cli, _told(place), "the daemon runs already")
        return
    config.load(place)  # what is wrong in it is told here, and not by a daemon that ends at once
    if detach:
        reach.start(place)
        _show(cli, _told(place), "the daemon runs")
        return
    from roost.daemon.run import serve

    sys.exit(serve(place))


@verb("down")
@click.option("--timeout", type=DURATION, default=DOWN_SECONDS_MAX, show_default="10s", help="The longest wait.")
def down(cli: Cli, timeout: float) -> None:
    """Stop the project's daemon. What it was asked is answered first; agents go on with the file."""
    from roost.daemon.places import stop

    told_to = stop(reach.place_of(cli.folder), seconds=timeout)
    if cli.out.as_json:
        cli.out.json({"stopped": bool(told_to)})
    else:
        cli.out.line("the daemon stopped" if told_to else "no daemon runs for this project")


@verb("logs")
@click.option("-n", "lines", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many lines.")
@click.option("-f", "--follow", is_flag=True, help="Go on showing what is written, until Ctrl-C.")
def logs(cli: Cli, lines: int, follow: bool) -> None:
    """Show what the daemon and the hooks wrote down, newest last."""
    place = reach.place_of(cli.folder)
    paths = [os.path.join(place, name) for name in LOGS]
    ends = {path: _size(path) for path in paths}
    found = {os.path.basename(path): _tail(path, lines) for path in paths}

    if cli.out.as_json:
        cli.out.json(found)
    else:
        for name, text in found.items():
            _show_lines(cli, name, text)
        if not any(found.values()):
            cli.out.line("nothing is written down yet")
    if follow:
        _follow(cli, ends)


def _show(cli: Cli, run: Run | None, said: str) -> None:
    def show() -> None:
        cli.out.line(said if run is None else f"{said}: pid {run.pid}, {run.socket}")
        if run is not None and run.port:
            cli.out.line(f"HTTP, WebSocket, SSE and MCP: {run.url} (tokens: `roost token create`)")
        if run is not None and run.trouble:
            cli.out.line((run.trouble, "yellow"))
        elif run is not None and not run.port and not _has_server():
            cli.out.line('no HTTP and no MCP: pip install "roost[server]", then `roost down` and `roost up`')

    if cli.out.as_json:
        from roost.daemon.places import facts

        cli.out.json(facts(run) if run is not None else {})
    else:
        show()


def _has_server() -> bool:
    from importlib.util import find_spec

    return find_spec("uvicorn") is not None


def _told(place: str) -> Run | None:
    from roost.daemon.places import told

    return told(place)


def _tail(path: str, lines: int) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return [line.rstrip("\n") for line in file.readlines()[-lines:]]
    except OSError:
        return []


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except FileNotFoundError:
        return 0


def _follow(cli: Cli, ends: dict[str, int]) -> None:
    """Show what comes behind these places; a file that is shorter than before has begun anew."""
    while True:
        for path, at in ends.items():
            ends[path] = _size(path)
            _show_lines(cli, os.path.basename(path), _between(path, at if at <= ends[path] else 0, ends[path]))
        flush()
        time.sleep(FOLLOW_SECONDS)


def _show_lines(cli: Cli, name: str, lines: list[str]) -> None:
    if cli.out.as_json and lines:
        cli.out.json({name: lines})
    elif not cli.out.as_json:
        for line in lines:
            cli.out.line(f"{name.removesuffix('.log')}: {line}")


def _between(path: str, start: int, end: int) -> list[str]:
    if start == end:
        return []
    with open(path, "rb") as file:
        file.seek(start)
        return file.read(end - start).decode(errors="replace").splitlines()
