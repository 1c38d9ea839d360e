"""`roost send --batch`: a file of messages, one JSON object a line, stored all or none."""

from __future__ import annotations

import sys
from typing import Any

import click
import msgspec

from roost.errors import InvalidInput
from roost.interfaces.cli.verbs import Cli
from roost.messages.model import Draft

FILE_BYTES_MAX = 64 * 1024 * 1024


class Line(Draft, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line; an unknown field is an error."""


def send_file(cli: Cli, name: str) -> None:
    """Send the messages of a file and answer with their ids."""
    drafts = [_parsed(number, line) for number, line in enumerate(_lines(name), 1) if line.strip()]
    if not drafts:
        raise InvalidInput(f"{name} holds no message", hint='one JSON object a line: {"to": "builder", "text": "hi"}')
    sent = cli.hub.messages.send_batch(drafts)

    def show() -> None:
        cli.out.line(f"stored {len(sent)} messages: {sent[0].ref} to {sent[-1].ref}")

    cli.answer(sent, show)


def _lines(name: str) -> list[bytes]:
    if name == "-":
        return sys.stdin.buffer.read(FILE_BYTES_MAX).split(b"\n")
    try:
        with open(name, "rb") as file:
            return file.read(FILE_BYTES_MAX).split(b"\n")
    except OSError as error:
        raise click.UsageError(f"cannot read {name}: {error.strerror}") from None


def _parsed(number: int, line: bytes) -> Draft:
    try:
        fields: dict[str, Any] = msgspec.json.decode(line, type=dict[str, Any])
        if isinstance(fields.get("to"), str):
            fields["to"] = [fields["to"]]
        return msgspec.convert(fields, Line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidInput(f"line {number} is no message: {error}", hint="nothing was sent; correct it") from None
