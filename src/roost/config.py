"""One frozen Config from `.roost/roost.toml` and the environment; an unknown key is an error, never ignored."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Literal

import msgspec

from roost.errors import InvalidInput

KEPT_DAYS_MIN = 7
"""An idempotency key is honoured for 7 days, so nothing leaves earlier."""
KEPT_DAYS_MAX = 36_500
ARCHIVES = "archives"
PORT_MAX = 65_535
RATE_AGENT_MAX = 10_000
"""The hard cap of messages in 60 s that an operator may allow."""


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits an operator may change; counts, unless the name says otherwise."""

    rate_agent: int = 30
    rate_human: int = 600
    recipients_max: int = 1_000
    inbox_messages_max: int = 10_000
    inbox_bytes_max: int = 64 * 1024 * 1024
    offers_max: int = 8
    wakes_per_hour_max: int = 12
    hops_max: int = 16


class Features(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Switches for behaviour that a team may not want."""

    edit_enforcement: bool = True
    implicit_leases: bool = True
    wake_idle: bool = True
    window_title: bool = True
    in_transaction_duties: bool = True


class Daemon(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the daemon runs. `http` needs the extra `server`; a `host` that others reach needs TLS and `public`.

    `streams_max` WebSockets and event streams may be open. `port` 0 chooses a free one, as does a taken one; `tls_port`
    0 opens none. `autostart` lets hooks and verbs start it. `otlp` is the URL of a collector of traces (extra `otel`).
    """

    autostart: bool = True
    idle_seconds: float = 60.0
    http: bool = True
    host: str = "127.0.0.1"
    port: int = 8787
    streams_max: int = 1_000
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    public: bool = False
    tls_port: int = 0
    certificate: str = ""
    private_key: str = ""
    otlp: str = ""


Kept = int | float | Literal["forever"]
"""For how many days something is kept once it is final."""


class Retention(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For how many days each kind stays in the store once it is final, 7 at least, or "forever".

    Messages go by whole threads, with their receipts; ended leases go without an archive, for the log tells of them.
    `folder` is where archives lie: in `.roost/archives` if it is not set, else as seen from `.roost`.
    """

    messages: Kept = 90
    sessions: Kept = 180
    operations: Kept = 180
    leases: Kept = 7
    events: Kept = 180
    folder: str = ""


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be set for one project."""

    limits: Limits = Limits()
    features: Features = Features()
    daemon: Daemon = Daemon()
    retention: Retention = Retention()
    gate_seconds_max: float = 10.0
    synchronous: str = "FULL"


def load(folder: str | os.PathLike[str] | None, environ: Mapping[str, str] | None = None) -> Config:
    """Read `roost.toml` in `folder` if there is one; `ROOST_GATE_SECONDS` overrides.

    Raises InvalidInput when the file does not parse or names an unknown or wrong setting.
    """
    environ = os.environ if environ is None else environ
    config = Config()
    path = os.path.join(folder, "roost.toml") if folder else None
    if path and os.path.exists(path):
        config = _parse(path)
    if seconds := environ.get("ROOST_GATE_SECONDS"):
        config = msgspec.structs.replace(config, gate_seconds_max=_number("ROOST_GATE_SECONDS", seconds))
    if config.synchronous not in ("FULL", "NORMAL"):
        raise InvalidInput(
            f"synchronous = {config.synchronous!r} is not a durability level", hint="use FULL (default) or NORMAL"
        )
    if not 1 <= config.limits.rate_agent <= RATE_AGENT_MAX or not 1 <= config.limits.rate_human <= RATE_AGENT_MAX:
        raise InvalidInput(
            f"limits.rate_agent and rate_human must lie in 1-{RATE_AGENT_MAX}", hint="correct roost.toml"
        )
    _check_daemon(config.daemon)
    _check_retention(config.retention)
    return _with_archives(config, folder)


def _check_daemon(daemon: Daemon) -> None:
    for name in ("port", "tls_port"):
        if not 0 <= (port := getattr(daemon, name)) <= PORT_MAX:
            raise InvalidInput(f"daemon.{name} = {port} is not in 0-{PORT_MAX}", hint="correct roost.toml")
    if not daemon.idle_seconds > 0:  # neither 0 nor nan: it would leave at once, or never
        raise InvalidInput(f"daemon.idle_seconds = {daemon.idle_seconds} is not above 0", hint="correct roost.toml")
    if daemon.streams_max < 0:
        raise InvalidInput(f"daemon.streams_max = {daemon.streams_max} is below 0", hint="correct roost.toml")


def _check_retention(retention: Retention) -> None:
    for name in ("messages", "sessions", "operations", "leases", "events"):
        days = getattr(retention, name)
        if days != "forever" and not KEPT_DAYS_MIN <= days <= KEPT_DAYS_MAX:
            raise InvalidInput(
                f"retention.{name} = {days!r} is not in {KEPT_DAYS_MIN}-{KEPT_DAYS_MAX} days",
                hint='correct roost.toml; "forever" keeps everything',
            )


def _with_archives(config: Config, folder: str | os.PathLike[str] | None) -> Config:
    if not folder:
        return config
    archives = os.path.join(os.path.abspath(folder), config.retention.folder or ARCHIVES)
    retention = msgspec.structs.replace(config.retention, folder=archives)
    return msgspec.structs.replace(config, retention=retention)


def _parse(path: str) -> Config:
    import tomllib  # 3 ms that only projects with a file pay

    try:
        with open(path, "rb") as file:
            return msgspec.convert(tomllib.load(file), Config)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} is not a valid configuration: {error}", hint="correct or remove it") from None


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= 60:
        raise InvalidInput(f"{name}={text!r} is not a number of seconds in 0-60", hint="unset it or correct it")
    return value
