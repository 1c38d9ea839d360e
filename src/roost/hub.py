"""The hub: every verb of Roost, by feature, as one caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic

from roost.verbs import M

if TYPE_CHECKING:
    from collections.abc import Callable

    from roost.agents.service import Agents
    from roost.briefings.service import Briefings
    from roost.channels.service import Channels
    from roost.deliveries.service import Deliveries
    from roost.duties.service import Duties
    from roost.history.service import History
    from roost.launches.service import Launches
    from roost.leases.service import Leases
    from roost.messages.service import Messages
    from roost.operations.service import Operations
    from roost.sessions.service import Sessions
    from roost.status.service import Statuses
    from roost.tokens.service import Tokens
    from roost.turns.service import Turns


class Hub(Generic[M]):
    """Opened as someone: no verb takes its own sender. Close it, or use it in a `with` block, when done."""

    def __init__(self, caller: Any, close: Callable[[], None] = lambda: None) -> None:
        self._caller = caller
        self._close = close

    # Services are imported when first used: a short process pays only for what it calls.

    @property
    def history(self) -> History[M]:
        from roost.history.service import History

        return History(self._caller)

    @property
    def agents(self) -> Agents[M]:
        from roost.agents.service import Agents

        return Agents(self._caller)

    @property
    def sessions(self) -> Sessions[M]:
        from roost.sessions.service import Sessions

        return Sessions(self._caller)

    @property
    def leases(self) -> Leases[M]:
        from roost.leases.service import Leases

        return Leases(self._caller)

    @property
    def messages(self) -> Messages[M]:
        from roost.messages.service import Messages

        return Messages(self._caller)

    @property
    def channels(self) -> Channels[M]:
        from roost.channels.service import Channels

        return Channels(self._caller)

    @property
    def deliveries(self) -> Deliveries[M]:
        from roost.deliveries.service import Deliveries

        return Deliveries(self._caller)

    @property
    def operations(self) -> Operations[M]:
        from roost.operations.service import Operations

        return Operations(self._caller)

    @property
    def briefings(self) -> Briefings[M]:
        from roost.briefings.service import Briefings

        return Briefings(self._caller)

    @property
    def turns(self) -> Turns[M]:
        from roost.turns.service import Turns

        return Turns(self._caller)

    @property
    def tokens(self) -> Tokens[M]:
        from roost.tokens.service import Tokens

        return Tokens(self._caller)

    @property
    def launches(self) -> Launches[M]:
        from roost.launches.service import Launches

        return Launches(self._caller)

    @property
    def duties(self) -> Duties[M]:
        from roost.duties.service import Duties

        return Duties(self._caller)

    @property
    def status(self) -> Statuses[M]:
        from roost.status.service import Statuses

        return Statuses(self._caller)

    def close(self) -> None:
        """Close the store. What was answered is stored already."""
        self._close()

    def __enter__(self) -> Hub[M]:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    async def __aenter__(self) -> Hub[M]:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.close()
