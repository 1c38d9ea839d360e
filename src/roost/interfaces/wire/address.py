"""Where a daemon listens: a Unix socket, or a host and port behind TLS."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import msgspec

from roost.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    import ssl

UNIX, TLS = "roost+unix://", "roost+tls://"
CONNECT_SECONDS_MAX = 10.0
ALIVE = {"TCP_KEEPIDLE": 20, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 2, "TCP_USER_TIMEOUT": 40_000}
"""A peer that is silent for 20 s is asked for a sign of life, 10 s apart; after two without, or 40 s (in ms) in which
it took nothing that was sent, the connection is lost: neither end waits for ever for one that is gone."""
TOKEN_FILE_CHARACTERS_MAX = 1_024
NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")
"""What OpenSSL calls an answer that is not TLS."""
WRITE = "write one there: `roost token create --file PATH`"


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """A Unix socket's `path`; or `host`, `port` and `token`, with `ca` the file of the certificate to trust."""

    path: str = ""
    host: str = ""
    port: int = 0
    token: str = ""
    ca: str = ""


def parse(url: str) -> Address:
    """Return the address that a URL names: `roost+unix:///path`, `roost+tls://host:port?token_file=F&ca=F`.

    The token comes from a file or from ROOST_TOKEN, never from the URL itself. Raises InvalidInput.
    """
    if url.startswith(UNIX) and url.removeprefix(UNIX).startswith("/"):
        return Address(path=url.removeprefix(UNIX))
    if url.startswith(TLS):
        return _far(url)
    shown = url.partition("?")[0].rpartition("@")[2]  # the rest may hold what is nobody else's to read
    raise InvalidInput(f"{shown!r} is no address of a daemon", hint=f"write {UNIX}/path/native.sock or {TLS}host:port")


def _far(url: str) -> Address:
    from urllib.parse import parse_qs, urlsplit

    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _no_address(url) from None
    asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    if not parts.hostname or not port or parts.username or asked.keys() - {"token_file", "ca"}:
        raise _no_address(url)
    token = _token(asked.get("token_file", ""))
    return Address(host=parts.hostname, port=port, token=token, ca=asked.get("ca", ""))


def _no_address(url: str) -> InvalidInput:
    host = url.removeprefix(TLS).partition("?")[0].partition("/")[0].rpartition("@")[2]  # the rest may hold a key
    return InvalidInput(f"this {TLS}{host} is no address", hint=f"write {TLS}host:port?token_file=FILE&ca=FILE")


def _token(path: str) -> str:
    """Return the token in a file, or else in ROOST_TOKEN. Raises InvalidInput for what is none: it would be sent."""
    from roost.tokens.rules import is_key

    found, where = os.environ.get("ROOST_TOKEN", ""), "ROOST_TOKEN"
    if path:
        try:
            with open(path, encoding="ascii") as file:
                found, where = file.read(TOKEN_FILE_CHARACTERS_MAX).strip(), path
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"{path} holds no token: {error}", hint=WRITE) from None
    if found and not is_key(found):
        raise InvalidInput(f"{where} holds no token", hint=WRITE)
    return found


def connected(address: Address) -> socket.socket:
    """Return a connected socket. Raises Unavailable, InvalidInput for who is no daemon that can be trusted."""
    try:
        return _near(address.path) if address.path else _far_end(address)
    except OSError as error:
        raise unreachable(address, error) from None


def unreachable(address: Address, error: OSError) -> Unavailable:
    """Return the error for a daemon that cannot be connected to. Raises InvalidInput where trying again is no use."""
    where = address.path or f"{address.host}:{address.port}"
    if why := getattr(error, "verify_message", ""):  # ssl.SSLCertVerificationError; a near socket needs no ssl
        hint = "name the certificate to trust with `ca=FILE`, and the host as the certificate does"
        raise InvalidInput(f"the certificate at {where} is not trusted: {why}", hint=hint) from None
    if getattr(error, "reason", "") in NOT_TLS:
        raise InvalidInput(f"who answers at {where} speaks no TLS", hint="name the daemon's `tls_port`") from None
    why = str(error) or f"not within {CONNECT_SECONDS_MAX:g} s"
    return Unavailable(f"no daemon answers at {where}: {why}", hint="start it: `roost up`")


def _near(path: str) -> socket.socket:
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        end.settimeout(CONNECT_SECONDS_MAX)
        end.connect(path)
    except BaseException:
        end.close()
        raise
    return end


def _far_end(address: Address) -> socket.socket:
    plain = socket.create_connection((address.host, address.port), timeout=CONNECT_SECONDS_MAX)
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        keep_alive(plain)
        return trust(address).wrap_socket(plain, server_hostname=address.host)
    except BaseException:
        plain.close()
        raise


def keep_alive(end: socket.socket) -> None:
    """Let the kernel notice when the other end of a TCP connection is gone; see ALIVE."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in ALIVE.items():
        if hasattr(socket, name):  # each system has its own of them
            end.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def trust(address: Address) -> ssl.SSLContext:
    """Return what a TLS connection to an address must prove. Raises InvalidInput where `ca` is no certificate."""
    import ssl

    try:
        context = ssl.create_default_context(cafile=address.ca or None)
    except OSError as error:
        raise InvalidInput(
            f"{address.ca} holds no certificate: {error}", hint="give one in PEM, as `ca=FILE`"
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context
