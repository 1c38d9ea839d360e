"""Tidying after clients that `roost run` launched: their settings, which hold a key that ended with them."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING

from roost import workdir
from roost.errors import RoostError
from roost.launches.service import Launches

if TYPE_CHECKING:
    from roost.daemon.core import Core

LOOK_SECONDS = 60.0


async def tidy(core: Core, place: str) -> None:
    """Remove the settings of launches whose process is gone, once a minute, until cancelled."""
    folder = os.path.join(place, workdir.LAUNCHES)
    while True:
        with contextlib.suppress(RoostError, OSError):  # the next look does it
            if names := os.listdir(folder):
                living = await core.call("", Launches.tidy, Launches, (), {})
                for name in set(names) - {f"{launch}.json" for launch in living}:
                    os.unlink(os.path.join(folder, name))
        await asyncio.sleep(LOOK_SECONDS)
