"""Dates on which a routine does not run, and schedules that keep clear of them.

Values and computing only: which text stands for which calendar is in `calendar_names`.  Holidays
of a country come from the `holidays` library (ADR 0018), imported when the first one is asked for.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import MAXYEAR, MINYEAR, date
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b

from scheduler.cron import Schedule, fixed_instants
from scheduler.registry.dates import next_date
from scheduler.zones import DAY, EPOCH_ORDINAL, FIRST, HOUR, LAST, MINUTE, Zone

# No offset of a zone is beyond a day and two hours, also where a date was lost or lived twice.
_FARTHEST = DAY + 2 * HOUR
_FIRST_DAY, _LAST_DAY = FIRST // DAY, LAST // DAY
_KEPT_TARGETS = 1_000


class OnHoliday(StrEnum):
    """What becomes of an instant on a date of the calendar."""

    SKIP = "skip"  #: there is none
    BEFORE = "before"  #: it moves to the last date before that is Monday to Friday and no holiday
    AFTER = "after"  #: it moves to the next such date


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Holidays, as days since 1970: those that a file lists, or those of a country.

    ``listed`` is None for what the library knows by its ``name``, such as ``US`` or ``DE-BY``.
    """

    name: str
    listed: tuple[int, ...] | None = field(default=None, repr=False)  # ascending, each once

    def __contains__(self, day: int) -> bool:
        """Return whether the day is a holiday."""
        days = self._days_of(_year_of(day))
        index = bisect_left(days, day)
        return index < len(days) and days[index] == day

    def next(self, day: int) -> int | None:
        """Return the first holiday that is not before the day, or None if none is known."""
        for year in self._years(day, 1):
            days = self._days_of(year)
            index = bisect_left(days, day)
            if index < len(days):
                return days[index]
        return None

    def previous(self, day: int) -> int | None:
        """Return the last holiday that is not after the day, or None if none is known."""
        for year in self._years(day, -1):
            days = self._days_of(year)
            index = bisect_right(days, day)
            if index:
                return days[index - 1]
        return None

    @property
    def text(self) -> str:
        """Return a text that changes exactly when the dates of its file do."""
        if self.listed is None:
            # Not what the library answers: an update of it is no change of the registry.
            return self.name
        return blake2b(repr(self.listed).encode(), digest_size=12).hexdigest()

    def _days_of(self, year: int) -> tuple[int, ...]:
        """Return the holidays of a year, in order; those of a file are not told apart by year."""
        return _library_days(self.name, year) if self.listed is None else self.listed

    def _years(self, day: int, step: int) -> range:
        """Return the years that a search from the day on has to look at."""
        year = _year_of(day)
        if self.listed is not None:
            return range(year, year + 1)
        first, last = _library_years(self.name)
        return (
            range(max(year, first), last + 1) if step > 0 else range(min(year, last), first - 1, -1)
        )


