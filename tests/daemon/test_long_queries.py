"""Queries that may read whole tables are answered beside the others, not in the loop that serves everybody."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from roost.connect import connect
from roost.daemon.core import Core
from roost.daemon.hubs import hub_of
from roost.status.service import Statuses


@pytest.mark.parametrize(("name", "is_beside"), [("metrics", True), ("report", True), ("looked", False)])
def test_a_long_query_runs_in_a_thread_of_its_own(
    name: str, is_beside: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".roost").mkdir(mode=0o700)
    verb, threads = getattr(Statuses, name), list[threading.Thread]()
    whole = verb.body

    def noted(*args: Any, **kwargs: Any) -> Any:
        threads.append(threading.current_thread())
        return whole(*args, **kwargs)

    monkeypatch.setattr(verb, "body", noted)

    async def ask() -> None:
        core = Core(connect(tmp_path), connect(tmp_path), asyncio.get_running_loop())
        session = core.project.joined("planner").sessions.me().session
        hub = hub_of(core, session)
        await (hub.status.looked(0) if name == "looked" else getattr(hub.status, name)())
        await core.close()

    asyncio.run(ask())
    assert [thread is not threading.main_thread() for thread in threads] == [is_beside]
