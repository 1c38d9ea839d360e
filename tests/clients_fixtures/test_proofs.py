"""What a real client's transcript proves, shape by shape, and what it does not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.clients.claude import proofs
from roost.clients.claude.proofs import LATE_MS, scan
from roost.deliveries.model import Verdict

from .recordings import entries, joined, offer, transcript


def judge(name: str, nonce: str) -> tuple[str, str]:
    (verdict,) = scan(transcript(name), 0, [offer(nonce)]).verdicts
    return verdict.found, verdict.shape


def judge_entries(changed: list[dict[str, object]], nonce: str) -> str:
    (verdict,) = scan(joined(changed), 0, [offer(nonce)]).verdicts
    return verdict.found


@pytest.mark.parametrize(
    ("recording", "nonce", "shape"),
    [
        ("turn", "start001", "start"),
        ("turn", "prompt01", "prompt"),
        ("turn", "pretool1", "pre-tool"),
        ("turn", "posttoo1", "tool"),
        ("turn", "failure1", "tool"),
        ("turn", "batch001", "tool batch"),
        ("turn", "stop0001", "stop"),
        ("rewake", "rewidle1", "rewake"),
        ("rewake", "rewbusy1", "rewake"),
        ("inbox", "inbidle1", "inbox"),
        ("inbox", "inbbusy1", "inbox"),
        ("compaction", "start001", "start"),
        ("compaction", "compact1", "start"),
        ("clear_2", "clear001", "start"),
        ("resume", "resume01", "start"),
        ("resume_2", "fork0001", "start"),
        ("parallel", "pretool3", "pre-tool"),
        ("parallel", "batch001", "tool batch"),
        ("stream", "pretool1", "pre-tool"),
    ],
)
def test_text_that_an_answer_follows_is_proved(recording: str, nonce: str, shape: str) -> None:
    assert judge(recording, nonce) == ("proved", shape)


def test_text_that_no_answer_followed_before_the_crash_is_only_shown() -> None:
    assert judge("crash", "batch001") == ("shown", "tool batch")


def test_an_error_of_the_api_is_no_answer() -> None:
    assert judge("api_error", "batch001") == ("shown", "tool batch")


def test_quotations_by_the_user_a_tool_and_the_model_prove_nothing() -> None:
    assert judge("quoted", "quoted01")[0] == "absent"


def test_text_typed_into_a_busy_client_proves_nothing() -> None:
    assert judge("inbox", "typed001")[0] != "proved"


def test_later_blocks_of_the_answer_that_called_the_tool_are_no_proof() -> None:
    """The client runs a tool while the answer still streams, so the answer's next block stands after the text."""
    recorded = entries("stream")
    answers = [n for n, entry in enumerate(recorded) if entry["type"] == "assistant"]
    same = {recorded[n]["message"]["id"] for n in answers[:2]}
    assert len(same) == 1
    until_second_block = recorded[: answers[1] + 1]
    assert judge_entries(until_second_block, "pretool1") == "shown"
    assert judge_entries(until_second_block, "posttoo1") == "shown"


def test_the_nonce_alone_is_not_the_marker() -> None:
    text = transcript("turn").replace(rb"offer=\"batch001\"", rb"/batch001")
    (verdict,) = scan(text, 0, [offer("batch001")]).verdicts
    assert verdict.found == "absent"


def test_what_a_subagent_was_given_proves_nothing_about_the_agent() -> None:
    recorded = [entry | {"isSidechain": True} for entry in entries("turn")]
    assert judge_entries(recorded, "batch001") == "early"


def test_compaction_between_text_and_answer_loses_the_text() -> None:
    recorded = entries("compaction")
    boundary = next(n for n, entry in enumerate(recorded) if entry.get("subtype") == "compact_boundary")
    stop = next(n for n, entry in enumerate(recorded) if "stop0001" in json.dumps(entry))
    without_answer = [entry for entry in recorded[stop:boundary] if entry["type"] != "assistant"]
    assert judge_entries(recorded[:stop] + without_answer + recorded[boundary:], "stop0001") == "absent"


def test_text_in_a_shape_that_is_not_known_is_unreadable_not_absent() -> None:
    renamed = transcript("turn").replace(b"hook_additional_context", b"hook_context_of_next_year")
    (verdict,) = scan(renamed, 0, [offer("batch001")]).verdicts
    assert verdict.found == "unreadable"


