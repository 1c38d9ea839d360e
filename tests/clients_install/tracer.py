"""Run a command and print what processes it started: one line for each fork, clone or exec after its own.

Run as `python tracer.py PROGRAM ARGUMENTS...`; ends with the command's status. Linux only, by ptrace.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

TRACEME, CONT, SETOPTIONS = 0, 7, 0x4200
EVENTS = {1: "fork", 2: "vfork", 3: "clone", 4: "exec"}
OPTIONS = 0x00100000 | sum(1 << event for event in EVENTS)  # kill it with us; stop it at each event

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def ptrace(request: int, pid: int, data: int = 0) -> None:
    if libc.ptrace(request, pid, None, data) < 0:
        raise OSError(ctypes.get_errno(), "ptrace is not allowed here; these tests need it")


def trace(command: list[str]) -> int:
    child = os.fork()
    if child == 0:
        ptrace(TRACEME, 0)
        os.kill(os.getpid(), signal.SIGSTOP)
        os.execv(command[0], command)
    os.waitpid(child, 0)
    ptrace(SETOPTIONS, child, OPTIONS)
    ptrace(CONT, child)
    seen: list[str] = []
    while True:
        pid, status = os.waitpid(-1, 0)
        if not os.WIFSTOPPED(status):
            if pid == child:
                break
            continue
        event = status >> 16
        stopped_by = os.WSTOPSIG(status)
        if event in EVENTS:
            seen.append(EVENTS[event])
        ptrace(CONT, pid, 0 if event or stopped_by in {signal.SIGTRAP, signal.SIGSTOP} else stopped_by)
    print("\n".join(seen[1:]))
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(trace(sys.argv[1:]))
