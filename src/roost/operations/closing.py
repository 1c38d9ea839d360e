"""The end of an operation, inside the transaction of whatever ends it.

That is its last delivery, a step that failed, its time, the end of its owner's session, or somebody's word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from roost.deliveries.model import OPEN_STATES, Delivery, DeliveryState
from roost.operations import rules
from roost.operations.model import Operation
from roost.sessions.model import Session
from roost.sessions.rules import lives
from roost.stores.base import Tx

if TYPE_CHECKING:
    from roost.deliveries.ledger import Ledger


def keep_time(ledger: Ledger, target: str) -> str:
    """Return the operation that holds a target's input now, or '', after ending one whose time or owner is gone."""
    operation = ledger.tx.one(Operation, "operations.on_target", agent=target)
    return operation.id if operation is not None and stands(ledger, operation) else ""


def stands(ledger: Ledger, operation: Operation) -> bool:
    """Say whether an operation goes on; end it if its time is over, or, before the seal, its owner's session gone."""
    if not rules.is_live(operation, ledger.tx.now):
        run_out(ledger, operation)
        return False
    if operation.state == "open" and not _owner_lives(ledger.tx, operation):
        abort(ledger, operation, f"the session of {operation.owner_name} that began it is gone")
        return False
    return True


def after_arrival(ledger: Ledger, delivery: Delivery) -> None:
    """Close the operation of a delivery that arrived, if it is sealed and this was its last."""
    operation = _of(ledger, delivery)
    if operation is not None:
        close_if_done(ledger, operation)


def after_failure(ledger: Ledger, delivery: Delivery, state: DeliveryState, reason: str) -> None:
    """End the rest of an operation of which one step ended without arriving."""
    operation = _of(ledger, delivery)
    if operation is not None:
        abort(ledger, operation, f"its step m{delivery.number} is {state}: {reason}")


def is_step(ledger: Ledger, delivery: Delivery) -> bool:
    """Say whether a delivery belongs to an operation that holds its recipient's input."""
    return _of(ledger, delivery) is not None


def close_if_done(ledger: Ledger, operation: Operation) -> bool:
    """Close a sealed operation of which everything arrived, and let follow what waited for that; say whether it did."""
    if operation.state != "sealed" or ledger.tx.value("operations.is_under_way", operation=operation.id):
        return False
    _end(ledger, operation, "closed", "", "cancelled")
    return True


def abort(ledger: Ledger, operation: Operation, reason: str, *, tell: bool = True) -> None:
    """End an operation that did not complete, and what of it did not arrive; `tell` its owner, once."""
    _end(ledger, operation, "aborted", reason, "cancelled", tell=tell)


def run_out(ledger: Ledger, operation: Operation) -> None:
    """End an operation whose time passed: what did not arrive is expired."""
    if not close_if_done(ledger, operation):
        sealed = "it was sealed, and not everything arrived" if operation.state == "sealed" else "it was never sealed"
        _end(ledger, operation, "aborted", f"its time passed: {sealed}", "expired")


def _of(ledger: Ledger, delivery: Delivery) -> Operation | None:
    """Return the operation that a delivery is a step of, if that still holds the recipient's input."""
    operation = ledger.tx.one(Operation, "operations.on_target", agent=delivery.recipient)
    if operation is None or ledger.tx.value("operations.of_message", message=delivery.message) != operation.id:
        return None
    return operation


def _owner_lives(tx: Tx, operation: Operation) -> bool:
    session = tx.one(Session, "sessions.get", id=operation.session)
    if session is None:
        return False
    return lives(session, tx.host.alive(session.process) if session.process else None, tx.now)


def _end(
    ledger: Ledger, operation: Operation, state: str, reason: str, steps_end: DeliveryState, *, tell: bool = True
) -> None:
    tx = ledger.tx
    targets = [target.id for target in tx.all(Target, "operations.targets", operation=operation.id)]
    if not tx.run("operations.end", id=operation.id, state=state, now=tx.now, reason=reason):
        return
    # Before the steps end: the end of each would otherwise come back here.
    tx.run("operations.drop_targets", operation=operation.id)
    tx.record(f"operation.{state}", operation.id, {"reason": reason} if reason else None)
    for step in tx.all(Delivery, "operations.undelivered", operation=operation.id):
        tell = not _end_step(ledger, step, steps_end, f"its operation ended: {reason}", tell=tell) and tell
    for target in targets:
        ledger.release(target)


def _end_step(ledger: Ledger, step: Delivery, state: DeliveryState, reason: str, *, tell: bool) -> bool:
    # Read again: the end of an earlier step may have ended this one, which depended on it.
    now = ledger.tx.one(Delivery, "deliveries.get", message=step.message, recipient=step.recipient)
    if now is None or now.state not in OPEN_STATES:
        return False
    known = "; it was offered, and whether it arrived is not known" if now.state == "offered" else ""
    ledger.end(now, state, reason + known, tell=tell)
    return True


class Target(msgspec.Struct, frozen=True):
    """One agent whose input an operation holds."""

    id: str
