"""Leases between real processes, and under every order of calls that a machine can think of."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from roost.errors import Cycle, LeaseHeld, LeaseLost
from roost.leases import rules
from roost.leases.model import Lease, Waiter, Wish
from tests.services.lease_fleet import Fleet
from tests.services.lease_racer import KEYS, open_project

PROCESSES = 8
ROUNDS = 6


class Grant(msgspec.Struct):
    """What the log says of one lease: which key, and from which to which line it was held."""

    key: str
    token: int
    begin: int
    end: int | None = None


def grants(events: list[tuple[int, str, str, dict[str, int]]]) -> list[Grant]:
    """Read the grants out of the log's (seq, kind, object, data)."""
    found: dict[int, Grant] = {}
    for seq, kind, thing, data in events:
        if kind == "lease.granted":
            found[data["token"]] = Grant(thing.removeprefix("path:"), data["token"], seq)
        elif kind in ("lease.released", "lease.expired", "lease.orphaned", "lease.revoked"):
            found[data["token"]].end = seq
    return list(found.values())


def faults(history: list[Grant]) -> list[str]:
    """Say what no order of calls may ever show: two holders at once, or a token that does not grow."""
    found = []
    for before, after in itertools.pairwise(sorted(history, key=lambda grant: grant.begin)):
        if before.end is None or before.end > after.begin:
            found.append(f"{before.key} and {after.key} at once")
        if after.token <= before.token:
            found.append(f"token {after.token} after {before.token}")
    return found


def read_log(folder: Path) -> list[Grant]:
    project = open_project(folder)
    with project.store.read() as tx:
        rows = tx._connection.execute("SELECT seq, kind, object, data FROM event ORDER BY seq").fetchall()
    project.store.close()
    return grants(
        [(int(str(seq)), str(kind), str(what), msgspec.json.decode(str(data))) for seq, kind, what, data in rows]
    )


