"""The sections of a briefing, read in one transaction. What others wrote stands in it on one line, escaped and cut."""

from __future__ import annotations

from collections.abc import Sequence

from roost.agents.service import Agents
from roost.briefings.model import Checkpoint, GitFacts, Section
from roost.briefings.rules import LINE_CHARACTERS_MAX
from roost.deliveries.envelope import age
from roost.deliveries.ledger import Ledger
from roost.deliveries.model import Delivery
from roost.leases.model import Lease
from roost.messages.model import Message
from roost.operations.model import Operation
from roost.sessions.model import Activity, Session
from roost.sessions.service import Sessions
from roost.stores.base import Tx
from roost.text import agent_line
from roost.verbs import InTx, Sync

LEASES_MAX = 12
MAIL_MAX = 10
MAIL_LOOKED_AT_MAX = 200
OWED_MAX = 10
CHANNELS_MAX = 8
OTHERS_MAX = 12
STATUS_MAX = 20
COMMITS_MAX = 3
FILES_MAX = 10
PREVIEW_CHARACTERS_MAX = 80
NOTE_LINES_MAX = 12

HOW_TO = (
    'roost send NAME "text"     tell an agent, `all` or a channel (`#build`) something; --requires-ack wants an ack',
    'roost reply m7 "text"      answer message m7, which also acknowledges it; `roost ack m7` only acknowledges',
    "roost inbox                your mail; others' messages also come to you between your tool calls, by themselves",
    "roost read m7              the whole of a message that was cut or listed",
    "roost lease acquire PATH   keep others out of a file or glob before you edit it; `roost lease release PATH` after",
    "roost who                  who is here, what each does, how each can be reached",
    "roost channel list         the channels; `roost channel join NAME` to hear one",
    "roost receipts m7          how far your message got, and by which proof",
)


