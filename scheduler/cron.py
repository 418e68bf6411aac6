"""A cron expression in a time zone: the instants it yields, forwards and backwards.

The rules are those of Debian's cron(8), also at daylight-saving changes (SPEC 3, ADR 0003):

- With a ``*`` at the beginning of the minute or the hour field, real elapsed time counts: what a
  gap swallows is not made up, what is repeated runs in both passes.
- With both fixed, each wall time runs once: in its first pass if it is repeated; at the first
  whole minute after the gap if a gap of less than three hours swallows it.

No current time and no routines here.  Times are whole seconds since 1970 inside, aware datetimes
of the schedule's own zone outside.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import MAXYEAR, MINYEAR, date, datetime
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

from scheduler.cron_syntax import DayFields, parse, shown
from scheduler.errors import SchedulerError
from scheduler.zones import (
    DAY,
    EPOCH_ORDINAL,
    FIRST,
    HOUR,
    LAST,
    MINUTE,
    Segment,
    Zone,
    since_epoch,
    to_instant,
    to_local,
    zone_of,
)

#: from this length on a gap is a move of the zone itself, and nothing is made up (cron(8))
ZONE_MOVE = 3 * HOUR

#: the dates of a schedule, for each kind of year: bit n is day n of the year, from 0.  Seven years
#: that begin on Sunday to Saturday, then seven leap years: there are no other kinds.
DateSet = tuple[int, ...]

_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_WEEK = 0b1111111
_EVERY_WEEK = 1 | 1 << 7 | 1 << 14 | 1 << 21 | 1 << 28


class Schedule:
    """A cron expression in a time zone: ``Schedule("*/5 * * * *", timezone="Europe/Paris")``.

    Raises:
        SchedulerError: the expression or the zone is wrong, or its dates never come.
    """

    __slots__ = ("_ahead", "_behind", "_days", "_fields", "_times", "expression", "zone")

    def __init__(self, expression: str, timezone: str | ZoneInfo | Zone = "UTC") -> None:
        self._fields = parse(expression)
        self.expression: str = " ".join(expression.split())
        self.zone: Zone = zone_of(timezone)
        self._times = _times_of_day(self._fields.minutes, self._fields.hours)
        self._days = _month_days(self._fields.days)
        # The last answers, the newest first: thousands of routines may share a schedule, and each
        # is asked for about the same moment.
        self._ahead: tuple[tuple[int, int | None], ...] = ()  # (after, found)
        self._behind: tuple[tuple[int, int | None], ...] = ()  # (limit, found)
        if not self._days.come_in(self._fields.months):
            raise SchedulerError(f"schedule {shown(self.expression)}: its dates never come")

    @property
    def timezone(self) -> str:
        """Return the name of its zone."""
        return self.zone.name

    def __repr__(self) -> str:
        return f"Schedule({self.expression!r}, timezone={self.timezone!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Schedule):
            return NotImplemented
        return (self._fields, self.timezone) == (other._fields, other.timezone)

    def __hash__(self) -> int:
        return hash((self._fields, self.timezone))

    def next(self, after: datetime) -> datetime | None:
        """Return the first instant strictly later, in the schedule's zone; None if none is left.

        Raises:
            SchedulerError: ``after`` has no time zone.
        """
        found = self.next_instant(to_instant(after))
        return None if found is None else to_local(found, self.zone)

    def previous(self, before: datetime, *, inclusive: bool = False) -> datetime | None:
        """Return the last instant strictly earlier, or with ``inclusive`` not later.

        It is in the schedule's zone; None if there is none.

        Raises:
            SchedulerError: ``before`` has no time zone.
        """
        limit = to_instant(before)
        if not inclusive and not since_epoch(before).microseconds:
            limit -= 1
        found = self.previous_instant(limit)
        return None if found is None else to_local(found, self.zone)

    def next_instant(self, after: int) -> int | None:
        """Return the first instant strictly later than ``after``, or None."""
        for asked, found in self._ahead:
            if asked <= after and (found is None or after < found):
                return found
        found = self._next_instant(after)
        self._ahead = ((after, found), *self._ahead[:1])
        return found

    def _next_instant(self, after: int) -> int | None:
        since = max(after + 1, FIRST)
        if since > LAST:
            return None
        segment = self.zone.segment_at(since)
        while segment.start <= LAST:
            found = self._first_in(segment, since)
            if found is not None:
                return found if found <= LAST else None
            wall = segment.end + segment.offset
            # The next date may be years ahead; three days cover what a zone can shift it by.
            ahead = self._next_wall(wall - 3 * DAY, LAST + 1)
            if ahead is None:
                return None
            segment = self.zone.segment_at(max(segment.end, ahead - 3 * DAY))
        return None

    def previous_instant(self, limit: int) -> int | None:
        """Return the last instant not later than ``limit``, or None."""
        for asked, found in self._behind:
            if limit <= asked and (found is None or found <= limit):
                return found
        found = self._previous_instant(limit)
        self._behind = ((limit, found), *self._behind[:1])
        return found

    def _previous_instant(self, limit: int) -> int | None:
        until = min(limit, LAST)
        if until < FIRST:
            return None
        segment = self.zone.segment_at(until)
        while segment.end > FIRST:
            found = self._last_in(segment, until)
            if found is not None:
                return found if found >= FIRST else None
            wall = segment.start + segment.offset
            behind = self._previous_wall(wall + 3 * DAY, FIRST)
            if behind is None:
                return None
            segment = self.zone.segment_at(min(segment.start - 1, behind + 3 * DAY))
        return None

    @property
    def is_wildcard(self) -> bool:
        """Return whether real elapsed time counts: its minute or its hour begins with ``*``."""
        return self._fields.is_wildcard

    @property
    def text(self) -> str:
        """Return a text that changes exactly when its instants may."""
        return f"{self.expression} {self.timezone}"

    def dates(self) -> DateSet:
        """Return its dates, for each of the fourteen kinds of year."""
        return _dates(self._fields.months, self._fields.days)

    def walls(self, low: int, high: int) -> Iterator[int]:
        """Yield the wall times that its fields name, low <= wall < high, whatever clocks do."""
        wall = self._next_wall(low, high)
        while wall is not None:
            yield wall
            wall = self._next_wall(wall + 1, high)

    def _first_in(self, segment: Segment, since: int) -> int | None:
        """Return the first instant of the segment that is not before ``since``."""
        low = max(since, segment.start) + segment.offset
        if not self._fields.is_wildcard:
            if since < segment.start + MINUTE:
                made_up = self._made_up(segment)
                if made_up is not None and made_up >= since:
                    return made_up
            low = max(low, self.zone.shown_before(segment))
        wall = self._next_wall(low, segment.end + segment.offset)
        return None if wall is None else wall - segment.offset

    def _last_in(self, segment: Segment, until: int) -> int | None:
        """Return the last instant of the segment that is not after ``until``."""
        low = segment.start + segment.offset
        if not self._fields.is_wildcard:
            low = max(low, self.zone.shown_before(segment))
        high = min(until, segment.end - 1) + segment.offset
        wall = self._previous_wall(high, low)
        if wall is not None:
            return wall - segment.offset
        if self._fields.is_wildcard:
            return None
        made_up = self._made_up(segment)
        return made_up if made_up is not None and made_up <= until else None

    def _made_up(self, segment: Segment) -> int | None:
        """Return when the fixed times run that the gap before the segment swallowed, if any did."""
        begin = segment.start + segment.offset
        shown = self.zone.shown_before(segment)
        if not shown < begin < shown + ZONE_MOVE or self._next_wall(shown, begin) is None:
            return None
        return segment.start + -begin % MINUTE

    def _next_wall(self, low: int, high: int) -> int | None:
        """Return the first wall time named by the fields, low <= wall < high."""
        low = max(low, FIRST)
        day, second = divmod(low + -low % MINUTE, DAY)
        if day * DAY > LAST:
            return None
        today = date.fromordinal(day + EPOCH_ORDINAL)
        year, month, first = today.year, today.month, day - today.day + 1
        mask = self._days_of(year, month, first) >> today.day << today.day
        if mask >> today.day & 1:
            index = bisect_left(self._times, second)
            if index < len(self._times):
                wall = day * DAY + self._times[index]
                return wall if wall < high else None
            mask &= ~(1 << today.day)
        while not mask:
            year, month = self._month_after(year, month)
            if year > MAXYEAR:
                return None
            first = date(year, month, 1).toordinal() - EPOCH_ORDINAL
            if first * DAY >= high:
                return None
            mask = self._days_of(year, month, first)
        wall = (first + _lowest(mask) - 1) * DAY + self._times[0]
        return wall if wall < high else None

    def _previous_wall(self, high: int, low: int) -> int | None:
        """Return the last wall time named by the fields, low <= wall <= high."""
        if high < FIRST:
            return None
        day, second = divmod(min(high, LAST), DAY)
        today = date.fromordinal(day + EPOCH_ORDINAL)
        year, month, first = today.year, today.month, day - today.day + 1
        mask = self._days_of(year, month, first) & (2 << today.day) - 1
        if mask >> today.day & 1:
            index = bisect_right(self._times, second)
            if index:
                wall = day * DAY + self._times[index - 1]
                return wall if wall >= low else None
            mask &= ~(1 << today.day)
        while not mask:
            if first * DAY <= low:
                return None
            year, month = self._month_before(year, month)
            if year < MINYEAR:
                return None
            first = date(year, month, 1).toordinal() - EPOCH_ORDINAL
            mask = self._days_of(year, month, first)
        wall = (first + mask.bit_length() - 2) * DAY + self._times[-1]
        return wall if wall >= low else None

    def _days_of(self, year: int, month: int, first: int) -> int:
        """Return the days of the month that begins on day ``first``: bit n is its day n."""
        if not self._fields.months >> month & 1:
            return 0
        length = _LENGTHS[month - 1] + (month == 2 and _is_leap(year))
        return self._days[length, (first + EPOCH_ORDINAL) % 7]

    def _month_after(self, year: int, month: int) -> tuple[int, int]:
        """Return the next month that the schedule names."""
        later = self._fields.months >> month + 1 << month + 1
        return (year, _lowest(later)) if later else (year + 1, _lowest(self._fields.months))

    def _month_before(self, year: int, month: int) -> tuple[int, int]:
        earlier = self._fields.months & (1 << month) - 1
        if earlier:
            return year, earlier.bit_length() - 1
        return year - 1, self._fields.months.bit_length() - 1


def fixed_instants(zone: Zone, wall: int) -> tuple[int, ...]:
    """Return when a fixed time runs: at its wall time, or at the first minute after its gap.

    Two where it is repeated, none where the zone itself moves by so much that nothing is made up.
    """
    found = zone.instants_of(wall)
    gap = None if found else zone.gap_at(wall)
    if gap is None or gap[1] >= ZONE_MOVE:
        return found
    end = gap[0]
    return (end + -zone.wall_of(end) % MINUTE,)


class _MonthDays(dict[tuple[int, int], int]):
    """The days named in a month, by its length and first weekday: bit n is day n, 0 is Sunday.

    Filled as asked for: most schedules meet a few of the 28 kinds of month.
    """

    def __init__(self, fields: DayFields) -> None:
        super().__init__()
        self._fields = fields

    def __missing__(self, kind: tuple[int, int]) -> int:
        mask = self[kind] = _month_mask(self._fields, *kind)
        return mask

    def come_in(self, months: int) -> bool:
        """Return whether any of the months ever has such a day."""
        return any(
            self[length, weekday]
            for month, common in enumerate(_LENGTHS, start=1)
            if months >> month & 1
            for length in ((28, 29) if month == 2 else (common,))
            for weekday in range(7)
        )


_month_days = lru_cache(maxsize=4096)(_MonthDays)


@lru_cache(maxsize=4096)
def _times_of_day(minutes: int, hours: int) -> tuple[int, ...]:
    """Return the seconds after midnight that the two masks name, in order."""
    named = [minute * MINUTE for minute in range(60) if minutes >> minute & 1]
    return tuple(
        [hour * HOUR + second for hour in range(24) if hours >> hour & 1 for second in named]
    )


def _month_mask(fields: DayFields, length: int, weekday: int) -> int:
    """Return the days of a month that begins on ``weekday`` (0 is Sunday): bit n is day n."""
    every = (2 << length) - 2
    by_number = fields.numbers | fields.last_day << length
    if fields.last_workday:
        last = (weekday + length - 1) % 7
        by_number |= 1 << length - {0: 2, 6: 1}.get(last, 0)
    by_weekday = _falling_on(fields.weekdays, weekday)
    by_weekday |= _falling_on(fields.last_weekdays, weekday) & _WEEK << length - 6
    for wanted, nth in fields.nth_weekdays:
        by_weekday |= _falling_on(1 << wanted, weekday) & _WEEK << 7 * nth - 6
    both = by_number & by_weekday if fields.needs_both else by_number | by_weekday
    return both & every


@cache  # 128 sets of weekdays, 7 weekdays to begin on
def _falling_on(weekdays: int, first: int) -> int:
    """Return the days that fall on the weekdays, in a month that begins on weekday ``first``."""
    mask = 0
    for number in range(7):
        if weekdays >> number & 1:
            mask |= _EVERY_WEEK << 1 + (number - first) % 7
    return mask


@lru_cache(maxsize=4096)
def _dates(months: int, days: DayFields) -> DateSet:
    days_of = _month_days(days)
    kinds: list[int] = []
    for is_leap in (False, True):
        for new_year in range(7):
            mask, passed = 0, 0
            for month, length in enumerate(_LENGTHS, start=1):
                length += month == 2 and is_leap
                if months >> month & 1:
                    mask |= days_of[length, (new_year + passed) % 7] >> 1 << passed
                passed += length
            kinds.append(mask)
    return tuple(kinds)


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _lowest(mask: int) -> int:
    """Return the number of the lowest bit that is set."""
    return (mask & -mask).bit_length() - 1
