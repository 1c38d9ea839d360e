"""What `roost mcp` is outside of any project: run as `python -I -S nowhere.py`, a server that has nothing.

Clients that have Roost in their own settings start it in every folder; where there is no project they shall neither
show a failure nor spend a token on it.
"""

from __future__ import annotations

import json
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LINE_CHARACTERS_MAX = 2 * 1024 * 1024
OLD_ENOUGH = "2025-06-18"
METHOD_NOT_FOUND = -32601
EMPTY: dict[str, dict[str, Any]] = {"ping": {}, "tools/list": {"tools": []}}


def answer(said: dict[str, Any]) -> dict[str, Any] | None:
    """Return what answers one message, if anything does."""
    if "method" not in said or "id" not in said:
        return None
    method = said["method"]
    head = {"jsonrpc": "2.0", "id": said["id"]}
    if method == "initialize":
        params = said.get("params")
        version = params.get("protocolVersion") if isinstance(params, dict) else None
        result = {
            "protocolVersion": version if isinstance(version, str) else OLD_ENOUGH,
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "roost", "version": ""},
        }
        return {**head, "result": result}
    if method in EMPTY:
        return {**head, "result": EMPTY[method]}
    error = {"code": METHOD_NOT_FOUND, "message": "there is no Roost project in this folder; `roost init` makes one"}
    return {**head, "error": error}


def main() -> int:
    """Answer until the client closes its side."""
    while line := sys.stdin.readline(LINE_CHARACTERS_MAX):
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            continue
        found = answer(said) if isinstance(said, dict) else None
        if found is not None:
            sys.stdout.write(json.dumps(found) + "\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # how clients end their servers: no traceback for that
    sys.exit(main())
