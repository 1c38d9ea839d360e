"""What calls carry: query parameters and JSON bodies. An unknown field is refused: a misspelt one is never ignored."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from roost.leases.model import LeaseKind, LeaseMode
from roost.messages.model import Draft
from roost.sessions.model import State
from roost.tokens.model import Scope

Limit = Annotated[int, Meta(ge=1, le=500, description="Things on one page.")]
Cursor = Annotated[str, Meta(max_length=400, description="Where to go on, from an earlier answer.")]
Seconds = Annotated[float, Meta(description="A duration in seconds.")]


class Nothing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No parameters."""


class Paged(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which page of a list."""

    limit: Limit = 50
    cursor: Cursor = ""


class Taken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much mail to take; what is beyond it comes with the next call. `arrived` are batches and `acknowledge`
    messages, with commas."""

    limit: Limit = 50
    arrived: Annotated[str, Meta(max_length=1_000, description="The batch of each answer that arrived.")] = ""
    acknowledge: Annotated[str, Meta(max_length=3_000, description="Messages to acknowledge first.")] = ""


class Whole(Paged, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which page of a list that is short as a rule."""

    limit: Limit = 100


class InboxQuery(Paged, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which mail: all that is undelivered, or that in some states; only of a channel. Looking changes nothing."""

    state: str = ""
    channel: str = ""
    unread: bool = False


class AgentsQuery(Whole, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which agents."""

    capability: str = ""
    retired: bool = False
    name: str = ""


class SearchQuery(Paged, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Words to look for; `since` in milliseconds since 1970."""

    q: Annotated[str, Meta(min_length=1, max_length=256)]
    sender: str = ""
    channel: str = ""
    since: Annotated[int, Meta(ge=0)] = 0
    limit: Limit = 20


class ThreadQuery(Paged, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of a thread."""

    limit: Limit = 200


class EventsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events, behind which cursor. `recipient_id` is a name, an alias or an id."""

    recipient_id: str = ""
    channel: str = ""
    type: str = ""
    task_id: str = ""
    kinds: str = ""
    since: Cursor = ""
    limit: Limit = 100


class LeasesQuery(Whole, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which leases."""

    kind: LeaseKind | None = None
    mine: bool = False
    key: str = ""


class OperationsQuery(Whole, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which operations: those under way, or of the newest 500 those that are over too."""

    ended: bool = False


class ChannelsQuery(Whole, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which channels."""

    mine: bool = False
    closed: bool = False


class ActivityQuery(Whole, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose activity; everybody's without a name."""

    agent: str = ""


class Send(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A message to send; see `Messages.send`. `to` is an agent, several, `all` or `#channel`."""

    to: str | list[str]
    text: str
    subject: str = ""
    type: str = ""
    severity: str = ""
    priority: int | str = "normal"
    tags: list[str] = []
    depends_on: list[str] = []
    expires_in: Seconds | None = None
    not_before: int | None = None
    requires_ack: bool = False
    metadata: dict[str, Any] | None = None
    hold: bool = False
    operation: str = ""


class Batch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Up to 1,000 messages, stored all or none."""

    messages: list[Draft]


class Reply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An answer to a message."""

    text: str
    type: str = ""
    priority: int | str = "normal"
    requires_ack: bool = False
    everybody: bool = False


class React(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A reaction, or its end."""

    value: str
    remove: bool = False


class Cancel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a message is taken back."""

    reason: str = ""


class Arrived(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which answers with mail arrived: the `batch` of each."""

    batches: list[str]


class NewChannel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A channel to make."""

    name: str
    topic: str = ""


class Say(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to say in a channel."""

    text: str
    subject: str = ""
    type: str = ""
    priority: int | str = "normal"
    requires_ack: bool = False


class Acquire(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A lease to take; with `wait`, in seconds, it may stand in the queue."""

    key: str
    ttl: Seconds = 1800.0
    mode: LeaseMode = "exclusive"
    kind: LeaseKind | None = None
    reason: str = ""
    wait: Annotated[float, Meta(ge=0, le=60)] = 0.0


class Renew(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A lease to keep; its token proves that it is still the same one."""

    key: str
    ttl: Seconds | None = None
    token: int | None = None
    kind: LeaseKind | None = None


class Release(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A lease to give back."""

    key: str
    token: int | None = None
    kind: LeaseKind | None = None
    whole: bool = False


class Begin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An operation to begin: whose input it takes."""

    targets: list[str]
    title: str = ""
    ttl: Seconds = 600.0


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step of an operation; to all its targets, or some of them."""

    text: str
    to: list[str] = []
    subject: str = ""
    type: str = ""
    requires_ack: bool = False


class Abort(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why an operation ends early."""

    reason: str = ""


class Beat(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the caller is doing."""

    state: State = "busy"
    operation: str = ""


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be known of the caller; a field that is left out stays as it is."""

    capabilities: list[str] | None = None
    display_name: str | None = None
    role: str | None = None
    notes: str | None = None


class HookEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What a client gives its hooks; only these fields are always there."""

    hook_event_name: str
    session_id: str
    cwd: str


class MakeToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token to make: for the caller, or for `name` if a person asks."""

    name: str = ""
    scopes: tuple[Scope, ...] = ("send", "read", "lease")
    expires_in: Seconds = 90 * 86_400.0
    label: str = ""


class Rotate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long a token that is replaced still works."""

    overlap: Seconds = 60.0
