"""The instants of a routine, and which task of each upstream routine a task waits for.

Pure functions of the registry (SPEC 3 and 4): nothing of which tasks exist, ran or failed.
Instants are whole seconds since 1970-01-01 UTC here.

A routine with a schedule triggers at the schedule's instants.  One without triggers by *rounds*:
each local day of its zone is cut into rounds; a round ends at the first instant by which every
upstream has triggered in it, and there the routine triggers.  The answer for a day needs that day
alone, so days are computed one by one, kept, and never looked for through a chain by recursion:
a chain may be ten thousand routines long.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice

from scheduler.cron import DateSet, Schedule
from scheduler.registry.calendars import CalendarSchedule
from scheduler.registry.dates import EVERY_DATE, common_dates, next_date, previous_date
from scheduler.registry.routine import Dependency, InstantKind, Routine
from scheduler.zones import EPOCH_ORDINAL, FIRST, LAST, Zone, zone_named

# Kept days of rounds; beyond it all are forgotten and computed anew when asked for.
_KEPT_DAYS = 200_000
# Days that a search looks at without finding a round before it calls the routine dead: rounds are
# judged by dates at load, and dates of different zones may share a name without sharing an hour.
_FRUITLESS_DAYS = 3_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """A routine that triggers by rounds: what it needs to know of its upstreams."""

    name: str
    zone: Zone
    schedules: tuple[Schedule, ...]
    rounds: tuple[str, ...]  # upstreams that trigger by rounds themselves
    dates: DateSet  # those that its upstreams have in common, holidays aside
    reach: DateSet  # the dates that it may trigger on: a holiday moves instants to any
    is_one_zone: bool  # all that it rests on is in its own zone: the dates are exact


class Triggers:
    """The instants of every routine of a registry, in both directions.

    ``routines`` must be free of cycles; a routine whose upstreams are missing or run by hand only
    counts as run by hand itself.
    """

    def __init__(self, routines: Mapping[str, Routine], order: Sequence[str]) -> None:
        """``order`` is that of `upstream_first`."""
        self._routines = routines
        # One upstream alone: the routine triggers whenever that one does.
        self._sources: dict[str, Schedule | Rounds | None] = {}
        self._days: dict[tuple[str, int], tuple[int, ...]] = {}
        for name in order:
            self._sources[name] = self._source(routines[name])

    def _source(self, routine: Routine) -> Schedule | Rounds | None:
        if routine.schedule is not None:
            return routine.schedule
        found = [self._sources.get(name) for name in routine.upstreams]
        sources = tuple(dict.fromkeys(source for source in found if source is not None))
        if len(sources) < 2 or None in found:
            return sources[0] if sources and None not in found else None
        zone = zone_named(routine.zone)
        rounds = tuple(source for source in sources if isinstance(source, Rounds))
        schedules = tuple(source for source in sources if isinstance(source, Schedule))
        return Rounds(
            name=routine.name,
            zone=zone,
            schedules=schedules,
            rounds=tuple(source.name for source in rounds),
            dates=common_dates([source_dates(source) for source in sources]),
            reach=common_dates([_reach(source) for source in sources]),
            is_one_zone=all(schedule.zone is zone for schedule in schedules)
            and all(source.zone is zone and source.is_one_zone for source in rounds),
        )

    def dates(self, name: str) -> DateSet | None:
        """Return the dates of a routine, holidays aside; None for one run by hand only."""
        source = self._sources[name]
        return None if source is None else source_dates(source)

    def source(self, name: str) -> Schedule | Rounds | None:
        """Return what yields the routine's instants: routines with equal sources share them."""
        return self._sources[name]

    def next(self, name: str, after: int) -> int | None:
        """Return the routine's first instant strictly later, or None."""
        source = self._sources[name]
        if source is None:
            return None
        if isinstance(source, Schedule):
            return source.next_instant(after)
        after = max(after, FIRST)
        if after >= LAST:
            return None
        for day in islice(self._days_ahead(source, source.zone.day_of(after)), _FRUITLESS_DAYS):
            instants = self._instants_of_day(source, day)
            index = bisect_right(instants, after)
            if index < len(instants):
                return instants[index]
        return None

    def previous(self, name: str, limit: int) -> int | None:
        """Return the routine's last instant not later than ``limit``, or None."""
        source = self._sources[name]
        if source is None:
            return None
        if isinstance(source, Schedule):
            return source.previous_instant(limit)
        limit = min(limit, LAST)
        if limit < FIRST:
            return None
        for day in islice(self._days_behind(source, source.zone.day_of(limit)), _FRUITLESS_DAYS):
            instants = self._instants_of_day(source, day)
            index = bisect_right(instants, limit)
            if index:
                return instants[index - 1]
        return None

    def between(self, name: str, start: int, end: int) -> Iterator[int]:
        """Yield the routine's instants, start <= instant < end, in order."""
        source = self._sources[name]
        if isinstance(source, Rounds):
            yield from self._between_rounds(source, max(start, FIRST), min(end, LAST))
            return
        instant = self.next(name, start - 1)
        while instant is not None and instant < end:
            yield instant
            instant = self.next(name, instant)

    def _between_rounds(self, rounds: Rounds, start: int, end: int) -> Iterator[int]:
        if start >= end:
            return
        last = rounds.zone.day_of(end - 1)
        fruitless = 0
        for day in self._days_ahead(rounds, rounds.zone.day_of(start)):
            if day > last or fruitless == _FRUITLESS_DAYS:
                return
            instants = self._instants_of_day(rounds, day)
            fruitless = 0 if instants else fruitless + 1
            for instant in instants:
                if start <= instant < end:
                    yield instant

    def is_instant(self, name: str, instant: int) -> bool:
        """Return whether the routine triggers at the instant."""
        return self.previous(name, instant) == instant

    def bound(self, routine: Routine, dependency: Dependency, instant: int) -> tuple[int, ...]:
        """Return the upstream's instants that the task at ``instant`` waits for, in order.

        They follow from the registry alone; there are none where the upstream has no such instant.
        """
        upstream = dependency.name
        match dependency.instant:
            case InstantKind.LATEST:
                found = self.previous(upstream, instant)
            case InstantKind.PREVIOUS:
                found = self.previous(upstream, instant - 1)
            case InstantKind.ALL:
                before = self.previous(routine.name, instant - 1)
                start = instant if before is None else before + 1
                return tuple(self.between(upstream, start, instant + 1))
            case InstantKind.SAME_DAY | InstantKind.SAME_WEEK | InstantKind.SAME_MONTH as kind:
                start, end = period(zone_named(routine.zone), kind, instant)
                found = self.previous(upstream, end - 1)
                found = found if found is not None and found >= start else None
        return () if found is None else (found,)

    def binds(self, routine: Routine, dependency: Dependency, instant: int, at: int) -> bool:
        """Return whether the task at ``instant`` waits for the upstream's at ``at``.

        What `bound` says; but `all` of a month of minutes is not listed to find one.
        """
        if dependency.instant is not InstantKind.ALL:
            return at in self.bound(routine, dependency, instant)
        before = self.previous(routine.name, instant - 1)
        first = instant if before is None else before + 1
        return first <= at <= instant and self.is_instant(dependency.name, at)

    def _days_ahead(self, rounds: Rounds, day: int) -> Iterator[int]:
        """Yield the days, from ``day`` on, on which the routine may trigger."""
        slack = 0 if rounds.is_one_zone else 2
        while (found := next_date(rounds.reach, day - slack)) is not None:
            day = max(day, found - slack)
            yield day
            day += 1

    def _days_behind(self, rounds: Rounds, day: int) -> Iterator[int]:
        slack = 0 if rounds.is_one_zone else 2
        while (found := previous_date(rounds.reach, day + slack)) is not None:
            day = min(day, found + slack)
            yield day
            day -= 1

    def _instants_of_day(self, rounds: Rounds, day: int) -> tuple[int, ...]:
        """Return the routine's instants in one of its local days."""
        kept = self._days.get((rounds.name, day))
        if kept is not None:
            return kept
        if len(self._days) > _KEPT_DAYS:
            self._days.clear()
        stack = [(rounds, day)]
        while stack:
            rounds, day = stack[-1]
            missing = [
                (upstream, its_day)
                for upstream, its_day in self._days_below(rounds, day)
                if (upstream.name, its_day) not in self._days
            ]
            if missing:
                stack.extend(missing)
                continue
            self._days[rounds.name, day] = self._rounds_of_day(rounds, day)
            stack.pop()
        return self._days[rounds.name, day]

    def _days_below(self, rounds: Rounds, day: int) -> Iterator[tuple[Rounds, int]]:
        """Yield (upstream, its day) for all that a day of rounds is computed from."""
        bounds = rounds.zone.day_bounds(day) if rounds.rounds else None
        if bounds is None:
            return
        for name in rounds.rounds:
            upstream = self._sources[name]
            assert isinstance(upstream, Rounds)
            first, last = upstream.zone.day_of(bounds[0]), upstream.zone.day_of(bounds[1] - 1)
            for its_day in range(first, last + 1):
                yield upstream, its_day

    def _rounds_of_day(self, rounds: Rounds, day: int) -> tuple[int, ...]:
        bounds = rounds.zone.day_bounds(day)
        if bounds is None:
            return ()
        start, end = bounds
        instants: dict[str, list[int]] = {name: [] for name in rounds.rounds}
        for upstream, its_day in self._days_below(rounds, day):
            instants[upstream.name].extend(self._days[upstream.name, its_day])
        found: list[int] = []
        while True:
            finish = start
            for listed in instants.values():
                index = bisect_left(listed, start)
                if index == len(listed):
                    return tuple(found)
                finish = max(finish, listed[index])
            for schedule in rounds.schedules:
                instant = schedule.next_instant(start - 1)
                if instant is None or instant >= end:
                    return tuple(found)
                finish = max(finish, instant)
            if finish >= end:
                return tuple(found)
            found.append(finish)
            start = finish + 1