class Contents:
    """Reads what a session's briefing says."""

    def __init__(self, tx: Tx, session: Session, git: GitFacts) -> None:
        self.tx = tx
        self._session = session
        self._git = git
        self._agent = Agents[Sync](InTx(tx)).get(session.agent)

    def sections(self) -> Sequence[Section]:
        """Return the sections in their order; the weights say which of them are shortened first."""
        return (
            self._who_you_are(),
            self._checkpoint(),
            self._owed(),
            self._mail(),
            self._operations(),
            self._leases(),
            self._git_state(),
            self._others(),
            self._channels(),
            Section(title="How to use Roost, in your shell", lines=HOW_TO, weight=95),
        )

    def _who_you_are(self) -> Section:
        session, agent = self._session, self._agent
        project = _quoted(self.tx.value("briefings.project_name"))
        role = f", {_quoted(agent.profile.role)}" if agent.profile.role else ""
        first = (
            f"You are {agent.name}{role}: an agent of the Roost project {project}, where several coding agents and"
            f" people work together. This is run {session.epoch} of your name, context {session.context}."
        )
        lines = [first]
        waiting = self.tx.value("deliveries.waiting_for", recipient=agent.id)
        if Ledger(self.tx).is_paused(agent.id):
            lines.append("Mail is paused: what is sent to you is kept and comes when a person resumes it.")
        elif waiting:
            lines.append(f"{waiting} {'message waits' if waiting == 1 else 'messages wait'} for you.")
        return Section(lines=tuple(lines), weight=100)

    def _checkpoint(self) -> Section:
        last = self.tx.one(Checkpoint, "briefings.last_checkpoint", agent=self._agent.id)
        if last is None:
            return Section(weight=90)
        where = f" on branch {_line(last.branch)}" if last.branch else ""
        title = f"Your last checkpoint ({age(last.at, self.tx.now)} ago{where})"
        notes = [f"- {_line(line)}" for line in last.note.splitlines() if line.strip()]
        files = [f"- {_line(file)}" for file in last.files[:FILES_MAX]]
        return Section(title=title, lines=tuple(notes[:NOTE_LINES_MAX] + files), weight=90)

    def _owed(self) -> Section:
        owed = self.tx.all(Delivery, "deliveries.unacknowledged_of", recipient=self._agent.id)
        lines = tuple(f"- m{delivery.number}: roost ack m{delivery.number}" for delivery in owed[:OWED_MAX])
        return Section(
            title="You still owe an acknowledgement for",
            lines=lines,
            weight=85,
            beyond=len(owed) - len(lines),
            rest="roost inbox",
        )

    def _mail(self) -> Section:
        found = self.tx.all(Message, "briefings.not_acted_upon", agent=self._agent.id, looked_at=MAIL_LOOKED_AT_MAX)
        lines = tuple(self._of_message(message) for message in found[:MAIL_MAX])
        return Section(
            title="Mail you were given and have not answered (newest first)",
            lines=lines,
            weight=60,
            beyond=len(found) - len(lines),
            rest="roost inbox --all",
        )

    def _operations(self) -> Section:
        mine = self.tx.all(Operation, "operations.of_session", session=self._session.id)
        live = [operation for operation in mine if operation.expires_at > self.tx.now]
        lines = tuple(
            f"- {_quoted(operation.title or 'no title')} holds the input of {_line(', '.join(operation.targets))} for"
            f" {_seconds(operation.expires_at - self.tx.now)} more: seal or abort it (`roost operation`)"
            for operation in live
        )
        return Section(title="Operations you have open", lines=lines, weight=88, rest="roost operation list")

    def _leases(self) -> Section:
        held = self.tx.all(Lease, "leases.of_session", session=self._session.id)
        live = [lease for lease in held if lease.expires_at > self.tx.now]
        lines = tuple(self._of_lease(lease) for lease in live[:LEASES_MAX])
        return Section(
            title="Leases you hold", lines=lines, weight=70, beyond=len(live) - len(lines), rest="roost lease list"
        )

    def _of_lease(self, lease: Lease) -> str:
        how = "your edit" if lease.implicit else lease.mode
        why = f": {_line(lease.reason)}" if lease.reason else ""
        return f"- {_line(lease.key)} ({how}, {_seconds(lease.expires_at - self.tx.now)} left){why}"

    def _git_state(self) -> Section:
        git = self._git
        if not git.branch and not git.note:
            return Section(weight=40)
        state = "nothing changed" if not git.changed else f"{git.changed} changed"
        title = f"Git: branch {_line(git.branch)}, {state}" if git.branch else "Git"
        lines = [f"- {_line(git.note)}"] if git.note else []
        lines += [f"- commit {_line(commit)}" for commit in git.commits[:COMMITS_MAX]]
        lines += [f"- {_line(file)}" for file in git.status[:STATUS_MAX]]
        beyond = max(0, git.changed - len(git.status[:STATUS_MAX]))
        return Section(
            title=title, lines=tuple(lines) or ("- no commit yet",), weight=40, beyond=beyond, rest="git status"
        )

    def _others(self) -> Section:
        others = [one for one in Sessions[Sync](InTx(self.tx)).activity() if one.agent != self._agent.name]
        others.sort(key=lambda one: (one.state == "offline", one.agent))
        lines = tuple(self._of_agent(one) for one in others[:OTHERS_MAX])
        return Section(
            title="Who else is here", lines=lines, weight=50, beyond=len(others) - len(lines), rest="roost who"
        )

    def _of_agent(self, one: Activity) -> str:
        since = f" for {age(one.since, self.tx.now)}" if one.since else ""
        doing = f": {_line(one.operation)}" if one.operation else ""
        return f"- {one.agent} is {one.state}{since}{doing}"

    def _channels(self) -> Section:
        last = self.tx.all(Message, "channels.last_subjects", agent=self._agent.id, limit=CHANNELS_MAX)
        return Section(
            title="Last in your channels",
            lines=tuple(self._of_message(message) for message in last),
            weight=30,
            rest="roost channel log NAME",
        )

    def _of_message(self, message: Message) -> str:
        place = f" in #{_line(message.channel)}" if message.channel else ""
        when = f"{age(message.sent_at, self.tx.now)} ago"
        said = _quoted(message.subject or message.body)
        return f"- {message.ref} from {_line(message.sender_name)}{place}, {when}: {said}"


def _line(text: str) -> str:
    return agent_line(text, most=LINE_CHARACTERS_MAX)


def _quoted(text: str) -> str:
    return '"' + agent_line(text, most=PREVIEW_CHARACTERS_MAX).replace('"', "'") + '"'


def _seconds(span_ms: int) -> str:
    return age(0, span_ms)
