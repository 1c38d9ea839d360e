"""The table of routes."""

from __future__ import annotations

from typing import Any

from roost.agents.model import Agent
from roost.channels.model import Channel
from roost.deliveries.model import Delivery, Receipt
from roost.interfaces.door import Told
from roost.interfaces.http import bodies, handlers
from roost.interfaces.http.routes import Route
from roost.interfaces.http.views import Outgoing, SessionView
from roost.leases.model import Lease
from roost.messages.model import Item, Message, Reaction, Sent
from roost.messages.model import Page as Mail
from roost.messages.search import Found
from roost.operations.model import Operation, Progress
from roost.sessions.model import Activity, Me
from roost.status.model import Status
from roost.tokens.model import NewToken, Token


def _get(path: str, summary: str, handler: object, answer: object, **more: object) -> Route:
    return Route(method="GET", path=path, summary=summary, handler=handler, answer=answer, **more)  # type: ignore[arg-type]


def _list(path: str, summary: str, handler: object, answer: object, **more: object) -> Route:
    return _get(path, summary, handler, answer, is_list=True, **more)


def _post(path: str, summary: str, handler: object, answer: object, **more: object) -> Route:
    return Route(method="POST", path=path, summary=summary, handler=handler, answer=answer, **more)  # type: ignore[arg-type]


