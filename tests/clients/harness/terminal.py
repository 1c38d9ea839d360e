"""A private tmux server: the terminals in which interactive clients run."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from .namespace import Namespace

COLUMNS, ROWS = 150, 50


class Tmux:
    """One tmux server with its own socket and no configuration, inside the namespace."""

    def __init__(self, namespace: Namespace, socket: Path, env: Mapping[str, str]) -> None:
        self._namespace = namespace
        self._socket = socket
        self._env = dict(env)
        self._runs = False

    def command(self, *args: str) -> str:
        """Run one tmux command and return what it prints."""
        line = self._namespace.wrap(["tmux", "-S", str(self._socket), "-f", "/dev/null", *args])
        done = subprocess.run(line, env=self._env, capture_output=True, text=True, check=True)
        return done.stdout

    def open(self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], window: str) -> "Pane":
        """Start a command in a new terminal; the dead pane stays to be looked at."""
        self._runs = True
        sets = [part for name, value in env.items() for part in ("-e", f"{name}={value}")]
        pane = self.command(
            *("new-session", "-d", "-P", "-F", "#{pane_id}", "-s", window, "-n", window),
            *("-x", str(COLUMNS), "-y", str(ROWS), "-c", str(cwd), *sets),
            *("--", *command),
            *(";", "set-option", "-w", "remain-on-exit", "on"),
        )
        return Pane(self, pane.strip())

    def end(self) -> None:
        """Kill what runs in the terminals, and end the server; there is none before the first terminal.

        A client that only loses its terminal would run its last hooks after this.
        """
        if not self._runs:
            return
        self._runs = False
        for pane in self.command("list-panes", "-a", "-F", "#{pane_dead} #{pane_pid}").splitlines():
            is_dead, pid = pane.split()
            if is_dead == "0":
                os.kill(int(pid), signal.SIGKILL)
        self.command("kill-server")


class Pane:
    """One terminal: keys in, screen out."""

    def __init__(self, tmux: Tmux, pane: str) -> None:
        self._tmux = tmux
        self.pane = pane

    def type(self, text: str) -> None:
        """Type text literally, without Enter."""
        self._tmux.command("send-keys", "-t", self.pane, "-l", "--", text)

    def press(self, *keys: str) -> None:
        """Press keys by their tmux names: `Enter`, `Escape`, `C-c`."""
        self._tmux.command("send-keys", "-t", self.pane, *keys)

    def screen(self) -> str:
        """Return the text now on the screen."""
        return self._tmux.command("capture-pane", "-p", "-t", self.pane)

    def ask(self, form: str) -> str:
        """Return one tmux format of the pane, as `#{pane_title}`."""
        return self._tmux.command("display-message", "-p", "-t", self.pane, form).strip()

    @property
    def pid(self) -> int:
        """The process that the terminal was opened with."""
        return int(self.ask("#{pane_pid}"))

    @property
    def dead(self) -> bool:
        """Tell whether that process has ended."""
        return self.ask("#{pane_dead}") == "1"
