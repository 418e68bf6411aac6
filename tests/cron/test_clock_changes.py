"""Every kind of clock change there has been, compared with the oracle that walks through it."""

import random
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest

from scheduler import Schedule
from tests.support import brute_cron

MICROSECOND = timedelta(microseconds=1)

#: a zone, and a date in UTC on which its clocks change
CHANGES = [
    ("Europe/Paris", "2026-03-29"),
    ("Europe/Paris", "2026-10-25"),
    ("Europe/Dublin", "2026-03-29"),  # the standard time of Ireland is that of summer
    ("Europe/Dublin", "2026-10-25"),
    ("Europe/Amsterdam", "1937-06-30"),  # by 28 seconds
    ("Europe/London", "1941-05-04"),  # from summer to double summer time
    ("Europe/Riga", "1918-10-19"),  # hours and seconds at once
    ("America/New_York", "2026-03-08"),
    ("America/Caracas", "2007-12-09"),  # half an hour back
    ("America/Caracas", "2016-05-01"),
    ("America/St_Johns", "2006-04-02"),  # at 00:01
    ("America/St_Johns", "2006-10-29"),
    ("America/St_Johns", "1988-04-03"),  # by two hours
    ("America/St_Johns", "1988-10-30"),
    ("America/Havana", "2026-03-08"),  # no midnight
    ("America/Havana", "2026-11-01"),  # two midnights
    ("America/Sao_Paulo", "2018-11-04"),
    ("America/Sao_Paulo", "2019-02-17"),
    ("America/Asuncion", "2023-10-01"),
    ("America/Scoresbysund", "2024-03-31"),
    ("America/Danmarkshavn", "1996-01-01"),  # exactly three hours, on New Year's Day
    ("America/Juneau", "1867-10-18"),  # a date lived twice
    ("Atlantic/Azores", "2026-03-29"),
    ("Atlantic/Azores", "2026-10-25"),
    ("Africa/Cairo", "2026-04-23"),
    ("Africa/Cairo", "2026-10-29"),
    ("Africa/Casablanca", "2026-02-15"),  # Ramadan
    ("Africa/El_Aaiun", "2026-03-22"),
    ("Africa/Freetown", "1939-09-01"),  # back again after four days
    ("Africa/Freetown", "1939-09-05"),
    ("Africa/Juba", "2021-01-31"),
    ("Africa/Monrovia", "1972-01-07"),  # by 44 minutes and 30 seconds
    ("Antarctica/Casey", "2020-10-03"),  # exactly three hours
    ("Antarctica/Casey", "2021-03-13"),
    ("Antarctica/Macquarie", "1919-03-31"),  # ten hours back
    ("Antarctica/Troll", "2026-03-29"),  # by two hours
    ("Antarctica/Troll", "2026-10-25"),
    ("Antarctica/Vostok", "1994-01-31"),
    ("Asia/Beirut", "2026-03-28"),
    ("Asia/Gaza", "2026-03-28"),
    ("Asia/Kathmandu", "1985-12-31"),
    ("Asia/Manila", "1844-12-31"),  # a date left out
    ("Asia/Pyongyang", "2018-05-04"),
    ("Asia/Singapore", "1981-12-31"),
    ("Asia/Ust-Nera", "1981-03-31"),
    ("Australia/Lord_Howe", "2026-04-04"),
    ("Australia/Lord_Howe", "2026-10-03"),
    ("Pacific/Apia", "2011-12-30"),
    ("Pacific/Kiritimati", "1994-12-31"),
    ("Pacific/Kwajalein", "1969-09-30"),  # 23 hours back
    ("Pacific/Kwajalein", "1993-08-21"),
    ("Pacific/Chatham", "2026-04-04"),
]
EXPRESSIONS = [
    "* * * * *",
    "*/7 * * * *",
    "30 * * * *",
    "*/20 0-3 * * *",
    "1-59/29 */3 * * *",
    "@daily",
    "1 0 * * *",
    "30 0 * * *",
    "0,15,30,45 0,1,2,3,23 * * *",
    "30 1,2 * * *",
    "59 23 * * *",
    "30 0-23 * * *",
    "0,30 12,13 L * *",
    "15 2 * * 0,6",
    "45 1 */2 * *",
    "0 0 1 * 1",
]


