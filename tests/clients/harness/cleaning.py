"""Makes recorded files fit to be kept: no machine paths, none of the client's own long texts."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

Json = dict[str, Any]

TEXT_CHARS_MAX = 160
# Large and of no meaning for a proof: what the client keeps for itself about each request.
DROPPED_TYPES = {"api-request-shape", "api-request", "file-history-snapshot"}
KEPT_ATTACHMENTS = re.compile(r"hook_|async_hook|queued_command")
DROPPED_KEYS = {"rendered", "renderedInHumanTurn", "hookInfos", "messagingSocketPath"}


def clean_transcript(entries: Iterable[Json], names: Mapping[str, str]) -> list[Json]:
    """Return the entries as a fixture: same order, types and keys; long texts cut, paths renamed."""
    kept = (entry for entry in entries if entry["type"] not in DROPPED_TYPES)
    return [clean(_short_attachment(entry), names) for entry in kept]


def clean(value: Any, names: Mapping[str, str]) -> Any:
    """Rename paths and cut long texts, all the way down."""
    if isinstance(value, str):
        return _cut(_rename(value, names))
    if isinstance(value, list):
        return [clean(one, names) for one in value]
    if isinstance(value, dict):
        return {key: clean(one, names) for key, one in value.items() if key not in DROPPED_KEYS}
    return value


def _rename(text: str, names: Mapping[str, str]) -> str:
    for path, name in names.items():
        text = text.replace(path, name)
    return text


def _cut(text: str) -> str:
    if len(text) <= TEXT_CHARS_MAX:
        return text
    # The markers are what the fixtures are for: they stay, wherever in the text they stand.
    head = text[:TEXT_CHARS_MAX]
    markers = [marker for marker in re.findall(r'offer="\w+"', text) if marker not in head]
    return " ".join([head, "[cut]", *markers])


def _short_attachment(entry: Json) -> Json:
    attachment = entry.get("attachment")
    if attachment is None or KEPT_ATTACHMENTS.match(attachment["type"]):
        return entry
    return {**entry, "attachment": {"type": attachment["type"]}}
