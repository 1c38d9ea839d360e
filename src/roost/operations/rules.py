"""Who may begin an operation beside others, add to it, and when it is over."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from roost.errors import Forbidden, InvalidInput, OperationOpen, WrongState
from roost.operations.model import Operation

TTL_SECONDS = 600.0
"""How long an operation may take unless its owner says otherwise; who is offline all that time gets no step."""
OPEN_MAX = 100
"""Operations of one session at once."""
STEPS_MAX = 1_000


def is_live(operation: Operation, now: int) -> bool:
    """Say whether an operation holds its targets' input: by its state and its time, never by whether a sweep ran."""
    return operation.state in ("open", "sealed") and now < operation.expires_at


def entered(holders: Sequence[Operation], session: str, now: int) -> Operation | None:
    """Return the operation that a begin on targets held by `holders` goes deeper into, or None where a new one begins.

    Only the session that owns an open operation enters it again; other sessions of the same agent are strangers too,
    and nobody enters a sealed one. Raises OperationOpen.
    """
    live = [operation for operation in holders if is_live(operation, now)]
    if not live:
        return None
    strange = [one for one in live if one.session != session or one.state != "open"]
    if strange or len(live) > 1:
        raise _open_already(strange[0] if strange else live[1], session, now)
    return live[0]


def check_step(
    operation: Operation, *, session: str, recipients: Collection[str], targets: Collection[str], now: int
) -> None:
    """Raise unless this session may add a message for these recipients: Forbidden, WrongState, InvalidInput."""
    if operation.session != session:
        raise Forbidden(
            f"the operation {operation.title!r} belongs to another session, of {operation.owner_name}",
            hint="send your message without it: it follows after the operation",
        )
    if operation.state != "open" or not is_live(operation, now):
        raise WrongState(f"the operation {operation.title!r} {over_because(operation, now)}", hint="begin a new one")
    if operation.steps >= STEPS_MAX:
        raise InvalidInput(f"an operation has at most {STEPS_MAX:,} steps", hint="seal it and begin another")
    if not recipients or not set(recipients) <= set(targets):
        raise InvalidInput("a step goes to targets of its operation only", hint="begin with every target that it needs")


def check_owner(operation: Operation, *, session: str, agent: str, kind: str, to: Literal["seal", "abort"]) -> None:
    """Raise Forbidden unless the caller may end the operation so: its session seals, its agent or a person aborts."""
    if operation.session == session:
        return
    if to == "abort" and (operation.owner == agent or kind in ("human", "system")):
        return
    raise Forbidden(
        f"the operation {operation.title!r} belongs to {operation.owner_name}",
        hint="its own session seals it; its agent or the project's person aborts it",
    )


def over_because(operation: Operation, now: int) -> str:
    """Say in words why nothing can be added any more."""
    if operation.state == "aborted":
        return f"was aborted: {operation.reason}"
    if operation.state == "closed":
        return "is closed"
    if now >= operation.expires_at:
        return "ran out of time"
    return "is sealed"


def _open_already(operation: Operation, session: str, now: int) -> OperationOpen:
    seconds = max(0, operation.expires_at - now) / 1000
    mine = operation.session == session
    whose = "another operation of yours" if mine else f"an operation of {operation.owner_name}"
    what = f" ({operation.title})" if operation.title else ""
    return OperationOpen(
        f"{', '.join(operation.targets)}: {whose}{what} is {operation.state} here, for {seconds:.0f} s more at most",
        hint="try again when it is closed; ordinary messages are taken now and follow it",
        operation=operation.id,
        by=operation.owner_name,
        until=operation.expires_at,
        seconds_left=seconds,
    )
