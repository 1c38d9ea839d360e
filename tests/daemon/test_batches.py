"""Law 7: whatever the daemon does in one transaction for many callers is what they would have got one by one."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from roost import workdir
from roost.clock import ManualClock
from roost.connect import Project, connect, do_what_is_due
from roost.daemon import writer as writer_module
from roost.daemon.answers import Answers
from roost.daemon.job import Job
from roost.daemon.writer import Batch, Outcome, Writer
from roost.deliveries.pickup import Pickup
from roost.deliveries.rows import Rows
from roost.errors import RoostError
from roost.homes import HOME
from roost.interfaces.wire.table import op
from roost.messages.model import Sent
from roost.messages.sending import Sender
from roost.messages.service import Messages
from roost.sessions.model import Me
from roost.stores.sqlite.tx import SqliteTx
from roost.verbs import Call

EXAMPLES = 120
CONFIG = """\
synchronous = "NORMAL"
[limits]
rate_agent = 9
inbox_messages_max = 7
"""
AGENTS = ("ada", "bob", "cyd")
CALLERS = (*AGENTS, "left", "unknown", "roost")
"""`left` is a session that is over, `unknown` one that never was, `roost` Roost itself."""
TABLES = (
    "event", "agent", "alias", "session", "lease", "lease_wait", "message", "delivery", "receipt", "dependency",
    "quota", "mailbox", "channel", "member",
)  # fmt: skip
UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
UNLIKE = frozenset({"hash", "head", "cursor", "signature", "key_id", "fingerprint", "nonce", "batch", "body_hash"})
"""What holds ids or chance inside of it."""


class Step(msgspec.Struct, frozen=True):
    """One call: by whom, of which verb, with what."""

    who: str
    verb: str
    kwargs: dict[str, Any]


Batches = list[tuple[float, list[Step]]]
"""Seconds that pass, then calls that arrive together."""


refs = st.integers(1, 6).map(lambda number: f"m{number}")
texts = st.sampled_from(["red", "green", "a" * 200])
keys = st.sampled_from(["deploy", "src/a.py", "src/*.py", "src/b.py", "", "../outside"])
callers = st.sampled_from([*AGENTS * 5, *CALLERS])


def _step(verb: str, **kwargs: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    return st.builds(Step, callers, st.just(verb), st.fixed_dictionaries(kwargs))


def _sends(
    to: st.SearchStrategy[Any], text: st.SearchStrategy[str], **optional: st.SearchStrategy[Any]
) -> st.SearchStrategy[Step]:
    fields = st.fixed_dictionaries({"to": to, "text": text}, optional=optional)
    return st.builds(Step, callers, st.just("messages.send"), fields)


plain = _sends(
    st.sampled_from([*AGENTS, "all", "#dev", ["ada", "bob"]]),
    texts,
    requires_ack=st.booleans(),
    priority=st.sampled_from(["low", "urgent"]),
    idempotency_key=st.sampled_from(["first-key", "second-key"]),
)
odd = _sends(
    st.sampled_from(["ada", "nobody", "#nowhere", "roost", ["nobody", "bob"], []]),
    st.sampled_from(["red", "green", "", "broken\0text"]),
    priority=st.sampled_from([255, "loud"]),
    idempotency_key=st.just("short"),
    depends_on=st.lists(refs, max_size=2),
    expires_in=st.sampled_from([5.0, 0.0]),
    hold=st.booleans(),
)
waiting = _sends(st.sampled_from(AGENTS), texts, depends_on=st.lists(refs, min_size=1, max_size=2))
nonsense = plain.map(lambda step: Step(step.who, step.verb, {**step.kwargs, "colour": "red"}))
"""One in a run makes its bulk form fail as a whole, so all of it is made anew, one by one."""
takes = st.one_of(
    _step("messages.inbox", limit=st.sampled_from([1, 3, 3, 0])),
    _step("messages.inbox", limit=st.just(1), acknowledge=st.lists(refs, max_size=3)),
    _step("messages.take", limit=st.sampled_from([1, 3]), acknowledge=st.lists(refs, max_size=2)),
    _step("messages.take", afresh=st.booleans(), acknowledge=st.lists(refs, max_size=1)),
)
acknowledgements = _step("deliveries.acknowledge", message=st.one_of(refs, st.sampled_from(["m999", "3"])))
others = st.one_of(
    _step("messages.reply", message=refs, text=st.sampled_from(["red", "green", ""]), everybody=st.booleans()),
    takes,
    acknowledgements,
    _step("deliveries.confirm", messages=st.lists(refs, max_size=3)),
    _step("leases.acquire", key=keys, ttl=st.sampled_from([5.0, 600.0, 0.0])),
    _step("leases.release", key=keys),
    _step("channels.join", name=st.sampled_from(["dev", "nowhere"])),
    _step("channels.leave", name=st.just("dev")),
)
runs = st.one_of(
    st.lists(st.one_of(*[plain] * 5, odd), min_size=2, max_size=8),
    st.lists(waiting, min_size=1, max_size=2),
    st.lists(takes, min_size=2, max_size=6),
    st.lists(acknowledgements, min_size=2, max_size=6),
    st.lists(others, min_size=1, max_size=5),
    st.lists(others, min_size=1, max_size=5),
    nonsense.map(lambda step: [step]),
)
together = st.lists(runs, min_size=1, max_size=5).map(lambda found: [step for run in found for step in run])
batches = st.lists(st.tuples(st.sampled_from([0.0, 0.0, 2.0, 70.0]), together), min_size=1, max_size=3)


class Side:
    """A copy of the project that a batch, or the same calls one by one, are made on."""

    def __init__(self, template: Path, folder: Path, sessions: dict[str, str]) -> None:
        shutil.copytree(template, folder, ignore=shutil.ignore_patterns(HOME))  # its sessions go on here
        self.clock = ManualClock()
        self.project = connect(folder, clock=self.clock)
        self.sessions = sessions
        self.answers: list[Any] = []

    def tidy(self) -> None:
        """Do what is due: where every call of a batch fails, only the batch has done it already."""
        self.project.system().duties.tick()

    def one_by_one(self, calls: Sequence[Step]) -> None:
        """Make each call in a transaction of its own, as a process with the file does."""
        for step in calls:
            found, session = op(step.verb), self.sessions[step.who]
            caller = self.project.caller_of(session) if session else self.project.system()._caller
            try:
                result = caller.call(found.verb, found.service, (), dict(step.kwargs))  # type: ignore[arg-type]
            except (RoostError, TypeError) as error:
                self.answers.append(_told(error))
            else:
                self.answers.append(msgspec.to_builtins(result))
        self.tidy()

    def together(self, calls: Sequence[Step]) -> None:
        """Make all calls in one transaction, as the daemon does."""
        self.answers += asyncio.run(self._together(calls))
        self.tidy()

    async def _together(self, calls: Sequence[Step]) -> list[Any]:
        project, told = self.project, list[Any]([None] * len(calls))
        writer = Writer(
            project.store, project.wakeups, asyncio.get_running_loop(), duties=do_what_is_due, answers=Answers()
        )
        for at, step in enumerate(calls):
            found = op(step.verb)

            def reply(result: Any, error: BaseException | None, at: int = at) -> None:
                told[at] = _told(error) if error is not None else msgspec.to_builtins(result)

            writer.submit(Job(self.sessions[step.who], found.verb, found.service, dict(step.kwargs), reply))  # type: ignore[arg-type]
        await writer.drained()
        writer.close()
        assert writer.batches == 1, "the calls were not made together"
        return told

    def all(self) -> str:
        """Return every answer and every row, ids by the order in which the log or the answers name them first."""
        with self.project.store.read() as tx:
            rows = {table: [_plain(row) for row in _rows(tx, table)] for table in TABLES}
        return _without_ids(self.answers, rows)


def _rows(tx: SqliteTx, table: str) -> list[dict[str, Any]]:
    columns = [row[1] for row in tx.raw(f"PRAGMA table_info({table})")]
    return [dict(zip(columns, row, strict=True)) for row in tx.raw(f"SELECT * FROM {table}")]


def _told(error: BaseException) -> dict[str, Any]:
    if isinstance(error, RoostError):
        return {"error": error.code, "message": error.message, "hint": error.hint, "details": error.details}
    return {"error": type(error).__name__}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: "*" if name in UNLIKE else _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, str) and value.startswith("{"):
        said = json.loads(value)  # what an event says; of a body that is its hash, which is salted
        return _plain({**said, "body": "*"} if "body" in said else said)
    return value.hex() if isinstance(value, bytes) else value


def _without_ids(answers: list[Any], rows: dict[str, list[Any]]) -> str:
    ordered = json.dumps([rows.pop("event"), _plain(answers)], indent=1, sort_keys=True)
    known = {id_: f"id {number}" for number, id_ in enumerate(dict.fromkeys(UUID.findall(ordered)))}

    def named(text: str) -> str:
        return UUID.sub(lambda found: known.get(found[0], "id"), text)

    tables = {table: sorted(named(json.dumps(row, sort_keys=True)) for row in found) for table, found in rows.items()}
    return named(ordered) + json.dumps(tables, indent=1)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A project with three agents and a channel, and the sessions of who calls."""
    folder = tmp_path_factory.mktemp("template")
    place = workdir.create(folder / workdir.NAME)
    (place.path / "roost.toml").write_text(CONFIG)
    project = connect(folder, clock=ManualClock())
    sessions = {"roost": "", "unknown": "01890000-0000-7000-8000-000000000000"}
    for name in (*AGENTS, "left"):
        sessions[name] = project.joined(name).sessions.me().session
    project.as_session(sessions["left"]).turns.leave()
    project.as_session(sessions["ada"]).channels.create("dev")
    project.as_session(sessions["bob"]).channels.join("dev")
    _settle(project)
    return place.path, sessions


