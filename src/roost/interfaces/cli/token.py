"""Tokens: `token create`, `list`, `revoke`, `rotate`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from roost.errors import InvalidInput
from roost.interfaces.cli.times import DURATION, length
from roost.interfaces.cli.verbs import Cli, group, part

if TYPE_CHECKING:
    from roost.tokens.model import NewToken, Token

SCOPES = click.Choice(["send", "read", "lease", "admin"])
DAY = 86_400.0
TO_FILE = click.option("--file", metavar="PATH", help="Write the key into a new 0600 file instead of showing it.")


@group("token")
def token(ctx: click.Context) -> None:
    """Keys for programs that speak HTTP, MCP or TLS: bound to an agent, to scopes and to a time."""


@part(token, "create")
@click.argument("name", default="")
@click.option(
    "--scope", "scopes", multiple=True, type=SCOPES, help="May be repeated; send, read and lease if left out."
)
@click.option("--expires", type=DURATION, default=90 * DAY, show_default="90d", help="How long it is valid.")
@click.option("--label", default="", help="What it is for.")
@TO_FILE
def create(cli: Cli, name: str, scopes: tuple[str, ...], expires: float, label: str, file: str | None) -> None:
    """Make a token for yourself, or (as a person) for NAME. The key is shown this once and kept nowhere."""
    chosen = scopes or ("send", "read", "lease")
    _show(cli, lambda: cli.hub.tokens.create(name, scopes=chosen, expires_in=expires, label=label), file)


@part(token, "list")
@click.argument("name", default="")
def list_(cli: Cli, name: str) -> None:
    """List tokens: your own, or (as a person) everybody's."""
    found = cli.hub.tokens.list(name)

    def show() -> None:
        rows = [(one.id, one.name, ",".join(one.scopes), _state(cli, one), one.label) for one in found]
        cli.out.table(("token", "whose", "may", "state", "for"), rows)
        if not found:
            cli.out.line("there are no tokens; make one with `roost token create`")

    cli.answer(found, show)


@part(token, "revoke")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
def revoke(cli: Cli, ids: tuple[str, ...]) -> None:
    """End tokens now; open connections of theirs close within a second."""
    ended = [cli.hub.tokens.revoke(one) for one in ids]

    def show() -> None:
        for one in ended:
            cli.out.line(f"token {one.id} of {one.name} is revoked")

    cli.answer(ended, show)


@part(token, "rotate")
@click.argument("id")
@click.option("--overlap", type=DURATION, default=60.0, show_default="60s", help="How long the old one still works.")
@TO_FILE
def rotate(cli: Cli, id: str, overlap: float, file: str | None) -> None:
    """Replace a token by a new one that may do the same."""
    _show(cli, lambda: cli.hub.tokens.rotate(id, overlap=overlap), file)


def _show(cli: Cli, make: Callable[[], NewToken], file: str | None) -> None:
    made = make() if file is None else _made_into(file, make)
    said: dict[str, Any] = (
        {"token": made.token, "key": made.key} if file is None else {"token": made.token, "file": file}
    )

    def show() -> None:
        about = f"token {made.token.id} for {made.token.name}: {', '.join(made.token.scopes)}"
        click.echo(f"{about}{f'; its key is in {file}' if file else '; its key is shown this once:'}", err=True)
        if file is None:
            cli.out.line(made.key)

    cli.answer(said, show)


def _state(cli: Cli, one: Token) -> str:
    if one.revoked_at is not None and one.revoked_at <= cli.moment.wall:
        return "revoked"
    if one.expires_at <= cli.moment.wall:
        return "expired"
    return f"valid, {length((one.expires_at - cli.moment.wall) / 1000)} left"


def _made_into(path: str, make: Callable[[], NewToken]) -> NewToken:
    """Make a token whose key goes into a new file; the file comes first, so that no key is made and lost."""
    file = _new(path)
    try:
        made = make()
        os.write(file, made.key.encode() + b"\n")
        os.fsync(file)
    except BaseException:
        os.unlink(path)
        raise
    finally:
        os.close(file)
    return made


def _new(path: str) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise InvalidInput(f"{path!r} exists, and a key never overwrites a file", hint="name a new file") from None
    except OSError as error:
        raise InvalidInput(f"{path!r} cannot be written: {error.strerror}", hint="name a file elsewhere") from None
