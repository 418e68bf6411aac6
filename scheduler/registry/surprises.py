"""What is legal but surprising in the routines of a registry, each with the way out.

Runs that the next change of the clocks moves, merges or leaves out; more tasks waited for than
anybody means; limits on running that reach beyond the next instant; modules that are never loaded.
"""

from collections.abc import Iterator
from datetime import timedelta
from itertools import islice, pairwise
from statistics import median_low

from scheduler.cron import ZONE_MOVE, Schedule
from scheduler.durations import duration_text
from scheduler.errors import Problem
from scheduler.registry.calendars import CalendarSchedule
from scheduler.registry.routine import InstantKind, Overlap, Place, Routine, Warm
from scheduler.registry.triggers import Triggers
from scheduler.zones import DAY, LAST, MINUTE, Segment, Zone, to_local, to_utc

_YEAR = 366 * DAY
_MANY = 2_000  # tasks that one task waits for
_FEWEST_SECONDS = _MANY * MINUTE  # no schedule has so many instants in less
_LOOKED_AT = 13  # instants that tell how far they are apart
# Any will do that is no night of a change: how often a routine triggers is asked from here on.
_SAMPLE = 1_767_225_600  # 2026-01-01


class Surprises:
    """Looks at one routine after the other; ``around`` is now, or None if nobody said."""

    def __init__(self, triggers: Triggers, around: int | None) -> None:
        self._triggers = triggers
        self._around = around
        self._gaps: dict[Zone, tuple[tuple[Segment, Segment], ...]] = {}
        # The schedules of a large registry are the same few again and again.
        self._odd_nights: dict[Schedule, str | None] = {}
        self._periods: dict[object, int | None] = {}
        self._counts: dict[tuple[object, object], bool] = {}

    def of(self, routine: Routine) -> Iterator[Problem]:
        """Yield what is surprising about a routine."""
        if not routine.enabled:
            return
        if self._around is not None and routine.schedule is not None:
            yield from self._clock_change(routine, routine.schedule, self._around)
        if routine.timeout is not None and routine.overlap is Overlap.NO:
            yield from self._long_timeout(routine, routine.timeout)
        if routine.preload and routine.warm is Warm.NO:
            yield problem_of(
                routine,
                f'routine {routine.name!r}: preload means nothing with warm="no": each of its'
                " attempts starts a new interpreter",
                "leave out one of the two",
            )
        for dependency in routine.dependencies:
            if dependency.instant is InstantKind.ALL and self._are_many(routine, dependency.name):
                yield problem_of(
                    routine,
                    f"routine {routine.name!r} waits for more than {_MANY:,} tasks of"
                    f" {dependency.name!r} each time",
                    "wait for the latest, or for a routine between them that runs less often",
                    dependency.place,
                )

    def _clock_change(self, routine: Routine, schedule: Schedule, around: int) -> Iterator[Problem]:
        if schedule not in self._odd_nights:
            found = (self._what_happens(schedule, *gap) for gap in self._gaps_of(schedule.zone))
            self._odd_nights[schedule] = next(filter(None, found), None)
        what = self._odd_nights[schedule]
        if what is not None:
            yield problem_of(
                routine,
                f"routine {routine.name!r}: {what}",
                "if that matters, choose a time that no change of the clocks touches",
            )

    def _gaps_of(self, zone: Zone) -> tuple[tuple[Segment, Segment], ...]:
        """Return the pairs of segments between which clocks skip a time, within a year."""
        assert self._around is not None
        if zone not in self._gaps:
            found: list[tuple[Segment, Segment]] = []
            before = zone.segment_at(self._around)
            while before.end <= self._around + _YEAR and before.end <= LAST:
                after = zone.segment_at(before.end)
                if after.offset > before.offset:
                    found.append((before, after))
                before = after
            self._gaps[zone] = tuple(found)
        return self._gaps[zone]

    def _what_happens(self, schedule: Schedule, before: Segment, after: Segment) -> str | None:
        """Return what becomes of the runs that the gap between two segments swallows."""
        zone = schedule.zone
        low, high = before.end + before.offset, after.start + after.offset
        lost = [wall for wall in schedule.walls(low, high) if _counts(schedule, wall)]
        if not lost:
            return None
        times = _times(lost)
        on = f"on {to_utc(low).date()} clocks in {zone.name} skip {_time(low)} to {_time(high)}:"
        if schedule.is_wildcard or high - low >= ZONE_MOVE:
            rest = schedule.walls(low // DAY * DAY, low // DAY * DAY + DAY)
            if any(not low <= wall < high for wall in rest):
                return None  # one of many is not missed
            return f"{on} it does not run that day at {times}"
        made_up = after.start + -high % MINUTE
        shown = to_local(made_up, zone).strftime("%H:%M")
        meets = any(
            True for _ in schedule.walls(made_up + after.offset, made_up + after.offset + 1)
        )
        if len(lost) + meets > 1:
            every = _times([*lost, made_up + after.offset] if meets else lost)
            return f"{on} its runs of {every} are one, at {shown}"
        return f"{on} its run of {times} comes at {shown}"

    def _long_timeout(self, routine: Routine, timeout: timedelta) -> Iterator[Problem]:
        period = self._period(routine.name)
        if period is not None and timeout.total_seconds() > period:
            yield problem_of(
                routine,
                f"routine {routine.name!r}: its timeout of {duration_text(timeout)} is longer than"
                f" the {duration_text(timedelta(seconds=period))} between its instants, and its"
                " tasks may not overlap: one that hangs holds up those after it",
                'give it a shorter timeout, or overlap="yes"',
            )

    def _period(self, name: str) -> int | None:
        """Return the usual seconds between two of a routine's instants."""
        source = self._triggers.source(name)
        if source not in self._periods:
            instants = self._triggers.between(name, _SAMPLE, LAST)
            apart = [two - one for one, two in pairwise(islice(instants, _LOOKED_AT))]
            self._periods[source] = median_low(apart) if apart else None
        return self._periods[source]

    def _are_many(self, routine: Routine, upstream: str) -> bool:
        """Return whether tasks of the routine wait for very many of the upstream."""
        triggers = self._triggers
        sources = (triggers.source(routine.name), triggers.source(upstream))
        if sources not in self._counts:
            first = triggers.next(routine.name, _SAMPLE)
            second = None if first is None else triggers.next(routine.name, first)
            if first is None or second is None or second - first < _FEWEST_SECONDS:
                self._counts[sources] = False
            else:
                found = triggers.between(upstream, first + 1, second + 1)
                self._counts[sources] = any(True for _ in islice(found, _MANY, None))
        return self._counts[sources]


def problem_of(routine: Routine, message: str, hint: str, place: Place | None = None) -> Problem:
    """Return what there is to say of a routine, at its place or another."""
    place = place or routine.place
    return Problem(
        file=place.file if place else "registry",
        line=place.line if place else None,
        column=place.column if place else None,
        routine=routine.name,
        message=message,
        hint=hint,
    )


def _counts(schedule: Schedule, wall: int) -> bool:
    return not (isinstance(schedule, CalendarSchedule) and wall // DAY in schedule.calendar)


def _times(walls: list[int]) -> str:
    *firsts, last = [_time(wall) for wall in walls]
    return f"{', '.join(firsts)} and {last}" if firsts else last


def _time(wall: int) -> str:
    return to_utc(wall).strftime("%H:%M")
