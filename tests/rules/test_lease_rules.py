"""Who gets a lease, who waits, and when a wait would never end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.errors import InvalidInput, InvalidKey, InvalidName
from roost.leases import rules
from roost.leases.model import Granted, Lease, LeaseMode, Refused, Waiter, Wish

NOW = 1_000_000


def wish(key: str = "src/a.py", *, mode: LeaseMode = "exclusive", worktree: str | None = None) -> Wish:
    kind, stored = rules.parse(key)
    return Wish(kind=kind, key=stored, mode=mode, ttl_ms=60_000, implicit=worktree is not None, worktree=worktree or "")


def lease(holder: str, of: Wish, *, expires_at: int = NOW + 1) -> Lease:
    return Lease(
        token=1,
        kind=of.kind,
        key=of.key,
        mode=of.mode,
        implicit=of.implicit,
        worktree=of.worktree,
        agent=holder,
        session=holder,
        holder=holder,
        ttl_ms=60_000,
        granted_at=0,
        expires_at=expires_at,
    )


def waiter(ticket: int, session: str, *wishes: Wish, expires_at: int = NOW + 1) -> Waiter:
    return Waiter(
        ticket=ticket,
        agent=session,
        session=session,
        wishes=wishes,
        patience_ms=60_000,
        asked_at=0,
        expires_at=expires_at,
    )


def ask(
    wanted: Wish, *leases: Lease, me: str = "me", waiters: tuple[Waiter, ...] = (), ticket: int | None = None
) -> Granted | Refused:
    return rules.grant(wanted, session=me, leases=leases, waiters=waiters, now=NOW, ticket=ticket)


def test_what_nobody_holds_is_granted() -> None:
    assert ask(wish(), lease("other", wish("src/b.py"))) == Granted()


def test_what_another_holds_is_refused_with_its_holder() -> None:
    held = lease("other", wish("src/"))
    assert ask(wish(), held) == Refused((held,))


def test_a_lease_ends_at_its_expiry_and_not_one_millisecond_later() -> None:
    assert ask(wish(), lease("other", wish(), expires_at=NOW)) == Granted()
    assert isinstance(ask(wish(), lease("other", wish(), expires_at=NOW + 1)), Refused)


def test_the_holder_itself_renews() -> None:
    held = lease("me", wish())
    assert ask(wish(), held) == Granted(renews=held)


def test_an_expired_lease_is_never_renewed_not_even_by_its_holder() -> None:
    assert ask(wish(), lease("me", wish(), expires_at=NOW)) == Granted()


def test_a_nested_acquire_is_not_held_up_by_those_who_wait() -> None:
    held = lease("me", wish())
    assert ask(wish(), held, waiters=(waiter(1, "other", wish()),)) == Granted(renews=held)


def test_a_session_may_hold_overlapping_keys() -> None:
    assert ask(wish(), lease("me", wish("src/"))) == Granted()


def test_readers_share_and_a_writer_does_not() -> None:
    reading = lease("other", wish(mode="shared"))
    assert ask(wish(mode="shared"), reading) == Granted()
    assert isinstance(ask(wish(), reading), Refused)
    assert isinstance(ask(wish(mode="shared"), lease("other", wish())), Refused)


@pytest.mark.parametrize(
    ("mine", "theirs", "granted"),
    [("/wt/a", "/wt/b", True), ("/wt/a", "/wt/a", False), (None, "/wt/b", False), ("/wt/a", None, False)],
)
def test_edits_of_two_worktrees_pass_and_explicit_leases_hold_in_all(
    mine: str | None, theirs: str | None, granted: bool
) -> None:
    outcome = ask(wish(worktree=mine), lease("other", wish(worktree=theirs)))
    assert isinstance(outcome, Granted) is granted


def test_kinds_do_not_meet() -> None:
    assert ask(wish("deploy"), lease("other", wish("resource:deploy"))) == Granted()
    assert isinstance(ask(wish("resource:deploy"), lease("other", wish("resource:deploy"))), Refused)
    assert ask(wish("resource:deploy"), lease("other", wish("resource:deploy/eu"))) == Granted()


def test_who_asked_earlier_comes_first() -> None:
    early = waiter(1, "early", wish("src/*.py"))
    assert ask(wish(), waiters=(early,)) == Refused((), (early,))
    assert ask(wish(), waiters=(early,), ticket=2) == Refused((), (early,))
    assert ask(wish("src/*.py"), waiters=(waiter(2, "late", wish()),), me="early", ticket=1) == Granted()


def test_a_writer_who_waits_is_not_overtaken_by_readers() -> None:
    writer = waiter(1, "writer", wish())
    outcome = ask(wish(mode="shared"), lease("reader", wish(mode="shared")), waiters=(writer,))
    assert outcome == Refused((), (writer,))


def test_a_lapsed_place_in_the_queue_holds_nobody_up() -> None:
    assert ask(wish(), waiters=(waiter(1, "gone", wish(), expires_at=NOW),)) == Granted()


def test_a_wait_that_closes_a_ring_is_found_with_the_ring() -> None:
    held = [lease("a", wish("x.c")), lease("b", wish("y.c")), lease("c", wish("z.c"))]
    waiting = [waiter(1, "a", wish("y.c")), waiter(2, "b", wish("z.c"))]
    ring = rules.cycle("c", [wish("x.c")], leases=held, waiters=waiting, now=NOW)
    assert ring == ("c", "a", "b")


def test_a_wait_behind_another_closes_a_ring_too() -> None:
    held = [lease("me", wish("x.c"))]
    waiting = [waiter(1, "other", wish("x.c"), wish("y.c"))]
    assert rules.cycle("me", [wish("y.c")], leases=held, waiters=waiting, now=NOW) == ("me", "other")


def test_a_chain_of_waits_is_no_ring() -> None:
    held = [lease("a", wish("x.c")), lease("b", wish("y.c"))]
    waiting = [waiter(1, "a", wish("y.c"))]
    assert rules.cycle("c", [wish("x.c")], leases=held, waiters=waiting, now=NOW) is None
    assert rules.cycle("b", [wish("z.c")], leases=held, waiters=waiting, now=NOW) is None


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), max_size=8), st.sampled_from("abcd"))
def test_rings_are_exactly_the_ways_back_to_the_asker(waits: list[tuple[str, str]], wanted: str) -> None:
    """Each session holds the file of its own name, and waits for those of others: a ring is a path in that graph."""
    held = [lease(name, wish(f"{name}.c")) for name in "abcd"]
    waiting = [waiter(n, who, wish(f"{what}.c")) for n, (who, what) in enumerate(waits, 1)]
    # A wait is also behind every earlier wait for the same file.
    edges = {(who, what) for who, what in waits if who != what}
    for n, (who, what) in enumerate(waits):
        edges |= {(who, before) for before, same in waits[:n] if same == what and before != who and who != what}
    edges |= {("a", wanted)} | {("a", who) for who, what in waits if what == wanted and who != "a"}
    reached = {there for here, there in edges if here == "a" and wanted != "a"} - {"a"}
    while more := {there for here, there in edges if here in reached} - reached:
        reached |= more
    ring = rules.cycle("a", [wish(f"{wanted}.c")], leases=held, waiters=waiting, now=NOW)
    own_waits = {what for who, what in waits if who == "a"} - {"a"}
    if wanted != "a" and not own_waits:
        assert (ring is not None) is ("a" in reached)
    if ring is not None:
        assert ring[0] == "a"
        assert len(set(ring)) == len(ring)
        assert all((here, there) in edges for here, there in zip(ring, ring[1:] + ring[:1], strict=True))


@pytest.mark.parametrize(
    ("text", "kind", "key"),
    [
        ("src/a.py", "path", "src/a.py"),
        ("role:reviewer", "role", "reviewer"),
        ("resource:deploy eu", "resource", "deploy eu"),
        ("task:12", "task", "12"),
        ("endpoint:%5", "endpoint", "%5"),
        ("./role:x.py", "path", "role:x.py"),
        ("note:x.py", "path", "note:x.py"),
    ],
)
def test_a_key_says_its_kind(text: str, kind: str, key: str) -> None:
    assert rules.parse(text) == (kind, key)


@pytest.mark.parametrize(
    "text", ["resource:", "resource: x", "task:x ", "resource:\n", "role:", "role:A", "role:..", ""]
)
def test_a_malformed_key_is_refused(text: str) -> None:
    with pytest.raises((InvalidKey, InvalidName)):
        rules.parse(text)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(InvalidInput):
        rules.parse("x", "lock")  # type: ignore[arg-type]


def test_names_are_shown_as_they_are_written() -> None:
    assert rules.name_of(wish("role:reviewer")) == "role:reviewer"
    assert rules.name_of(wish("src")) == "src"
