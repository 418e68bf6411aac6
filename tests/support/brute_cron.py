"""The instants of a cron expression, found the slow and obvious way: the oracle of tests/cron.

Written from the rules (SPEC 3) alone, and on nothing of the package: it walks through UTC, second
by second where an offset has seconds, reads the wall clock off `zoneinfo`, and remembers what
that clock has shown.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
MONTHS: tuple[str, ...] = tuple("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split())
WEEKDAYS: tuple[str, ...] = tuple("SUN MON TUE WED THU FRI SAT".split())
ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
#: what has been shown is remembered over more than the longest repetition, a date lived twice
LEAD = timedelta(hours=27)


@dataclass(frozen=True, slots=True, kw_only=True)
class WallMinute:
    """A moment at which the wall clock of a zone shows a whole minute."""

    at: datetime  # UTC
    wall: datetime  # naive
    is_first_pass: bool
    made_up: tuple[datetime, ...]  # the walls that a gap of less than three hours just swallowed


def instants(expression: str, zone: str, start: datetime, end: datetime) -> list[datetime]:
    """Return the instants from ``start`` on and before ``end``, in UTC."""
    fields = ALIASES.get(expression.lower(), expression).upper().split()
    is_wildcard = fields[0].startswith("*") or fields[1].startswith("*")
    named = Named(fields)
    return [
        minute.at
        for minute in walk(zone, start, end)
        if (named.holds(minute.wall) and (is_wildcard or minute.is_first_pass))
        or (not is_wildcard and any(named.holds(wall) for wall in minute.made_up))
    ]


@lru_cache(maxsize=64)
def walk(zone: str, start: datetime, end: datetime) -> tuple[WallMinute, ...]:
    """Return each whole minute of the wall clock from ``start`` on and before ``end``."""
    info = ZoneInfo(zone)
    first = start.replace(second=0, microsecond=0) - LEAD
    step = _step(info, first, end)
    shown: set[datetime] = set()
    made_up: tuple[datetime, ...] = ()
    found: list[WallMinute] = []
    at = first
    before = _wall(first - step, info)
    while at < end:
        wall = _wall(at, info)
        if before + step < wall < before + step + 3 * HOUR:
            made_up = tuple(_minutes_between(before, wall, shown))
        if wall.second == 0:
            minute = WallMinute(at=at, wall=wall, is_first_pass=wall not in shown, made_up=made_up)
            if at >= start:
                found.append(minute)
            shown.add(wall)
            made_up = ()
        before = wall
        at += step
    return tuple(found)


def _wall(at: datetime, info: ZoneInfo) -> datetime:
    return at.astimezone(info).replace(tzinfo=None, fold=0)


def _step(info: ZoneInfo, start: datetime, end: datetime) -> timedelta:
    at = start
    while at < end + HOUR:
        if _wall(at, info).second:
            return SECOND
        at += HOUR
    return MINUTE


def _minutes_between(low: datetime, high: datetime, shown: set[datetime]) -> list[datetime]:
    """Return the whole minutes after ``low`` and before ``high`` that no clock has shown."""
    found: list[datetime] = []
    minute = low.replace(second=0) + MINUTE
    while minute < high:
        if minute not in shown:
            found.append(minute)
        minute += MINUTE
    return found


class Named:
    """Which wall times the five fields name."""

    def __init__(self, fields: list[str]) -> None:
        minute, hour, self.day, month, self.weekday = fields
        self.minutes = _numbers(minute, 0, 59)
        self.hours = _numbers(hour, 0, 23)
        self.months = _numbers(month, 1, 12, ("", *MONTHS))

    def holds(self, wall: datetime) -> bool:
        return (
            wall.minute in self.minutes
            and wall.hour in self.hours
            and wall.month in self.months
            and self.holds_date(wall.date())
        )

    def holds_date(self, day: date) -> bool:
        by_number = any(_is_day(item, day) for item in self.day.split(","))
        by_weekday = any(_is_weekday(item, day) for item in self.weekday.split(","))
        if self.day.startswith("*") or self.weekday.startswith("*"):
            return by_number and by_weekday
        return by_number or by_weekday


def _is_day(item: str, day: date) -> bool:
    last = monthrange(day.year, day.month)[1]
    if item == "L":
        return day.day == last
    if item == "LW":
        while date(day.year, day.month, last).isoweekday() > 5:
            last -= 1
        return day.day == last
    return day.day in _numbers(item, 1, 31)


def _is_weekday(item: str, day: date) -> bool:
    # Sunday may be written as 0 or as 7.
    numbers = {0, 7} if day.isoweekday() == 7 else {day.isoweekday()}
    if item.endswith("L"):
        is_last = day.day + 7 > monthrange(day.year, day.month)[1]
        return is_last and bool(numbers & _numbers(item[:-1], 0, 7, WEEKDAYS))
    if "#" in item:
        name, nth = item.split("#")
        is_nth = 7 * (int(nth) - 1) < day.day <= 7 * int(nth)
        return is_nth and bool(numbers & _numbers(name, 0, 7, WEEKDAYS))
    return bool(numbers & _numbers(item, 0, 7, WEEKDAYS))


@lru_cache(maxsize=4096)
def _numbers(field: str, low: int, high: int, names: tuple[str, ...] = ()) -> frozenset[int]:
    found: set[int] = set()
    for item in field.split(","):
        span, _, step = item.partition("/")
        first, dash, last = span.partition("-")
        if span == "*":
            begin, end = low, high
        elif dash:
            begin, end = _number(first, names), _number(last, names)
        else:
            begin = _number(span, names)
            end = high if step else begin
        found.update(range(begin, end + 1, int(step or 1)))
    return frozenset(found)


def _number(text: str, names: tuple[str, ...]) -> int:
    return names.index(text) if text in names else int(text)
