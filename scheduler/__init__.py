"""A cron-like scheduler for Python scripts, with dependencies between them.

The public names are imported when they are first asked for: ``status`` must not pay for what
only ``start`` needs.
"""

import importlib
from typing import TYPE_CHECKING

from scheduler.version import __version__ as __version__

if TYPE_CHECKING:
    from scheduler.cron import Schedule
    from scheduler.engine.task import Task
    from scheduler.errors import SchedulerError
    from scheduler.registry.registry import Registry
    from scheduler.registry.routine import Routine
    from scheduler.registry.task_id import TaskId
    from scheduler.service.registry_files import load_registry

__all__ = ["Registry", "Routine", "Schedule", "SchedulerError", "Task", "TaskId", "load_registry"]

_HOMES = {
    "Registry": "scheduler.registry.registry",
    "Routine": "scheduler.registry.routine",
    "Schedule": "scheduler.cron",
    "SchedulerError": "scheduler.errors",
    "Task": "scheduler.engine.task",
    "TaskId": "scheduler.registry.task_id",
    "load_registry": "scheduler.service.registry_files",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
