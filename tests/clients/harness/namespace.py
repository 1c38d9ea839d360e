"""A network namespace that has only loopback: what runs in it cannot reach the internet."""

import os
import subprocess
from collections.abc import Sequence
from types import TracebackType
from typing import Self

# Without root an own user namespace gives the right to make the network one.
_UNSHARE = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-r", "-n"]
_ENTER = ["-n"] if os.geteuid() == 0 else ["-U", "--preserve-credentials", "-n"]


class Namespace:
    """Holds one namespace open; `wrap` makes a command run inside it.

    `at_end` is a command that runs inside when the namespace closes, also when the test process
    was killed and could not clean up.
    """

    def __init__(self, *, at_end: Sequence[str] = ()) -> None:
        script = 'ip link set lo up && echo up && cat >/dev/null; "$@"'
        self._holder = subprocess.Popen(
            [*_UNSHARE, "sh", "-c", script, "sh", *(at_end or ["true"])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != "up\n":
            self._holder.kill()
            raise RuntimeError("no network namespace: run as root, or allow unprivileged user namespaces")

    def wrap(self, command: Sequence[str]) -> list[str]:
        """Return the command line that runs `command` inside the namespace."""
        return ["nsenter", "-t", str(self._holder.pid), *_ENTER, "--", *command]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._holder.communicate(timeout=20)
