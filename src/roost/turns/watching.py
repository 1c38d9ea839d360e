"""Leased files that change without an edit tool: found afterwards by their hash, and told to both sides.

Seen are files under a live lease that names them literally, in the worktree where their holder works, of at most 1 MB
and 50 at a time, when a shell or an unknown tool has ended. Not seen are globs and folders, other worktrees, what its
holder's own turn has not looked at since it holds the file, what changed while the holder itself ran a tool or a second
after, and a change that was taken back. A process that outlives its tool call, or a person's editor, is laid to the
call that ends next: the words say "changed while", not "you changed".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from roost.errors import RoostError
from roost.leases import paths
from roost.leases.model import Lease
from roost.leases.service import Leases
from roost.leases.words import time_of_day
from roost.sessions.model import SYSTEM, Session
from roost.text import agent_line
from roost.turns import rules
from roost.turns.model import ClientEvent, LeasedFile, Looked
from roost.verbs import Service, Sync

FILES_MAX = 50
AT_WORK_SECONDS = 1.0
"""A holder whose last sign of life is younger may just have changed its own file."""
HOW = "its content changed while a tool ran"
TYPE = "lease.violated"


class Known(msgspec.Struct, frozen=True):
    """What a holder's turn last saw of a file."""

    stamp: str
    digest: str


class Watching:
    """The leased files of one worktree, seen from one session in it."""

    def __init__(self, service: Service[Sync], session: Session, worktree: str) -> None:
        self.tx = service.tx
        self.service = service
        self.session = session
        self.worktree = worktree
        self._sessions: dict[str, Session | None] = {}

    def files(self) -> tuple[LeasedFile, ...]:
        """Return the files to look at, with what is known of each."""
        return tuple(self._known(lease, path) for lease, path in self._leases())

    def is_worthwhile(self) -> bool:
        """Say whether a shell command here could touch a file of somebody else's, or others the session's own."""
        held = {lease.session for lease, _ in self._leases()}
        return bool(held - {self.session.id}) or (bool(held) and bool(self.neighbours()))

    def neighbours(self) -> list[Session]:
        """List the other live sessions in the worktree."""
        if not self.worktree:
            return []
        live = self.tx.all(Session, "sessions.live")
        return [one for one in live if one.worktree == self.worktree and one.id != self.session.id]

    def begin_edit(self, leases: Sequence[Lease]) -> None:
        """Forget what was known of files that their holder changes now, and let neighbours look out for new ones."""
        for lease in leases:
            self.tx.run("turns.forget_file", token=lease.token)
        if any(lease.granted_at == self.tx.now for lease in leases):
            for neighbour in self.neighbours():
                self.tx.ring(neighbour.bell)

    def judge(self, event: ClientEvent, seen: Sequence[Looked], edited: Sequence[str]) -> str:
        """Note what leased files hold after an event, and return what its agent must be told; '' if nothing."""
        found = {one.token: one for one in seen}
        broken: list[tuple[Lease, str]] = []
        for lease, path in self._leases():
            if lease.token in found and self._judged(event, lease, path, found[lease.token], edited):
                broken.append((lease, path))
        self.tx.run("turns.forget_files_of_ended", now=self.tx.now)
        return self._told(event, broken) if broken else ""

    def _judged(self, event: ClientEvent, lease: Lease, path: str, seen: Looked, edited: Sequence[str]) -> bool:
        known = self._known(lease, path)
        change = rules.change_of(
            known,
            seen,
            is_holder=lease.session == self.session.id,
            was_edited=event.may_write or path in edited,
            holder_is_at_work=self._is_at_work(lease.session),
        )
        was_touched = known.digest == seen.digest and known.stamp not in ("", seen.stamp)
        if change in ("own", "violation") or was_touched:
            self.tx.run("turns.put_file", token=lease.token, stamp=seen.stamp, digest=seen.digest)
        return change == "violation"

    def _told(self, event: ClientEvent, broken: Sequence[tuple[Lease, str]]) -> str:
        leases = Leases[Sync](self.service._caller)
        lines = []
        for lease, path in broken:
            leases.violated([path], how=HOW, worktree=self.worktree)
            until = time_of_day(lease.expires_at, now=self.tx.now, wall=self.tx.wall)
            name = agent_line(path, most=120)
            self._notify(
                lease.agent,
                f"{name}, which you hold, changed while a tool of {self.tx.me.name} ran. Look at it before you go on"
                f" (`git diff -- {name}`), and settle it with {self.tx.me.name}.",
            )
            lines.append(
                f"{name}, which {lease.holder} holds until {until}, changed while your last command ran. If that was"
                f' you, undo it or settle it: roost send {lease.holder} "..."'
            )
        text = "\n".join(lines)
        if not event.takes_context:
            self._notify(self.session.agent, text)
            return ""
        return text

    def _notify(self, agent: str, text: str) -> None:
        """Send a notice from Roost; a full inbox must not cost the turn."""
        from roost.messages.model import Draft
        from roost.messages.sending import Sender

        me, self.tx.me = self.tx.me, SYSTEM
        try:
            with self.tx.savepoint():
                Sender(self.tx).send(Draft(to=(agent,), text=text, type=TYPE, severity="warning"))
        except RoostError:
            self.tx.record("notice.refused", agent, {"type": TYPE})
        finally:
            self.tx.me = me

    def _leases(self) -> Iterator[tuple[Lease, str]]:
        """Yield the leases on single files whose holder works in this worktree."""
        if not self.worktree:
            return
        held = (lease for lease in Leases[Sync](self.service._caller).list(kind="path") if lease.mode == "exclusive")
        count = 0
        for lease in held:
            path = paths.file_of(lease.key)
            if path is not None and self._place_of(lease) == self.worktree and count < FILES_MAX:
                count += 1
                yield lease, path

    def _place_of(self, lease: Lease) -> str:
        if lease.implicit:
            return lease.worktree
        holder = self._session(lease.session)
        return holder.worktree if holder else ""

    def _is_at_work(self, session: str) -> bool:
        holder = self._session(session)
        beat = self.tx.host.beat(holder.bell) if holder else None
        return beat is not None and (beat.mark == "tool" or beat.age_seconds < AT_WORK_SECONDS)

    def _session(self, session: str) -> Session | None:
        if session not in self._sessions:
            self._sessions[session] = self.tx.one(Session, "sessions.get", id=session)
        return self._sessions[session]

    def _known(self, lease: Lease, path: str) -> LeasedFile:
        known = self.tx.one(Known, "turns.file", token=lease.token)
        if known is None:
            return LeasedFile(path=path, token=lease.token)
        return LeasedFile(path=path, token=lease.token, stamp=known.stamp, digest=known.digest)
