"""The tasks to come in a window, in the order in which they fall due: from the registry alone."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from heapq import heappop, heappush, merge
from itertools import groupby

from scheduler.errors import SchedulerError
from scheduler.registry.registry import Registry
from scheduler.registry.task_id import TaskId
from scheduler.zones import to_instant, to_utc

_MOST_PLANNED = 200_000  # tasks that one plan may hold


def planned(
    registry: Registry, start: datetime, end: datetime, names: Iterable[str] | None = None
) -> Iterator[TaskId]:
    """Yield the tasks to come, start <= instant < end, in the order in which they fall due.

    At one instant, again and again the smallest name comes whose upstream tasks at that same
    instant are all out.  Disabled routines have no tasks.

    Raises:
        SchedulerError: there are too many.
    """
    first = to_instant(start) + bool(start.microsecond)
    last = to_instant(end) + bool(end.microsecond)
    chosen = [registry[name] for name in (registry if names is None else names)]

    def instants(name: str) -> Iterator[tuple[int, str]]:
        return ((at, name) for at in registry.triggers.between(name, first, last))

    streams = [instants(routine.name) for routine in chosen if routine.enabled]
    count = 0
    for at, group in groupby(merge(*streams), key=lambda pair: pair[0]):
        for name in _in_order(registry, at, [name for _, name in group]):
            count += 1
            if count > _MOST_PLANNED:
                raise SchedulerError(
                    f"the window holds more than {_MOST_PLANNED} tasks: give a shorter one"
                )
            yield TaskId(name, to_utc(at), registry[name].zone)


def _in_order(registry: Registry, at: int, names: list[str]) -> Iterator[str]:
    """Yield the names of one instant, what is waited for first."""
    if len(names) == 1:
        yield names[0]
        return
    here = set(names)
    open_upstreams: dict[str, int] = {}
    downstreams: dict[str, list[str]] = {name: [] for name in names}
    free: list[str] = []
    for name in names:
        routine = registry[name]
        upstreams = dict.fromkeys(
            dependency.name
            for dependency in routine.dependencies
            if dependency.name in here
            and dependency.name != name
            and registry.triggers.binds(routine, dependency, at, at)
        )
        open_upstreams[name] = len(upstreams)
        for upstream in upstreams:
            downstreams[upstream].append(name)
        if not upstreams:
            heappush(free, name)
    while free:
        name = heappop(free)
        yield name
        for downstream in downstreams[name]:
            open_upstreams[downstream] -= 1
            if not open_upstreams[downstream]:
                heappush(free, downstream)
