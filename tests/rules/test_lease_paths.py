"""Path keys: how they are written, and which of them overlap (held against brute force over every short path)."""

from __future__ import annotations

import itertools
import posixpath
import re
import time
from functools import lru_cache

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from roost.errors import InvalidKey
from roost.leases import globs, paths


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("src/auth.py", "src/auth.py"),
        ("./src//auth.py", "src/auth.py"),
        ("src/", "src/"),
        ("src", "src/"),
        ("Makefile", "Makefile/"),
        ("v1.2/", "v1.2/"),
        ("src/./a/../b.c", "src/b.c"),
        (".", "**"),
        ("./", "**"),
        ("src/*/", "src/*/"),
        ("src/**/**/x.c", "src/**/x.c"),
        ("src/**/x", "src/**/x/"),
        ("a***b", "a*b"),
        ("**/*.py", "**/*.py"),
        ("app/[id]/page.tsx", "app/[id]/page.tsx"),
        ("with space.txt", "with space.txt"),
        (".env", ".env/"),
    ],
)
def test_a_key_has_one_stored_form(written: str, stored: str) -> None:
    assert paths.normalise(written) == stored


@pytest.mark.parametrize(
    "written",
    [
        "",
        "/etc/passwd",
        "..",
        "../x",
        "a/../../x",
        "*/../x",
        "a\\b",
        "a\0b",
        "a\nb",
        "ü.md",
        "\u202e",
        "a" * 513,
        "\x7f",
    ],
)
def test_a_key_outside_the_rules_is_refused(written: str) -> None:
    with pytest.raises(InvalidKey):
        paths.normalise(written)


@pytest.mark.parametrize("written", [None, 1, b"src", ["src"]])
def test_a_key_is_text(written: object) -> None:
    with pytest.raises(InvalidKey):
        paths.normalise(written)  # type: ignore[arg-type]


def test_a_key_of_exactly_512_characters_is_the_longest() -> None:
    assert paths.normalise("a" * 510 + ".c") == "a" * 510 + ".c"


@given(st.text(alphabet="ab*?[]!-./ %", min_size=1, max_size=12))
def test_normalising_twice_is_normalising_once(text: str) -> None:
    try:
        once = paths.normalise(text)
    except InvalidKey:
        return
    assert paths.normalise(once) == once