def start(folder: Path, name: str, what: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.services.lease_racer", str(folder), name, what]
    return subprocess.Popen(
        command, cwd=Path(__file__).parents[2], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_of_eight_processes_one_at_a_time_holds_what_overlaps(tmp_path: Path) -> None:
    open_project(tmp_path).store.close()
    racers = [start(tmp_path, f"racer-{n}", str(ROUNDS)) for n in range(PROCESSES)]
    complaints = [racer.communicate(timeout=100)[1] for racer in racers]
    assert [racer.returncode for racer in racers] == [0] * PROCESSES, complaints
    history = read_log(tmp_path)
    assert len(history) == PROCESSES * ROUNDS
    assert faults(history) == []


def test_what_a_killed_process_held_passes_to_the_one_who_waits(tmp_path: Path) -> None:
    open_project(tmp_path).store.close()
    holder = start(tmp_path, "holder", "hold")
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    hub = open_project(tmp_path).joined("waiter")
    ticket = hub.leases.stand(["src/a.py"])
    assert ticket.held_by == ("holder",)
    holder.send_signal(signal.SIGKILL)
    holder.communicate(timeout=60)
    lease = hub.leases.wait("src/a.py", timeout=60)
    assert (lease.holder, lease.token >> 40) == ("waiter", 1)
    hub.close()
    assert faults(read_log(tmp_path)) == []


@pytest.mark.parametrize(
    "history",
    [
        [Grant("src/", 1, 1, 3), Grant("src/a.py", 2, 2, 4)],
        [Grant("src/", 1, 1), Grant("src/a.py", 2, 2, 4)],
        [Grant("src/", 2, 1, 2), Grant("src/a.py", 2, 3, 4)],
    ],
)
def test_the_checker_sees_a_planted_fault(history: list[Grant]) -> None:
    assert faults(history)


names = st.sampled_from(["a", "b", "c"])
keys = st.sampled_from(["x.c", "y.c", "*.c", "src/", "src/x.c", "role:lead"])
modes = st.sampled_from(["exclusive", "exclusive", "shared"])


class LeaseMachine(RuleBasedStateMachine):
    """Three agents do anything in any order."""

    @initialize()
    def begin(self) -> None:
        self.fleet = Fleet(None)
        for name in ("a", "b", "c"):
            self.fleet.join(name, worktree="/two" if name == "c" else "/one")
        self.newest = 0
        self.tickets: dict[str, list[int]] = {"a": [], "b": [], "c": []}

    @rule(name=names, key=keys, mode=modes, ttl=st.integers(1, 90))
    def acquire(self, name: str, key: str, mode: str, ttl: int) -> None:
        try:
            self.granted([getattr(self.fleet, name).leases.acquire(key, mode=mode, ttl=ttl)])
        except LeaseHeld as refused:
            assert refused.details["holders"]
            assert name not in refused.details["holders"]

    @rule(name=names, wanted=st.lists(st.sampled_from(["x.c", "src/x.c"]), min_size=1, unique=True))
    def edit(self, name: str, wanted: list[str]) -> None:
        before = self.leases
        try:
            self.granted(getattr(self.fleet, name).leases.edit(wanted))
        except LeaseHeld:
            assert self.leases == before

    @rule(name=names, key=keys, ttl=st.integers(1, 90))
    def renew(self, name: str, key: str, ttl: int) -> None:
        holds = self.held(name, key)
        try:
            renewed = getattr(self.fleet, name).leases.renew(key, ttl=ttl)
        except LeaseLost:
            assert not holds
        else:
            assert renewed.token in [lease.token for lease in holds]

    @rule(name=names, key=keys, whole=st.booleans())
    def release(self, name: str, key: str, whole: bool) -> None:
        holds = self.held(name, key)
        try:
            getattr(self.fleet, name).leases.release(key, whole=whole)
        except LeaseLost:
            assert not holds

    @rule(name=names, wanted=st.lists(keys, min_size=1, max_size=2), mode=modes)
    def stand(self, name: str, wanted: list[str], mode: str) -> None:
        try:
            ticket = getattr(self.fleet, name).leases.stand(wanted, mode=mode)
        except Cycle as refused:
            assert refused.details["cycle"][0] == name
            assert len(refused.details["cycle"]) > 1
        else:
            self.tickets[name].append(ticket.number)

    @precondition(lambda self: any(self.tickets.values()))
    @rule(data=st.data())
    def claim(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from([name for name, mine in self.tickets.items() if mine]))
        number = data.draw(st.sampled_from(self.tickets[name]))
        leases = getattr(self.fleet, name).leases
        try:
            ready = leases.look(number).ready
            self.granted(granted := leases.claim(number))
            assert bool(granted) is ready
        except LeaseLost:
            assert number not in [waiter.ticket for waiter in self.queue]

    @rule(name=names)
    def crash(self, name: str) -> None:
        self.fleet.kill(name)
        self.fleet.join(name, worktree="/two" if name == "c" else "/one")
        self.tickets[name] = []

    @rule(seconds=st.sampled_from([0.001, 1, 29, 31, 61]))
    def let_time_pass(self, seconds: float) -> None:
        self.fleet.clock.advance(seconds)

    @rule()
    def tidy(self) -> None:
        before = self.leases
        self.fleet.roost(lambda leases: leases.tidy())
        assert self.leases == before

    @property
    def leases(self) -> tuple[Lease, ...]:
        return self.fleet.project.system().leases.list()

    @property
    def queue(self) -> tuple[Waiter, ...]:
        return self.fleet.project.system().leases.queue()

    def held(self, name: str, key: str) -> list[Lease]:
        mine = self.fleet.sessions[name]
        return [lease for lease in self.leases if lease.session == mine and lease.key == rules.parse(key)[1]]

    def granted(self, leases: tuple[Lease, ...] | list[Lease]) -> None:
        for lease in leases:
            if lease.granted_at == lease.expires_at - lease.ttl_ms and lease.held == 1 and lease.token > self.newest:
                self.newest = lease.token
        assert all(lease.token <= self.newest for lease in self.leases)

    @invariant()
    def nobody_holds_what_another_holds(self) -> None:
        for one, other in itertools.combinations(self.leases, 2):
            if self.is_live(one.session) and self.is_live(other.session):
                assert one.session == other.session or not rules.clash(one, other)

    @invariant()
    def no_ring_of_waits_exists(self) -> None:
        edges: dict[str, set[str]] = {}
        for waiter in self.queue:
            before = [lease for lease in self.leases if lease.session != waiter.session]
            rivals = [other for other in self.queue if other.ticket < waiter.ticket and other.session != waiter.session]
            for wish in waiter.wishes:
                edges.setdefault(waiter.session, set()).update(
                    {lease.session for lease in before if rules.clash(lease, wish) and not self.has(waiter, wish)}
                    | {
                        r.session
                        for r in rivals
                        if any(rules.clash(w, wish) for w in r.wishes) and not self.has(waiter, wish)
                    }
                )
        while loose := [who for who in edges if not edges[who] & edges.keys()]:
            for who in loose:
                del edges[who]
        assert not {who for who in edges if self.is_live(who)}

    @invariant()
    def the_first_in_line_takes_what_nobody_holds(self) -> None:
        if self.queue and not self.leases:
            first = self.queue[0]
            name = first.waiter
            if self.is_live(first.session):
                assert getattr(self.fleet, name).leases.look(first.ticket).ready

    def has(self, waiter: Waiter, wish: Wish) -> bool:
        return any(lease.session == waiter.session and rules.is_same(lease, wish) for lease in self.leases)

    def is_live(self, session: str) -> bool:
        return session in self.fleet.sessions.values()


LeaseMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestLeasesInAnyOrder = LeaseMachine.TestCase


def test_every_key_of_the_race_covers_the_same_file() -> None:
    stored = [rules.parse(key)[1] for key in KEYS]
    wishes = [Wish(kind="path", key=key, ttl_ms=1) for key in stored]
    assert all(rules.clash(a, b) for a in wishes for b in wishes)
