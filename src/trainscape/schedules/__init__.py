"""Learning-rate schedules, one file each: pure functions of the step, factors on the peak."""

from trainscape.registry import Registry
from trainscape.schedules._base import Clock, Schedule
from trainscape.schedules._duration import Duration

registry: Registry[type[Schedule]] = Registry("schedule", __name__)
register = registry.register

__all__ = ["Clock", "Duration", "Schedule", "register", "registry"]
