"""A job of the writer: one call of a verb, by whom, and who is told what became of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from roost.verbs import Verb

if TYPE_CHECKING:
    from roost.daemon.tracing import Begun

Reply = Callable[[Any, BaseException | None], None]
"""Told the result or the error, after the COMMIT that made it true."""


class Job:
    """One write that waits for the next transaction.

    `session` is the caller's, '' for Roost itself. `request` is (caller, id) of a call by wire, whose answer is kept;
    `pack` makes the bytes of that answer. Whoever does not wait any longer sets `given_up`. `begun` is for traces.
    """

    __slots__ = (
        "args",
        "begun",
        "given_up",
        "kwargs",
        "pack",
        "packed",
        "reply",
        "request",
        "service",
        "session",
        "verb",
    )

    def __init__(
        self,
        session: str,
        verb: Verb[..., Any],
        service: type,
        kwargs: dict[str, Any],
        reply: Reply,
        *,
        args: tuple[Any, ...] = (),
        request: tuple[str, int] | None = None,
        pack: Callable[[Any], bytes] | None = None,
    ) -> None:
        self.session = session
        self.verb = verb
        self.service = service
        self.args = args
        self.kwargs = kwargs
        self.reply = reply
        self.request = request
        self.pack = pack
        self.packed: bytes | None = None
        self.given_up = False
        self.begun: Begun | None = None

    def answer(self, result: Any, error: BaseException | None) -> None:
        """Tell what became of it, and let go of whom: a reply knows its job, and each call would leave a cycle behind
        with all that it brought.
        """
        reply, self.reply = self.reply, _nobody
        reply(result, error)


def _nobody(result: Any, error: BaseException | None) -> None:
    """Who is told after the answer."""
