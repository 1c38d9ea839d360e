"""Whether caller and daemon understand each other: the version of the protocol, and that of Roost itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

import roost
from roost.errors import InvalidInput
from roost.interfaces.wire.frames import VERSION, Hello, Welcome

if TYPE_CHECKING:
    from roost.sessions.model import Me

_NUMBERS = re.compile(r"\d{1,6}(\.\d{1,6}){0,3}(?!\d)", re.ASCII)


def is_newer(one: str, other: str) -> bool:
    """Say whether a version of Roost comes after another; what is no version comes after none, and none after it."""
    first, second = _NUMBERS.match(one), _NUMBERS.match(other)
    return first is not None and second is not None and _numbers(first[0]) > _numbers(second[0])


def is_of_newer(hello: Hello) -> bool:
    """Say whether a caller is of a newer Roost than this one."""
    return hello.version > VERSION or is_newer(hello.roost, roost.__version__)


def refuse_other(hello: Hello) -> None:
    """Raise InvalidInput for a caller that speaks another version of the protocol."""
    if hello.version == VERSION:
        return
    newer = hello.version > VERSION
    hint = "restart the daemon: `roost down`, then try again" if newer else "upgrade the caller's Roost"
    raise InvalidInput(f"this daemon speaks version {VERSION} of the protocol, the caller {hello.version}", hint=hint)


def welcome(me: Me) -> Welcome:
    """Return what a caller is told of whom it acts as, and of this daemon."""
    return Welcome(
        roost=roost.__version__, session=me.session, agent=me.agent, name=me.name, kind=me.kind, epoch=me.epoch
    )


def read_welcome(body: bytes | msgspec.Raw) -> Welcome:
    """Return a daemon's welcome. Raises InvalidInput for one of another version of the protocol."""
    try:
        welcome = msgspec.msgpack.decode(body, type=Welcome)
    except msgspec.DecodeError as error:
        raise InvalidInput(f"this is no welcome: {error}", hint="what answers there is no daemon of Roost") from None
    if welcome.version != VERSION:
        raise InvalidInput(
            f"the daemon speaks version {welcome.version} of the protocol, this program {VERSION}",
            hint="restart the daemon: `roost down`; of one elsewhere, bring both to the same version of Roost",
        )
    return welcome


def _numbers(version: str) -> tuple[int, ...]:
    numbers = [int(part) for part in version.split(".")]
    return tuple(numbers + [0] * (4 - len(numbers)))
