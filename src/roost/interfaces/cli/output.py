"""What is printed: lines, bodies, tables and JSON, none of which can steer a terminal or pass for somebody else's line.

Whatever was stored is escaped here, at the last step; colours are put around it afterwards. On a terminal text is
shown as it is but for what steers; elsewhere a model may read it, so that tags which its client takes for its own are
broken as well.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from roost import text as texts

if TYPE_CHECKING:
    from roost.sessions.model import Moment

Part = str | tuple[str, str]
"""A piece of text, or one with its style."""

_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
CELL_CHARACTERS_MAX = 100
"""A longer cell of a table is cut; JSON has it whole."""

_NOT_PLAIN_JSON = re.compile("[^\x20-\x7e]|<")


class Unprinted(OSError):
    """Standard output did not take the answer: what was asked may be done all the same."""


class Output:
    """Prints to this process's standard output."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.on_terminal = sys.stdout.isatty()
        self.colours = self.on_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self.moment: Moment | None = None
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="backslashreplace")

    def line(self, *parts: Part) -> None:
        """Print one line; a line end inside it is shown, not made."""
        _write("".join(map(self._shown, parts)).rstrip() + "\n")

    def body(self, text: str, *, indent: str = "    ") -> None:
        """Print a text of several lines, each behind `indent`, so that none of them passes for a line of ours."""
        safe = texts.terminal_safe(text) if self.on_terminal else texts.agent_safe(text)
        _write("".join(f"{indent}{line}".rstrip(" ") + "\n" for line in safe.rstrip("\n").split("\n")))

    def table(self, header: Sequence[str], rows: Sequence[Sequence[Part]]) -> None:
        """Print rows: on a terminal in columns under a header, elsewhere with two blanks between the cells."""
        if not self.on_terminal:
            for row in rows:
                self.line(*_joined(row))
            return
        shown: list[list[tuple[str, str]]] = [[(name, "bold") for name in header]] if rows else []
        shown += [[_cell(part) for part in row] for row in rows]
        columns = zip(*shown, strict=True)
        widths = [max(len(self._safe(text, CELL_CHARACTERS_MAX)) for text, _ in column) for column in columns]
        for cells in shown:
            _write("  ".join(map(self._padded, cells, widths)).rstrip() + "\n")

    def json(self, value: Any) -> None:
        """Print one JSON document on one line."""
        _write(json_text(plain(value, self.moment)) + "\n")

    def _shown(self, part: Part) -> str:
        if isinstance(part, str):
            return self._safe(part)
        return self._styled(self._safe(part[0]), part[1])

    def _padded(self, cell: tuple[str, str], width: int) -> str:
        safe = self._safe(cell[0], CELL_CHARACTERS_MAX)
        return self._styled(safe, cell[1]) + " " * (width - len(safe))

    def _safe(self, text: str, most: int | None = None) -> str:
        # Blanks at the ends are ours, between the pieces of a line.
        head, tail = text[: len(text) - len(text.lstrip(" "))], text[len(text.rstrip(" ")) :] if text.strip(" ") else ""
        core = text.strip(" ")
        safe = texts.terminal_line(core, most=most) if self.on_terminal else texts.agent_line(core, most=most)
        return head + safe + tail

    def _styled(self, safe: str, style: str) -> str:
        return f"\x1b[{_STYLES[style]}m{safe}\x1b[0m" if self.colours and safe and style else safe


def json_text(value: Any) -> str:
    """Return JSON in ASCII, so that no terminal acts on it; `<` is escaped too, so that no client sees a tag in it."""
    import msgspec

    encoded = msgspec.json.encode(value, enc_hook=str).decode()
    return _NOT_PLAIN_JSON.sub(lambda found: _unicode_escape(found[0]), encoded)


def plain(value: Any, moment: Moment | None = None) -> Any:
    """Return a value as JSON can hold it: the fields of the Python API; beside each time its ISO form, bytes in hex."""
    if hasattr(value, "__struct_fields__"):
        return _object(value, moment)
    if isinstance(value, dict):
        return {str(key): plain(item, moment) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, moment) for item in value]
    return value.hex() if isinstance(value, bytes) else value


def _object(value: Any, moment: Moment | None) -> dict[str, Any]:
    from roost.interfaces.cli.times import iso, wall_of

    made: dict[str, Any] = {"ref": value.ref} if hasattr(value, "ref") else {}
    for name in value.__struct_fields__:
        item = getattr(value, name)
        made[name] = plain(item, moment)
        wall = wall_of(value, name, item, moment)
        if wall is not None:
            made[f"{name}_iso"] = iso(wall)
    return made


def _unicode_escape(character: str) -> str:
    point = ord(character)
    if point < 0x10000:
        return f"\\u{point:04x}"
    point -= 0x10000
    return f"\\u{0xD800 + (point >> 10):04x}\\u{0xDC00 + (point & 0x3FF):04x}"


def _cell(part: Part) -> tuple[str, str]:
    text, style = (part, "") if isinstance(part, str) else part
    return text or "-", style


def _joined(row: Sequence[Part]) -> Iterable[Part]:
    for place, part in enumerate(row):
        if place:
            yield "  "
        yield part or "-"


def flush() -> None:
    """Let what was printed out now. Raises Unprinted, BrokenPipeError."""
    _printed(sys.stdout.flush)


def _write(text: str) -> None:
    _printed(lambda: sys.stdout.write(text))


def _printed(do: Callable[[], object]) -> None:
    try:
        do()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Unprinted(error.errno, error.strerror) from None
