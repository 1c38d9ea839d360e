"""The one table of what each family of errors becomes in an interface: exit status and HTTP status."""

from __future__ import annotations

from roost import errors
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

STATUSES: dict[type[RoostError], int] = {
    InvalidInput: 400,
    NotFound: 404,
    Conflict: 409,
    NotAllowed: 403,
    Exhausted: 429,
    Unavailable: 503,
    errors.WhoAreYou: 401,
    errors.BodyTooLarge: 413,
    errors.BatchTooLarge: 413,
    errors.InvalidJson: 422,
    errors.InvalidTtl: 422,
    errors.InvalidPriority: 422,
    errors.TooManyRecipients: 422,
    errors.Cycle: 422,
    errors.Archived: 410,
    errors.StoreFull: 507,
}
"""By family, and by member where it has one of its own."""


def exit_of(error: RoostError) -> int:
    """Return the exit status for an error."""
    return next((status for family, status in EXITS.items() if isinstance(error, family)), BUG)


def status_of(error: RoostError) -> int:
    """Return the HTTP status for an error: that of the nearest class above it which has one."""
    return next((STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES), 500)


def plain(error: RoostError) -> dict[str, object]:
    """Return what programs are told of an error."""
    return {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "retryable": error.retryable,
        "details": error.details,
    }
