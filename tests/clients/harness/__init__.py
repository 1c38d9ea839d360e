"""Real coding clients under test: a fleet in a network namespace, against a scripted model."""

from .drivers import STDIO, ClaudeCode, Codex, Driver, Gemini, Qwen, Server, roost
from .fleet import Asked, Claude, Fleet
from .recording import Firing, Recorder
from .requests import Request, Said
from .script import Call, Step, bash, call, calls, say
from .waiting import wait_until

__all__ = [
    "STDIO",
    "Asked",
    "Call",
    "Claude",
    "ClaudeCode",
    "Codex",
    "Driver",
    "Firing",
    "Fleet",
    "Gemini",
    "Qwen",
    "Recorder",
    "Request",
    "Said",
    "Server",
    "Step",
    "bash",
    "call",
    "calls",
    "roost",
    "say",
    "wait_until",
]
