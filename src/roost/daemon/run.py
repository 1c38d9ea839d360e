"""The life of a daemon: it takes the lock, opens its doors, serves, and drains when it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gc
import logging
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

import roost
from roost import reach
from roost.connect import connect
from roost.daemon import hourly, launched, logs, pipes, places
from roost.daemon.core import Core
from roost.daemon.door import DaemonDoor
from roost.daemon.doors import Doors
from roost.daemon.hooks import Hooks
from roost.daemon.loading import load
from roost.daemon.native import Connection
from roost.daemon.steady import kept_up
from roost.daemon.tracing import traces_of
from roost.errors import RoostError

if TYPE_CHECKING:
    from roost.config import Daemon as Settings
    from roost.interfaces.wire.frames import Hello

DRAIN_SECONDS_MAX = 5.0
"""From SIGTERM to the end: what was taken is answered in this time."""
LEAVING_SECONDS_MAX = DRAIN_SECONDS_MAX + 3.0
"""So long a daemon waits for the one before it, which answers nobody new and may still be at its last calls."""
LOCK_POLL_SECONDS = 0.05
BACKLOG = 4_096
FILES_WANTED = 65_536
GC_ALLOCATIONS = 50_000
"""Calls leave no cycles behind; the collector's usual 700 costs a twentieth of the time of a busy daemon."""

log = logging.getLogger("roost.daemon")


class Daemon:
    """Serves one project until nobody needs it any more."""

    def __init__(self, place: str, *, starting: int | None = None) -> None:
        """`starting` is the file whose lock keeps others from starting a daemon until this one serves."""
        self.place = place
        self._starting = starting
        self._ground = places.Ground(place)
        self.lock = places.Lock(place)
        self._stop = asyncio.Event()
        self._servers: list[asyncio.Server] = []
        self._http: Any = None
        self._began = time.time()

    async def run(self) -> int:
        """Serve; return the exit status: 0 also when another daemon serves already."""
        if not await self._locked():
            log.info("another daemon serves %s", self.place)
            return 0
        places.untell(self.place)  # what a killed one left
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # SIGHUP: the terminal of `roost up` is gone
            loop.add_signal_handler(number, self._stop.set)
        self._assemble(loop)
        watching = [loop.create_task(kept_up(duty, self._stop.set)) for duty in self._duties()]
        try:
            await self._open()
            load()
            gc.freeze()  # what is here stays for good: the collector need not look at it
            gc.set_threshold(GC_ALLOCATIONS)
            await self._stop.wait()
        finally:
            await self._close(watching)
        return 0

    def _assemble(self, loop: asyncio.AbstractEventLoop) -> None:
        project, aside = connect(self.place), connect(self.place)
        self.core = Core(project, aside, loop)
        self.hooks = Hooks(self.core, connect(self.place), self.place, self._is_lost_by)
        self.door = DaemonDoor(self.core, self.facts, self.hooks.take_http)
        self._trace(project.store.config.daemon)
        self.doors = Doors(
            self.core,
            hook=self.hooks.take,
            pipe=self._pipe,
            allow=self.door.allow_by_wire,
            make_way=self._make_way,
            is_lost_by=self._is_lost_by,
        )

    def _duties(self) -> tuple[Callable[[], Coroutine[Any, Any, None]], ...]:
        archives = self.core.project.store.config.retention.folder
        return (
            self.core.watch,
            partial(self.doors.watch, self.door.still),
            self._leave_when_alone,
            partial(hourly.retain, self.place, archives),
            partial(launched.tidy, self.core, self.place),
        )

    def _trace(self, settings: Settings) -> None:
        """Send traces where that is wanted; a daemon that cannot serves all the same."""
        self._trouble = ""
        try:
            self.core.traces = self.core.writer.traces = traces_of(settings, roost.__version__)
        except RoostError as error:
            log.error("no traces: %s", error)
            self._trouble = f"no traces: {error}"

    async def _locked(self) -> bool:
        """Take the lock, also of a daemon that ends just now; False when another one serves."""
        deadline = time.monotonic() + LEAVING_SECONDS_MAX
        while not self.lock.take():
            if reach.is_running(self.place) or time.monotonic() > deadline:
                return False
            await asyncio.sleep(LOCK_POLL_SECONDS)
        return True

    async def _open(self) -> None:
        folder = places.sockets(self.place)
        native = os.path.join(folder, places.NATIVE)
        loop = self.core.loop
        self._servers.append(await loop.create_unix_server(self.doors.connection, _free(native), backlog=BACKLOG))
        run = places.Run(
            pid=os.getpid(), version=roost.__version__, since=self._began, socket=native, trouble=self._trouble
        )
        await self._open_far(run, folder)

    async def _open_far(self, run: places.Run, folder: str) -> None:
        from roost.daemon.listening_far import open_http, open_tls

        config = self.core.project.store.config.daemon
        try:
            kept = places.kept_port(self.place)
            self._http, run = await open_http(self.door, config, run, folder, self.core.traces, kept)
            server, run = await open_tls(self.doors, config, run)
            if server is not None:
                self._servers.append(server)
        except (RoostError, OSError) as error:  # agents on this machine are served all the same
            log.error("no door to the network: %s", error)
            run = msgspec.structs.replace(run, trouble=f"no door to the network: {error}")
        self.run_facts = run
        places.tell(self.place, run)
        if self._starting is not None:
            fcntl.flock(self._starting, fcntl.LOCK_UN)
        log.info("serving %s at %s, http %s:%s", self.place, run.socket, run.host or "-", run.port or "-")

    async def _close(self, watching: list[asyncio.Task[None]]) -> None:
        _end_in_time()
        for place in {self.place, places.now(self.place)}:
            run = places.told(place)
            if run is None or run.pid == os.getpid():  # a folder that was made anew here may have its own daemon
                places.untell(place)
        for server in self._servers:
            server.close()
        for task in watching:
            task.cancel()
        self.doors.is_closing = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS_MAX * 0.8):
                if self._http is not None:
                    await self._http.stop()
                await self.core.writer.drained()
        await asyncio.to_thread(self.hooks.close)  # a hook that hangs in the air would take its turn twice
        for connection in tuple(self.doors.connections):
            connection.transport.close()
        await asyncio.sleep(0)
        await self.core.close()
        if self.core.traces is not None:
            await asyncio.to_thread(self.core.traces.close)
        writer = self.core.writer
        log.info("stopped: %s calls in %s transactions", f"{writer.calls:,}", f"{writer.batches:,}")
        self.lock.release()

    async def _leave_when_alone(self) -> None:
        config = self.core.project.store.config.daemon
        alone_since = time.monotonic()
        while True:
            await asyncio.sleep(min(1.0, config.idle_seconds / 4))
            if self.doors.connections or (self._http and self._http.is_busy()) or self._is_anybody_alive():
                alone_since = time.monotonic()
            elif time.monotonic() - max(alone_since, self.doors.last_left) > config.idle_seconds:
                log.info("nobody is alive: leaving")
                self._stop.set()
                return

    def _is_anybody_alive(self) -> bool:
        with self.core.reading() as tx:
            return bool(tx.value("sessions.anybody"))

    def _make_way(self, version: str) -> bool:
        """Leave to a caller of a newer Roost, unless somebody runs just this daemon, in a terminal or by a supervisor:
        nobody would start the other one in its place.
        """
        if self._starting is None:
            return False
        log.info("leaving: a caller of Roost %r starts its own daemon", version[:20])
        self._stop.set()
        return True

    def _is_lost_by(self, error: BaseException) -> bool:
        """Say whether a call failed because the project was moved, removed or replaced, and leave then."""
        is_lost = self._ground.is_lost_by(error)
        if is_lost and not self._stop.is_set():
            log.error("leaving: the project is not at %s any more", self.place)
            self.core.loop.call_soon_threadsafe(self._stop.set)  # the turns of hooks have threads of their own
        return is_lost

    async def _pipe(self, hello: Hello, connection: Connection) -> None:
        await pipes.serve(self.core, self.door, hello, connection)

    def facts(self) -> dict[str, Any]:
        """Return what is known of this daemon."""
        core = self.core
        return {
            **places.facts(self.run_facts),
            "connections": len(self.doors.connections),
            "batches": core.writer.batches,
            "calls": core.writer.calls,
            "readers": len(core.feed),
            "listeners": len(core.listeners),
            "waits": len(core.waits),
            "hooks": {f"{event} {outcome}": count for (event, outcome), count in self.hooks.outcomes.items()},
            "hooks_by_http": self.hooks.by_http,
        }


