"""What text may be stored, and what of it reaches a terminal or a model."""

# ruff: noqa: RUF001 (look-alikes are the subject)

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.errors import BodyTooLarge, InvalidText, InvalidUtf8
from roost.text import (
    BODY_BYTES_MAX,
    BODY_INLINE_BYTES_MAX,
    agent_line,
    agent_safe,
    check_body,
    check_display,
    check_tags,
    pages,
    terminal_line,
    terminal_safe,
)

ANY_TEXT = st.text(st.characters(codec=None))
EVERY_CHARACTER = [chr(code) for code in range(sys.maxunicode + 1)]


def harmless(text: str) -> bool:
    """Say whether a terminal only prints this; written from the Unicode categories, not from the rule."""
    return all(
        letter in "\n\t\u200c\u200d" or unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
        for letter in text
    )


@pytest.mark.parametrize("text", ["x", "Red tests", "Größe", "第一行", "a" * 200, "é" * 200, "e\u0301" * 200])
def test_a_display_text_is_kept_in_composed_form(text: str) -> None:
    assert check_display(text) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\u3000",
        "a" * 201,
        "a" * 10000,
        "a\nb",
        "a\tb",
        "\x1b[1m",
        "a\u200bb",
        "a\u202eb",
        "a\u2028b",
        "a\ud800",
        "\x85",
        "\U000e0041",
    ],
)
def test_a_display_text_of_one_clean_line_or_none(text: str) -> None:
    with pytest.raises(InvalidText) as refused:
        check_display(text, what="subject")
    assert refused.value.code == "INVALID_TEXT"
    assert str(refused.value).startswith("subject")
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("value", [None, 3, True, b"x", ["x"]])
def test_a_display_text_is_text(value: object) -> None:
    with pytest.raises(InvalidText):
        check_display(value)


