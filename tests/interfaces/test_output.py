"""Nothing that was stored steers a terminal, passes for a line of ours, or opens a client's tag."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.deliveries.model import Receipt
from roost.interfaces.cli.output import Output, json_text, plain
from roost.sessions.model import Moment

STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]")


@given(st.text())
def test_json_comes_back_as_it_was_and_is_plain_ascii(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    shown = json_text({"body": text})
    assert json.loads(shown) == {"body": text}
    assert shown.isascii()
    assert not STEERS.search(shown)
    assert "<" not in shown


@given(st.text())
def test_a_line_is_one_line_and_a_body_stays_behind_its_indent(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    written: list[str] = []
    out = Output()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("roost.interfaces.cli.output._write", written.append)
        out.line("from ", text)
        out.body(text)
        out.table(("a",), [[text]])
    line, body, *_ = written
    assert line.count("\n") == 1
    assert not STEERS.search("".join(written))
    assert all(each.startswith("    ") or not each for each in body.rstrip("\n").split("\n"))


def test_colours_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    Output().line(("x", "red"))
    assert "\x1b" not in capsys.readouterr().out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    Output().line(("x", "red"))
    assert capsys.readouterr().out == "\x1b[31mx\x1b[0m\n"
    monkeypatch.setenv("NO_COLOR", "1")
    Output().line(("x", "red"))
    assert capsys.readouterr().out == "x\n"


def test_bytes_are_hex_and_times_have_their_iso_form() -> None:
    shown = plain(
        Receipt(message="m", recipient="r", n=1, kind="read", at=1_000), Moment(now=2_000, wall=1_800_000_000_000)
    )
    assert shown["at"] == 1_000
    assert shown["at_iso"] == "2027-01-15T07:59:59.000Z"
    assert plain(b"\x01\xff") == "01ff"
