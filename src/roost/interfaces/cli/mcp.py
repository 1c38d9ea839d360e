"""`roost mcp`: what a client starts to speak MCP over stdio."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

from roost.interfaces.cli.verbs import Cli, verb


@verb("mcp")
def mcp(cli: Cli) -> None:
    """Speak MCP on stdin and stdout, as whoever the client above this process is; clients start it, people do not."""
    from roost.errors import Unavailable
    from roost.interfaces import mcp as package
    from roost.reach import is_running, is_wanted, place_of, start

    if not is_wanted():
        raise Unavailable("MCP is spoken by the daemon, and ROOST_DAEMON is off", hint="unset ROOST_DAEMON")
    if find_spec("mcp") is None:
        raise Unavailable("MCP is not installed here", hint="install the extra: pip install roost[server]")
    place = place_of(cli.folder)
    if not is_running(place):
        start(place)
    # What copies the bytes stays for as long as its client: it gets a process that has loaded nothing else.
    program = os.path.join(os.path.dirname(package.__file__), "program.py")
    os.execv(sys.executable, [sys.executable, "-I", "-S", program, place])
