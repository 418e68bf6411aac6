"""``06:30`` and ``+2h``: which moment they mean, also in the two odd nights."""

from datetime import UTC, date, datetime, timedelta

import pytest

from scheduler.errors import SchedulerError
from scheduler.registry.deadlines import Deadline, parse_deadline
from scheduler.zones import LAST, to_instant, to_utc, zone_named
from tests.support.brute_cron import instants


def after(text: str, zone: str, moment: str) -> str:
    """Return the deadline of a task at a moment, as wall time with its offset."""
    info = zone_named(zone)
    found = parse_deadline(text).after(to_instant(datetime.fromisoformat(moment)), info)
    return to_utc(found).astimezone(info.info).isoformat()


@pytest.mark.parametrize(
    ("text", "deadline"),
    [
        ("06:30", Deadline(time=23_400)),
        ("06:30:15", Deadline(time=23_415)),
        ("00:00", Deadline(time=0)),
        ("23:59:59", Deadline(time=86_399)),
        ("+2h", Deadline(length=timedelta(hours=2))),
        ("+1h30m", Deadline(length=timedelta(minutes=90))),
        ("+1d", Deadline(length=timedelta(days=1))),
    ],
)
def test_a_deadline_is_read_and_written(text: str, deadline: Deadline) -> None:
    assert parse_deadline(text) == deadline
    assert str(deadline) == text


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("6:30", "write '06:30'"),
        ("6.30", "write '06:30'"),
        ("24:00", "write '00:00'"),
        ("25:00", "such as '06:30' or '+2h'"),
        ("06:60", "such as '06:30' or '+2h'"),
        ("2h", "write '+2h'"),
        ("-2h", "such as '06:30' or '+2h'"),
        ("", "such as '06:30' or '+2h'"),
        ("٠٦:٣٠", "such as '06:30' or '+2h'"),
        ("+0s", "not after the instant"),
        ("+", "not a duration"),
        ("+06:30", "not a duration"),
        ("x" * 10_000, "such as"),
    ],
)
def test_what_is_no_deadline_is_refused(text: str, hint: str) -> None:
    with pytest.raises(SchedulerError) as caught:
        parse_deadline(text)
    assert hint in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("text", "moment", "expected"),
    [
        ("06:30", "2026-11-20T02:00+01:00", "2026-11-20T06:30:00+01:00"),
        # strictly after
        ("06:30", "2026-11-20T06:30+01:00", "2026-11-21T06:30:00+01:00"),
        ("06:30", "2026-11-20T06:29:59+01:00", "2026-11-20T06:30:00+01:00"),
        ("00:00", "2026-11-20T22:00+01:00", "2026-11-21T00:00:00+01:00"),
        # a length is real elapsed time
        ("+2h", "2027-03-28T01:00+01:00", "2027-03-28T04:00:00+02:00"),
        # a time of day is the wall's
        ("06:30", "2027-03-28T01:00+01:00", "2027-03-28T06:30:00+02:00"),
        # 02:30 does not exist: the first minute after the gap
        ("02:30", "2027-03-28T01:00+01:00", "2027-03-28T03:00:00+02:00"),
        ("02:30", "2027-03-28T03:00+02:00", "2027-03-29T02:30:00+02:00"),
        # 02:30 occurs twice: whichever comes first
        ("02:30", "2027-10-31T01:00+02:00", "2027-10-31T02:30:00+02:00"),
        ("02:30", "2027-10-31T02:30+02:00", "2027-10-31T02:30:00+01:00"),
        ("02:30", "2027-10-31T02:30+01:00", "2027-11-01T02:30:00+01:00"),
    ],
)
def test_a_deadline_in_paris(text: str, moment: str, expected: str) -> None:
    assert after(text, "Europe/Paris", moment) == expected


@pytest.mark.parametrize(
    ("zone", "text", "moment", "expected"),
    [
        # midnight does not exist
        ("Africa/Cairo", "00:00", "2025-04-24T20:00+02:00", "2025-04-25T01:00:00+03:00"),
        # the clock goes back over midnight, and shows yesterday's last hour again
        ("America/St_Johns", "23:30", "2006-10-28T23:45-02:30", "2006-10-28T23:30:00-03:30"),
        # Apia left out a Friday: nothing is made up
        ("Pacific/Apia", "06:30", "2011-12-29T10:00-10:00", "2011-12-31T06:30:00+14:00"),
    ],
)
def test_a_deadline_in_odd_nights(zone: str, text: str, moment: str, expected: str) -> None:
    assert after(text, zone, moment) == expected


@pytest.mark.parametrize("zone", ["Europe/Paris", "Australia/Lord_Howe", "America/Nuuk"])
@pytest.mark.parametrize("day", [date(2027, 3, 28), date(2027, 4, 4), date(2027, 10, 31)])
@pytest.mark.parametrize("text", ["02:30", "01:45", "23:30", "00:00"])
def test_a_time_of_day_comes_when_a_fixed_schedule_has_it_or_once_more(
    zone: str, day: date, text: str
) -> None:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=2)
    hour, minute = text.split(":")
    once = instants(f"{minute} {hour} * * *", zone, start, start + timedelta(days=5))
    for moment in (start + timedelta(minutes=13 * n) for n in range(300)):
        found = to_utc(parse_deadline(text).after(to_instant(moment), zone_named(zone)))
        following = min(at for at in once if at > moment)
        local = found.astimezone(zone_named(zone).info)
        assert found == following or (moment < found < following and local.fold == 1)


def test_a_deadline_near_the_end_of_time_is_still_a_date() -> None:
    for text in ("+36000d", "06:30"):
        assert parse_deadline(text).after(LAST - 1, zone_named("Pacific/Kiritimati")) <= LAST