class CalendarSchedule(Schedule):
    """A schedule whose instants on holidays are left out, or moved (SPEC 2).

    Which date an instant is of, its fields tell: a time that a gap swallows belongs to the date
    that lost it.  A moved instant keeps its wall time and is resolved on its new date as a fixed
    time is.  `dates` are those of the fields, holidays aside: rounds are judged by them.
    """

    __slots__ = ("_moved", "calendar", "on_holiday")

    def __init__(
        self, expression: str, timezone: str | Zone, calendar: Calendar, on_holiday: OnHoliday
    ) -> None:
        super().__init__(expression, timezone)
        self.calendar = calendar
        self.on_holiday = on_holiday
        self._moved: dict[int, dict[int, int]] = {}

    def __repr__(self) -> str:
        return (
            f"CalendarSchedule({self.expression!r}, {self.timezone!r},"
            f" {self.calendar.name!r}, {self.on_holiday.value!r})"
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CalendarSchedule):
            return False if isinstance(other, Schedule) else NotImplemented
        mine = (self._fields, self.timezone, self.calendar, self.on_holiday)
        return mine == (other._fields, other.timezone, other.calendar, other.on_holiday)

    def __hash__(self) -> int:
        return hash((self._fields, self.timezone, self.calendar.name, self.on_holiday))

    @property
    def text(self) -> str:
        """Return a text that changes exactly when its instants may."""
        return f"{super().text} {self.on_holiday} {self.calendar.text}"

    @property
    def moves(self) -> bool:
        """Return whether it has instants on other dates than its fields name."""
        return self.on_holiday is not OnHoliday.SKIP

    def next_instant(self, after: int) -> int | None:
        """Return the first instant strictly later than ``after``, or None."""
        own = self._next_own(after)
        if not self.moves:
            return own
        moved = self._next_moved(max(after, FIRST - 1), LAST + 1 if own is None else own)
        return own if moved is None else moved

    def previous_instant(self, limit: int) -> int | None:
        """Return the last instant not later than ``limit``, or None."""
        own = self._previous_own(limit)
        if not self.moves:
            return own
        moved = self._previous_moved(min(limit, LAST), FIRST - 1 if own is None else own)
        return own if moved is None else moved

    def nominal(self, instant: int) -> int:
        """Return the instant that a holiday moved to ``instant``; itself if none did.

        Where two were moved there, it is the nearer one.
        """
        if not self.moves or self.previous_instant(instant) != instant:
            return instant
        if super().previous_instant(instant) == instant and self._is_kept(instant):
            return instant
        day = self.zone.wall_of(instant) // DAY
        for target in (day, day - 1):  # a gap over midnight moves a time to the next day
            if instant in self._moved_to(target):
                return self._moved_to(target)[instant]
        return instant

    def is_holiday(self, instant: int) -> bool:
        """Return whether there would be an instant, but for the holidays."""
        return super().previous_instant(instant) == instant and not self._is_kept(instant)

    def moved_to(self, instant: int) -> int | None:
        """Return the instant to which that of a holiday is moved; None if it is left out."""
        if not (self.moves and self.is_holiday(instant)):
            return None
        wall = self.zone.wall_of(instant)
        target = self._target(wall // DAY)
        moved = fixed_instants(self.zone, wall + (target - wall // DAY) * DAY)
        # Of a time in a gap the wall is not that of the fields.
        return moved[0] if moved and self.previous_instant(moved[0]) == moved[0] else None

    def _next_own(self, after: int) -> int | None:
        """Return the first instant after ``after`` that is of no holiday."""
        while (found := super().next_instant(after)) is not None:
            if self._is_kept(found):
                return found
            segment = self.zone.segment_at(found)
            day = self._other_day((found + segment.offset) // DAY, 1)
            # Not beyond the segment: in the next one the wall may show an earlier date again.
            after = max(found, min(segment.end, day * DAY - segment.offset) - 1)
        return None

    def _previous_own(self, limit: int) -> int | None:
        while (found := super().previous_instant(limit)) is not None:
            if self._is_kept(found):
                return found
            segment = self.zone.segment_at(found)
            day = self._other_day((found + segment.offset) // DAY, -1)
            # Not before what a gap in front of the segment made up: that is of another date.
            latest = max(segment.start + MINUTE, (day + 1) * DAY - segment.offset) - 1
            limit = min(found - 1, latest)
        return None

    def _is_kept(self, instant: int) -> bool:
        """Return whether one of the base's instants is of a date that is no holiday."""
        segment = self.zone.segment_at(instant)
        wall = instant + segment.offset
        if self.is_wildcard or instant >= segment.start + MINUTE:
            return wall // DAY not in self.calendar
        # It may stand for times that the gap before the segment swallowed, and for its own.
        begin = segment.start + segment.offset
        swallowed = self.walls(self.zone.shown_before(segment), begin)
        own = self.walls(wall, wall + 1)
        return any(one // DAY not in self.calendar for one in (*swallowed, *own))

    def _other_day(self, day: int, step: int) -> int:
        """Return the next or the previous day that is no holiday."""
        while day in self.calendar:
            day += step
        return day

    def _next_moved(self, after: int, end: int) -> int | None:
        """Return the first moved instant, after < instant < end."""
        first = self.zone.wall_of(after) // DAY - 2
        start = first if self.on_holiday is OnHoliday.BEFORE else self._workday(first, -1)
        holiday = self.calendar.next(start)
        while holiday is not None:
            target = self._target(holiday)
            if target > _LAST_DAY or target * DAY - _FARTHEST >= end:
                return None
            if target >= first:
                for instant in self._moved_to(target):
                    if instant > after:
                        return instant if instant < end else None
            holiday = self.calendar.next(self._workday(holiday, 1))
        return None

    def _previous_moved(self, limit: int, begin: int) -> int | None:
        """Return the last moved instant, begin < instant <= limit."""
        last = self.zone.wall_of(limit) // DAY + 1
        start = last if self.on_holiday is OnHoliday.AFTER else self._workday(last, 1)
        holiday = self.calendar.previous(start)
        while holiday is not None:
            target = self._target(holiday)
            if target < _FIRST_DAY or (target + 1) * DAY + _FARTHEST <= begin:
                return None
            if target <= last:
                for instant in reversed(self._moved_to(target)):
                    if instant <= limit:
                        return instant if instant > begin else None
            holiday = self.calendar.previous(self._workday(holiday, -1))
        return None

    def _target(self, holiday: int) -> int:
        """Return the date that the instants of a holiday move to."""
        return self._workday(holiday, -1 if self.on_holiday is OnHoliday.BEFORE else 1)

    def _workday(self, day: int, step: int) -> int:
        """Return the next or the previous day from Monday to Friday that is no holiday."""
        day += step
        # A date that the zone left out is none; beyond what a datetime can express all are.
        while _FIRST_DAY <= day <= _LAST_DAY and (
            _is_weekend(day) or day in self.calendar or self.zone.day_start(day) is None
        ):
            day += step
        return day

    def _moved_to(self, target: int) -> dict[int, int]:
        """Return the instants that holidays moved to a date, in order, with their nominal ones."""
        found = self._moved.get(target)
        if found is None:
            if len(self._moved) >= _KEPT_TARGETS:
                self._moved.clear()
            nominal: dict[int, int] = {}
            for holiday in self._moved_from(target):
                nominal.update(self._moves(holiday, target))  # the nearer one wins
            found = self._moved[target] = dict(sorted(nominal.items()))
        return found

    def _moved_from(self, target: int) -> Iterator[int]:
        """Yield the holidays, of the dates that the fields name, whose instants move to a date.

        The nearest comes last.
        """
        step = 1 if self.on_holiday is OnHoliday.BEFORE else -1
        farthest = self._workday(target, step)
        for day in range(farthest - step, target, -step):
            if day in self.calendar and next_date(self.dates(), day) == day:
                yield day

    def _moves(self, holiday: int, target: int) -> Iterator[tuple[int, int]]:
        """Yield (moved, nominal) for each instant of a holiday."""
        for wall in self.walls(holiday * DAY, (holiday + 1) * DAY):
            # What a gap swallowed and the schedule does not make up was never an instant.
            nominal = (
                self.zone.instants_of(wall) if self.is_wildcard else fixed_instants(self.zone, wall)
            )
            moved = fixed_instants(self.zone, wall + (target - holiday) * DAY)
            if nominal and moved and FIRST <= moved[0] <= LAST:
                yield moved[0], nominal[0]


@lru_cache(maxsize=4096)
def _library_days(name: str, year: int) -> tuple[int, ...]:
    """Return the holidays that the library knows of a year, in order."""
    import warnings

    from holidays import country_holidays

    country, _, part = name.partition("-")
    with warnings.catch_warnings():
        # It tells of years for which it has no data, on stderr: there are no holidays then.
        warnings.simplefilter("ignore")
        # A year by itself: what a neighbouring one adds must not depend on which was asked first.
        found = country_holidays(country, subdiv=part or None, years=year, language="en_US")
    return tuple(sorted(day.toordinal() - EPOCH_ORDINAL for day in found if day.year == year))


@lru_cache(maxsize=512)
def _library_years(name: str) -> tuple[int, int]:
    from holidays import country_holidays

    country, _, part = name.partition("-")
    entity = country_holidays(country, subdiv=part or None, language="en_US")
    return max(entity.start_year, MINYEAR), min(entity.end_year, MAXYEAR)


def _year_of(day: int) -> int:
    return date.fromordinal(min(max(day + EPOCH_ORDINAL, 1), date.max.toordinal())).year


def _is_weekend(day: int) -> bool:
    return (day + 3) % 7 >= 5  # 1970 began on a Thursday
