"""The instants of a schedule with holidays, found the slow and obvious way.

Each nominal wall time of the oracle `brute_cron` is looked at by itself: kept, dropped, or put on
another date.
"""

from collections.abc import Collection
from datetime import date, datetime, timedelta
from functools import lru_cache

from tests.support.brute_cron import Named, walk

DAY = timedelta(days=1)


def instants(
    expression: str,
    zone: str,
    start: datetime,
    end: datetime,
    holidays: Collection[date],
    on_holiday: str,
) -> dict[datetime, datetime]:
    """Return the instants, start <= instant < end, in UTC, each with its nominal one.

    What is moved over an end of the span is not seen: let it begin and end far from holidays.
    """
    dates, fixed = _fixed(zone, start, end)
    own: dict[datetime, datetime] = {}
    moved: dict[datetime, tuple[timedelta, datetime]] = {}
    for nominal, wall in _nominal(expression, zone, start, end):
        if wall.date() not in holidays:
            own[nominal] = nominal
        elif on_holiday != "skip":
            step = -DAY if on_holiday == "before" else DAY
            day = wall.date() + step
            while day.isoweekday() > 5 or day in holidays or day not in dates:
                if not start.date() - DAY < day < end.date() + DAY:
                    break
                day += step
            at = fixed.get(datetime.combine(day, wall.time()))
            if at is not None:
                far = abs(day - wall.date())
                moved[at] = min(moved.get(at, (far, nominal)), (far, nominal))
    return dict(sorted(({at: nominal for at, (_, nominal) in moved.items()} | own).items()))


@lru_cache(maxsize=4)
def _fixed(
    zone: str, start: datetime, end: datetime
) -> tuple[frozenset[date], dict[datetime, datetime]]:
    """Return the dates that there are, and when a fixed time runs, by its wall time."""
    minutes = walk(zone, start, end)
    fixed = {minute.wall: minute.at for minute in minutes if minute.is_first_pass}
    fixed |= {wall: minute.at for minute in minutes for wall in minute.made_up}
    return frozenset(minute.wall.date() for minute in minutes), fixed


@lru_cache(maxsize=64)
def _nominal(
    expression: str, zone: str, start: datetime, end: datetime
) -> list[tuple[datetime, datetime]]:
    """Return (instant, wall time that it stands for), as the schedule alone has them."""
    fields = expression.upper().split()
    is_wildcard = fields[0].startswith("*") or fields[1].startswith("*")
    named = Named(fields)
    found: list[tuple[datetime, datetime]] = []
    for minute in walk(zone, start, end):
        if is_wildcard or minute.is_first_pass:
            found.append((minute.at, minute.wall))
        if not is_wildcard:
            found.extend((minute.at, wall) for wall in minute.made_up)
    return [(at, wall) for at, wall in found if named.holds(wall)]
