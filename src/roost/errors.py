"""Every exception that Roost raises, the tree on top.

    RoostError
    ├── InvalidInput     the call itself is wrong; repeating it cannot help
    ├── NotFound         what was named does not exist
    ├── Conflict         somebody or something else stands in the way; nothing was changed
    ├── NotAllowed       the caller may not, or is not who it says
    ├── Exhausted        a limit is reached; waiting or clearing helps
    └── Unavailable      the store or a service cannot answer now; repeating is safe

`code` is stable and travels over every interface; the message says what happened, to what, and what to do next;
`details` hold the same facts for programs. Interfaces map the six families in one table each.
"""

from __future__ import annotations

from typing import Any, ClassVar


class RoostError(Exception):
    """The root: catch this to catch everything that Roost raises on purpose."""

    code: ClassVar[str] = "ERROR"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str = "", **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.hint, self.details)


def _rebuild(kind: type[RoostError], message: str, hint: str, details: dict[str, Any]) -> RoostError:
    return kind(message, hint=hint, **details)


class InvalidInput(RoostError):
    """The call is malformed: correct it."""

    code = "INVALID"


class NotFound(RoostError):
    """Nothing of that name or id exists for this caller."""

    code = "NOT_FOUND"


class Conflict(RoostError):
    """The call is well formed, but the state of things refuses it."""

    code = "CONFLICT"


class NotAllowed(RoostError):
    """The caller is unknown, or is known and may not."""

    code = "FORBIDDEN"


class Exhausted(RoostError):
    """A named limit is reached; `details["retry_after"]` is in seconds where time alone helps."""

    code = "EXHAUSTED"
    retryable = True


class Unavailable(RoostError):
    """The store or a service cannot answer; nothing was half done."""

    code = "UNAVAILABLE"
    retryable = True


class InvalidName(InvalidInput):
    """A name of an agent, channel or lease that does not follow the rule for names."""

    code = "INVALID_NAME"


class InvalidKey(InvalidInput):
    """A lease key or path that does not follow the rule for keys."""

    code = "INVALID_KEY"


class InvalidText(InvalidInput):
    """A title, role or subject with forbidden characters or length."""

    code = "INVALID_TEXT"


class InvalidUtf8(InvalidInput):
    """Text that is not valid UTF-8, or holds a surrogate or NUL."""

    code = "INVALID_UTF8"


class InvalidJson(InvalidInput):
    """Metadata that breaks the limits for JSON."""

    code = "INVALID_JSON"


class InvalidTtl(InvalidInput):
    """A duration that is not a finite number inside its range."""

    code = "INVALID_TTL"


class InvalidPriority(InvalidInput):
    """A priority that is neither 0-255 nor a known name."""

    code = "INVALID_PRIORITY"


class BodyTooLarge(InvalidInput):
    """A message body over 1 MiB."""

    code = "BODY_TOO_LARGE"


class BatchTooLarge(InvalidInput):
    """A batch of more than 1,000 calls."""

    code = "BATCH_TOO_LARGE"


class TooManyRecipients(InvalidInput):
    """A message to more recipients than the limit."""

    code = "TOO_MANY_RECIPIENTS"


class BadCursor(InvalidInput):
    """A cursor that this store never gave out."""

    code = "BAD_CURSOR"


class BadQuery(InvalidInput):
    """A search query over its limits."""

    code = "BAD_QUERY"


class BadSettings(InvalidInput):
    """A client's settings file that is not what the client itself would read."""

    code = "BAD_SETTINGS"


class Cycle(InvalidInput):
    """Dependencies or waits that would lead back to their start."""

    code = "CYCLE"


class UnknownAgent(NotFound):
    """No agent answers to this name or alias; `details["suggestions"]` lists near names."""

    code = "UNKNOWN_AGENT"


class UnknownChannel(NotFound):
    """No channel of this name; `details["suggestions"]` lists near names."""

    code = "UNKNOWN_CHANNEL"


class UnknownMessage(NotFound):
    """No message of this id that the caller may see."""

    code = "UNKNOWN_MESSAGE"


class UnknownLease(NotFound):
    """No live lease of this id or key."""

    code = "UNKNOWN_LEASE"