@given(st.text(alphabet=st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_every_file_name_has_a_key_that_covers_only_itself(name: str) -> None:
    if name in (".", ".."):
        return
    key = paths.of_file(f"src/{name}")
    assert key.isascii()
    assert key.isprintable()
    assert paths.overlaps(key, "src/")
    assert not paths.overlaps(key, paths.of_file(f"src/{name}x"))


@given(st.lists(st.text(alphabet="a%4C[]*?\\ü", min_size=1, max_size=6), min_size=2, max_size=2, unique=True))
def test_different_files_have_different_keys(names: list[str]) -> None:
    first, second = (paths.of_file(name) for name in names)
    assert first != second
    assert not paths.overlaps(first, second)


def test_a_file_with_brackets_in_its_name_is_shown_without_escapes() -> None:
    key = paths.of_file("app/[id]/page.tsx")
    assert key == "app/[[]id]/page.tsx"
    assert paths.shown(key) == "app/[id]/page.tsx"
    assert paths.shown("src/[ab]*") == "src/[ab]*"


@pytest.mark.parametrize(
    ("a", "b", "meet"),
    [
        ("src/a.py", "src/a.py", True),
        ("src/a.py", "src/b.py", False),
        ("src", "src/deep/a.py", True),
        ("src", "source/a.py", False),
        ("src/a", "src/ab", False),
        ("src/*.py", "src/a.py", True),
        ("src/*.py", "src/deep/a.py", False),
        ("src/**", "src/deep/er/a.py", True),
        ("src/**", "src", True),
        ("**/a.py", "a.py", True),
        ("**/a.py", "src/a.pyc", False),
        ("**/*.css", "src/a.py", False),
        ("**/*.css", "Makefile", True),
        ("v1.2", "v1.2/notes.md", True),
        ("v1.2", "v1.2/**/notes.md", True),
        ("**/test_*", "src/*_util.py", True),
        ("*.py", "*.md", False),
        ("a*b", "*c*", True),
        ("**", "anything/at/all", True),
        ("src/*/x", "src/a", True),
        ("src/*/", "src/a/deep/x", True),
        ("SRC", "src", False),
        ("[a-c]x", "bx", True),
        ("[a-c]x", "dx", False),
        ("[!a-c]x", "bx", False),
        ("[^a]", "b", True),
        ("[]]", "]", True),
        ("[z-a]", "b", False),
        ("app/[id]", "app/[id]/page.tsx", True),
        ("[a/b]", "[a/b]/c", True),
    ],
)
def test_two_keys_overlap_both_ways_or_not_at_all(a: str, b: str, meet: bool) -> None:
    a, b = paths.normalise(a), paths.normalise(b)
    assert paths.overlaps(a, b) is meet
    assert paths.overlaps(b, a) is meet


@pytest.mark.parametrize(
    ("key", "file", "meet"),
    [
        ("app/[[...slug]]", "app/[[...slug]]/page.tsx", True),
        ("app/[id]/page.tsx", "app/[id]/page.tsx", True),
        ("app/[id]/page.tsx", "app/[uid]/page.tsx", False),
        ("abc", "a*", False),
        ("docs/*.md", "docs/über.md", True),
        ("docs/%C3%BCber.md", "docs/über.md", True),
        ("**/*.css", "Makefile", False),
        ("Makefile", "Makefile", True),
        ("src", "src/Makefile", True),
        ("src/Makefile", "src", True),
    ],
)
def test_a_key_covers_a_file_or_not(key: str, file: str, meet: bool) -> None:
    assert paths.overlaps(paths.normalise(key), paths.of_file(file)) is meet


def written_with(alphabet: str, longest: int) -> tuple[str, ...]:
    every = ("".join(text) for size in range(1, longest + 1) for text in itertools.product(alphabet, repeat=size))
    return tuple(text for text in every if not re.search("^/|/$|//", text))


@lru_cache(maxsize=100_000)
def covered(key: str, alphabet: str, longest: int) -> frozenset[str]:
    """Every short path that a key covers, found with regular expressions and by trying all."""
    deep = key.endswith("/")
    parts = key.removesuffix("/").split("/")
    opening = "".join(r"(?:[^/]+/)*" if part == "**" else f"(?:{as_regex(part)})/" for part in parts)
    if deep:
        opening += r"(?:[^/]+/)*"
    whole = re.compile(opening)
    return frozenset(text for text in written_with(alphabet, longest) if whole.fullmatch(text + "/"))


def as_regex(part: str) -> str:
    wild = {"*": "[^/]*", "?": "[^/]"}
    as_text = "".join(wild.get(char, re.escape(char)) for char in part)
    as_sets = re.sub(r"\\\[(.+?)\\\]", lambda found: "[" + re.escape(found[1].replace("\\", "")) + "]", as_text)
    return f"{as_sets}|{as_text}"


deep_keys = st.text(alphabet="ab*?/", min_size=1, max_size=4)
LONGEST = 8
"""No path that two such keys share need be longer: `aaaa/` and `*/??` meet in one of 7 characters."""
set_keys = st.from_regex(r"\A(\*?(\[[ab]{1,2}\])?[ab]?\*?)\Z").filter(lambda text: 0 < len(text) <= 4)


def agree(a: str, b: str, alphabet: str) -> None:
    try:
        a, b = paths.normalise(a), paths.normalise(b)
    except InvalidKey:
        return
    common = covered(a, alphabet, LONGEST) & covered(b, alphabet, LONGEST)
    assert paths.overlaps(a, b) is bool(common), (a, b, sorted(common)[:3])


@settings(max_examples=400, deadline=None)
@given(deep_keys, deep_keys)
def test_overlap_of_globs_is_what_trying_every_path_finds(a: str, b: str) -> None:
    agree(a, b, "ab/")


@settings(max_examples=100, deadline=None)
@given(set_keys, set_keys)
def test_overlap_of_bracket_sets_is_what_trying_every_name_finds(a: str, b: str) -> None:
    agree(a, b, "ab[]")


@given(deep_keys, deep_keys)
def test_keys_that_overlap_have_heads_in_one_line(a: str, b: str) -> None:
    try:
        a, b = paths.normalise(a), paths.normalise(b)
    except InvalidKey:
        return
    if paths.overlaps(a, b):
        one, other = paths.head(a), paths.head(b)
        assert one in paths.above(other) or other in paths.above(one)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("*a" * 255, "*b" * 255),
        ("*" + "a" * 500 + "b", "*" + "a" * 500 + "c"),
        ("**/a/" * 100 + "b", "**/a/" * 100 + "c"),
        ("?*" * 250 + "[ab]", "[a-y]*" * 70),
        ("[ab]*" * 100, "[cd]*" * 100),
    ],
)
def test_the_worst_keys_are_decided_in_a_blink(a: str, b: str) -> None:
    a, b = paths.normalise(a), paths.normalise(b)
    globs.segments_meet.cache_clear()
    began = time.process_time()  # what other processes take does not count
    paths.overlaps(a, b)
    assert time.process_time() - began < 0.25


def test_a_path_is_made_relative_to_its_worktree() -> None:
    assert paths.inside("/repo/src/a.py", root="/repo") == "src/a.py"
    assert paths.inside("../b.py", root="/repo", cwd="/repo/src") == "b.py"
    assert paths.inside("/repo", root="/repo/") == "."
    assert paths.inside("/repository/a.py", root="/repo") is None
    assert paths.inside("../../etc/passwd", root="/repo", cwd="/repo/src") is None


@given(st.lists(st.text(min_size=1, max_size=8).filter(lambda part: "/" not in part), min_size=1, max_size=4))
def test_the_key_of_a_file_leads_back_to_it(parts: list[str]) -> None:
    name = posixpath.normpath("/".join(parts).replace("\0", "0"))
    assume(not name.startswith("..") and name != "." and not name.startswith("/"))
    assume(len(name.encode("utf-8", "surrogatepass")) < 100)
    try:
        name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return
    assert paths.file_of(paths.of_file(name)) == name


@pytest.mark.parametrize("key", ["src/*.py", "**", "src/a?.py", "src/[ab].py"])
def test_a_key_with_wildcards_is_no_single_file(key: str) -> None:
    assert paths.file_of(paths.normalise(key)) is None


def test_a_name_without_a_suffix_may_be_a_file() -> None:
    assert paths.file_of(paths.normalise("Makefile")) == "Makefile"
