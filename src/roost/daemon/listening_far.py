"""The doors that programs on the network knock on: HTTP where the extra `server` is installed, and TLS."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import msgspec

from roost.daemon.native import HELLO_SECONDS_MAX
from roost.daemon.places import HTTP, Run
from roost.errors import InvalidInput
from roost.exposure import refuse_exposure

if TYPE_CHECKING:
    from roost.config import Daemon as Settings
    from roost.daemon.door import DaemonDoor
    from roost.daemon.doors import Doors
    from roost.daemon.tracing import Traces

log = logging.getLogger("roost.daemon")


async def open_http(
    door: DaemonDoor, settings: Settings, run: Run, folder: str, traces: Traces | None, kept_port: int
) -> tuple[Any, Run]:
    """Serve HTTP if it is wanted and installed, at the port of before if it is free; return what stops it, and where
    it listens. Raises Forbidden for an address that others reach, unless it is safe."""
    if not settings.http or find_spec("uvicorn") is None or find_spec("roost.interfaces.http") is None:
        return None, run
    from roost.interfaces.http.serve import serve

    refuse_exposure(settings)
    unix_path = os.path.join(folder, HTTP)
    around = traces.around if traces is not None else lambda app: app
    served = await serve(door, settings, unix_path=unix_path, kept_port=kept_port, around=around)
    return served, msgspec.structs.replace(
        run, http_socket=unix_path, host=settings.host, port=served.port, is_tls=bool(settings.certificate)
    )


async def open_tls(doors: Doors, settings: Settings, run: Run) -> tuple[asyncio.Server | None, Run]:
    """Serve the native protocol over TLS if a port for it is configured. Raises InvalidInput without a certificate,
    Forbidden for an address that others reach without an explicit word."""
    if not settings.tls_port:
        return None, run
    refuse_exposure(settings)
    loop = asyncio.get_running_loop()
    context = tls_context(settings)
    server = await loop.create_server(
        doors.connection, settings.host, settings.tls_port, ssl=context, ssl_handshake_timeout=HELLO_SECONDS_MAX
    )
    return server, msgspec.structs.replace(run, tls_port=settings.tls_port)


def tls_context(settings: Settings) -> ssl.SSLContext:
    """Return what a TLS connection is served with. Raises InvalidInput without a certificate."""
    if not settings.certificate or not settings.private_key:
        raise InvalidInput(
            "daemon.tls_port needs a certificate", hint="set daemon.certificate and daemon.private_key in roost.toml"
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(settings.certificate, settings.private_key)
    return context
