"""What calls may need is loaded at the start: later there may be no descriptor left to open a module with, or a newer
version in its place.
"""

from __future__ import annotations

import importlib
from pkgutil import walk_packages

from roost.stores.sqlite.queries import load_all

PACKAGES = (
    "agents", "briefings", "channels", "clients", "deliveries", "duties", "history", "leases", "messages", "operations",
    "runtimes", "sessions", "status", "stores", "tokens", "turns", "wakeups",
)  # fmt: skip


def load() -> None:
    """Import every module of the features and of what they stand on, and read their queries; about 25 ms."""
    for name in PACKAGES:
        package = importlib.import_module(f"roost.{name}")
        for module in walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    load_all()
