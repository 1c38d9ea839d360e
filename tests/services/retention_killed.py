"""Does a round of retention on a project, and kills itself before the given step: a transaction, sync or rename."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from roost.clock import ManualClock
from roost.connect import connect
from roost.history import retention, service
from roost.verbs import Local


def main() -> None:
    left = int(sys.argv[2])

    def before(do: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return do(*args, **kwargs)

        return step

    clock = ManualClock()
    clock.advance(200 * 86_400)
    project = connect(sys.argv[1], clock=clock)
    retention.ROWS_MAX = 5
    service.CUT_MAX = 5
    os.fsync, os.replace = before(os.fsync), before(os.replace)
    call = Local.call
    stepped = before(call)
    Local.call = (  # type: ignore[method-assign]
        lambda caller, verb, *rest: stepped(caller, verb, *rest) if verb.mode == "write" else call(caller, verb, *rest)
    )
    project.system().history.retain()


if __name__ == "__main__":
    main()
