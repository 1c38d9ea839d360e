"""What the documents say to type is what there is, and their links lead somewhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from roost.interfaces.cli.app import app
from roost.interfaces.cli.verbs import Cli

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
INLINE = re.compile(r"`roost ([^`]+)`")
ENDS = frozenset({"|", "||", "&&", ";", ">", ">>", "<", "&", ")"})
"""Where one command of a shell's line ends."""


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_of_a_document_leads_somewhere(path: Path) -> None:
    text = FENCE.sub("", path.read_text())
    wrong = [link for link in LINK.findall(text) if not link.startswith("https://") and not _leads(path, link)]
    assert not wrong


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_a_document_shows_can_be_typed(path: Path) -> None:
    for words in _commands(path.read_text()):
        _parse(words)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_verb_that_a_document_names_is_there(path: Path) -> None:
    for said in INLINE.findall(FENCE.sub("", path.read_text())):
        _look_up(said)


def test_every_verb_that_roost_itself_advises_is_there() -> None:
    for path in (ROOT / "src").rglob("*.py"):
        for said in INLINE.findall(path.read_text()):
            _look_up(said)


def test_every_document_is_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    named = {(index.parent / link.partition("#")[0]).resolve() for link in LINK.findall(index.read_text())}
    listed = {path.parent if path.parent.name == "decisions" else path for path in ROOT.glob("docs/**/*.md")}
    assert listed - {index} <= named


def _leads(path: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = (path.parent / name).resolve() if name else path
    return target.exists() and (not anchor or anchor in _anchors(target))


def _anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _commands(text: str) -> Iterator[list[str]]:
    """Yield the words behind each `roost` of the shell's lines that a document shows."""
    for language, block in FENCE.findall(text):
        if language not in ("sh", "console"):
            continue
        for line in block.replace("\\\n", " ").splitlines():
            if language == "sh" or line.startswith("$ "):
                yield from _of_line(line.removeprefix("$ "))


def _of_line(line: str) -> Iterator[list[str]]:
    for inner in re.findall(r'"\$\((roost [^)]*)\)"', line):
        yield from _of_line(inner)
    words = list(shlex.shlex(re.sub(r'"\$\([^)]*\)"', "it", line), posix=True, punctuation_chars=True))
    at = 0
    while "roost" in words[at:]:
        at = words.index("roost", at) + 1
        is_first = at == 1 or words[at - 2] in ENDS
        end = next((place for place in range(at, len(words)) if words[place] in ENDS), len(words))
        if is_first:
            yield words[at:end]


def _parse(words: list[str]) -> None:
    """Parse a command line as `roost` does, and run nothing. Raises click.UsageError."""
    ctx = click.Context(app, info_name="roost", obj=Cli())
    command: click.Command = app
    left = list(app.make_parser(ctx).parse_args(list(words))[1]) if words else []
    try:
        while isinstance(command, click.Group) and left:
            name, found, left = command.resolve_command(ctx, left)
            assert found is not None
            command = found
            if not isinstance(command, click.Group):
                command.make_context(name, left, parent=ctx)
                return
    except click.exceptions.Exit:
        return  # --help


def _look_up(said: str) -> None:
    """Raise click.UsageError where text names a verb or an option that there is not."""
    command: click.Command = app
    ctx = click.Context(app, info_name="roost")
    words = said.split()
    while isinstance(command, click.Group) and words and _is_name(words[0]):
        _, found, words = command.resolve_command(ctx, words)
        assert found is not None
        command = found
    known = {
        "--",
        "--help",
        *(option for one in command.get_params(ctx) for option in (*one.opts, *one.secondary_opts)),
    }
    unknown = {word for word in words if word.startswith("--")} - known
    assert not unknown, f"roost {said}: {unknown}"


def _is_name(word: str) -> bool:
    return not word.startswith(("-", "{")) and not word.isupper()
