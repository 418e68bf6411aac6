"""Zones: their names, their changes of offset, and where a local day begins."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from scheduler import Schedule, SchedulerError
from scheduler.zones import DAY, EPOCH_ORDINAL, to_instant, to_local, zone_named

UNKNOWN = [
    ("europe/paris", "did you mean 'Europe/Paris'?"),
    ("Europe/Pariss", "did you mean 'Europe/Paris'?"),
    ("new york", "did you mean 'America/New_York'?"),
    ("LONDON", "did you mean 'Europe/London'?"),
    ("utc", "did you mean 'UTC'?"),
    ("UTC ", "did you mean 'UTC'?"),
    ("GMT+5", "write an IANA name"),
    ("", "write an IANA name"),
    (".", "write an IANA name"),
    ("+02:00", "write an IANA name"),
    ("../../etc/passwd", "write an IANA name"),
    ("/usr/share/zoneinfo/Europe/Paris", "unknown time zone"),
    ("Europe", "write an IANA name"),
    ("tzdata.zi", "write an IANA name"),
    ("localtime", "write an IANA name"),
    ("Europe/Paris\x00", "did you mean 'Europe/Paris'?"),
    ("right/Europe/Paris", "unknown time zone"),
    ("\ud800", "write an IANA name"),
]


@pytest.mark.parametrize(("name", "hint"), UNKNOWN)
def test_an_unknown_zone_is_refused_with_a_suggestion(name: str, hint: str) -> None:
    with pytest.raises(SchedulerError, match="unknown time zone") as refused:
        Schedule("@daily", name)
    assert hint in str(refused.value)


def test_the_message_about_a_very_long_name_is_short() -> None:
    with pytest.raises(SchedulerError) as refused:
        Schedule("@daily", "a" * 1_000_000)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("value", [None, 5, ["UTC"], UTC])
def test_what_is_no_zone_is_refused(value: object) -> None:
    with pytest.raises(SchedulerError, match="a time zone is a name or a ZoneInfo, not"):
        Schedule("@daily", value)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["Asia/Calcutta", "US/Eastern", "Etc/GMT+5", "EST5EDT", "UTC"])
def test_old_names_are_names_too(name: str) -> None:
    assert Schedule("@daily", name).timezone == name


@pytest.mark.parametrize(
    ("name", "year"),
    [
        ("Africa/Freetown", 1939),  # the shortest stay at an offset: 95 hours
        ("Africa/Tunis", 1943),
        ("Africa/Cairo", 2010),
        ("America/Argentina/Tucuman", 2004),
        ("Asia/Gaza", 2040),
        ("Europe/Amsterdam", 1937),
        ("Europe/Riga", 1918),
        ("Europe/Simferopol", 1944),
        ("Pacific/Apia", 2011),
    ],
)
def test_no_change_of_offset_is_missed(name: str, year: int) -> None:
    zone, info = zone_named(name), ZoneInfo(name)
    moment = datetime(year, 1, 1, tzinfo=UTC)
    while moment.year == year:
        offset = moment.astimezone(info).utcoffset()
        assert timedelta(seconds=zone.offset_at(to_instant(moment))) == offset, moment
        moment += timedelta(hours=1)
    segments = zone.segments(year)
    for one, other in pairwise(segments):
        assert one.end == other.start
        assert one.offset != other.offset


def day(text: str) -> int:
    return date.fromisoformat(text).toordinal() - EPOCH_ORDINAL


def instant(text: str) -> int:
    return to_instant(datetime.fromisoformat(text))


STARTS = [
    ("Europe/Paris", "2026-03-29", "2026-03-29T00:00+01:00"),
    ("America/Havana", "2026-03-08", "2026-03-08T01:00-04:00"),  # there is no midnight
    ("America/Havana", "2026-11-01", "2026-11-01T00:00-04:00"),  # there are two
    ("Africa/Cairo", "2026-10-30", "2026-10-30T00:00+02:00"),  # at 24:00 it is 23:00 again
    ("America/St_Johns", "2006-10-29", "2006-10-29T00:00-02:30"),  # at 00:01 it is 23:01 again
    ("Pacific/Apia", "2011-12-29", "2011-12-29T00:00-10:00"),
    ("Pacific/Apia", "2011-12-30", None),
    ("Pacific/Apia", "2011-12-31", "2011-12-31T00:00+14:00"),
    ("America/Juneau", "1867-10-18", "1867-10-18T00:00+15:02:19"),  # lived twice
]


@pytest.mark.parametrize(("zone", "on", "expected"), STARTS)
def test_a_day_begins_at_the_first_instant_that_bears_its_date(
    zone: str, on: str, expected: str | None
) -> None:
    assert zone_named(zone).day_start(day(on)) == (instant(expected) if expected else None)


def test_the_day_before_a_lost_one_ends_where_the_day_after_begins() -> None:
    apia = zone_named("Pacific/Apia")
    change = instant("2011-12-31T00:00+14:00")
    assert apia.day_bounds(day("2011-12-29")) == (instant("2011-12-29T00:00-10:00"), change)
    assert apia.day_bounds(day("2011-12-30")) is None


@pytest.mark.parametrize(
    ("zone", "at", "expected"),
    [
        ("Europe/Paris", "2026-11-23T00:00+01:00", "2026-11-23"),
        ("Europe/Paris", "2026-11-22T23:59+01:00", "2026-11-22"),
        ("Africa/Cairo", "2026-10-29T23:30+02:00", "2026-10-29"),
        # The wall bears the old date again, but the new day has begun.
        ("America/St_Johns", "2006-10-28T23:30-03:30", "2006-10-29"),
        ("America/Juneau", "1867-10-19T12:00-08:57:41", "1867-10-19"),
    ],
)
def test_an_instant_belongs_to_the_last_day_that_has_begun(
    zone: str, at: str, expected: str
) -> None:
    assert zone_named(zone).day_of(instant(at)) == day(expected)


@pytest.mark.parametrize(
    ("zone", "around"),
    [
        ("America/Havana", "2026-11-01"),
        ("America/St_Johns", "2006-10-29"),
        ("America/St_Johns", "1988-10-30"),
        ("Antarctica/Casey", "2010-03-05"),
        ("Africa/Cairo", "2026-04-24"),
        ("Pacific/Apia", "2011-12-30"),
        ("Pacific/Kwajalein", "1969-09-30"),
    ],
)
def test_days_agree_with_a_walk_through_their_minutes(zone: str, around: str) -> None:
    info, known = ZoneInfo(zone), zone_named(zone)
    begin = instant(f"{around}T00:00+00:00") - 3 * DAY
    starts: dict[int, int] = {}
    for at in range(begin, begin + 6 * DAY, 60):
        bears = datetime.fromtimestamp(at, info).toordinal() - EPOCH_ORDINAL
        starts.setdefault(bears, at)
        assert known.day_of(at) == max(starts)
    for number in range(min(starts) + 1, max(starts)):
        assert known.day_start(number) == starts.get(number)


def at_wall(text: str) -> int:
    return instant(f"{text}+00:00")


def test_a_wall_time_names_one_instant_two_or_none() -> None:
    paris = zone_named("Europe/Paris")
    assert paris.instants_of(at_wall("2026-10-25T02:30")) == (
        instant("2026-10-25T02:30+02:00"),
        instant("2026-10-25T02:30+01:00"),
    )
    assert paris.instants_of(at_wall("2026-03-29T02:30")) == ()
    change = instant("2026-03-29T03:00+02:00")
    assert paris.instants_of(at_wall("2026-03-29T03:00")) == (change,)
    assert paris.gap_at(at_wall("2026-03-29T02:30")) == (change, 3600)
    assert paris.gap_at(at_wall("2026-03-29T03:00")) is None


def test_a_local_datetime_says_by_fold_which_pass_it_is_in() -> None:
    paris = zone_named("Europe/Paris")
    second = instant("2026-10-25T02:30+01:00")
    assert to_local(second, paris).fold == 1
    assert to_instant(to_local(second, paris)) == second
    assert to_local(second - 3600, paris).fold == 0
