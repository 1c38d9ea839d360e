"""A launch: one client process that Roost started."""

from __future__ import annotations

import msgspec

from roost.sessions.model import Process

PREFIX = "rsl_"
"""How the key of a launch begins: its id and 32 bytes in hex follow."""
KEY_CHARACTERS_MAX = 128


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """One client that Roost started; it lasts as long as that process. `environ` is what its events are read with."""

    id: str
    client: str
    process: Process
    environ: dict[str, str] = {}
    key_hash: bytes
    began_at: int


def key_of(launch: str, secret: str) -> str:
    """Return the key that a client shows."""
    return f"{PREFIX}{launch}_{secret}"


def parts_of(key: str) -> tuple[str, str]:
    """Return the launch and the secret in a key; twice '' for what is none."""
    if not key.startswith(PREFIX) or len(key) > KEY_CHARACTERS_MAX or not key.isascii():
        return "", ""
    launch, _, secret = key.removeprefix(PREFIX).partition("_")
    return launch, secret
