"""What a draft may ask for."""

from __future__ import annotations

from collections.abc import Sequence

from roost.errors import Forbidden, InvalidInput, LimitReached
from roost.messages.model import Message
from roost.priorities import STRICT_FROM, check_priority
from roost.text import check_display

DEPENDENCIES_MAX = 64
REACTION_CHARACTERS_MAX = 32
NOT_BEFORE_MS_MAX = 365 * 24 * 3_600_000


def check_dependencies(refs: Sequence[str]) -> tuple[str, ...]:
    """Return the prerequisites once each. They exist before their dependents, so no cycle can be made. Raises
    LimitReached."""
    once = tuple(dict.fromkeys(refs))
    if len(once) > DEPENDENCIES_MAX:
        raise LimitReached(f"{len(once)} prerequisites are more than {DEPENDENCIES_MAX}", hint="chain the messages")
    return once


def check_not_before(at: object, wall: int) -> int | None:
    """Return when a message may be offered first: wall clock, ms since 1970, at most a year ahead. Raises
    InvalidInput."""
    if at is None:
        return None
    if not isinstance(at, int) or isinstance(at, bool) or not 0 <= at <= wall + NOT_BEFORE_MS_MAX:
        raise InvalidInput(f"not_before = {at!r} is not a time within a year", hint="give milliseconds since 1970")
    return at


def hops_after(parent: Message | None, sender_kind: str) -> int:
    """Return the hop count of a reply: agents answering agents count up, a person starts anew."""
    if parent is None or sender_kind != "agent":
        return 0
    return parent.hops + 1 if parent.sender_kind == "agent" else 0


def check_priority_of(value: object, sender_kind: str) -> int:
    """Return the priority 0-255 that a sender of this kind may give. Raises InvalidPriority, Forbidden."""
    priority = check_priority(value)
    if priority >= STRICT_FROM and sender_kind == "agent":
        raise Forbidden(
            f"priority {priority} goes before all other mail, and only people and services send that",
            hint="use urgent or less",
        )
    return priority


def check_reaction(value: object) -> str:
    """Return a reaction: a word or an emoji of 1-32 characters; emoji may be joined by U+200D. Raises InvalidText."""
    text = value if isinstance(value, str) else ""
    check_display(text.replace("\u200d", ""), what="reaction", most=REACTION_CHARACTERS_MAX)
    return text
