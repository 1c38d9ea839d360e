"""What `roost run` does: see that the daemon runs, make a key for the client's hooks, and become the client."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from roost import config, keyfiles, reach, whoami, workdir
from roost.clients.claude import launching as claude
from roost.clients.claude.install import Site
from roost.connect import connect
from roost.errors import InvalidInput, NotFound, RoostError
from roost.ids import new_id
from roost.launches.model import key_of
from roost.names import check_name

if TYPE_CHECKING:
    from roost.daemon.places import Run

VARIABLE = "ROOST_HOOKS"
"""`http:PID:PORT` in a launched client: which process it is and where its settings lead; the launcher reads it."""
SHED = ("ROOST_SESSION", "ROOST_AGENT_NAME", VARIABLE)
"""Variables of the session that launches another one."""
PROXIES = frozenset({"http_proxy", "all_proxy"})


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """What this process is to become. `note` says why hooks do not go by HTTP, where they do not."""

    program: str
    words: tuple[str, ...]
    environ: dict[str, str]
    note: str = ""


def prepare(
    folder: Path, command: Sequence[str], *, as_: str = "", environ: Mapping[str, str] = os.environ, pid: int = 0
) -> Ready:
    """Make ready what process `pid` (default: this one) is to become: a coding client, with hooks by HTTP if they can.

    Raises InvalidInput for a command that is no coding client, NotFound for one that is not installed, NoProject,
    InvalidName, BadSettings, and the errors of the store.
    """
    client = os.path.basename(command[0])
    if client not in whoami.CLIENTS:
        known = ", ".join(whoami.CLIENTS)
        raise InvalidInput(f"{client!r} is no coding client that Roost knows", hint=f"run one of {known}")
    program = shutil.which(command[0], path=environ.get("PATH"))
    if program is None:
        raise NotFound(f"there is no {command[0]} on this machine", hint="install it, or give its path")
    place = reach.place_of(folder)
    kept = {name: value for name, value in environ.items() if name not in SHED}
    if as_:
        kept["ROOST_AGENT"] = check_name(as_)
    plain = Ready(program=program, words=tuple(command), environ=kept)
    return _by_http(place, plain, pid or os.getpid()) if client == "claude" else plain


def _by_http(place: str, plain: Ready, pid: int) -> Ready:
    site = Site.of(plain.environ, Path(place).parent)
    rest, given = claude.split(plain.words[1:])
    why = claude.obstacle(site, given) or _start(place)
    run = None if why else _served(place)
    if run is None:
        return msgspec.structs.replace(plain, note=f"hooks go by command: {why or 'the daemon serves no HTTP'}")
    host = f"[{run.host}]" if ":" in run.host else run.host
    launch, (secret, key_hash) = new_id(), keyfiles.new_key()
    text = claude.settings_text(site, given, f"http://{host}:{run.port}{claude.PATH}", key_of(launch, secret))
    _begin(place, launch, pid=pid, key_hash=key_hash, environ=claude.carried(plain.environ))
    words = (plain.words[0], claude.OPTION, _write(place, launch, text), *rest)
    environ = {**_past_proxies(plain.environ, run.host), VARIABLE: f"http:{pid}:{run.port}"}
    return msgspec.structs.replace(plain, words=words, environ=environ)


def _start(place: str) -> str:
    """Start the daemon where none runs; say why there is none, or ''."""
    if not reach.is_wanted():
        return f"{reach.SWITCH} is off"
    if not reach.is_running(place):
        with suppress(RoostError, OSError):  # whether it runs now is looked at below
            reach.start(place)
    return "" if reach.is_running(place) else "the daemon did not start (`roost logs`)"


def _served(place: str) -> Run | None:
    """Return where the daemon serves plain HTTP; None where it does not."""
    from roost.daemon.places import told

    run = told(place)
    return run if run is not None and run.port and not config.load(place).daemon.certificate else None


def _begin(place: str, launch: str, *, pid: int, key_hash: bytes, environ: dict[str, str]) -> None:
    project = connect(place)
    try:
        project.system().launches.begin(launch, client="claude", pid=pid, key_hash=key_hash, environ=environ)
    finally:
        project.close()


def _write(place: str, launch: str, text: str) -> str:
    """Write the settings, which hold the key, into a new file that only their owner can read; return its path."""
    path = os.path.join(place, workdir.LAUNCHES, f"{launch}.json")
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "w", encoding="utf-8") as fresh:
        fresh.write(text)
    return path


def _past_proxies(environ: Mapping[str, str], host: str) -> dict[str, str]:
    """Keep the client's hooks, and with them its key, from a proxy."""
    made = dict(environ)
    if any(name.lower() in PROXIES for name in environ):
        for name in ("NO_PROXY", "no_proxy"):
            made[name] = ",".join(part for part in (environ.get(name, ""), host) if part)
    return made
