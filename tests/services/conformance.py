"""The hub's conformance suite: which modules it is made of, and which of their tests a door cannot offer, and why.

Those modules speak through hubs, and reach into the file only to look or to break something. The others show what Roost
itself does (turns, retention) or open projects of their own.
"""

from __future__ import annotations

BACKENDS = ("file", "native", "asyncio", "tls", "http")
MODULES = (
    "answers", "briefings", "channels", "deliveries", "followed", "history", "joining", "keys", "lease_queue",
    "leases", "letters", "messages", "operation_ends", "operations", "outlook", "pausing", "presence",
    "search", "visibility",
)  # fmt: skip

WITHOUT_TOKEN = {
    "test_a_change_that_nobody_could_stop_is_recorded_and_told": "leases.violated",
    "test_a_commit_frees_the_edits_and_keeps_explicit_leases": "leases.edit",
    "test_a_dead_agents_mail_is_reclaimed_and_a_live_ones_is_not": "turns.reclaim",
    "test_a_dead_letter_that_is_redelivered_waits_too": "deliveries.redeliver",
    "test_a_live_agent_is_fenced_only_by_a_takeover": "turns.become",
    "test_a_live_session_keeps_its_explicit_leases_by_its_beats": "leases.edit",
    "test_a_name_kept_for_later_is_adopted_with_its_mail": "turns.become",
    "test_a_new_name_renames_and_the_old_one_forwards": "turns.become",
    "test_a_session_that_is_over_holds_nothing": "leases.edit",
    "test_a_worktree_may_not_be_rewritten_while_others_hold_paths_in_it": "leases.edit",
    "test_after_a_rotation_old_and_new_messages_are_genuine": "agents.rotate_key",
    "test_after_eight_offers_without_proof_it_is_dead_and_its_sender_told": "deliveries.redeliver",
    "test_an_edit_takes_the_file_in_its_worktree_for_ten_minutes": "leases.edit",
    "test_an_explicit_lease_holds_in_every_worktree": "leases.edit",
    "test_an_offline_agent_is_inherited_only_when_asked_for": "turns.become",
    "test_an_agent_is_shown_and_refused_the_same_by_every_door": "leases.in_worktree",
    "test_another_pairs_dead_letter_answers_so_too": "deliveries.redeliver",
    "test_files_with_any_name_can_be_edited": "leases.edit",
    "test_nobody_becomes_the_person": "turns.become",
    "test_nobody_rotates_anothers_key": "agents.rotate_key",
    "test_ones_own_leases_forbid_no_edit": "leases.edit",
    "test_only_people_pause": "deliveries.pause",
    "test_what_is_not_final_is_never_sealed": "history.cut",
    "test_what_no_token_shows_is_the_same_without_one": "tokens.valid",
    "test_what_the_session_was_before_changes_nothing_any_more": "turns.become",
}
"""Tests in which an agent calls what no token of an agent allows, with that verb: they are shown without tokens."""

WITHOUT_HTTP = {
    "test_a_cursor_moves_over_what_the_filters_skip": "one request looks on until something fits",
    "test_a_live_agent_is_fenced_only_by_a_takeover": "a token stands for the agent, whichever its session",
    "test_a_wait_in_vain_ends_with_who_is_in_the_way_and_leaves_the_queue": "a wait of no time is no wait",
    "test_an_agent_is_shown_and_refused_the_same_by_every_door": "no token of an agent shows tokens",
    "test_what_no_frame_can_carry_is_refused_before_it_is_sent": "there are no frames; what is no Unicode is no JSON",
    "test_what_the_session_was_before_changes_nothing_any_more": "a token stands for the agent, whichever its session",
}
"""Tests of what HTTP does in a way of its own."""

WITHOUT_ROUTE = frozenset(
    {
        "test_a_name_that_lives_elsewhere_is_not_taken",
        "test_a_release_rings_those_who_wait_and_nobody_else",
        "test_a_session_that_is_over_holds_nothing",
        "test_an_edit_takes_the_file_in_its_worktree_for_ten_minutes",
        "test_files_with_any_name_can_be_edited",
        "test_nobody_becomes_the_person",
        "test_only_a_session_holds_leases",
        "test_only_people_pause",
        "test_several_keys_are_granted_together",
        "test_the_queue_has_an_end",
        "test_what_cannot_be_followed_is_refused",
    }
)
"""Tests that call no verb that has a route. Any other that calls none fails over HTTP, and belongs here."""

MODULES_WITHOUT_ROUTE = frozenset({"briefings", "keys"})


def backends_of(module: str, test: str) -> tuple[str, ...]:
    """Return the backends that a test runs on."""
    name = module.rpartition(".")[2].removeprefix("test_")
    if name == "hub":
        return ("file", "native")  # it opens hubs by a folder, where a daemon may be found
    if name not in MODULES:
        return ("file",)
    left_out = {"tls"} if test in WITHOUT_TOKEN else set[str]()
    if test in WITHOUT_HTTP or test in WITHOUT_ROUTE or name in MODULES_WITHOUT_ROUTE:
        left_out.add("http")
    return tuple(one for one in BACKENDS if one not in left_out)
