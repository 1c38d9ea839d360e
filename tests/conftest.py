"""What all tests share: Hypothesis on a busy machine, signals as a shell has them, and no daemon left behind."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.leftovers import daemons_in

# Two shared cores: how long one example takes says nothing about it.
settings.register_profile("roost", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("roost")

# The daemon's own tests turn it on; others see the file alone, and leave no process behind.
os.environ["ROOST_DAEMON"] = "off"

# A run that was started in the background ignores Ctrl-C, and so would every process that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

GOING_SECONDS_MAX = 60.0
"""A daemon that was told to stop, or whose project is gone, may need a moment."""


@pytest.fixture(scope="session", autouse=True)
def no_daemon_outlives_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fail where any test of this run left a daemon behind."""
    yield
    folder, deadline = tmp_path_factory.getbasetemp(), time.monotonic() + GOING_SECONDS_MAX
    while left := daemons_in(folder):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)
