"""Whether a daemon may listen where its settings say: an address that others reach wants TLS and an explicit word."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from roost.errors import Forbidden, InvalidInput

if TYPE_CHECKING:
    from roost.config import Daemon as Settings


def is_local(host: str) -> bool:
    """Say whether an address is reached from this machine alone. Raises InvalidInput for what is no address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        raise InvalidInput(f"daemon.host = {host!r} is no address", hint="use 127.0.0.1") from None


def refuse_exposure(settings: Settings) -> None:
    """Raise Forbidden for an address of the network without TLS and an explicit word for it."""
    if is_local(settings.host) or (settings.public and settings.certificate and settings.private_key):
        return
    raise Forbidden(
        f"{settings.host} is open to others",
        hint="set daemon.certificate, daemon.private_key and daemon.public = true, or keep to 127.0.0.1",
    )
