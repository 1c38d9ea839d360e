"""What all tests share: how Hypothesis plays on a machine that is busy, and signals as a person's shell has them."""

from __future__ import annotations

import os
import signal

from hypothesis import HealthCheck, settings

# Two shared cores: how long one example takes says nothing about it.
settings.register_profile("roost", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("roost")

# The daemon's own tests turn it on; others see the file alone, and leave no process behind.
os.environ["ROOST_DAEMON"] = "off"

# A run that was started in the background ignores Ctrl-C, and so would every process that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
