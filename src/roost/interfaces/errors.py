"""The one table of what each family of errors becomes in an interface: the exit status of the command line."""

from __future__ import annotations

from roost.errors import Conflict, Exhausted, InvalidInput, NotAllowed, NotFound, RoostError, Unavailable

OK, BUG, USAGE = 0, 1, 2
INTERRUPTED = 130
BROKEN_PIPE = 141
"""What a shell shows for a program that SIGPIPE ended."""

EXITS: dict[type[RoostError], int] = {
    InvalidInput: USAGE,
    NotFound: 3,
    Conflict: 4,
    NotAllowed: 5,
    Exhausted: 6,
    Unavailable: 7,
}
"""By family; a member of one has its number. 6 and 7 are worth trying again."""


def exit_of(error: RoostError) -> int:
    """Return the exit status for an error."""
    return next((status for family, status in EXITS.items() if isinstance(error, family)), BUG)


def plain(error: RoostError) -> dict[str, object]:
    """Return what programs are told of an error."""
    return {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "retryable": error.retryable,
        "details": error.details,
    }
