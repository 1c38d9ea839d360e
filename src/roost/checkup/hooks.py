"""Looks at the hooks in coding clients: not installed, installed but never fired, and working are told apart."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from roost import workdir
from roost.checkup.model import Check, judged
from roost.clients.others import SUPPORTED
from roost.connect import Project
from roost.installing import parts

COMPLAINTS_SECONDS = 24 * 3_600
COMPLAINTS_READ_BYTES_MAX = 256 * 1024


class Complaint(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the hooks' own log: when, in milliseconds since 1970, and what."""

    at: int = 0
    message: str = ""


def installed(folder: str | None) -> Iterator[Check]:
    """Is what lies in each client's settings what Roost wrote?"""
    found = parts(Path(folder or os.getcwd()))
    broken = [one for one in found if one.state != "ok"]
    for one in broken:
        said = f"{one.name} {one.state}: {one.path}"
        yield Check(name="hooks", grade="warn", said=said, to_do=one.detail or "run roost init")
    if not broken:
        yield Check(name="hooks", grade="pass", said="they are as Roost wrote them")


def fired(project: Project) -> Iterator[Check]:
    """Did each client's hooks ever reach this store?"""
    for client in sorted(SUPPORTED):
        with project.store.read() as tx:
            last, now = tx.value("sessions.newest_of_client", client=client), tx.now
        said = (
            f"{client}: never fired here" if last is None else f"{client}: last fired {(now - last) // 60_000} min ago"
        )
        to_do = f"start {client} in this project; a session that runs already may have to be restarted"
        yield judged("hooks", said, well=last is not None, to_do=to_do)


def complaints(place: workdir.Workdir) -> Iterator[Check]:
    """What did hooks write down about their own errors in the last day?"""
    since = (time.time() - COMPLAINTS_SECONDS) * 1000
    recent = [one for one in map(_entry, _tail(place.hooks_log)) if one.at >= since]
    said = f"{len(recent)} errors of hooks in a day; the last: {recent[-1].message}" if recent else "no errors in a day"
    yield judged("hooks", said, well=not recent, to_do=f"see {place.hooks_log}")


def _tail(path: Path) -> list[bytes]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - COMPLAINTS_READ_BYTES_MAX))
            return file.read().splitlines()
    except FileNotFoundError:
        return []


def _entry(line: bytes) -> Complaint:
    try:
        return msgspec.json.decode(line, type=Complaint)
    except (msgspec.DecodeError, UnicodeDecodeError):  # the first line of a tail may be a half one
        return Complaint()
