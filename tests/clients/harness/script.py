"""What the scripted model answers: a list of steps, one for each main request of a session."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Call:
    """One tool call of the model."""

    tool: str
    input: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One answer of the model: text, tool calls, both, or an HTTP error.

    `delay` is in seconds, before the answer; `gate` is a name that `Fleet.open_gate` must open
    first; `block_delay` is in seconds, after each block; `tokens` is the size that the model claims for
    the request.
    """

    text: str = ""
    calls: tuple[Call, ...] = ()
    delay: float = 0
    gate: str = ""
    block_delay: float = 0
    status: int = 0
    tokens: int = 100


def call(tool: str, **tool_input: Any) -> Step:
    """Make the step that calls one tool."""
    return Step(calls=(Call(tool=tool, input=tool_input),))


def calls(*steps: Step, block_delay: float = 0) -> Step:
    """Make the step that calls the tools of all these steps in one parallel batch."""
    return Step(calls=tuple(one for step in steps for one in step.calls), block_delay=block_delay)


def bash(command: str) -> Step:
    """Make the step that runs a shell command."""
    return call("Bash", command=command, description="scripted")


def say(text: str = "DONE", *, gate: str = "", delay: float = 0) -> Step:
    """Make the step that ends a turn with text."""
    return Step(text=text, gate=gate, delay=delay)


def write_script(path: Path, steps: Iterable[Step]) -> None:
    """Put the steps where the model server reads them; a running session sees the new list."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps([asdict(step) for step in steps]))
    partial.replace(path)
