"""The account of every message: stored, offered, delivered by which proof, acknowledged; nothing may be missing."""

from __future__ import annotations

from pathlib import Path

from roost.connect import connect
from roost.deliveries.model import Delivery, Receipt
from roost.messages.model import Message

HEAD = ("to", "how far", "offered", "proof")
LINE_CHARACTERS = 80


def account(repository: Path) -> bool:
    """Print each message with a line per delivery; return whether every one reached its end."""
    project = connect(repository)
    try:
        hub = project.system()
        names = {agent.id: agent.name for agent in hub.agents.list(retired=True)}
        parts: list[tuple[str, list[tuple[str, ...]]]] = []
        missing: list[str] = []
        for number in range(1, hub.messages.last_number() + 1):
            message = hub.messages.get(f"m{number}")
            receipts = hub.deliveries.receipts(message.ref)
            deliveries = hub.deliveries.of(message.ref)
            parts.append((_line(message), [_row(one, receipts, names) for one in deliveries]))
            missing += [
                f"{message.ref} to {names[one.recipient]}: {one.state}"
                for one in deliveries
                if one.state not in ("delivered", "acknowledged")
            ]
        _print(parts)
        log = hub.history.verify()
    finally:
        project.close()
    problems = "no problem" if not log.problems else f"PROBLEMS: {log.problems}"
    print(
        f"\n{sum(len(rows) for _, rows in parts)} deliveries of {log.messages} messages accounted for;"
        f" the log's {log.events} events verify: {problems}"
    )
    for line in missing:
        print(f"MISSING  {line}")
    return not missing and not log.problems


def _line(message: Message) -> str:
    text = f"{message.ref} from {message.sender_name}: {message.body}".replace("\n", " ")
    return text if len(text) <= LINE_CHARACTERS else text[: LINE_CHARACTERS - 1] + "…"


def _row(delivery: Delivery, receipts: tuple[Receipt, ...], names: dict[str, str]) -> tuple[str, ...]:
    own = [receipt for receipt in receipts if receipt.recipient == delivery.recipient]
    offers = [receipt for receipt in own if receipt.kind == "offered"]
    proofs = [receipt.proof for receipt in own if receipt.kind == delivery.state]
    return (
        names[delivery.recipient],
        delivery.state,
        f"{len(offers)}x {offers[-1].rung}" if offers else "no",
        proofs[0] if proofs else "-",
    )


def _print(parts: list[tuple[str, list[tuple[str, ...]]]]) -> None:
    rows = [HEAD, *(row for _, rows in parts for row in rows)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]

    def show(row: tuple[str, ...]) -> None:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

    show(HEAD)
    show(tuple("-" * width for width in widths))
    for line, its_rows in parts:
        print(line)
        for row in its_rows:
            show(row)
