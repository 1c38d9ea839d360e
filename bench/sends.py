"""S2 and S3: what one durable send costs, alone and in batches, against the same rows by the bare driver."""

from __future__ import annotations

import itertools

from bench.measure import Line, interleaved, ms, p50, p99
from bench.scene import BODY, project, raw
from roost.messages.model import Draft

ALLOWED_SECONDS = 0.0003
"""What a send may cost beside its rows (S2)."""


def s2() -> list[Line]:
    """One client, one message a commit."""
    with project() as roost, raw() as bare:
        sender = roost.joined("sender")
        roost.joined("recipient")
        taken = interleaved(
            {"roost": lambda: sender.messages.send(to="recipient", text=BODY), "raw": bare.send}, each=150
        )
    found, limit = p50(taken["roost"]), p50(taken["raw"]) + ALLOWED_SECONDS
    tail, tail_limit = p99(taken["roost"]), 2 * (p99(taken["raw"]) + ALLOWED_SECONDS)
    return [
        Line("S2", "send p50, limit = raw + 0.3 ms", ms(found), ms(limit), found / limit, "<=1", "D2", found <= limit),
        Line(
            "S2",
            "send p99, limit = 2 x (raw p99 + 0.3 ms)",
            ms(tail),
            ms(tail_limit),
            tail / tail_limit,
            "<=1",
            "D2",
            tail <= tail_limit,
        ),
    ]


def s3() -> list[Line]:
    """Batches, all or none, in one commit."""
    return [_batch(32, each=12), _batch(256, each=4)]


def _batch(size: int, *, each: int) -> Line:
    drafts = [Draft(to=("recipient",), text=BODY)] * size
    with project() as roost, raw() as bare:
        roost.joined("recipient")
        # The hourly worth of one sender is used up quickly, so each batch has the next of several senders.
        senders = itertools.cycle([roost.joined(f"sender-{n}") for n in range(8)])
        taken = interleaved(
            {"roost": lambda: next(senders).messages.send_batch(drafts), "raw": lambda: bare.send(size)}, each=each
        )
    rate, most = size / p50(taken["roost"]), size / p50(taken["raw"])
    return Line(
        "S3", f"batch of {size}", f"{rate:,.0f}/s", f"{most:,.0f}/s", rate / most, ">=0.5", "D2", rate >= 0.5 * most
    )