def main(argv: list[str]) -> int:
    """Run the daemon of the `.roost` that is named; return the exit status. What ends it too early is in the log."""
    try:
        return serve(argv[-1], starting=0 if argv[0] == "--starting" else None)
    except RoostError as error:
        log.error("%s", error)
    except OSError as error:
        log.error("the system refused it: %s", error)
    return 1


def serve(place: str, *, starting: int | None = None) -> int:
    """Be the daemon of a `.roost`, until told to stop; return the exit status. Raises RoostError, OSError.

    `starting` is the file whose lock says that a daemon is on its way, if this process was started under it.
    """
    os.umask(0o077)
    place = os.path.abspath(place)
    logs.begin(os.path.join(place, reach.LOG))
    _raise_files_limit()
    os.chdir(os.path.dirname(place))
    return _loop_run(Daemon(place, starting=starting).run())


def _end_in_time() -> None:
    """End this process in DRAIN_SECONDS_MAX, also when a thread of it waits for a gate that does not open.

    Whoever is not answered then asks the next daemon, under the same request id.
    """

    def cut() -> None:
        log.warning("ended with calls unanswered: their callers repeat them")
        os._exit(1)

    timer = threading.Timer(DRAIN_SECONDS_MAX * 0.95, cut)
    timer.daemon = True
    timer.start()


def _loop_run(work: Any) -> int:
    try:
        import uvloop
    except ImportError:
        return int(asyncio.run(work))
    return int(uvloop.run(work))


def _raise_files_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(FILES_WANTED, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _free(path: str) -> str:
    """Remove the socket of a daemon that was killed; the lock says that none runs."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    return path