class UnknownOperation(NotFound):
    """No operation of this id."""

    code = "UNKNOWN_OPERATION"


class UnknownSession(NotFound):
    """No session of this id."""

    code = "UNKNOWN_SESSION"


class Archived(NotFound):
    """This part of the log was sealed, copied to an archive and cut; `details["first"]` is the oldest event left."""

    code = "ARCHIVED"


class NoProject(NotFound):
    """No `.roost` folder leads from here."""

    code = "NO_PROJECT"


class AlreadyExists(Conflict):
    """The name is taken."""

    code = "ALREADY_EXISTS"


class AgentAlive(Conflict):
    """The agent has a live session elsewhere; only a takeover may fence it."""

    code = "AGENT_ALIVE"


class LeaseHeld(Conflict):
    """Somebody else holds an overlapping lease."""

    code = "LEASE_HELD"


class LeaseLost(Conflict):
    """The caller's lease is over; renewing never revives it."""

    code = "LEASE_LOST"


class StaleToken(Conflict):
    """A fencing token or epoch older than the current one."""

    code = "STALE_TOKEN"


class SessionEnded(StaleToken):
    """The caller's session is over or was taken over; what it still tries changes nothing."""

    code = "SESSION_ENDED"


class IdempotencyMismatch(Conflict):
    """The idempotency key was used before with another message."""

    code = "IDEMPOTENCY_MISMATCH"


class WrongState(Conflict):
    """The object is in a state that does not allow this."""

    code = "WRONG_STATE"


class OperationOpen(Conflict):
    """Another operation holds a target's input."""

    code = "OPERATION_OPEN"


class SettingsChanged(Conflict):
    """A file was edited between the plan that was shown and its writing."""

    code = "SETTINGS_CHANGED"


class EpochChanged(Conflict):
    """The store was restored or replaced: cursors and tokens from before are void."""

    code = "EPOCH"


class WhoAreYou(NotAllowed):
    """The caller cannot be told from its surroundings."""

    code = "UNAUTHENTICATED"


class Forbidden(NotAllowed):
    """The caller is known and may not do this."""

    code = "FORBIDDEN"


class UnsafeFolder(NotAllowed):
    """A folder that belongs to, or is open to, somebody else."""

    code = "UNSAFE_FOLDER"


class RateLimited(Exhausted):
    """More messages in 60 s than allowed; `details["retry_after"]` in seconds."""

    code = "RATE_LIMITED"


class InboxFull(Exhausted):
    """The recipient has 10,000 messages or 64 MiB waiting."""

    code = "INBOX_FULL"


class LimitReached(Exhausted):
    """A count of objects is at its limit."""

    code = "LIMIT_REACHED"
    retryable = False


class SlowReader(Exhausted):
    """A reader fell behind what is kept for it; `details["cursor"]` is where to go on."""

    code = "SLOW_READER"


class Stopping(Unavailable):
    """The daemon ends; the next one goes on."""

    code = "STOPPING"


class StoreBusy(Unavailable):
    """The write gate did not open before the deadline."""

    code = "STORE_BUSY"


class StoreFull(Unavailable):
    """The disk or quota is full; reading still works."""

    code = "STORE_FULL"


class StoreIO(Unavailable):
    """The disk failed a read, write or sync."""

    code = "STORE_IO"


class StoreReplaced(Unavailable):
    """The database file was deleted or replaced while it was open."""

    code = "STORE_REPLACED"
    retryable = False


class StoreVersion(Unavailable):
    """The store was written by a version that this one must not touch."""

    code = "STORE_VERSION"
    retryable = False


class StoreCorrupt(Unavailable):
    """The database fails its integrity check."""

    code = "STORE_CORRUPT"
    retryable = False


class UnsafeSqlite(Unavailable):
    """The linked SQLite has the WAL-reset defect and must not write."""

    code = "UNSAFE_SQLITE"
    retryable = False


class QueryTimeout(Unavailable):
    """A search took longer than its limit of 2 s."""

    code = "QUERY_TIMEOUT"
    retryable = False


class TimedOut(Unavailable):
    """A wait ended before what it waited for came."""

    code = "TIMED_OUT"
