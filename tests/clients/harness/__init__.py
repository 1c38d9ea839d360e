"""Real coding clients under test: a fleet in a network namespace, against a scripted model."""

from .fleet import Asked, Claude, Fleet
from .recording import Firing, Recorder
from .requests import Request, Said
from .script import Call, Step, bash, call, calls, say
from .waiting import wait_until

__all__ = [
    "Asked",
    "Call",
    "Claude",
    "Firing",
    "Fleet",
    "Recorder",
    "Request",
    "Said",
    "Step",
    "bash",
    "call",
    "calls",
    "say",
    "wait_until",
]
