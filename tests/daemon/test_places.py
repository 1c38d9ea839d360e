"""Where the daemon lives is its user's alone, and what a killed one left there is in nobody's way."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from roost import reach
from roost.daemon import places
from roost.daemon.entering import is_ours
from roost.daemon.places import Lock, sockets, told
from roost.errors import UnsafeFolder

from .served import GUARD_SECONDS, Served

Spoil = Callable[[Path], None]


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for sockets; a short one, for a socket's path is short."""
    folder = Path(tempfile.mkdtemp(prefix="rt-"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    yield folder
    shutil.rmtree(folder)


def mode(path: str | Path) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


def test_nothing_that_the_daemon_makes_is_open_to_others(served: Served) -> None:
    served.hub("alice").messages.send(to="alice", text="hello")
    folder = Path(served.run.socket).parent
    found = [folder.parent, folder, *folder.iterdir(), served.path, *served.path.rglob("*")]
    mine = [path for path in found if path.name != "roost.toml"]  # which the test wrote
    assert {path.name for path in mine} >= {
        "native.sock",
        "run.json",
        "socket",
        "daemon.lock",
        "daemon.log",
        "store.db",
    }
    assert [path for path in mine if mode(path) & 0o077] == []
    assert stat.S_ISSOCK(os.lstat(served.run.socket).st_mode)


def open_to_others(path: Path) -> None:
    path.mkdir()
    path.chmod(0o755)


def a_link(path: Path) -> None:
    (path.parent / "elsewhere").mkdir(mode=0o700)
    path.symlink_to(path.parent / "elsewhere")


def a_link_to_nowhere(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere")


def a_file(path: Path) -> None:
    path.touch(mode=0o600)


@pytest.mark.parametrize("spoil", [open_to_others, a_link, a_link_to_nowhere, a_file])
@pytest.mark.parametrize("is_root", [True, False])
def test_a_folder_that_is_not_this_users_alone_is_refused(
    runtime: Path, tmp_path: Path, spoil: Spoil, is_root: bool
) -> None:
    folder = runtime / "roost"
    if not is_root:
        folder = Path(sockets(str(tmp_path)))
        folder.rmdir()
    spoil(folder)
    with pytest.raises(UnsafeFolder) as refused:
        sockets(str(tmp_path))
    assert str(folder) in refused.value.message
    assert refused.value.hint
    assert not list((folder.parent / "elsewhere").glob("*"))


def test_a_folder_of_another_user_is_refused(runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sockets(str(tmp_path))
    other = os.geteuid() + 1
    monkeypatch.setattr("roost.daemon.places.os.geteuid", lambda: other)
    with pytest.raises(UnsafeFolder):
        sockets(str(tmp_path))
    assert not is_ours(other - 1)


def test_many_who_make_the_folder_at_once_get_the_same_one(runtime: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        (found,) = set(pool.map(sockets, [str(tmp_path)] * 64))
    assert (mode(found), mode(runtime / "roost")) == (0o700, 0o700)


def test_two_projects_have_two_folders_and_two_ways_to_one_have_one(runtime: Path, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "one")
    assert sockets(str(tmp_path / "one")) == sockets(str(tmp_path / "link")) != sockets(str(tmp_path / "two"))


@pytest.mark.parametrize("value", ["", "relative/folder", "/no/such/folder"])
def test_without_a_folder_for_it_sockets_lie_in_the_temporary_one(
    runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", value)
    monkeypatch.setattr(tempfile, "tempdir", str(runtime))
    assert Path(sockets(str(tmp_path))).parent == runtime / f"roost-{os.geteuid()}"


def test_a_path_that_no_socket_can_have_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    with pytest.raises(UnsafeFolder, match="too long"):
        sockets(str(tmp_path))


def test_a_daemon_that_finds_no_safe_folder_says_so_and_ends(unserved: Served, runtime: Path) -> None:
    open_to_others(runtime / "roost")
    daemon = unserved.child("-c", RUN, unserved.place)
    out, _ = daemon.communicate(timeout=GUARD_SECONDS)
    assert daemon.returncode == 1
    assert "is not a folder of this user alone; remove it" in out
    assert "Traceback" not in out
    assert not unserved.serves
    assert told(unserved.place) is None


RUN = "import os, sys; os.dup2(1, 2); from roost.daemon.run import main; sys.exit(main([sys.argv[1]]))"


def test_after_a_kill_what_is_left_is_no_daemon_and_no_hindrance(served: Served) -> None:
    before = served.run
    served.crash()
    assert reach.socket_of(served.place) == before.socket
    assert os.path.exists(before.socket)
    assert not reach.is_running(served.place)
    assert reach.hub(served.place) is None
    assert not served.serves
    run = served.start().run
    assert (run.socket, run.pid != before.pid) == (before.socket, True)
    assert served.hub("alice").sessions.me().name == "alice"


def test_a_daemon_that_was_stopped_leaves_nothing_that_says_it_runs(served: Served) -> None:
    served.stop()
    assert told(served.place) is None
    assert reach.socket_of(served.place) == ""


def test_while_it_runs_nobody_else_takes_its_place(served: Served) -> None:
    second = served.child("-m", "roost.daemon", served.place)
    assert second.wait(GUARD_SECONDS) == 0
    assert reach.is_running(served.place)


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"/no/such/socket\n", b"\0\n", b"relative\n", b"x" * 200, b"\0\xff\xfe\n"]
)
def test_nonsense_in_the_file_that_says_where_is_no_daemon(unserved: Served, data: bytes) -> None:
    (unserved.path / reach.SOCKET).write_bytes(data)
    assert not reach.is_running(unserved.place)
    assert unserved.start().hub("alice").sessions.me().name == "alice"


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"pid": "one"}', b"\0", b'{"version": "\xff"}'])
def test_nonsense_in_run_json_tells_nothing(unserved: Served, data: bytes) -> None:
    (unserved.path / places.RUN).write_bytes(data)
    assert told(unserved.place) is None
    assert unserved.start().pid


def test_a_socket_that_nobody_serves_is_taken_over_and_any_other_file_there_too(unserved: Served) -> None:
    path = os.path.join(sockets(unserved.place), places.NATIVE)
    Path(path).unlink(missing_ok=True)  # that of a killed daemon, whose project's inode this one has got
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    assert unserved.start().run.socket == path
    assert unserved.hub("alice").sessions.me().name == "alice"


def test_the_lock_ends_with_its_holder_and_follows_no_link(unserved: Served, tmp_path: Path) -> None:
    first, second = Lock(unserved.place), Lock(unserved.place)
    assert first.take()
    assert not second.take()
    first.release()
    assert second.take()
    second.release()
    os.unlink(unserved.path / places.LOCK)
    (unserved.path / places.LOCK).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic"):
        first.take()
    os.unlink(unserved.path / places.LOCK)


def test_what_is_told_is_read_back(unserved: Served) -> None:
    run = places.Run(pid=7, version="1", since=0.5, socket="/s", port=8787, host="127.0.0.1", trouble="no TLS")
    places.tell(unserved.place, run)
    assert told(unserved.place) == run
    assert places.facts(run)["age_seconds"] > 0
    places.untell(unserved.place)
    places.untell(unserved.place)
    assert told(unserved.place) is None
    assert msgspec.structs.asdict(run)["socket"] == "/s"
