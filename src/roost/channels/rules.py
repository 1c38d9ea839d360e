"""What a channel may be called and be about, and who may change it."""

from __future__ import annotations

from roost.channels.model import EVERYBODY, Channel
from roost.errors import Forbidden
from roost.names import check_name
from roost.text import check_display

TOPIC_CHARACTERS_MAX = 200
CHANNELS_MAX = 1_000
"""Open channels of one project; a fleet needs dozens, a loop that makes them must end."""


def bare(name: str) -> str:
    """Return a channel's name as it is stored: `#build` and `build` are the same."""
    return name.removeprefix("#")


def check_new(name: str, topic: str) -> tuple[str, str]:
    """Return name and topic of a new channel. Raises InvalidName, InvalidText."""
    checked = check_name(bare(name), what="channel")
    return checked, check_display(topic, what="topic", most=TOPIC_CHARACTERS_MAX) if topic else ""


def check_not_built_in(name: str) -> None:
    """Raise Forbidden for `all`, which nobody joins, leaves or closes."""
    if name == EVERYBODY:
        raise Forbidden("everybody is in #all, always", hint="make a channel of your own: `roost channel create NAME`")


def check_may_close(channel: Channel, *, name: str, kind: str) -> None:
    """Raise Forbidden unless the caller made the channel, or is the project's person or Roost itself."""
    if kind not in ("human", "system") and name != channel.created_by:
        raise Forbidden(
            f"#{channel.name} was made by {channel.created_by}", hint="only its maker or the project's person closes it"
        )


def may_speak(*, joined: bool, kind: str) -> bool:
    """Say whether a caller of this kind may send to a channel: members, and people, who need not be in it to be heard.

    Joining by sending would surprise: whoever says one sentence would get everything that is said from then on.
    """
    return joined or kind in ("human", "system")
