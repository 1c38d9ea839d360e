"""Looks at what lets others in: files, the daemon's addresses, tokens, and how the daemon ended last."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from roost import __version__, reach, workdir
from roost.checkup.model import Check, judged
from roost.config import load
from roost.connect import Project
from roost.daemon import places
from roost.exposure import is_local
from roost.interfaces.wire.versions import is_newer

FILES_MAX = 20_000
SECRET = ("secret", "store.db*", "sessions/*", "archives/*", "backups/*", "*.db", "*.jsonl*", "*.token", "*.header")
"""What of `.roost` tells what was said, or lets somebody speak as another; keys, where somebody put them there."""
LOG_READ_BYTES_MAX = 1024 * 1024
STOP_DAYS = 7
DAY_MS = 86_400_000
TOKEN_DAYS_LEAST = 7
_LOG_LINE = re.compile(rb"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d{3} INFO (serving|stopped)\b")


def keys(place: workdir.Workdir) -> Iterator[Check]:
    """Is everything in `.roost`, and the key of TLS, its owner's alone?"""
    refused = workdir.refusal(place.path)
    looked = [*_files(place.path), *_certificate_key(place)]
    open_ones = [path for path in looked if _is_open(path)]
    said = refused or (
        f"others can read {open_ones[0]}" if open_ones else f"{len(looked)} files are their owner's alone"
    )
    to_do = f"chmod go= {open_ones[0]}" if open_ones else f"chmod -R go= {place.path}"
    yield judged("keys", said, well=not refused and not open_ones, otherwise="fail", to_do=to_do)


def daemon(place: workdir.Workdir) -> Iterator[Check]:
    """Where does the daemon listen, and who can reach that?"""
    run = places.told(place.folder)
    if run is None:
        yield Check(name="daemon", grade="note", said="none runs; verbs and hooks use the file")
        return
    if not reach.is_running(place.folder):
        said = f"process {run.pid} said that it listens at {run.socket}, and nobody answers there"
        yield Check(
            name="daemon", grade="warn", said=said, to_do="it ended uncleanly, see `roost logs`; `roost up --detach`"
        )
        return
    if not reach.answers(place.folder):
        to_do = f"see `roost logs`; `kill -9 {run.pid}` ends it, and loses nothing that was answered"
        yield Check(name="daemon", grade="fail", said=f"process {run.pid} hangs: it answers nothing", to_do=to_do)
        return
    if run.version != __version__:
        newer = is_newer(run.version, __version__)
        said = f"process {run.pid} is Roost {run.version}, and this is {__version__}"
        to_do = "upgrade this one" if newer else "`roost down`; the next call starts this version's"
        yield Check(name="daemon", grade="warn", said=said, to_do=to_do)
    folder = os.path.dirname(run.socket)
    if os.stat(folder).st_mode & 0o077:
        yield Check(name="daemon", grade="fail", said=f"others can enter {folder}", to_do=f"chmod 0700 {folder}")
    if run.trouble:
        to_do = "mend the [daemon] section of roost.toml, then `roost down` and `roost up --detach`"
        yield Check(name="daemon", grade="warn", said=run.trouble, to_do=to_do)
    yield _addresses(run)


def stops(place: workdir.Workdir) -> Iterator[Check]:
    """Did the daemon's last runs end as they should?"""
    began, unclean = "", ""
    for line in _tail(place.path / reach.LOG):
        if found := _LOG_LINE.match(line):
            serves = found[2] == b"serving"
            unclean, began = (began if serves and began else unclean), (found[1].decode() if serves else "")
    if began and not reach.is_running(place.folder):
        unclean = began
    days = (time.time() - time.mktime(time.strptime(unclean, "%Y-%m-%d %H:%M:%S"))) / 86_400 if unclean else 0.0
    said = f"the daemon that began at {unclean} was killed, or crashed" if unclean else "every daemon stopped cleanly"
    to_do = "nothing answered is lost; `roost logs` and the system's log may say why"
    yield judged("stops", said, well=not unclean or days > STOP_DAYS, to_do=to_do)


def tokens(project: Project) -> Iterator[Check]:
    """Do tokens end soon?"""
    now = time.time_ns() // 1_000_000
    valid = [one for one in project.system().tokens.list() if one.revoked_at is None and one.expires_at > now]
    ending = [one for one in valid if one.expires_at - now < TOKEN_DAYS_LEAST * DAY_MS]
    said = f"{len(valid)} valid" + (f"; {ending[0].id} of {ending[0].name} ends within a week" if ending else "")
    to_do = f"roost token rotate {ending[0].id}" if ending else ""
    yield judged("tokens", said, well=not ending, to_do=to_do)


def trust() -> Check:
    """Say what no check can find."""
    said = "processes of one user can read each other's keys: Roost tells agents apart, it does not wall them off"
    return Check(name="trust", grade="note", said=said, to_do="one user or sandbox per agent, where that matters")


def _addresses(run: places.Run) -> Check:
    said = f"process {run.pid} listens at {run.socket}"
    said += f", {run.url}" if run.port else ""
    said += f", TLS port {run.tls_port}" if run.tls_port else ""
    if run.port and not is_local(run.host) and not run.is_tls:
        to_do = 'others read along: set daemon.host = "127.0.0.1", or a certificate'
        return Check(name="daemon", grade="fail", said=said, to_do=to_do)
    is_open = bool(run.tls_port) or (bool(run.port) and not is_local(run.host))
    to_do = "others can reach it, with a token: keep it so only if that is meant"
    return judged("daemon", said, well=not is_open, to_do=to_do)


def _files(folder: Path) -> Iterator[Path]:
    found = (path for pattern in SECRET for path in folder.glob(pattern))
    return islice(found, FILES_MAX)


def _certificate_key(place: workdir.Workdir) -> list[Path]:
    key = load(place.folder).daemon.private_key
    return [Path(key)] if key else []


def _is_open(path: Path) -> bool:
    """Say whether others can read a file; those in a folder that is closed to them are told too, for copies go on."""
    try:
        facts = path.lstat()
    except FileNotFoundError:  # ended meanwhile
        return False
    return stat.S_ISREG(facts.st_mode) and bool(facts.st_mode & 0o077)


def _tail(path: Path) -> list[bytes]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LOG_READ_BYTES_MAX))
            return file.read().splitlines()
    except FileNotFoundError:
        return []
