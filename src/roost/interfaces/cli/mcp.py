"""`roost mcp`: what a client starts to speak MCP over stdio."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import NoReturn

from roost.errors import NoProject, Unavailable
from roost.interfaces.cli.verbs import Cli, verb


@verb("mcp")
def mcp(cli: Cli) -> None:
    """Speak MCP on stdin and stdout, as whoever the client above this process is; clients start it, people do not."""
    from roost import reach

    if not reach.is_wanted():
        raise Unavailable("MCP is spoken by the daemon, and ROOST_DAEMON is off", hint="unset ROOST_DAEMON")
    if find_spec("mcp") is None:
        raise Unavailable("this installation has no MCP", hint='install it: pip install "roost[server]"')
    try:
        place = reach.place_of(cli.folder)
    except NoProject:
        if cli.folder is not None:
            raise
        _become("nowhere.py")
    if not reach.is_running(place):
        reach.start(place)
    _become("program.py", place)


def _become(program: str, *arguments: str) -> NoReturn:
    """Go on as a program that has loaded little: it stays for as long as its client."""
    from roost.interfaces import mcp as package

    path = os.path.join(os.path.dirname(package.__file__), program)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-I", "-S", path, *arguments])
