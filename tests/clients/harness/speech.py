"""What a model's API is to the scripted model: how a request is told apart, and how a step is said in its words."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event of a streamed answer; `pause` says that the script may wait behind it."""

    data: Json | str
    name: str = ""
    pause: bool = False


class Speech(Protocol):
    """One API of a vendor."""

    name: str

    def kind_of(self, body: Json) -> str:
        """Tell a request of the agent's own loop (`main`) from compaction and from small side requests."""
        ...

    def aside(self) -> str:
        """Return the text that answers a side request."""
        ...

    def is_streamed(self, path: str, body: Json) -> bool:
        """Say whether the client asked for a stream."""
        ...

    def whole(self, step: Json, body: Json) -> Json:
        """Build the whole answer, as without streaming."""
        ...

    def stream(self, whole: Json) -> Iterator[Event]:
        """Cut a whole answer into its events."""
        ...

    def error(self, status: int) -> Json:
        """Build the body of an HTTP error."""
        ...
