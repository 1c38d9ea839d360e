"""A fleet of real clients, Claude Code above all, against one scripted model, cut off from the network."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .drivers import Driver
from .home import DUMMY_KEY, make_home, write_settings
from .namespace import Namespace
from .requests import Request, read_requests
from .script import Step, write_script
from .terminal import Pane, Tmux
from .waiting import wait_until

ROOT = Path(__file__).parents[3]
INSTALLED = ROOT / ".clients" / "claude" / "claude"
ALLOWED_TOOLS = "Bash,Read,Edit,Write,NotebookEdit,Task,Agent"
START_SECONDS_MAX = 90
REQUEST_SECONDS_MAX = 60
PRINT_SECONDS_MAX = 90
# The prompt line of an idle or busy TUI; dialogs have none that stands alone.
PROMPT_MARK = "\u276f"


class Fleet:
    """One namespace, one HOME, one repository, one model server, any number of sessions.

    `path` adds folders before the system's on PATH, `env` variables for every session.
    """

    def __init__(
        self,
        folder: Path,
        *,
        path: Sequence[Path] = (),
        env: Mapping[str, str] | None = None,
        claude: Path = INSTALLED,
    ) -> None:
        if not claude.exists():
            raise RuntimeError(f"{claude} is missing: run tools/install_clients.sh")
        self.folder = folder
        self.home = folder / "home"
        self.repo = folder / "repo"
        self.model = folder / "model"
        self._claude = claude
        self._path = [str(one) for one in path]
        self._env = dict(env or {})
        self._stack = contextlib.ExitStack()
        self._clients: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._start(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.end()
        finally:
            self._stack.close()

    def end(self) -> None:
        """End the clients, and only then the daemon: a client that goes on would start the next one."""
        while self._clients:
            with self._clients.pop() as client:
                client.kill()
        self._tmux.end()
        if (self.repo / ".roost").exists():
            self.run("roost", "down")

    def _start(self, stack: contextlib.ExitStack) -> None:
        # Socket paths end at 108 bytes, and a test's own folder is often longer than that.
        self._short = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="fleet-", ignore_cleanup_errors=True))
        )
        make_home(self.home, trusted=[self.folder, self.repo])
        self._make_repo()
        socket = self._short / "tmux"
        end = ["tmux", "-S", str(socket), "kill-server"]
        self._namespace = stack.enter_context(Namespace(at_end=end))
        self._tmux = Tmux(self._namespace, socket, self.env)
        self._serve(stack)

    def _make_repo(self) -> None:
        self.repo.mkdir()
        (self.repo / "a.txt").write_text("first line\n")
        for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "Start"]):
            subprocess.run(["git", *words], cwd=self.repo, env=self.env, check=True)

    def _serve(self, stack: contextlib.ExitStack) -> None:
        self.model.mkdir()
        server = subprocess.Popen(
            self._namespace.wrap([sys.executable, "-m", f"{__package__}.model_server", str(self.model)]),
            env=self.env,
            cwd=ROOT,
        )
        stack.callback(server.wait)
        stack.callback(server.kill)
        port = self.model / "port"
        wait_until(port.exists, "the model server", timeout=START_SECONDS_MAX)
        self.url = f"http://127.0.0.1:{port.read_text()}"

    @property
    def env(self) -> dict[str, str]:
        """The whole environment of everything in the fleet; nothing is inherited."""
        return {
            "PATH": ":".join([*self._path, "/usr/local/bin", "/usr/bin", "/bin"]),
            "HOME": str(self.home),
            "TMPDIR": str(self._short),
            "XDG_RUNTIME_DIR": str(self._short),
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "ANTHROPIC_API_KEY": DUMMY_KEY,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_TELEMETRY": "1",
            "DISABLE_AUTOUPDATER": "1",
            **self._env,
        }

    def settings(self, settings: dict[str, Any]) -> Path:
        """Write the user's settings (`{"hooks": {...}}`) into the scratch HOME."""
        return write_settings(self.home, settings)

    def script(self, session: str, steps: Sequence[Step]) -> None:
        """Set what the model answers to `session`, or to its subagents as `SESSION.subagent`.

        After the last step it says DONE.
        """
        write_script(self.model / "scripts" / f"{session}.json", steps)

    def open_gate(self, gate: str) -> None:
        """Let the model answer the step that waits at this gate."""
        (self.model / "gates" / gate).touch()

    def requests(self, session: str | None = None, *, kind: str = "main") -> list[Request]:
        """List the requests so far of one session, or of all."""
        return [
            one
            for one in read_requests(self.model / "requests.jsonl")
            if one.kind == kind and session in (None, one.session)
        ]

    def wait_request(self, session: str, number: int, *, timeout: float = REQUEST_SECONDS_MAX) -> Request:
        """Wait until `session` sent its main request `number`, counted from 1, and return it."""
        return wait_until(
            lambda: dict(enumerate(self.requests(session), 1)).get(number),
            f"request {number} of {session}",
            timeout=timeout,
        )

    def run(self, *command: str, cwd: Path | None = None, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a command inside the fleet's namespace and environment."""
        return subprocess.run(
            self._namespace.wrap(command),
            cwd=cwd or self.repo,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def ask(
        self,
        session: str,
        prompt: str,
        *,
        script: Sequence[Step] = (),
        args: Sequence[str] = (),
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = PRINT_SECONDS_MAX,
    ) -> "Asked":
        """Run `claude -p PROMPT` to its end."""
        return _ended(self.start_ask(session, prompt, script=script, args=args, cwd=cwd, env=env), timeout)

    def start_ask(
        self,
        session: str,
        prompt: str,
        *,
        script: Sequence[Step] = (),
        args: Sequence[str] = (),
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[str]:
        """Start `claude -p PROMPT`; its pid is the client's own, to be killed by the test."""
        if script:
            self.script(session, script)
        command = [str(self._claude), "-p", prompt, "--allowedTools", ALLOWED_TOOLS, *args]
        return self._start_client(command, {**self._session_env(session), **(env or {})}, cwd)

    def ask_other(self, driver: Driver, session: str, prompt: str, **more: Any) -> "Asked":
        """Run another client for one prompt, to its end; the same arguments as `start_other`."""
        return _ended(self.start_other(driver, session, prompt, **more), PRINT_SECONDS_MAX)

    def start_other(
        self,
        driver: Driver,
        session: str,
        prompt: str,
        *,
        script: Sequence[Step] = (),
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[str]:
        """Start another client for one prompt; its settings are written already."""
        if script:
            self.script(session, script)
        url = f"{self.url}/{session}"
        return self._start_client(driver.command(prompt, url), {**driver.env(url), **(env or {})}, cwd)

    def _start_client(self, command: Sequence[str], env: Mapping[str, str], cwd: Path | None) -> subprocess.Popen[str]:
        started = subprocess.Popen(
            self._namespace.wrap(command),
            cwd=cwd or self.repo,
            env={**self.env, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._clients.append(started)
        return started

    def claude(
        self,
        session: str,
        *,
        script: Sequence[Step] = (),
        args: Sequence[str] = (),
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> "Claude":
        """Start an interactive session in its own terminal and wait until it takes input."""
        if script:
            self.script(session, script)
        pane = self._tmux.open(
            [str(self._claude), "--allowedTools", ALLOWED_TOOLS, *args],
            cwd=cwd or self.repo,
            env={**self._session_env(session), **(env or {})},
            window=session,
        )
        client = Claude(self, session, pane)
        client.wait_screen(PROMPT_MARK, timeout=START_SECONDS_MAX)
        return client

    def _session_env(self, session: str) -> dict[str, str]:
        return {"ANTHROPIC_BASE_URL": f"{self.url}/{session}"}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How a client that answered one prompt ended."""

    exit: int
    out: str
    err: str


def _ended(started: subprocess.Popen[str], timeout: float) -> Asked:
    try:
        out, err = started.communicate(timeout=timeout)
    finally:
        started.kill()
    return Asked(exit=started.returncode, out=out, err=err)


class Claude:
    """One interactive session."""

    def __init__(self, fleet: Fleet, session: str, pane: Pane) -> None:
        self.fleet = fleet
        self.session = session
        self.pane = pane

    @property
    def pid(self) -> int:
        """The client's process."""
        return self.pane.pid

    def type(self, text: str) -> None:
        """Type a line and press Enter once the line is on the screen."""
        self.pane.type(text)
        self.wait_screen(text[:40])
        self.pane.press("Enter")

    def wait_screen(self, text: str, *, timeout: float = REQUEST_SECONDS_MAX) -> None:
        """Wait until `text` stands on the screen."""
        wait_until(
            lambda: text in self.pane.screen(),
            f"{text!r} on the screen of {self.session}",
            timeout=timeout,
            every=0.1,
            detail=self.pane.screen,
        )

    def requests(self) -> list[Request]:
        """List the main requests of this session so far."""
        return self.fleet.requests(self.session)

    def wait_request(self, number: int, *, timeout: float = REQUEST_SECONDS_MAX) -> Request:
        """Wait for main request `number` of this session, counted from 1."""
        try:
            return self.fleet.wait_request(self.session, number, timeout=timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.pane.screen()}") from None

    def registered(self) -> dict[str, Any]:
        """Read what the client says about itself: `sessionId`, `status`, ... (empty: not yet)."""
        path = self.fleet.home / ".claude" / "sessions" / f"{self.pid}.json"
        try:
            told: dict[str, Any] = json.loads(path.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return told

    def wait_idle(self, *, timeout: float = REQUEST_SECONDS_MAX) -> None:
        """Wait until the client calls itself idle."""
        wait_until(
            lambda: self.registered().get("status") == "idle",
            f"{self.session} to be idle",
            timeout=timeout,
            detail=self.pane.screen,
        )

    def push(self, text: str, *, sender: str = "peer") -> None:
        """Send a message through the client's own inbox socket, as another session would."""
        frame = {"type": "user", "message": {"role": "user", "content": text}, "from": sender}
        path = wait_until(
            lambda: self.registered().get("messagingSocketPath"), "the inbox socket", timeout=START_SECONDS_MAX
        )
        with socket.socket(socket.AF_UNIX) as inbox:
            inbox.connect(path)
            inbox.sendall(json.dumps(frame).encode() + b"\n")

    def kill(self) -> None:
        """Kill the client as a crash would, and wait for its end."""
        os.kill(self.pid, signal.SIGKILL)
        wait_until(lambda: self.pane.dead, f"the end of {self.session}", timeout=60)

    def exit(self) -> None:
        """Leave the client as a person does."""
        self.type("/exit")
        wait_until(
            lambda: self.pane.dead,
            f"the end of {self.session}",
            timeout=60,
            detail=self.pane.screen,
        )
