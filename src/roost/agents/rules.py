"""What may stand in an agent's profile."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from roost.agents.model import Profile
from roost.errors import InvalidInput, LimitReached
from roost.names import check_name
from roost.text import check_display

CAPABILITIES_MAX = 64


def checked_profile(profile: Profile, **changes: str | None) -> Profile:
    """Return the profile with these changes, each checked; None leaves a field as it is. Raises InvalidText,
    InvalidInput."""
    given = {field: value for field, value in changes.items() if value is not None}
    for field, value in given.items():
        if field == "discord_user_id":
            _check_discord_id(value)
        elif value:
            check_display(value, what=field.replace("_", " "))
    return msgspec.structs.replace(profile, **given)


def checked_capabilities(capabilities: Iterable[str]) -> tuple[str, ...]:
    """Return the capabilities sorted and once each. Raises InvalidName, LimitReached."""
    able = tuple(sorted(set(capabilities)))
    if len(able) > CAPABILITIES_MAX:
        raise LimitReached(f"{len(able)} capabilities are more than {CAPABILITIES_MAX}", hint="name the main ones")
    for capability in able:
        check_name(capability, what="capability")
    return able


def _check_discord_id(value: str) -> None:
    # `\d` and str.isdigit() take other scripts' digits too, so the ten are spelled out.
    if value and not (17 <= len(value) <= 20 and set(value) <= set("0123456789")):
        raise InvalidInput(f"{value!r} is not a Discord user id", hint="it has 17-20 digits")
