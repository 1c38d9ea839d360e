"""Leases on a real store: who holds what, and until when."""

from __future__ import annotations

import time

import pytest

from roost.errors import (
    BatchTooLarge,
    EpochChanged,
    Forbidden,
    InvalidInput,
    InvalidKey,
    InvalidTtl,
    LeaseHeld,
    LeaseLost,
    LimitReached,
    SessionEnded,
    StaleToken,
    UnknownLease,
    WhoAreYou,
)
from roost.leases import rules
from roost.leases.model import TOKEN_BITS
from tests.services.lease_fleet import Fleet


def test_a_lease_is_the_callers_until_its_time_is_over(fleet: Fleet) -> None:
    lease = fleet.planner.leases.acquire("src/auth.py", ttl=60, reason="login")
    assert (lease.holder, lease.key, lease.reason) == ("planner", "src/auth.py", "login")
    fleet.clock.advance(59.999)
    with pytest.raises(LeaseHeld):
        fleet.builder.leases.acquire("src/auth.py")
    fleet.clock.advance(0.001)
    assert fleet.builder.leases.acquire("src/auth.py").holder == "builder"


def test_a_refusal_says_who_holds_it_why_until_when_and_what_to_do(fleet: Fleet) -> None:
    fleet.planner.leases.acquire("src/", ttl=60, reason="big rename")
    with pytest.raises(LeaseHeld) as refused:
        fleet.builder.leases.acquire("src/*.py")
    text = str(refused.value)
    assert text.startswith("src/*.py is held by planner (as src) until ")
    assert "for: big rename" in text
    assert "roost lease wait src/*.py" in text
    assert refused.value.details["seconds_left"] == 60.0


def test_a_refusal_names_the_time_on_peoples_clock(fleet: Fleet) -> None:
    fleet.planner.leases.acquire("a.py", ttl=60)
    fleet.clock.jump_wall(3 * 24 * 3600 + 7)
    with pytest.raises(LeaseHeld) as refused:
        fleet.builder.leases.acquire("a.py")
    until = time.strftime("%H:%M:%S", time.localtime(fleet.clock.wall_ms() / 1000 + 60))
    assert f"until {until}" in str(refused.value)


def test_a_glob_and_a_path_conflict_both_ways(fleet: Fleet) -> None:
    fleet.planner.leases.acquire("src/**/*.py")
    with pytest.raises(LeaseHeld):
        fleet.builder.leases.acquire("src/deep/a.py")
    fleet.builder.leases.acquire("docs/a.md")
    with pytest.raises(LeaseHeld):
        fleet.planner.leases.acquire("**/*.md")


def test_a_refused_caller_holds_nothing(fleet: Fleet) -> None:
    fleet.planner.leases.acquire("b.py")
    with pytest.raises(LeaseHeld):
        fleet.builder.leases.acquire_all(["a.py", "b.py", "c.py"])
    assert fleet.builder.leases.list(mine=True) == ()
    assert [lease.holder for lease in fleet.builder.leases.list()] == ["planner"]


def test_several_keys_are_granted_together(fleet: Fleet) -> None:
    leases = fleet.planner.leases.acquire_all(["a.py", "./a.py", "role:lead"])
    assert [rules.name_of(lease) for lease in leases] == ["a.py", "role:lead"]


def test_the_holder_acquires_again_and_releases_as_often(fleet: Fleet) -> None:
    first = fleet.planner.leases.acquire("a.py", ttl=60)
    again = fleet.planner.leases.acquire("a.py", ttl=60)
    assert (again.token, again.held) == (first.token, 2)
    assert fleet.planner.leases.release("a.py").ended_at is None
    with pytest.raises(LeaseHeld):
        fleet.builder.leases.acquire("a.py")
    assert fleet.planner.leases.release("a.py").end == "released"
    fleet.builder.leases.acquire("a.py")


def test_a_nested_acquire_of_a_shorter_time_does_not_shorten_the_lease(fleet: Fleet) -> None:
    fleet.planner.leases.acquire("a.py", ttl=600)
    fleet.planner.leases.acquire("a.py", ttl=10)
    fleet.planner.leases.release("a.py")
    fleet.clock.advance(100)
    assert fleet.planner.leases.list(mine=True)


def test_everything_can_be_released_at_once(fleet: Fleet) -> None:
    for _ in range(3):
        fleet.planner.leases.acquire("a.py")
    assert fleet.planner.leases.release("a.py", whole=True).end == "released"


