"""The text rules of path keys: what a caller may write, the one form that is stored, and which keys conflict.

A key is relative to the repository, with `/` between segments, and case counts. `*` and `?` stay inside a segment, `**`
as a whole segment is any number of them, `[abc]` is one of these characters (and also that very text). Keys are
printable ASCII: every other byte of a file's name is written `%XX`, and so is a `%` that would read as one.

A stored key that ends with `/` covers everything beneath. A caller gets that form by writing it, or by a last name
without a suffix: `src` may be a folder. `src/auth.py` is taken for a file, or `**/*.css` would conflict with it.
"""

from __future__ import annotations

import posixpath
import re
from functools import lru_cache

from roost.errors import InvalidKey
from roost.leases import globs

KEY_BYTES_MAX = 512
"""The longest key that a caller may write, in bytes."""

EVERYTHING = globs.DEEP
"""The key of the whole repository."""

_UNPRINTABLE = re.compile(r"[^ -~]")
_STARS = re.compile(r"\*{2,}")
_BYTE = re.compile(r"%(?=[0-9A-Fa-f]{2})")
_ENCODED = re.compile(rb"%([0-9A-Fa-f]{2})")
_SUFFIX = re.compile(r".\.[A-Za-z0-9_+~-]{1,16}\Z")


def normalise(text: str) -> str:
    """Return the stored form of a path or glob: without `.`, `..` and doubled `/`.

    Raises InvalidKey when it leaves the repository, is not 1-512 printable ASCII characters, or holds a backslash.
    """
    check_characters(text)
    parts = _resolve(text)
    if not parts:
        return EVERYTHING
    names_a_folder = not (globs.is_open(parts[-1]) or _SUFFIX.search(parts[-1]))
    beneath = names_a_folder or (text.endswith("/") and parts[-1] != globs.DEEP)
    return "/".join(parts) + "/" * beneath


def of_file(path: str) -> str:
    """Return the key of exactly one file, whatever characters its name has; `path` is relative to the repository."""
    raw = _BYTE.sub("%25", path).encode("utf-8", "surrogateescape")
    text = "".join(chr(byte) if 0x20 <= byte <= 0x7E and byte != 0x5C else f"%{byte:02X}" for byte in raw)
    escaped = "".join(f"[{char}]" if char in globs.ESCAPABLE else char for char in text)
    check_characters(escaped)
    return "/".join(_resolve(escaped)) or EVERYTHING


def file_of(key: str) -> str | None:
    """Return the one file that a stored key may name, as the file system knows it; None for a key with wildcards.

    The closing `/` of a name without suffix says that it may be a folder; whether it is one, only a look tells.
    """
    parts = key.removesuffix("/").split("/")
    if not all(globs.is_plain(part) for part in parts):
        return None
    name = "/".join(globs.plain_name(part) for part in parts)
    raw = _ENCODED.sub(lambda found: bytes((int(found[1], 16),)), name.encode())
    return raw.decode("utf-8", "surrogateescape")


def shown(key: str) -> str:
    """Return the key as people write it: the name of a place without escapes and without the closing `/`."""
    parts = key.removesuffix("/").split("/")
    if any(globs.is_open(part) for part in parts):
        return key
    return "/".join(globs.plain_name(part) if globs.is_plain(part) else part for part in parts)


@lru_cache(maxsize=16_384)
def head(key: str) -> str:
    """Return the leading folders that every path under the key shares, unescaped; "" when there are none.

    Two keys can only overlap when one's head is the other's or lies above it, so stores look there first.
    """
    plain = []
    for part in key.removesuffix("/").split("/"):
        if not globs.is_plain(part):
            break
        plain.append(globs.plain_name(part))
    return "/".join(plain)


def above(place: str) -> list[str]:
    """Return the place itself and every folder above it, "" for the top included."""
    parts = place.split("/")
    return ["", *("/".join(parts[:count]) for count in range(1, len(parts) + 1))] if place else [""]


def overlaps(a: str, b: str) -> bool:
    """Say whether two stored keys conflict: some path is covered by both, or one names something beneath the other."""
    if not _in_line(head(a), head(b)):
        return False
    return globs.share(a, b) or _names_beneath(a, b) or _names_beneath(b, a)


def inside(path: str, *, root: str, cwd: str = "") -> str | None:
    """Return `path` relative to `root`, or None when it lies outside; a relative path starts at `cwd` (or `root`).

    Links are not followed: resolve both first where that matters.
    """
    full = posixpath.normpath(posixpath.join(cwd or root, path))
    top = posixpath.normpath(root)
    if full == top:
        return "."
    prefix = top.rstrip("/") + "/"
    return full[len(prefix) :] if full.startswith(prefix) else None


def check_characters(text: str) -> None:
    """Raise InvalidKey unless `text` is 1-512 printable ASCII characters."""
    if type(text) is not str or not 1 <= len(text) <= KEY_BYTES_MAX:
        raise InvalidKey(f"a key is text of 1 to {KEY_BYTES_MAX} characters", hint="lease the folder of a longer path")
    if found := _UNPRINTABLE.search(text):
        hint = "lease the folder, or write each such byte of the name as %XX"
        raise InvalidKey(f"{text!a} holds {found[0]!a}, which is not printable ASCII", hint=hint)


def _resolve(text: str) -> list[str]:
    if text.startswith("/"):
        raise InvalidKey(f"{text!r} is absolute", hint="write paths relative to the top folder of the repository")
    if "\\" in text:
        raise InvalidKey(f"{text!r} holds a backslash", hint="separate folders with /, and escape * as [*]")
    parts: list[str] = []
    for part in text.split("/"):
        if part == "..":
            if not parts:
                raise InvalidKey(f"{text!r} leaves the repository", hint="name a path inside it")
            if globs.is_open(parts[-1]):
                raise InvalidKey(f"{text!r} goes up from a wildcard", hint="write the pattern without ..")
            parts.pop()
        elif part not in ("", ".") and not (part == globs.DEEP and parts[-1:] == [globs.DEEP]):
            parts.append(part if part == globs.DEEP else _STARS.sub("*", part))
    return parts


def _in_line(a: str, b: str) -> bool:
    shorter, longer = sorted((a, b), key=len)
    return not shorter or (longer + "/").startswith(shorter + "/")


def _names_beneath(upper: str, lower: str) -> bool:
    """Say whether `upper` names one place and `lower` something beneath it: then that place is a folder."""
    place = head(upper)
    return len(place) > 0 and place == shown(upper) and (head(lower) + "/").startswith(place + "/")
