"""What text may be stored, and what of it may be shown on a terminal or to a model.

The store keeps a body as it was sent. Escaping happens where text leaves for a reader: `terminal_safe` for people's
screens and logs, `agent_safe` for a model's context. Both show what they hold back as `[U+001B]`: nothing disappears
silently.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from roost.errors import BodyTooLarge, InvalidText, InvalidUtf8
from roost.lookalikes import skeleton

DISPLAY_CHARACTERS_MAX = 200
TAG_CHARACTERS_MAX = 64
TAGS_MAX = 32
BODY_BYTES_MAX = 1024 * 1024
BODY_INLINE_BYTES_MAX = 64 * 1024
"""A longer body is stored whole and read by pages of this size."""

# Everything that moves a cursor, hides or reorders text: C0 (but tab and newline), DEL, C1, the format characters,
# invisible letters and fillers, all variation selectors but the two of emoji, lone surrogates, non-characters and the
# tag block. Joiners and emoji selectors stay where they join something; a run of them can only smuggle bits.
_HELD_BACK = (
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\xad\\u034f\\u0600-\\u0605\\u061c\\u06dd\\u070f\\u0890\\u0891\\u08e2\\u115f\\u1160\\u17b4\\u17b5"
    "\\u180b-\\u180f\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\u3164\\ud800-\\udfff\\ufdd0-\\ufdef\\ufe00-\\ufe0d\\ufeff\\uffa0"
    "\\ufff0-\\ufffb\\ufffe\\uffff\\U000110bd\\U000110cd\\U00013430-\\U0001345f\\U0001bca0-\\U0001bca3\\U0001d173-\\U0001d17a"
    "\\U000e0000-\\U000e0fff]"
    "|(?<![^\\s\\u200c\\u200d])[\\u200c\\u200d]"
    "|(?<![^\\s\\u200c\\u200d\\ufe0e\\ufe0f])[\\ufe0e\\ufe0f]"
)
_BREAKS = r" *\n *"

# Tags by which coding clients and Roost frame what they tell a model; text of a peer must not open or close one.
_FRAMES = (
    "system-reminder",
    "system-notification",
    "task-notification",
    "persisted-output",
    "hook-context",
    "qwen-user-prompt",
    "user-prompt-submit",
    "tool-result",
    "tool-use",
    "function-call",
    "function-result",
    "antml",
    "local-command",
    "command-name",
    "command-message",
    "roost-mail",
    "roost-message",
    "roost-says",
)
_OPENERS = "<\uff1c\u2039\u27e8\u2329\u3008\ufe64\u02c2\u276e\u2770\u1438\u2770\u276c\u29fc\u300a\u00ab\u226a"
_TAG = f"[{_OPENERS}](?=([^{_OPENERS}\\n]{{1,80}}))"
_NONCE = r'(?i)offer(\s*=\s*\\*)(?=["“”\'`])'


def check_display(value: object, *, what: str = "text", most: int = DISPLAY_CHARACTERS_MAX) -> str:
    """Return a title, role, subject or display name in normal form C, if it is 1 to `most` printable code points.

    `what` names the field for the message. Raises InvalidText.
    """
    if not isinstance(value, str):
        raise InvalidText(f"{what} must be text, not {type(value).__name__}", hint="give a string")
    if len(value) > most * 4:  # composing shortens a text at most so much; a longer one is not worth composing
        raise InvalidText(f"{what} has {len(value)} characters", hint=f"at most {most} are allowed")
    text = value if value.isascii() else _composed(value)
    if not text.strip():
        raise InvalidText(f"{what} is empty", hint=f"give 1 to {most} characters")
    if len(text) > most:
        raise InvalidText(f"{what} has {len(text)} characters", hint=f"at most {most} are allowed")
    if not text.isprintable() and (bad := _unprintable(text)):
        raise InvalidText(
            f"{what} holds U+{ord(bad):04X}, a control or format character",
            hint="use one line of plain text; details go in the body",
        )
    return text


def check_body(value: object) -> str:
    """Return a message body as text: valid UTF-8 without NUL, at most 1 MiB.

    Raises InvalidUtf8, BodyTooLarge or, for other types, InvalidText.
    """
    if not isinstance(value, (str, bytes)):
        raise InvalidText(f"body must be text, not {type(value).__name__}", hint="give a string, or bytes of UTF-8")
    if len(value) > BODY_BYTES_MAX:  # before any pass over it
        raise _too_large(len(value))
    try:
        text, size = (value, len(value.encode())) if isinstance(value, str) else (value.decode(), len(value))
    except UnicodeError as error:
        raise InvalidUtf8(
            f"body is not valid UTF-8 at position {_position(error)}", hint="send text, or a path to the file"
        ) from None
    if size > BODY_BYTES_MAX:
        raise _too_large(size)
    if (place := text.find("\0")) >= 0:
        raise InvalidUtf8(f"body holds a NUL character at position {place}", hint="send text, or a path to the file")
    return text


def pages(body: str, *, size: int = BODY_INLINE_BYTES_MAX) -> list[str]:
    """Cut a body into pages of at most `size` bytes of UTF-8, after a line where one ends in a page's second half."""
    data = body.encode()
    cut: list[str] = []
    start = 0
    while len(data) - start > size:
        end = data.rfind(b"\n", start + size // 2, start + size) + 1 or start + size
        while data[end] & 0xC0 == 0x80:  # not inside a character
            end -= 1
        cut.append(data[start:end].decode())
        start = end
    return [*cut, data[start:].decode()]


def check_tags(value: object) -> tuple[str, ...]:
    """Return tags in order without doubles: at most 32, each a display text up to 64 characters. Raises InvalidText."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise InvalidText("tags must be a list of texts", hint='write tags=["ui"]')
    tags: dict[str, None] = {}
    for tag in value:
        tags[check_display(tag, what="tag", most=TAG_CHARACTERS_MAX)] = None
        if len(tags) > TAGS_MAX:
            raise InvalidText(f"more than {TAGS_MAX} tags", hint=f"keep at most {TAGS_MAX}")
    return tuple(tags)


def terminal_safe(text: str) -> str:
    """Return `text` so that a terminal only prints it: newline and tab stay, what steers or hides shows as `[U+001B]`.

    Windows line ends become newlines; joiners and emoji selectors stay where they join something.
    """
    if text.isascii() and text.isprintable():
        return text
    return _compiled(_HELD_BACK).sub(_marker, text.replace("\r\n", "\n"))


def terminal_line(text: str, *, most: int | None = None) -> str:
    """Return `text` on one line of at most `most` characters, safe as `terminal_safe`: no body forges a second line."""
    # Cut before escaping too: a line of a 1 MiB body must not cost a pass over it.
    if most is not None and len(text) > 4 * most + 64:
        text = text[: 4 * most + 64]
    line = _compiled(_BREAKS).sub(" ⏎ ", terminal_safe(text).strip()).replace("\t", " ")
    return line if most is None or len(line) <= most else line[: max(most - 1, 0)] + "…"


def agent_safe(text: str) -> str:
    """Return `text` for a model's context: as `terminal_safe`, and tags that pass for a client's or Roost's are broken.

    `<system-reminder>` and its look-alikes become `&lt;system-reminder>`; the marker of an offer loses its quote.
    """
    if any(opener in text for opener in _OPENERS):
        text = _compiled(_TAG).sub(_broken, text)
    if "=" in text:
        text = _compiled(_NONCE).sub(r"offer\1&quot;", text)
    return terminal_safe(text)


def agent_line(text: str, *, most: int | None = None) -> str:
    """Return `text` on one line of at most `most` characters, safe as `agent_safe`."""
    if most is not None and len(text) > 4 * most + 64:
        text = text[: 4 * most + 64]
    return terminal_line(agent_safe(text), most=most)


# Compiled when first used: a short process that shows plain text needs none of these.
_compiled = cache(re.compile)


@cache
def _frames() -> tuple[str, ...]:
    return tuple(map(skeleton, _FRAMES))


def _marker(found: re.Match[str]) -> str:
    return f"[U+{ord(found[0]):04X}]"


def _broken(found: re.Match[str]) -> str:
    return "&lt;" if _names_a_frame(found[1]) else found[0]


def _names_a_frame(inside: str) -> bool:
    looks = skeleton(inside)
    if looks.startswith(_frames()):
        return True
    # Only a whole tag: <system_error> is a header of C++, and `x << system` a shift.
    name, closer, _ = inside.replace("\uff1e", ">").replace("\u203a", ">").partition(">")
    return bool(closer) and skeleton(name) == skeleton("system") and "_" not in name


def _composed(text: str) -> str:
    import unicodedata  # 1 MiB of tables that plain ASCII never needs

    return unicodedata.normalize("NFC", text)


def _unprintable(text: str) -> str | None:
    """Return the first control, format, surrogate or line-separating character; other blanks may pass."""
    import unicodedata

    held = ("Cc", "Cf", "Cs", "Zl", "Zp")
    return next((letter for letter in text if unicodedata.category(letter) in held), None)


def _position(error: UnicodeError) -> int:
    return error.start if isinstance(error, (UnicodeDecodeError, UnicodeEncodeError)) else 0


def _too_large(size: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"body has {size:,} bytes or more",
        hint=f"at most {BODY_BYTES_MAX:,} are stored; send the path of a file instead",
        size=size,
        limit=BODY_BYTES_MAX,
    )