def test_readers_share_and_a_writer_waits_for_all_of_them(fleet: Fleet) -> None:
    fleet.planner.leases.acquire("a.py", mode="shared")
    fleet.tester.leases.acquire("a.py", mode="shared")
    fleet.planner.leases.release("a.py")
    with pytest.raises(LeaseHeld) as refused:
        fleet.builder.leases.acquire("a.py")
    assert refused.value.details["holders"] == ["tester"]


def test_a_reader_becomes_a_writer_only_alone(fleet: Fleet) -> None:
    reading = fleet.planner.leases.acquire("a.py", mode="shared")
    fleet.tester.leases.acquire("a.py", mode="shared")
    with pytest.raises(LeaseHeld):
        fleet.planner.leases.acquire("a.py")
    fleet.tester.leases.release("a.py")
    writing = fleet.planner.leases.acquire("a.py")
    assert writing.token > reading.token
    fleet.planner.leases.release("a.py", token=writing.token)
    fleet.tester.leases.acquire("a.py", mode="shared")


def test_renewing_counts_from_now(fleet: Fleet) -> None:
    fleet.planner.leases.acquire("a.py", ttl=60)
    fleet.clock.advance(50)
    fleet.planner.leases.renew("a.py")
    fleet.clock.advance(59)
    assert fleet.planner.leases.renew("a.py", ttl=5).ttl_ms == 5_000
    fleet.clock.advance(5)
    assert fleet.planner.leases.list() == ()


def test_renewing_never_revives_a_lease_that_ran_out(fleet: Fleet) -> None:
    lease = fleet.planner.leases.acquire("a.py", ttl=1)
    fleet.clock.advance(1)
    for token in (None, lease.token):
        with pytest.raises(LeaseLost):
            fleet.planner.leases.renew("a.py", token=token)
    fleet.roost(lambda leases: leases.tidy())
    with pytest.raises(LeaseLost):
        fleet.planner.leases.renew("a.py")


def test_nobody_renews_or_releases_the_lease_of_another(fleet: Fleet) -> None:
    lease = fleet.planner.leases.acquire("a.py")
    for token in (None, lease.token):
        with pytest.raises(LeaseLost):
            fleet.builder.leases.renew("a.py", token=token)
        with pytest.raises(LeaseLost):
            fleet.builder.leases.release("a.py", token=token)


def test_the_wall_clock_neither_ends_nor_prolongs_a_lease(fleet: Fleet) -> None:
    fleet.planner.leases.acquire("a.py", ttl=60)
    fleet.clock.jump_wall(3600)
    with pytest.raises(LeaseHeld):
        fleet.builder.leases.acquire("a.py")
    fleet.clock.jump_wall(-7200)
    fleet.clock.advance(60)
    fleet.builder.leases.acquire("a.py")


def test_tokens_only_grow_over_keys_holders_and_purges(fleet: Fleet) -> None:
    tokens = []
    for round_ in range(3):
        for name in ("planner", "builder"):
            lease = getattr(fleet, name).leases.acquire(f"{name}.py", ttl=1)
            tokens.append(lease.token)
        fleet.clock.advance(8 * 24 * 3600 if round_ else 1)
        fleet.roost(lambda leases: leases.tidy())
    assert tokens == sorted(set(tokens))
    assert tokens[0] >> TOKEN_BITS == 1


def test_a_stale_token_is_refused(fleet: Fleet) -> None:
    lease = fleet.planner.leases.acquire("src/", ttl=1)
    assert fleet.planner.leases.verify("src/a.py", lease.token) == lease
    with pytest.raises(StaleToken):
        fleet.planner.leases.verify("docs/a.md", lease.token)
    fleet.clock.advance(1)
    with pytest.raises(StaleToken):
        fleet.planner.leases.verify("src/a.py", lease.token)
    with pytest.raises(StaleToken):
        fleet.planner.leases.release("src/", token=lease.token + 1)


def test_after_a_restore_old_leases_and_tokens_are_void(fleet: Fleet) -> None:
    lease = fleet.planner.leases.acquire("a.py")
    with fleet.store.write() as tx:
        tx._connection.execute("UPDATE store SET epoch = epoch + 1")
    for call in (fleet.planner.leases.verify, lambda key, token: fleet.planner.leases.renew(key, token=token)):
        with pytest.raises(EpochChanged):
            call("a.py", lease.token)
    assert fleet.planner.leases.list() == ()
    newer = fleet.builder.leases.acquire("a.py")
    assert newer.token >> TOKEN_BITS == 2
    assert ("restored", "path:a.py") in fleet.log()