def _settle(project: Project) -> None:
    project.store.checkpoint()
    project.close()


@contextmanager
def _sides(template: tuple[Path, dict[str, str]]) -> Iterator[tuple[Side, Side]]:
    with tempfile.TemporaryDirectory(prefix="batches-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer_module, "BATCH_SECONDS_MAX", 60.0)  # a slow machine would divide a batch
        sides = _side(template, folder, "alone"), _side(template, folder, "together")
        try:
            yield sides
        finally:
            for side in sides:
                side.project.close()


def _side(template: tuple[Path, dict[str, str]], folder: str, name: str) -> Side:
    return Side(template[0], Path(folder) / name / workdir.NAME, template[1])


def _holds(template: tuple[Path, dict[str, str]], calls: Batches) -> None:
    with _sides(template) as (alone, together):
        for seconds, steps in calls:
            for side in (alone, together):
                side.clock.advance(seconds)
            alone.one_by_one(steps)
            together.together(steps)
        assert together.all() == alone.all()
        assert not together.project.system().history.verify().problems


CALM = settings(max_examples=EXAMPLES)
# Whether it turns red is asked, not by which smallest story.
PLANTED = settings(max_examples=150, phases=(Phase.generate,), database=None, derandomize=True)


@pytest.mark.timeout(600)
def test_a_batch_answers_and_stores_what_its_calls_would_one_by_one(template: tuple[Path, dict[str, str]]) -> None:
    @CALM
    @given(batches)
    def holds(calls: Batches) -> None:
        _holds(template, calls)

    holds()


AWAITED: Batches = [
    (0.0, [Step("ada", "messages.send", {"to": "bob", "text": "red", "requires_ack": True})]),
    (0.0, [Step("ada", "messages.send", {"to": "cyd", "text": "green", "depends_on": ["m1"]})]),
    (0.0, [Step("bob", "messages.take", {}), Step("cyd", "messages.take", {})]),
    (0.0, [Step(who, "deliveries.acknowledge", {"message": "m1"}) for who in ("bob", "ada")]),
    (0.0, [Step("cyd", "messages.take", {}), Step("bob", "messages.take", {})]),
]
"""A message waits for another, which is acknowledged in a run."""


def test_a_message_that_waits_for_what_a_run_acknowledges_goes_out_with_it(
    template: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    _holds(template, AWAITED)
    original = Pickup.each

    def forgetful(self: Pickup, do: Any, calls: Sequence[Call]) -> Any:
        with pytest.MonkeyPatch.context() as within:
            within.setattr(Pickup, "_is_awaited", lambda self, deliveries: False)
            return original(self, do, calls)

    monkeypatch.setattr(Pickup, "each", forgetful)
    with pytest.raises(AssertionError):
        _holds(template, AWAITED)


def _savepoint_stays(patch: pytest.MonkeyPatch) -> None:
    """A call that fails half way leaves what it did."""

    @contextmanager
    def savepoint(self: SqliteTx) -> Iterator[None]:
        yield

    patch.setattr(SqliteTx, "savepoint", savepoint)


def _answers_swapped(patch: pytest.MonkeyPatch) -> None:
    """The answers of the first two of a run of one verb go to each other's callers."""
    many = Batch._many

    def swapped(self: Batch, verb: Any, jobs: list[Job]) -> list[Outcome]:
        first, second, *others = many(self, verb, jobs)
        return [(first[0], *second[1:]), (second[0], *first[1:]), *others]

    patch.setattr(Batch, "_many", swapped)


class _Generous(Sender):
    def _charged(self, cost: int) -> tuple[()]:
        return ()


def _quota_skipped(patch: pytest.MonkeyPatch) -> None:
    """The bulk form charges nobody."""

    def many(service: Messages[Any], calls: Sequence[Call]) -> Sequence[Sent | Exception]:
        from roost.messages.service import _draft

        return _Generous(service.tx).send_each([(call.me, _draft(**call.kwargs)) for call in calls])

    patch.setattr(Messages.send, "many", many)


def _sender_mistaken(patch: pytest.MonkeyPatch) -> None:
    """Whoever comes first in a run of one verb is taken for the caller of all of it."""

    def send_each(self: Sender, drafts: Sequence[tuple[Me, Any]]) -> list[Sent | Exception]:
        return original(self, [(drafts[0][0], draft) for _, draft in drafts])

    original = Sender.send_each
    patch.setattr(Sender, "send_each", send_each)


def _mail_counted_once(patch: pytest.MonkeyPatch) -> None:
    """What the callers of a run acknowledge leaves the mailbox of the first of them."""

    def arrived(self: Rows, delivery: Any, kind: Any, proof: str) -> None:
        original(self, delivery, kind, proof)
        if len(self._gone) > 1:
            self._gone.popitem()

    original = Rows._arrived
    patch.setattr(Rows, "_arrived", arrived)


def _rows_unwritten(patch: pytest.MonkeyPatch) -> None:
    """A call does not see what an earlier one of its agent did in the same run."""
    patch.setattr(Rows, "touches", lambda self, **of: False)


def _taker_mistaken(patch: pytest.MonkeyPatch) -> None:
    """What the callers of a run take counts as the first one's."""

    def each(self: Pickup, do: Any, calls: Sequence[Call]) -> Any:
        return original(self, do, [Call(calls[0].me, call.args, call.kwargs) for call in calls])

    original = Pickup.each
    patch.setattr(Pickup, "each", each)


def _refused_half_way(patch: pytest.MonkeyPatch) -> None:
    """Of a call that is refused, what it acknowledged before stays."""

    def long(self: Pickup, do: Callable[[], Any]) -> Any:
        self._rows.write()
        return do()

    patch.setattr(Pickup, "_long", long)


PLANTS = (
    _savepoint_stays, _answers_swapped, _quota_skipped, _sender_mistaken, _mail_counted_once, _rows_unwritten,
    _taker_mistaken, _refused_half_way,
)  # fmt: skip


@pytest.mark.timeout(300)
@pytest.mark.parametrize("plant", PLANTS, ids=lambda one: one.__name__)
def test_the_property_turns_red_on_a_planted_bug(
    template: tuple[Path, dict[str, str]], plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    @PLANTED
    @given(batches)
    def holds(calls: Batches) -> None:
        _holds(template, calls)

    plant(monkeypatch)
    with pytest.raises(AssertionError):
        holds()
