"""The account of every message: stored, offered, delivered by which proof, acknowledged; nothing may be missing."""

from __future__ import annotations

from pathlib import Path

from roost.connect import connect
from roost.deliveries.model import Delivery, Receipt
from roost.messages.model import Message

HEAD = ("message", "from", "to", "stored", "offered", "delivered", "acknowledged", "proof")
PREVIEW_CHARACTERS = 34


def account(repository: Path) -> bool:
    """Print one line per delivery; return whether every message reached its end or visibly waits."""
    project = connect(repository)
    try:
        hub = project.system()
        names = {agent.id: agent.name for agent in hub.agents.list(retired=True)}
        rows, missing = [], []
        for number in range(1, hub.messages.last_number() + 1):
            message = hub.messages.get(f"m{number}")
            receipts = hub.deliveries.receipts(message.ref)
            for delivery in hub.deliveries.of(message.ref):
                rows.append(_row(message, delivery, receipts, names))
                if delivery.state not in ("delivered", "acknowledged"):
                    missing.append(f"{message.ref} to {names[delivery.recipient]}: {delivery.state}")
        _print([HEAD, *rows])
        log = hub.history.verify()
    finally:
        project.close()
    problems = "no problem" if not log.problems else f"PROBLEMS: {log.problems}"
    print(
        f"\n{len(rows)} deliveries of {log.messages} messages accounted for;"
        f" the log's {log.events} events verify: {problems}"
    )
    for line in missing:
        print(f"MISSING  {line}")
    return not missing and not log.problems


def _row(message: Message, delivery: Delivery, receipts: tuple[Receipt, ...], names: dict[str, str]) -> tuple[str, ...]:
    own = [receipt for receipt in receipts if receipt.recipient == delivery.recipient]
    offers = [receipt for receipt in own if receipt.kind == "offered"]
    proofs = [receipt.proof for receipt in own if receipt.kind == "delivered"]
    said = [receipt.proof for receipt in own if receipt.kind == "acknowledged"]
    text = message.body.replace("\n", " ")
    return (
        f"{message.ref} {text[:PREVIEW_CHARACTERS]}",
        message.sender_name,
        names[delivery.recipient],
        "yes",
        f"{len(offers)}x {offers[-1].rung}" if offers else "no",
        "yes" if proofs or said else "no",
        "yes" if said else "-",
        (proofs + said + ["-"])[0],
    )


def _print(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    for index, row in enumerate(rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        if index == 0:
            print("  ".join("-" * width for width in widths))
