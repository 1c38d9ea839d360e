"""Which coding clients are on this machine, supported or not."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import msgspec

# Program on PATH, folder under the home folder.
KNOWN = {"claude": ".claude", "codex": ".codex", "gemini": ".gemini", "qwen": ".qwen"}
SUPPORTED = frozenset({"claude"})
ADD_MCP = {
    "claude": "claude mcp add --scope user roost -- roost mcp",
    "codex": "codex mcp add roost -- roost mcp",
    "gemini": "gemini mcp add --scope user roost roost mcp",
    "qwen": "qwen mcp add --scope user roost roost mcp",
}
"""What a person types to add Roost's MCP server to a client, which writes it into its own settings."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A client that is here: its program, its folder, or both."""

    name: str
    program: Path | None
    folder: Path | None

    @property
    def is_supported(self) -> bool:
        """Tell whether Roost has hooks for this client."""
        return self.name in SUPPORTED

    @property
    def add_mcp(self) -> str:
        """The command that adds Roost's MCP server to it."""
        return ADD_MCP[self.name]


def clients(home: Path, environ: Mapping[str, str]) -> tuple[Found, ...]:
    """Return the clients that are here, by a program on PATH or a folder of settings."""
    looked = (
        Found(
            name=name,
            program=Path(program) if (program := shutil.which(name, path=environ.get("PATH"))) else None,
            folder=home / folder if (home / folder).is_dir() else None,
        )
        for name, folder in KNOWN.items()
    )
    return tuple(found for found in looked if found.program or found.folder)