def source_dates(source: Schedule | Rounds) -> DateSet:
    """Return the dates on which a source of instants may yield one, holidays aside."""
    return source.dates() if isinstance(source, Schedule) else source.dates


def _reach(source: Schedule | Rounds) -> DateSet:
    """Return the dates on which a source of instants may yield one."""
    if isinstance(source, CalendarSchedule) and source.moves:
        return EVERY_DATE
    return source.dates() if isinstance(source, Schedule) else source.reach


def upstream_first(routines: Mapping[str, Routine]) -> list[str]:
    """Return the names so that each comes after what it depends on, registry order where free.

    Names on a cycle are left out, and so is all that depends on them.
    """
    open_upstreams = dict.fromkeys(routines, 0)
    downstreams: dict[str, list[str]] = {}
    for name, routine in routines.items():
        for upstream in routine.upstreams:
            if upstream in routines:
                downstreams.setdefault(upstream, []).append(name)
                open_upstreams[name] += 1
    order = [name for name, count in open_upstreams.items() if count == 0]
    for name in order:  # grows while it is walked
        for downstream in downstreams.get(name, ()):
            open_upstreams[downstream] -= 1
            if open_upstreams[downstream] == 0:
                order.append(downstream)
    return order


def period(zone: Zone, kind: InstantKind, instant: int) -> tuple[int, int]:
    """Return the local day, week (from Monday) or month of an instant, start <= instant < end."""
    day = zone.day_of(instant)
    if kind is InstantKind.SAME_DAY:
        first, following = day, day + 1
    elif kind is InstantKind.SAME_WEEK:
        first = day - date.fromordinal(day + EPOCH_ORDINAL).weekday()
        following = first + 7
    else:
        today = date.fromordinal(day + EPOCH_ORDINAL)
        first = day - today.day + 1
        year, month = (today.year, today.month + 1) if today.month < 12 else (today.year + 1, 1)
        following = date(year, month, 1).toordinal() - EPOCH_ORDINAL
    return _begin(zone, first), _begin(zone, following)


def _begin(zone: Zone, day: int) -> int:
    """Return when a day begins, or if the zone left it out, the next one."""
    while (start := zone.day_start(day)) is None:
        day += 1
    return start
