"""The registry: the dictionary of all routines, with what follows from it alone.

No XML, no files, no current time.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice

from scheduler.errors import SchedulerError, UnknownRoutineError
from scheduler.registry.calendars import CalendarSchedule
from scheduler.registry.routine import Dependency, InstantKind, Routine
from scheduler.registry.task_id import TaskId
from scheduler.registry.triggers import Triggers, period, upstream_first
from scheduler.zones import LAST, to_instant, to_local, to_utc, zone_named


class Registry(Mapping[str, Routine]):
    """All routines by name, in the order of the file, and when they trigger.

    ``routines`` must have passed `examine`: no unknown names, no cycles.  ``pools`` are the slots
    that each pool has, by its name.
    """

    def __init__(
        self,
        routines: Sequence[Routine] = (),
        *,
        timezone: str = "UTC",
        pools: Mapping[str, int] | None = None,
    ) -> None:
        dependents: dict[str, list[str]] = {routine.name: [] for routine in routines}
        for routine in routines:
            for name in routine.upstreams:
                dependents[name].append(routine.name)
        self._routines = {
            routine.name: _with_dependents(routine, tuple(dependents[routine.name]))
            for routine in routines
        }
        self.timezone = timezone
        self.pools: Mapping[str, int] = dict(pools or {})
        #: names so that each comes after what it depends on
        self.order: tuple[str, ...] = tuple(upstream_first(self._routines))
        self.triggers = Triggers(self._routines, self.order)
        assert len(self.order) == len(self._routines), "a registry has no cycles"

    def __getitem__(self, name: str) -> Routine:
        try:
            return self._routines[name]
        except KeyError:
            raise UnknownRoutineError(_unknown(name, self._routines)) from None

    def __contains__(self, name: object) -> bool:
        return name in self._routines

    def __iter__(self) -> Iterator[str]:
        return iter(self._routines)

    def __len__(self) -> int:
        return len(self._routines)

    def __repr__(self) -> str:
        return f"Registry({len(self)} routines)"

    def instants(self, name: str, start: datetime, end: datetime) -> tuple[datetime, ...]:
        """Return the routine's instants, start <= instant < end, in its zone; rounds included.

        Raises:
            SchedulerError: there is no such routine, or a bound has no time zone.
        """
        zone = zone_named(self[name].zone)
        first, last = _not_before(start), _not_before(end)
        return tuple(to_local(found, zone) for found in self.triggers.between(name, first, last))

    def waits_for(self, name: str, instant: datetime) -> tuple[TaskId, ...]:
        """Return the tasks that the routine's task at ``instant`` waits for.

        They stand in registry order, then by instant, each once.

        Raises:
            SchedulerError: there is no such routine, or it does not trigger at that instant.
        """
        routine = self[name]
        at = to_instant(instant)
        if instant.microsecond or not self.triggers.is_instant(name, at):
            raise SchedulerError(self.not_an_instant(name, at))
        found = (
            TaskId(dependency.name, to_utc(bound), self._routines[dependency.name].zone)
            for dependency in routine.dependencies
            for bound in self.triggers.bound(routine, dependency, at)
        )
        return tuple(dict.fromkeys(found))

    def waiting_for(self, name: str, instant: datetime, limit: int = 1000) -> tuple[TaskId, ...]:
        """Return the tasks bound to the routine's task at ``instant``: who waits for it.

        They are in registry order, then by instant; at most ``limit`` of each routine.
        """
        at = to_instant(instant)
        following = self.triggers.next(name, at)
        found: list[TaskId] = []
        for downstream in (*self[name].dependents, name):
            routine = self._routines[downstream]
            for dependency in routine.dependencies:
                if dependency.name != name:
                    continue
                start, end = self._span_of_waiters(routine, dependency, at, following)
                bound = (
                    TaskId(downstream, to_utc(one), routine.zone)
                    for one in self.triggers.between(downstream, start, end)
                    if self.triggers.binds(routine, dependency, one, at)
                )
                found.extend(islice(bound, limit))
        return tuple(dict.fromkeys(found))

    def _span_of_waiters(
        self, routine: Routine, dependency: Dependency, at: int, following: int | None
    ) -> tuple[int, int]:
        """Return a span, start <= instant < end, that holds all that is bound to ``at``."""
        match dependency.instant:
            case InstantKind.LATEST | InstantKind.PREVIOUS:
                return at, LAST if following is None else following + 1
            case InstantKind.ALL:
                first = self.triggers.next(routine.name, at - 1)
                return at, at if first is None else first + 1
            case InstantKind.SAME_DAY | InstantKind.SAME_WEEK | InstantKind.SAME_MONTH as kind:
                return period(zone_named(routine.zone), kind, at)

    def not_an_instant(self, name: str, instant: int) -> str:
        """Return the message for an instant at which the routine does not trigger."""
        routine = self[name]
        asked = TaskId(name, to_utc(instant), routine.zone)
        around = (self.triggers.previous(name, instant), self.triggers.next(name, instant))
        near = [
            str(TaskId(name, to_utc(found), routine.zone)) for found in around if found is not None
        ]
        if not near:
            return f"{asked}: routine {name!r} runs by hand only and has no instants"
        reason = _holiday_words(routine, instant) or f"routine {name!r} has no such instant"
        return f"{asked}: {reason}; the nearest are {' and '.join(near)}"


def _with_dependents(routine: Routine, dependents: tuple[str, ...]) -> Routine:
    return routine if routine.dependents == dependents else replace(routine, dependents=dependents)


def _holiday_words(routine: Routine, instant: int) -> str:
    """Return why a holiday leaves a routine no such instant; nothing if it is not that."""
    schedule = routine.schedule
    if not isinstance(schedule, CalendarSchedule) or not schedule.is_holiday(instant):
        return ""
    day = TaskId(routine.name, to_utc(instant), routine.zone).local.date()
    words = f"{day} is a holiday ({routine.calendar_name})"
    moved = schedule.moved_to(instant)
    if moved is None:
        return f"{words}, on which routine {routine.name!r} does not run"
    return f"{words}: it is moved to {TaskId(routine.name, to_utc(moved), routine.zone)}"


def _not_before(moment: datetime) -> int:
    """Return the first whole second that is not before the moment."""
    return to_instant(moment) + bool(moment.microsecond)


def _unknown(name: str, known: Mapping[str, Routine]) -> str:
    shown = name if len(name) <= 80 else name[:79] + "…"
    near = difflib.get_close_matches(name[:200], known, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return f"there is no routine {shown!r} in the registry{hint}"
