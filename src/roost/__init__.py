"""Roost: the coordination backbone for fleets of coding agents.

import roost

with roost.open(as_="planner") as hub:
    hub.messages.send(to="builder", text="tests are red")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from roost.connect import aopen, open
    from roost.errors import RoostError
    from roost.hub import Hub
    from roost.messages.model import Draft, Message, Sent

__version__ = "0.1.0"
__all__ = ["Draft", "Hub", "Message", "RoostError", "Sent", "__version__", "aopen", "open"]

_HOMES = {
    "Draft": "roost.messages.model",
    "Hub": "roost.hub",
    "Message": "roost.messages.model",
    "RoostError": "roost.errors",
    "Sent": "roost.messages.model",
    "aopen": "roost.connect",
    "open": "roost.connect",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used, so that `import roost` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'roost' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
