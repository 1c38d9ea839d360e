"""Making a message a step of an operation, while it is being sent."""

from __future__ import annotations

from collections.abc import Sequence

from roost.errors import UnknownOperation
from roost.operations import rules
from roost.operations.closing import Target
from roost.operations.model import Operation
from roost.stores.base import Tx


def find_operation(tx: Tx, operation: str) -> Operation:
    """Return one operation, live or over. Raises UnknownOperation."""
    found = tx.one(Operation, "operations.get", id=operation)
    if found is None:
        raise UnknownOperation(f"there is no operation {str(operation)[:40]!r}", hint="see `roost operation list`")
    return found


def take_step(tx: Tx, operation: str, recipients: Sequence[str]) -> None:
    """Count one more step of an operation for these recipients (ids). Raises what `rules.check_step` raises."""
    found = find_operation(tx, operation)
    targets = [target.id for target in tx.all(Target, "operations.targets", operation=found.id)]
    rules.check_step(found, session=tx.me.session, recipients=recipients, targets=targets, now=tx.now)
    tx.run("operations.count_step", id=found.id)
