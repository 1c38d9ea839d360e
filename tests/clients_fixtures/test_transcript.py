"""Reading a transcript file from a remembered offset."""

import os
from pathlib import Path

import pytest

from roost.clients.claude import Claude, transcript
from roost.clients.claude.transcript import READ_BYTES_MAX, Window

from .recordings import offer
from .recordings import transcript as recording


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "session.jsonl"


def test_only_what_is_new_is_read(path: Path) -> None:
    path.write_bytes(b"one\ntwo\n")
    assert transcript.read(str(path), 4) == Window(b"two\n", 4)


def test_nothing_new_is_an_empty_window(path: Path) -> None:
    path.write_bytes(b"one\n")
    assert transcript.read(str(path), 4) == Window(b"", 4)


@pytest.mark.parametrize("offset", [5, 100])
def test_a_file_that_shrank_or_is_another_one_is_read_from_its_beginning(path: Path, offset: int) -> None:
    path.write_bytes(b"one\ntwo\n")
    assert transcript.read(str(path), offset) == Window(b"one\ntwo\n", 0)


def test_of_a_file_that_grew_too_much_the_last_whole_lines_are_read(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(READ_BYTES_MAX)
        file.seek(0, os.SEEK_END)
        file.write(b"\nlast\n")
    assert transcript.read(str(path), 0) == Window(b"last\n", READ_BYTES_MAX + 1, skipped=True)


def test_a_pipe_is_refused_at_once(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(OSError, match="not a regular file"):
        transcript.read(str(path), 0)


def test_a_missing_transcript_makes_offers_unreadable(path: Path) -> None:
    looked = Claude().proofs(str(path), 7, [offer("batch001")])
    assert (looked.verdicts[0].found, looked.offset) == ("unreadable", 7)


def test_a_second_look_begins_at_the_last_answer(path: Path) -> None:
    path.write_bytes(recording("turn"))
    first = Claude().proofs(str(path), 0, [offer("batch001")])
    assert first.verdicts[0].found == "proved"
    assert path.read_bytes()[first.offset :].count(b'"second"') == 1
    assert Claude().proofs(str(path), first.offset, []).offset == first.offset
