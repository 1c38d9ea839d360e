"""What a briefing shows of the repository: asked of git, in at most 300 ms, without hooks, pager, monitor or prompt."""

from __future__ import annotations

import os
import signal
import subprocess
import time

from roost.briefings.model import GitFacts

SECONDS_MAX = 0.3
STATUS_LINES_MAX = 20
COMMITS_MAX = 3
OUTPUT_BYTES_MAX = 256 * 1024
"""A status longer than this is of a folder that nobody wants listed; the count then says "at least"."""

# Switched off: what a repository's own configuration could make git start or print.
_GIT = (
    "git",
    "--no-pager",
    "--no-optional-locks",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.quotePath=true",
    "-c",
    "color.ui=false",
)
_STATUS = ("status", "--short", "--branch", "--untracked-files=normal", "--ignore-submodules=all")
_LOG = ("log", f"--max-count={COMMITS_MAX}", "--no-show-signature", "--no-decorate", "--format=%h %s")
_UNBORN = "No commits yet on "


def facts(folder: str) -> GitFacts:
    """Return the branch, status and last commits of the repository around a folder; empty facts outside of any."""
    deadline = time.monotonic() + SECONDS_MAX
    try:
        status, log = _start(folder, _STATUS), _start(folder, _LOG)
    except OSError:
        return GitFacts()  # no git, or no such folder
    said, commits = _read(status, deadline), _read(log, deadline)
    if said is None:
        return GitFacts(note="git took too long to say what changed", commits=_lines(commits))
    if status.returncode != 0 or not said:
        return GitFacts()
    head, *changed = _lines(said)
    return GitFacts(
        branch=_branch(head),
        status=tuple(changed[:STATUS_LINES_MAX]),
        changed=len(changed),
        commits=_lines(commits)[:COMMITS_MAX] if log.returncode == 0 else (),
        note="" if len(said) < OUTPUT_BYTES_MAX else "there are more changes than are counted here",
    )


def _start(folder: str, arguments: tuple[str, ...]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        (*_GIT, "-C", folder, *arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_environment(),
        start_new_session=True,  # so that what git starts ends with it
    )


def _environment() -> dict[str, str]:
    """Return an environment that names no repository: inside a git hook GIT_DIR and its kin point to another one."""
    kept = {name: value for name, value in os.environ.items() if name[:4] != "GIT_" or name[:10] == "GIT_CONFIG"}
    return {**kept, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}


def _read(process: subprocess.Popen[bytes], deadline: float) -> bytes | None:
    """Return what a process prints until the deadline, at most OUTPUT_BYTES_MAX; None if it prints nothing whole."""
    try:
        printed, _ = process.communicate(timeout=max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        _kill(process)
        return None
    return printed[:OUTPUT_BYTES_MAX]


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()
    process.communicate()


def _lines(printed: bytes | None) -> tuple[str, ...]:
    return tuple((printed or b"").decode(errors="replace").splitlines())


def _branch(head: str) -> str:
    """Return the branch of the first line of a status: `## main...origin/main [ahead 1]`, `## HEAD (no branch)`."""
    name = head.removeprefix("## ").removeprefix(_UNBORN).partition("...")[0]
    return "" if not head.startswith("## ") else "detached" if name.startswith("HEAD (") else name
