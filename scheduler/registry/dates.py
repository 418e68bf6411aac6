"""Sets of dates that repeat with the calendar: counting them, and finding the next one.

A `DateSet` (see `cron`) holds the dates of each kind of year.  After 400 years, 146,097 days, the
calendar repeats, so a count over those says how often a date comes.
"""

from collections.abc import Sequence
from datetime import MAXYEAR, MINYEAR, date
from functools import lru_cache

from scheduler.cron import DateSet
from scheduler.zones import EPOCH_ORDINAL

EVERY_DATE: DateSet = ((1 << 365) - 1,) * 7 + ((1 << 366) - 1,) * 7


def common_dates(sets: Sequence[DateSet]) -> DateSet:
    """Return the dates that all the sets have."""
    common = EVERY_DATE
    for dates in dict.fromkeys(sets):
        common = tuple(one & other for one, other in zip(common, dates, strict=True))
    return common


@lru_cache(maxsize=4096)
def count(dates: DateSet) -> int:
    """Return how many of them there are in 400 years."""
    return sum(
        times * mask.bit_count() for times, mask in zip(_years_of_kind(), dates, strict=True)
    )


@lru_cache(maxsize=1)
def _years_of_kind() -> tuple[int, ...]:
    times = [0] * 14
    for year in range(2000, 2400):
        times[_kind(year)] += 1
    return tuple(times)


def _kind(year: int) -> int:
    """Return the kind of a year: its first weekday (0 is Sunday), and 7 more in a leap year."""
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return date(year, 1, 1).isoweekday() % 7 + 7 * is_leap


def next_date(dates: DateSet, day: int) -> int | None:
    """Return the first day of the set that is not before ``day`` (days count from 1970)."""
    ordinal = day + EPOCH_ORDINAL
    year = date.fromordinal(ordinal).year
    passed = ordinal - date(year, 1, 1).toordinal()
    mask = dates[_kind(year)] >> passed << passed
    for _ in range(400):
        if mask:
            first = (mask & -mask).bit_length() - 1
            return date(year, 1, 1).toordinal() - EPOCH_ORDINAL + first
        year += 1
        if year > MAXYEAR:
            return None
        mask = dates[_kind(year)]
    return None


def previous_date(dates: DateSet, day: int) -> int | None:
    """Return the last day of the set that is not after ``day`` (days count from 1970)."""
    ordinal = day + EPOCH_ORDINAL
    year = date.fromordinal(ordinal).year
    passed = ordinal - date(year, 1, 1).toordinal()
    mask = dates[_kind(year)] & (2 << passed) - 1
    for _ in range(400):
        if mask:
            return date(year, 1, 1).toordinal() - EPOCH_ORDINAL + mask.bit_length() - 1
        year -= 1
        if year < MINYEAR:
            return None
        mask = dates[_kind(year)]
    return None
