"""Briefings and checkpoints: what an agent is told at start, after compaction or restart, and what it was doing."""

from __future__ import annotations

from collections.abc import Sequence

from roost.agents.service import Agents
from roost.briefings import rules
from roost.briefings.contents import Contents
from roost.briefings.model import Checkpoint, CheckpointKind, GitFacts
from roost.errors import Forbidden
from roost.sessions.model import Session
from roost.sessions.service import Sessions
from roost.verbs import M, Service, Sync, query, verb

NO_FACTS = GitFacts()


class Briefings(Service[M]):
    """What an agent must know to go on, and what it leaves for its next context."""

    @query
    def show(self, *, git: GitFacts = NO_FACTS, limit: int = rules.BRIEFING_BYTES_MAX) -> str:
        """Return the caller's briefing, at most `limit` bytes; `git` is what was seen of its repository."""
        return self.briefing(Sessions[Sync](self._caller).known(self.tx.me.session), git=git, limit=limit)

    @verb
    def checkpoint(
        self, note: str = "", *, git: GitFacts = NO_FACTS, files: Sequence[str] = (), kind: CheckpointKind = "note"
    ) -> Checkpoint:
        """Write down what the caller is doing: its briefings show the last one, and 20 are kept.

        `note` has at most 4,000 bytes, `files` are at most 64 paths; without them the changed files of `git` stand in.
        Raises InvalidText, InvalidUtf8, InvalidInput.
        """
        me = self.tx.me
        written = Checkpoint(
            agent=me.agent,
            session=me.session,
            at=self.tx.now,
            kind=kind,
            note=rules.check_note(note),
            branch=git.branch,
            files=rules.check_files(files) or git.status,
        )
        self.tx.run("briefings.put_checkpoint", written)
        self.tx.run("briefings.drop_old_checkpoints", agent=me.agent, kept=rules.CHECKPOINTS_KEPT)
        self.tx.record("checkpoint.written", me.agent, {"kind": kind})
        return written

    @query
    def last_checkpoint(self, agent: str = "") -> Checkpoint | None:
        """Return the caller's last checkpoint, or (for people) another agent's. Raises Forbidden, UnknownAgent."""
        chosen = Agents[Sync](self._caller).get(agent or self.tx.me.agent)
        if chosen.id != self.tx.me.agent and self.tx.me.kind not in ("human", "system"):
            raise Forbidden(f"the checkpoints of {chosen.name} are its own", hint=f"ask {chosen.name}")
        return self.tx.one(Checkpoint, "briefings.last_checkpoint", agent=chosen.id)

    def briefing(self, session: Session, *, git: GitFacts = NO_FACTS, limit: int = rules.BRIEFING_BYTES_MAX) -> str:
        """Return a session's briefing, at most `limit` bytes. Whole messages are not in it: they are offered."""
        return rules.compose(Contents(self.tx, session, git).sections(), limit=limit)