def check(expression: str, zone: str, start: datetime, end: datetime, seed: int) -> None:
    """Compare next and previous with the oracle: every instant, and around random moments."""
    schedule = Schedule(expression, zone)
    expected = brute_cron.instants(expression, zone, start, end)
    if len(expected) < 100:
        assert list(forwards(schedule, start, end)) == expected
        assert list(backwards(schedule, start, end)) == expected[::-1]
    draw = random.Random(f"{expression} {zone} {seed}")
    asked = [start + draw.random() * (end - start) for _ in range(6)]
    for instant in draw.sample(expected, min(3, len(expected))):
        asked += [instant - MICROSECOND, instant, instant + MICROSECOND]
    for moment in asked:
        local = moment.astimezone(schedule.zone.info)
        before, after = bisect_left(expected, moment), bisect_right(expected, moment)
        if after < len(expected):
            assert in_utc(schedule.next(local)) == expected[after], local
        if before:
            assert in_utc(schedule.previous(local)) == expected[before - 1], local
        if after:
            found = schedule.previous(local, inclusive=True)
            assert in_utc(found) == expected[after - 1], local


def forwards(schedule: Schedule, start: datetime, end: datetime) -> Iterator[datetime]:
    moment = in_utc(schedule.next(start - MICROSECOND))
    while moment < end:
        yield moment
        moment = in_utc(schedule.next(moment))


def backwards(schedule: Schedule, start: datetime, end: datetime) -> Iterator[datetime]:
    moment = in_utc(schedule.previous(end))
    while moment >= start:
        yield moment
        moment = in_utc(schedule.previous(moment))


def in_utc(moment: datetime | None) -> datetime:
    assert moment is not None
    return moment.astimezone(UTC)


@pytest.mark.parametrize(("zone", "day"), CHANGES)
def test_the_oracle_agrees_around_a_change_of_the_clocks(zone: str, day: str) -> None:
    start = datetime.fromisoformat(f"{day}T00:00+00:00") - timedelta(hours=16)
    end = start + timedelta(hours=56)
    for number, expression in enumerate(EXPRESSIONS):
        check(expression, zone, start, end, number)


PLACES = sorted(
    zone
    for zone in available_timezones() - {"localtime", "posixrules", "Factory"}
    if not zone.startswith(("right/", "posix/", "SystemV/"))
)


@pytest.mark.parametrize("letter", sorted({zone[:4] for zone in PLACES}))
def test_the_oracle_agrees_in_every_zone_there_is(letter: str) -> None:
    for zone in PLACES:
        if zone.startswith(letter):
            draw = random.Random(zone)
            change = a_change(zone, draw)
            for number in range(4):
                start = change - timedelta(minutes=draw.randrange(60, 240))
                end = change + timedelta(minutes=draw.randrange(60, 240))
                check(draw.choice(EXPRESSIONS), zone, start, end, number)


def a_change(zone: str, draw: random.Random) -> datetime:
    """Return the UTC minute of a change of the zone's clocks in 1970 to 2040, or any minute."""
    info = ZoneInfo(zone)
    for _ in range(12):
        low = datetime(draw.randrange(1970, 2040), draw.randrange(1, 13), 1, tzinfo=UTC)
        high = low + timedelta(days=90)
        if low.astimezone(info).utcoffset() != high.astimezone(info).utcoffset():
            while high - low > timedelta(minutes=1):
                middle = low + (high - low) / 2
                same = middle.astimezone(info).utcoffset() == low.astimezone(info).utcoffset()
                low, high = (middle, high) if same else (low, middle)
            return high.replace(second=0, microsecond=0)
    return datetime(2026, 6, 1, tzinfo=UTC)
