"""The verbs of a hub, found as the wire finds them."""

from __future__ import annotations

import inspect

from roost.hub import Hub
from roost.verbs import Stream, Sync, Verb


def verbs_of_the_hub() -> dict[str, Verb[..., object] | Stream[..., object]]:
    """Return every verb by its name on the wire."""
    found = {}
    for feature in [name for name, value in vars(Hub).items() if isinstance(value, property)]:
        service = type(getattr(Hub[Sync](None), feature))
        for name in dir(service):
            one = inspect.getattr_static(service, name)
            if isinstance(one, (Verb, Stream)):
                found[f"{feature}.{name}"] = one
    return found
