"""What all tests share: how Hypothesis plays on a machine that is busy."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Two shared cores: how long one example takes says nothing about it.
settings.register_profile("roost", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("roost")
