"""How a briefing keeps to its budget, and what a checkpoint may hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from roost.briefings.model import Section
from roost.errors import InvalidInput, InvalidText
from roost.text import check_body

BRIEFING_BYTES_MAX = 6_000
"""Bytes of UTF-8, so at most as many characters: clients count in different units."""
LINE_CHARACTERS_MAX = 160
NOTE_BYTES_MAX = 4_000
FILES_MAX = 64
PATH_CHARACTERS_MAX = 512
CHECKPOINTS_KEPT = 20
"""Checkpoints of one agent; older ones are dropped, the log keeps that they were written."""


def compose(sections: Sequence[Section], *, limit: int = BRIEFING_BYTES_MAX) -> str:
    """Return the sections as text of at most `limit` bytes; what does not fit is counted, and it is said where it is.

    The first section is the agent's identity and stays whole as long as anything does.
    """
    shown = [len(section.lines) for section in sections]
    text = _text(sections, shown)
    while len(text.encode()) > limit:
        candidates = [place for place in range(1, len(sections)) if shown[place]]
        if not candidates:
            return text.encode()[:limit].decode(errors="ignore")
        weakest = min(candidates, key=lambda place: (sections[place].weight, -place))
        shown[weakest] -= 1
        text = _text(sections, shown)
    return text


def check_note(note: object) -> str:
    """Return the note of a checkpoint: text of at most 4,000 bytes. Raises InvalidText, InvalidUtf8."""
    text = check_body(note)
    if (size := len(text.encode())) > NOTE_BYTES_MAX:
        raise InvalidText(f"the note has {size:,} bytes", hint=f"at most {NOTE_BYTES_MAX:,} are kept")
    return text


def check_files(files: Iterable[str]) -> tuple[str, ...]:
    """Return the files of a checkpoint: at most 64 paths of 512 characters. Raises InvalidInput."""
    if isinstance(files, str):
        raise InvalidInput("files must be a list of paths", hint='write files=["src/app.py"]')
    chosen = tuple(files)
    if len(chosen) > FILES_MAX:
        raise InvalidInput(f"{len(chosen)} files are more than {FILES_MAX}", hint="name the main ones")
    for path in chosen:
        if len(check_body(path)) > PATH_CHARACTERS_MAX:
            raise InvalidInput(f"a path has {len(path):,} characters", hint=f"at most {PATH_CHARACTERS_MAX} are kept")
    return chosen


def _text(sections: Sequence[Section], shown: Sequence[int]) -> str:
    parts = [_section(section, count) for section, count in zip(sections, shown, strict=True)]
    return "\n\n".join(part for part in parts if part)


def _section(section: Section, count: int) -> str:
    left_out = section.beyond + len(section.lines) - count
    if not count and not (left_out and section.rest):
        return ""
    lines = [f"## {section.title}"] if section.title else []
    lines += section.lines[:count]
    if left_out:
        lines.append(f"- {'and ' if count else ''}{left_out} more{': ' + section.rest if section.rest else ''}")
    return "\n".join(lines)