def test_an_edit_takes_the_file_in_its_worktree_for_ten_minutes(fleet: Fleet) -> None:
    fleet.join("planner", worktree="/repo")
    fleet.join("builder", worktree="/repo")
    fleet.join("tester", worktree="/other")
    (lease,) = fleet.planner.leases.edit(["src/a.py"])
    assert (lease.implicit, lease.worktree, lease.ttl_ms) == (True, "/repo", 600_000)
    with pytest.raises(LeaseHeld, match=r"planner is editing src/a.py, and has it until"):
        fleet.builder.leases.edit(["src/a.py"])
    fleet.tester.leases.edit(["src/a.py"])
    fleet.clock.advance(599)
    (again,) = fleet.planner.leases.edit(["src/a.py"])
    assert (again.token, again.held) == (lease.token, 1)
    fleet.clock.advance(599)
    assert [held.holder for held in fleet.builder.leases.check(["src/a.py"])] == ["planner"]
    fleet.clock.advance(1)
    assert fleet.builder.leases.check(["src/a.py"]) == ()


def test_an_explicit_lease_holds_in_every_worktree(fleet: Fleet) -> None:
    fleet.planner.leases.acquire("src/")
    fleet.join("builder", worktree="/elsewhere")
    assert fleet.builder.leases.check(["src/a.py", "docs/a.md"])[0].holder == "planner"
    with pytest.raises(LeaseHeld):
        fleet.builder.leases.edit(["src/a.py"])


def test_ones_own_leases_forbid_no_edit(fleet: Fleet) -> None:
    fleet.planner.leases.acquire("src/")
    assert fleet.planner.leases.check(["src/a.py"]) == ()
    fleet.planner.leases.edit(["src/a.py"])


def test_files_with_any_name_can_be_edited(fleet: Fleet) -> None:
    names = ["app/[id]/page.tsx", "docs/über.md", "a b*.txt", "100%.md", "back\\slash"]
    fleet.planner.leases.edit(names)
    for name in names:
        assert len(fleet.builder.leases.check([name])) == 1
    assert fleet.builder.leases.check(["app/i/page.tsx", "a bc.txt"]) == ()


def test_a_commit_frees_the_edits_and_keeps_explicit_leases(fleet: Fleet) -> None:
    fleet.planner.leases.acquire("src/")
    fleet.planner.leases.edit(["src/a.py", "src/b.py"])
    fleet.planner.leases.release_edits(["src/a.py"])
    assert [lease.key for lease in fleet.planner.leases.list()] == ["src/", "src/b.py"]
    fleet.planner.leases.release_edits()
    assert [lease.key for lease in fleet.planner.leases.list()] == ["src/"]


def test_a_worktree_may_not_be_rewritten_while_others_hold_paths_in_it(fleet: Fleet) -> None:
    for name, worktree in (("planner", "/repo"), ("builder", "/repo"), ("tester", "/other")):
        fleet.join(name, worktree=worktree)
    fleet.planner.leases.edit(["a.py"])
    fleet.tester.leases.edit(["b.py"])
    fleet.tester.leases.acquire("role:tester")
    assert [lease.key for lease in fleet.builder.leases.in_worktree()] == ["a.py"]
    assert fleet.planner.leases.in_worktree() == ()
    fleet.tester.leases.acquire("docs/")
    assert [lease.key for lease in fleet.planner.leases.in_worktree()] == ["docs/"]


def test_a_change_that_nobody_could_stop_is_recorded_and_told(fleet: Fleet) -> None:
    fleet.planner.leases.acquire("src/")
    broken = fleet.builder.leases.violated(["src/a.py", "free.py"], how="sed -i", digest="abc")
    assert [lease.holder for lease in broken] == ["planner"]
    assert fleet.log("violated") == [("violated", "path:src/a.py")]


def test_a_session_that_is_over_holds_nothing(fleet: Fleet) -> None:
    fleet.planner.leases.acquire_all(["a.py", "role:lead"])
    fleet.planner.leases.edit(["b.py"])
    fleet.roost(lambda leases: leases.release_session(fleet.sessions["planner"]))
    fleet.builder.leases.acquire_all(["a.py", "b.py", "role:lead"])
    assert len(fleet.log("orphaned")) == 3


def test_what_a_dead_process_held_is_free_at_once(fleet: Fleet) -> None:
    fleet.planner.leases.acquire("src/")
    fleet.kill("planner")
    assert fleet.builder.leases.check(["src/a.py"]) == ()
    fleet.builder.leases.acquire("src/a.py")
    assert fleet.log() == [("granted", "path:src/"), ("orphaned", "path:src/"), ("granted", "path:src/a.py")]


