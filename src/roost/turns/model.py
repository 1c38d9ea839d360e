"""A turn: what a client says that happened, and what is said back to the agent."""

from __future__ import annotations

from typing import Literal

import msgspec

from roost.briefings.model import GitFacts
from roost.deliveries.model import Verdict

EventKind = Literal[
    "start",
    "prompt",
    "tool_before",
    "tool_after",
    "turn_end",
    "compacting",
    "turn_failed",
    "session_end",
    "waiting",
    "other",
]


class ClientEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a coding client, in words that are the same for every client.

    `name` is the client's own word for it. `source` says how a session started, why it ended or failed, what asked for
    a compaction, or what is waited for. Paths are absolute and not resolved; an empty text means that the client said
    none.
    """

    client: str
    name: str
    kind: EventKind
    client_session: str
    cwd: str
    transcript: str | None = None
    source: str = ""
    in_subagent: bool = False
    tool: str = ""
    """The one tool of the event; empty for a batch of several."""
    paths: tuple[str, ...] = ()
    """The files that the event's edit tools write."""
    command: str = ""
    """The shell command of the event's one tool."""
    may_write: bool = False
    """A tool of the event may have changed files that it did not name: a shell, or one that is not known."""
    after_answer: bool = False
    """The model has answered since the event of this kind before; a hook after each of several parallel tools is no
    sign of that."""
    stop_active: bool = False
    """The turn already goes on because a hook said so; also true in a turn that a waker began."""
    prompt_is_user: bool = False
    """A person gave the prompt: not a waker, not the client, not an envelope of ours through the client's inbox."""
    client_pid: int | None = None
    attended: bool = True
    """A person sits before the client. A run without one ends with its turn: a waker would only hold it open."""
    takes_context: bool = False
    """This event can put text before the agent; at a turn's end only by keeping the turn going."""
    takes_denial: bool = False
    """This event can stop what is about to happen."""
    keep_going_max: int = 0
    """How many times in a row the client lets a turn be kept going."""
    tmux: str = ""
    """The socket of the tmux server that the client runs in."""
    pane: str = ""
    inbox: str = ""
    """The client's own socket for messages."""
    env_file: str = ""
    """Where variables for the agent's shell are written, when this event allows it."""
    detail: str = ""


class TurnReply(msgspec.Struct, frozen=True, kw_only=True):
    """What Roost answers to one event. A field that the event cannot carry is not said (`ClientEvent.takes_*`).

    `deny` is the reason for a refusal; `keep_going` makes a turn go on with `context`; `env` are variables for the
    agent's shell.
    """

    context: str | None = None
    deny: str | None = None
    keep_going: bool = False
    title: str | None = None
    env: dict[str, str] = {}


SILENT = TurnReply()
"""Nothing to say."""


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What a leased file holds now: its size, time and inode as a stamp, and a digest of its content.

    `path` is relative to the worktree; a file that is not there has the digest GONE.
    """

    path: str
    token: int
    stamp: str
    digest: str


GONE = "gone"


class LeasedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file under a live lease, and what its holder's turn last saw of it; a stamp of '' means that it never did."""

    path: str
    token: int
    stamp: str = ""
    digest: str = ""


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen around an event: facts for the verb, which looks at no file or process itself.

    `worktree` is the top of the checkout, `linked_name` its folder's name if it is a linked one; `verdicts` say what
    the transcript shows of open offers, up to `transcript_offset`; `git` is what a briefing shows of the repository,
    `files` what leased files hold, `head` the commit of the worktree.
    """

    client_pid: int | None = None
    worktree: str = ""
    linked_name: str = ""
    agent_wanted: str = ""
    verdicts: tuple[Verdict, ...] = ()
    transcript_offset: int = 0
    git: GitFacts = GitFacts()
    files: tuple[Looked, ...] = ()
    head: str = ""


class OpenOffer(msgspec.Struct, frozen=True, kw_only=True):
    """An offer without proof: the nonce that marks it, and when it was made, in milliseconds of wall time.

    `as_result`: it was the answer to a tool that the session called over MCP.
    """

    nonce: str
    offered_wall: int
    as_result: bool = False


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """What to look for before a turn is taken: offers whose proof is open and from where to read, and leased files."""

    session: str = ""
    offers: tuple[OpenOffer, ...] = ()
    transcript: str = ""
    offset: int = 0
    files: tuple[LeasedFile, ...] = ()