ROUTES: tuple[Route, ...] = (
    _post(
        "/v1/messages", "Send a message", handlers.send, Sent,
        body=bodies.Send, status=201, takes_key=True, tag="messages",
    ),
    _post(
        "/v1/messages/batch", "Send up to 1,000 messages, all or none", handlers.send_batch, Sent,
        body=bodies.Batch, status=201, is_list=True, tag="messages",
    ),
    _list("/v1/messages/inbox", "Look at one's mail; changes nothing", handlers.inbox, Item, query=bodies.InboxQuery,
          tag="messages"),
    _post("/v1/messages/inbox/take", "Take mail, say which answers arrived, and acknowledge", handlers.take_inbox,
          Mail, query=bodies.Taken, tag="messages"),
    _post("/v1/messages/inbox/arrived", "Say which answers with mail arrived", handlers.arrived, Delivery,
          body=bodies.Arrived, is_list=True, tag="messages"),
    _list("/v1/messages/outbox", "What one sent, and how far it got", handlers.outbox, Outgoing, query=bodies.Paged,
          tag="messages"),
    _list("/v1/messages/search", "Find messages by their words", handlers.search, Found, query=bodies.SearchQuery,
          tag="messages"),
    _get("/v1/messages/{id}", "One message", handlers.message, Message, tag="messages"),
    _post("/v1/messages/{id}/read", "Note that one read a message", handlers.read, Message, tag="messages"),
    _post("/v1/messages/{id}/ack", "Acknowledge a message", handlers.acknowledge, Delivery, tag="messages"),
    _post("/v1/messages/{id}/reply", "Answer a message in its thread", handlers.reply, Sent, body=bodies.Reply,
          status=201, takes_key=True, tag="messages"),
    _post("/v1/messages/{id}/react", "React to a message", handlers.react, Reaction, body=bodies.React, is_list=True,
          tag="messages"),
    _post("/v1/messages/{id}/cancel", "Take a message back where it is not delivered", handlers.cancel, Delivery,
          body=bodies.Cancel, is_list=True, tag="messages"),
    _list("/v1/messages/{id}/receipts", "How far a message got, and by which proofs", handlers.receipts, Receipt,
          query=bodies.Whole, tag="messages"),
    _list("/v1/messages/{id}/thread", "The messages of a thread", handlers.thread, Message, query=bodies.ThreadQuery,
          tag="messages"),
    _list("/v1/agents", "Who there is", handlers.agents, Agent, query=bodies.AgentsQuery, tag="agents"),
    _get("/v1/agents/me", "Who one is", handlers.me, Me, tag="agents"),
    Route(method="PATCH", path="/v1/agents/me", summary="Change what is known of oneself", handler=handlers.profile,
          answer=Agent, body=bodies.Profile, tag="agents"),
    _get("/v1/agents/{name}", "One agent, by name, alias or id", handlers.agent, Agent, tag="agents"),
    _list("/v1/sessions", "The sessions that live", handlers.sessions, SessionView, query=bodies.Whole,
          tag="agents"),
    _get("/v1/sessions/{id}", "One session", handlers.session, SessionView, tag="agents"),
    _list("/v1/activity", "What agents are doing", handlers.activity, Activity, query=bodies.ActivityQuery,
          tag="agents"),
    _post("/v1/activity", "Tell what one is doing", handlers.beat, Activity, body=bodies.Beat, tag="agents"),
    _list("/v1/channels", "The channels", handlers.channels, Channel, query=bodies.ChannelsQuery, tag="channels"),
    _post("/v1/channels", "Make a channel", handlers.create_channel, Channel, body=bodies.NewChannel, status=201,
          tag="channels"),
    _get("/v1/channels/{name}", "One channel with its members", handlers.channel, Channel, tag="channels"),
    Route(method="DELETE", path="/v1/channels/{name}", summary="Close a channel", handler=handlers.close_channel,
          answer=Channel, tag="channels"),
    _post("/v1/channels/{name}/subscribe", "Join a channel", handlers.join_channel, Channel, tag="channels"),
    Route(method="DELETE", path="/v1/channels/{name}/subscribe", summary="Leave a channel",
          handler=handlers.leave_channel, answer=Channel, tag="channels"),
    _list("/v1/channels/{name}/messages", "What was said in a channel, the last page first", handlers.channel_log,
          Message, query=bodies.Paged, tag="channels"),
    _post("/v1/channels/{name}/messages", "Say something in a channel", handlers.say, Sent, body=bodies.Say, status=201,
          takes_key=True, tag="channels"),
    _list("/v1/leases", "Who holds what", handlers.leases, Lease, query=bodies.LeasesQuery, tag="leases"),
    _post("/v1/leases", "Take a lease", handlers.acquire, Lease, body=bodies.Acquire, status=201, tag="leases"),
    _post("/v1/leases/renew", "Keep a lease", handlers.renew, Lease, body=bodies.Renew, tag="leases"),
    _post("/v1/leases/release", "Give a lease back", handlers.release, Lease, body=bodies.Release, tag="leases"),
    _get("/v1/leases/{token}", "One live lease", handlers.lease, Lease, tag="leases"),
    _list("/v1/operations", "Operations", handlers.operations, Operation, query=bodies.OperationsQuery,
          tag="operations"),
    _post("/v1/operations", "Begin an operation", handlers.begin, Operation, body=bodies.Begin, status=201,
          tag="operations"),
    _get("/v1/operations/{id}", "How far an operation got", handlers.operation, Progress, tag="operations"),
    _post("/v1/operations/{id}/steps", "Add a step", handlers.step, Sent, body=bodies.Step, status=201, takes_key=True,
          tag="operations"),
    _post("/v1/operations/{id}/seal", "Let an operation run to its end", handlers.seal, Operation, tag="operations"),
    _post("/v1/operations/{id}/abort", "End an operation", handlers.abort, Operation, body=bodies.Abort,
          tag="operations"),
    _list("/v1/events", "The log behind a cursor", handlers.events, Told, query=bodies.EventsQuery, tag="events"),
    _get("/v1/status", "What changed, who is there, what is held and what waits", handlers.status, Status,
         tag="status"),
    _list("/v1/tokens", "Tokens", handlers.tokens, Token, query=bodies.Whole, tag="tokens"),
    _post("/v1/tokens", "Make a token; its key is in this answer only", handlers.make_token, NewToken,
          body=bodies.MakeToken, status=201, tag="tokens"),
    _post("/v1/tokens/{id}/rotate", "Replace a token", handlers.rotate_token, NewToken, body=bodies.Rotate, status=201,
          tag="tokens"),
    Route(method="DELETE", path="/v1/tokens/{id}", summary="Revoke a token", handler=handlers.revoke_token,
          answer=Token, tag="tokens"),
    _post("/v1/hooks/claude", "Tell of an event, as a client that Roost launched, by its own key", handlers.hook,
          dict[str, Any], body=bodies.HookEvent, takes="hooks", tag="hooks"),
)  # fmt: skip