def test_a_new_way_of_giving_prompts_is_unreadable_not_absent() -> None:
    renamed = transcript("rewake").replace(b'"task-notification"', b'"notification-of-next-year"')
    (verdict,) = scan(renamed, 0, [offer("rewbusy1")]).verdicts
    assert verdict.found != "absent"


def test_text_that_waits_in_the_clients_queue_is_shown() -> None:
    recorded = entries("rewake")
    queued = next(n for n, entry in enumerate(recorded) if "rewbusy1" in json.dumps(entry))
    assert recorded[queued]["type"] == "queue-operation"
    assert judge_entries(recorded[: queued + 1], "rewbusy1") == "shown"


def test_an_offer_is_absent_only_after_an_answer_that_should_have_had_it() -> None:
    recorded = transcript("turn")
    last_answer = proofs._wall_of([entry for entry in entries("turn") if entry["type"] == "assistant"][-1])
    found = [
        scan(recorded, 0, [offer("nowhere1", offered_wall)]).verdicts[0].found
        for offered_wall in (last_answer - LATE_MS - 1, last_answer - LATE_MS, last_answer + 60_000)
    ]
    assert found == ["absent", "early", "early"]


def test_nothing_is_absent_when_a_part_was_never_looked_at() -> None:
    (verdict,) = scan(transcript("turn"), 1000, [offer("nowhere1")], skipped=True).verdicts
    assert verdict.found == "unreadable"


def test_a_line_still_being_written_is_left_for_the_next_look() -> None:
    whole = transcript("turn")
    cut = whole.rindex(b"batch001")
    first = scan(whole[:cut], 0, [offer("batch001")])
    again = scan(whole[first.offset :], first.offset, [offer("batch001")])
    assert again.verdicts[0].found == "proved"


def test_a_line_that_is_no_json_is_passed_over() -> None:
    deep = b'{"type":"assistant","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n"
    whole = b'{"type":"assistant" batch001\n\xff\xfe batch001\n' + deep + transcript("turn")
    assert scan(whole, 0, [offer("batch001")]).verdicts[0].found == "proved"


def test_an_entry_that_was_cut_inside_a_character_counts() -> None:
    cut = [line[:-1] + b',"cut":"\\ud83d"}' for line in transcript("turn").splitlines()]
    assert scan(b"\n".join(cut) + b"\n", 0, [offer("batch001")]).verdicts[0].found == "proved"


def test_a_line_too_long_to_be_a_hooks_text_is_passed_over() -> None:
    whole = b'{"type":"new","text":"' + b"x" * proofs.ENTRY_BYTES_MAX + b'batch001"}\n' + transcript("turn")
    assert scan(whole, 0, [offer("batch001")]).verdicts[0].found == "proved"


@pytest.mark.parametrize(
    ("recording", "nonces"),
    [
        ("turn", ["start001", "prompt01", "pretool1", "posttoo1", "failure1", "batch001", "stop0001"]),
        ("stream", ["pretool1", "pretool2", "posttoo1"]),
        ("parallel", ["pretool1", "pretool2", "pretool3", "batch001"]),
        ("rewake", ["rewidle1", "rewbusy1"]),
    ],
)
@given(data=st.data())
def test_however_often_one_looks_the_result_is_that_of_one_look_at_the_end(
    recording: str, nonces: list[str], data: st.DataObject
) -> None:
    whole = transcript(recording)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    offset, proved = 0, set[str]()
    for cut in [*cuts, len(whole)]:
        still_open = [offer(nonce) for nonce in nonces if nonce not in proved]
        looked = scan(whole[offset:cut] if cut >= offset else b"", offset, still_open)
        assert looked.offset >= offset
        assert looked.offset == 0 or whole[looked.offset - 1 : looked.offset] == b"\n"
        offset = looked.offset
        proved |= {verdict.nonce for verdict in looked.verdicts if verdict.found == "proved"}
    assert proved == set(nonces)


def test_verdicts_come_in_the_order_of_the_offers() -> None:
    looked = scan(transcript("turn"), 0, [offer("batch001"), offer("nowhere1"), offer("start001")])
    assert looked.verdicts == (
        Verdict(nonce="batch001", found="proved", shape="tool batch"),
        Verdict(nonce="nowhere1", found="absent"),
        Verdict(nonce="start001", found="proved", shape="start"),
    )
