"""Taking one's mail: what waits is offered to the session that asks."""

from __future__ import annotations

from collections.abc import Sequence

from roost.deliveries.pickup import Pickup
from roost.deliveries.service import Deliveries
from roost.messages.model import Page
from roost.verbs import Call, M, Service, Sync, verb


class Taking(Service[M]):
    """Part of `Messages`."""

    @verb
    def inbox(self, *, limit: int = 20, acknowledge: Sequence[str] = ()) -> Page:
        """Return the caller's undelivered mail, best rank first, and note it as offered to this session.

        The next call of the same session proves that it arrived; for one with a transcript its next hook does. Whatever
        `limit` leaves out stays as it is. What `acknowledge` names (up to 500 ids) is acknowledged first; if one of
        them is refused, as by `Deliveries.acknowledge`, nothing is acknowledged and nothing offered.
        """
        return self._pickup().one(Pickup.inbox, limit=limit, acknowledge=acknowledge)

    @inbox.bulk
    def inbox_many(self, calls: Sequence[Call]) -> Sequence[Page | Exception]:
        """Answer many callers that ask for their mail, in one transaction, as if one after the other."""
        return self._pickup().each(Pickup.inbox, calls)

    @verb
    def take(
        self, *, limit: int = 20, arrived: Sequence[str] = (), afresh: bool = True, acknowledge: Sequence[str] = ()
    ) -> Page:
        """Return the caller's undelivered mail as `inbox` does, for a program whose answers may be lost on the way.

        Nothing proves that the page arrived but its `batch` in the `arrived` of a later call: see `Deliveries.arrived`,
        also for `afresh`; or that a later call acknowledges what it brought. So a worker takes its next message with
        the acknowledgement of the last: `take(limit=1, acknowledge=["m7"])`.
        """
        asked = {"limit": limit, "arrived": arrived, "afresh": afresh, "acknowledge": acknowledge}
        return self._pickup().one(Pickup.take, **asked)

    @take.bulk
    def take_many(self, calls: Sequence[Call]) -> Sequence[Page | Exception]:
        """Answer many programs that take their mail, in one transaction, as if one after the other."""
        return self._pickup().each(Pickup.take, calls)

    def _pickup(self) -> Pickup:
        return Pickup(Deliveries[Sync](self._caller))