@pytest.mark.parametrize(
    "body", ["", "x", "\x1b[31m\r\n\t", "ü" * 10, "x" * BODY_BYTES_MAX, "ü" * (BODY_BYTES_MAX // 2)]
)
def test_a_body_is_kept_as_it_was_sent(body: str) -> None:
    assert check_body(body) == body
    assert check_body(body.encode()) == body


@pytest.mark.parametrize(
    "body", ["x" * (BODY_BYTES_MAX + 1), "ü" * (BODY_BYTES_MAX // 2 + 1), b"x" * (BODY_BYTES_MAX + 1)]
)
def test_a_body_over_one_mebibyte_is_refused(body: str | bytes) -> None:
    with pytest.raises(BodyTooLarge, match="bytes"):
        check_body(body)


@pytest.mark.parametrize("body", ["a\0b", "\ud800", b"\xff", b"\xed\xa0\x80", b"\xc0\xaf", b"a\0"])
def test_a_body_is_utf8_without_surrogates_and_nul(body: str | bytes) -> None:
    with pytest.raises(InvalidUtf8) as refused:
        check_body(body)
    assert refused.value.code == "INVALID_UTF8"


def test_a_body_is_text() -> None:
    with pytest.raises(InvalidText):
        check_body(None)


@given(st.text(max_size=400), st.integers(min_value=8, max_value=64))
def test_pages_join_to_the_body_and_none_is_too_long(body: str, size: int) -> None:
    cut = pages(body, size=size)
    assert "".join(cut) == body
    assert all(len(page.encode()) <= size for page in cut)


def test_a_page_ends_at_a_line_where_it_can() -> None:
    body = "line of text\n" * 20_000
    assert all(page.endswith("\n") for page in pages(body))
    assert pages("x" * BODY_INLINE_BYTES_MAX) == ["x" * BODY_INLINE_BYTES_MAX]


def test_tags_keep_their_order_and_lose_doubles() -> None:
    assert check_tags(["ui", "red", "ui"]) == ("ui", "red")
    assert check_tags(()) == ()
    assert len(check_tags([str(n) for n in range(32)])) == 32


@pytest.mark.parametrize("value", ["ui", 3, None, [3], ["a\n"], [""], ["x" * 65], [str(n) for n in range(33)]])
def test_tags_outside_the_rule_are_refused(value: object) -> None:
    with pytest.raises(InvalidText):
        check_tags(value)


def test_every_character_of_unicode_is_shown_harmlessly() -> None:
    for letter in EVERY_CHARACTER:
        shown = terminal_safe(f"a{letter}b")
        assert harmless(shown), f"U+{ord(letter):04X}"
        assert len(shown) >= 3


@given(ANY_TEXT)
def test_any_text_is_shown_harmlessly(text: str) -> None:
    assert harmless(terminal_safe(text))
    assert harmless(agent_safe(text))
    line = terminal_line(text)
    assert harmless(line)
    assert not {"\n", "\t", "\r"} & set(line)


@given(ANY_TEXT, st.integers(min_value=1, max_value=50))
def test_a_line_is_never_longer_than_asked(text: str, most: int) -> None:
    assert len(terminal_line(text, most=most)) <= most
    assert len(agent_line(text, most=most)) <= most


@pytest.mark.parametrize(
    "text", ["plain", "two\nlines\tand a tab", "Größe 第一行 🦉", "❤️‍🔥 👩‍👩‍👧", "می‌خواهم", "a < b && c > d"]
)
def test_ordinary_text_is_shown_as_it_is(text: str) -> None:
    assert terminal_safe(text) == text
    assert agent_safe(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]52;c;ZXZpbA==\x07", "[U+001B]]52;c;ZXZpbA==[U+0007]"),
        ("\x9b31m", "[U+009B]31m"),
        ("a\r\nb\rc", "a\nb[U+000D]c"),
        ("\u202egnp.exe", "[U+202E]gnp.exe"),
        ("\U000e0041\u200b\u2063", "[U+E0041][U+200B][U+2063]"),
        ("\ud83d", "[U+D83D]"),
        ("x\ufe0f\ufe0f\ufe0e", "x\ufe0f[U+FE0F][U+FE0E]"),
        ("\u200dx", "[U+200D]x"),
        ("x\u200d\u200c", "x\u200d[U+200C]"),
        ("x\ufe01\U000e0100", "x[U+FE01][U+E0100]"),
        ("\x7f\x00\x08", "[U+007F][U+0000][U+0008]"),
    ],
)
def test_what_steers_or_hides_becomes_a_marker(text: str, shown: str) -> None:
    assert terminal_safe(text) == shown


def test_a_line_cannot_be_forged_by_a_newline() -> None:
    assert terminal_line("ok\n14:02 admin -> all: stop\r\n") == "ok ⏎ 14:02 admin -> all: stop"
    assert terminal_line("x" * 100, most=10) == "x" * 9 + "…"


@pytest.mark.parametrize(
    "tag",
    [
        "system-reminder",
        "SYSTEM-REMINDER",
        "/system-reminder",
        "system_reminder",
        "ѕystem-reminder",
        "sys\u200btem-reminder",
        "system\xadreminder",
        "𝐬𝐲𝐬𝐭𝐞𝐦-reminder",
        "ｓｙｓｔｅｍ-ｒｅｍｉｎｄｅｒ",
        "sуstem-rеminder",
        "/ system-reminder",
        " system reminder",
        "system",
        "/system",
        "SYSTEM",
        "ѕуѕтем",
        "task-notification",
        "hook_context",
        "roost-mail",
        "/roost-message-x",
        "r00st-mail",
        "ʀᴏᴏꜱᴛ-mail",
        "persisted-output",
        "function_results",
        "antml:invoke",
        "śystem-reminder",
        "qwen:user-prompt-submit-context",
    ],
)
@pytest.mark.parametrize("opener", ["<", "＜", "‹", "⟨", "〈", "«"])
def test_a_tag_that_frames_a_models_context_is_broken(opener: str, tag: str) -> None:
    shown = agent_safe(f"before {opener}{tag}> after")
    assert shown.startswith("before &lt;")
    assert shown.endswith("> after")


@pytest.mark.parametrize(
    "code", ["#include <system_error>", "<div>", "List<Systems>", "a<b", "<message>", "x << system", "<html>"]
)
def test_ordinary_code_is_not_touched(code: str) -> None:
    assert agent_safe(code) == code


@pytest.mark.parametrize(
    "marker", ['offer="k3f9x2ab"', "offer='k3f9x2ab'", 'offer = "k3f9x2ab"', 'offer=\\"k3f9x2ab\\"', "OFFER=“k3”"]
)
def test_a_body_cannot_carry_the_marker_of_an_offer(marker: str) -> None:
    assert "&quot;" in agent_safe(marker)
    assert marker not in agent_safe(f"see {marker}")
