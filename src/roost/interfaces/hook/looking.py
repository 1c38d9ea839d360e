"""What a turn looks at around its event: the transcript, the worktree, leased files."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Sequence

from roost.briefings.model import GitFacts
from roost.clients.base import Client, Offer
from roost.connect import Project, client_above, git_facts, head_of, worktree_of
from roost.deliveries.envelope import marker
from roost.deliveries.model import Verdict
from roost.turns.model import GONE, ClientEvent, LeasedFile, Looked, Surroundings, Watch

FILE_BYTES_MAX = 1_000_000
FILES_SECONDS_MAX = 0.1
UNREAD_BYTES_MAX = 1_000_000
"""So far a transcript may grow before a turn without open offers reads on in it, to remember a nearer place."""


def surroundings(
    project: Project, client: Client, event: ClientEvent, *, parent: int, agent_wanted: str
) -> tuple[Surroundings, bool]:
    """Look at everything around an event that the verb needs to know; say too whether its session is known.

    `parent` is the process that started the hook, `agent_wanted` its ROOST_AGENT.
    """
    tree = worktree_of(event.cwd)
    looks_at_files = event.kind == "tool_after" and (event.may_write or event.paths)
    watch = project.system().turns.watch(
        event.client, event.client_session, worktree=tree.top if looks_at_files else ""
    )
    transcript = event.transcript or watch.transcript
    verdicts, offset = ((), 0) if _begins(event, transcript) else read_proofs(client, transcript, watch)
    around = Surroundings(
        client_pid=event.client_pid or client_above(parent),  # one that does not say so: the first that is no shell
        worktree=tree.top,
        linked_name=tree.linked_name,
        agent_wanted=agent_wanted,
        verdicts=verdicts,
        transcript_offset=offset,
        git=_git(event),
        files=look_at(tree.top, watch.files),
        head=head_of(tree.top) if tree.top and "git" in event.command else "",
    )
    return around, bool(watch.session)


def read_proofs(client: Client, transcript: str, watch: Watch) -> tuple[tuple[Verdict, ...], int]:
    """Look in a transcript for the open offers of its session, outside any transaction."""
    offset = watch.offset if transcript == watch.transcript else 0
    if not transcript:
        return tuple(Verdict(nonce=offer.nonce, found="unreadable") for offer in watch.offers), 0
    if not watch.offers and _size(transcript) - offset < UNREAD_BYTES_MAX:
        return (), offset
    offers = [
        Offer(
            nonce=offer.nonce,
            marker=marker(offer.nonce),
            offered_wall=offer.offered_wall,
            as_result=offer.as_result,
        )
        for offer in watch.offers
    ]
    scan = client.proofs(transcript, offset, offers)
    return scan.verdicts, scan.offset


def _begins(event: ClientEvent, transcript: str) -> bool:
    """Say whether a prompt is the first of its conversation: a client begins the transcript with it, so nothing that
    its start was offered was answered yet, and nothing can be said about it."""
    return event.kind == "prompt" and bool(transcript) and not os.path.exists(transcript)


def look_at(worktree: str, files: Sequence[LeasedFile]) -> tuple[Looked, ...]:
    """Look at leased files, for at most FILES_SECONDS_MAX: regular ones of at most 1 MB, read if their stamp is new."""
    deadline, found = time.monotonic() + FILES_SECONDS_MAX, []
    for file in files:
        seen = _look(worktree, file)
        if seen is not None:
            found.append(seen)
        if time.monotonic() > deadline:
            break
    return tuple(found)


def _look(worktree: str, file: LeasedFile) -> Looked | None:
    try:
        handle = os.open(os.path.join(worktree, file.path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return Looked(path=file.path, token=file.token, stamp=GONE, digest=GONE)
    except OSError:
        return None
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > FILE_BYTES_MAX:
            return None
        stamp = f"{facts.st_size}:{facts.st_mtime_ns}:{facts.st_ino}"
        digest = file.digest if stamp == file.stamp else _digest(os.read(handle, FILE_BYTES_MAX))
    finally:
        os.close(handle)
    return Looked(path=file.path, token=file.token, stamp=stamp, digest=digest)


def _digest(content: bytes) -> str:
    from hashlib import blake2b

    return blake2b(content, digest_size=16).hexdigest()


def _git(event: ClientEvent) -> GitFacts:
    """What a briefing or checkpoint shows of the repository; other events do not pay for it."""
    return git_facts(event.cwd) if event.kind in ("start", "compacting") else GitFacts()


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