def test_where_the_process_cannot_be_seen_the_time_of_the_lease_decides(fleet: Fleet) -> None:
    fleet.join("planner", host="elsewhere").leases.acquire("a.py", ttl=100)
    fleet.clock.advance(99)
    with pytest.raises(LeaseHeld):
        fleet.builder.leases.acquire("a.py")
    fleet.clock.advance(1)
    fleet.builder.leases.acquire("a.py")


def test_a_live_session_keeps_its_explicit_leases_by_its_beats(fleet: Fleet) -> None:
    planner = fleet.planner
    planner.leases.acquire("a.py", ttl=60)
    planner.leases.edit(["b.py"], ttl=60)
    for _ in range(3):
        fleet.clock.advance(40)
        fleet.roost(lambda leases: leases.keep(fleet.sessions["planner"]))
    assert [lease.key for lease in planner.leases.list()] == ["a.py"]
    events = fleet.log()
    fleet.clock.advance(60)
    assert fleet.roost(lambda leases: leases.keep(fleet.sessions["planner"])) == 0
    assert fleet.log() == events


def test_a_person_may_take_a_lease_and_an_agent_may_not(fleet: Fleet) -> None:
    fleet.planner.leases.acquire("a.py")
    fleet.join("ada", kind="human")
    with pytest.raises(Forbidden):
        fleet.builder.leases.revoke("a.py", reason="I want it")
    (taken,) = fleet.ada.leases.revoke("a.py", reason="stuck")
    assert taken.end == "revoked"
    with pytest.raises(LeaseLost):
        fleet.planner.leases.renew("a.py")
    with pytest.raises(UnknownLease):
        fleet.ada.leases.revoke("a.py", reason="again")


def test_a_takeover_frees_what_the_earlier_session_held(fleet: Fleet) -> None:
    old = fleet.join("planner", host="elsewhere")
    lease = old.leases.acquire("role:lead")
    fleet.join("planner")
    with pytest.raises(SessionEnded):
        old.leases.renew("role:lead")
    assert fleet.builder.leases.acquire("role:lead").token > lease.token


def test_tidying_only_tells_what_time_has_already_done(fleet: Fleet) -> None:
    fleet.planner.leases.acquire("a.py", ttl=1)
    fleet.clock.advance(1)
    assert fleet.builder.leases.who("a.py") == ()
    fleet.roost(lambda leases: leases.tidy())
    assert fleet.roost(lambda leases: leases.tidy()) == 0
    assert fleet.log() == [("granted", "path:a.py"), ("expired", "path:a.py")]


@pytest.mark.parametrize(
    "ttl", [0, 0.999, -1, 86_400.1, 1e308, float("nan"), float("inf"), True, "60", "1_000", None, [60]]
)
def test_a_ttl_outside_a_second_to_a_day_is_refused(fleet: Fleet, ttl: float) -> None:
    with pytest.raises(InvalidTtl):
        fleet.planner.leases.acquire("a.py", ttl=ttl)
    with pytest.raises(InvalidTtl):
        fleet.planner.leases.stand(["a.py"], patience=ttl if ttl != 86_400.1 else 0)


@pytest.mark.parametrize("ttl", [1, 86_400, 1.5])
def test_a_ttl_of_a_second_to_a_day_is_taken(fleet: Fleet, ttl: float) -> None:
    assert fleet.planner.leases.acquire("a.py", ttl=ttl).ttl_ms == ttl * 1000


def test_wrong_keys_modes_and_lists_are_refused(fleet: Fleet) -> None:
    leases = fleet.planner.leases
    for key in ("", "/etc", "../x", "a\0", "ü", "a" * 513):
        with pytest.raises(InvalidKey):
            leases.acquire(key)
    with pytest.raises(InvalidInput):
        leases.acquire("a.py", mode="greedy")  # type: ignore[arg-type]
    for keys in ([], "a.py", [f"{n}.py" for n in range(rules.KEYS_MAX + 1)]):
        with pytest.raises(BatchTooLarge):
            leases.acquire_all(keys)
    assert leases.list() == ()


def test_a_session_holds_at_most_so_many_leases(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "HELD_MAX", 3)
    fleet.planner.leases.acquire_all(["a.py", "b.py", "c.py"])
    with pytest.raises(LimitReached):
        fleet.planner.leases.acquire("d.py")


def test_only_a_session_holds_leases(fleet: Fleet) -> None:
    with pytest.raises(WhoAreYou):
        fleet.project.system().leases.acquire("a.py")
