"""`Schedule` as a value, and what `next` and `previous` take and give."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from scheduler import Schedule, SchedulerError

PARIS = ZoneInfo("Europe/Paris")


def test_a_schedule_shows_its_expression_and_its_zone() -> None:
    schedule = Schedule(" 0  2 * *\t1-5", timezone="Europe/Paris")
    assert schedule.expression == "0 2 * * 1-5"
    assert schedule.timezone == "Europe/Paris"
    assert repr(schedule) == "Schedule('0 2 * * 1-5', timezone='Europe/Paris')"


def test_schedules_are_equal_if_they_yield_the_same_in_the_same_zone() -> None:
    assert Schedule("0 2 * * 7") == Schedule("0 02 * * sun")
    assert Schedule("0 2 * * *") != Schedule("0 2 * * *", "Europe/Paris")
    assert Schedule("0 2 * * *") == Schedule("0 2 */1 * 1-7")
    assert Schedule("0 2 * * *") != Schedule("0 */23 * * *")
    assert Schedule("0 2 * * *") != "0 2 * * *"


def test_the_zone_is_utc_unless_given_by_name_or_as_a_zoneinfo() -> None:
    assert Schedule("@daily").timezone == "UTC"
    assert Schedule("@daily", PARIS) == Schedule("@daily", "Europe/Paris")


def test_an_answer_is_an_aware_datetime_of_the_schedules_own_zone() -> None:
    found = Schedule("0 2 * * *", "Europe/Paris").next(datetime(2026, 7, 1, tzinfo=UTC))
    assert found is not None
    assert found.tzinfo is PARIS
    assert found.isoformat() == "2026-07-02T02:00:00+02:00"


@pytest.mark.parametrize(
    "zone",
    [UTC, PARIS, ZoneInfo("Asia/Tokyo"), timezone(timedelta(hours=-3, minutes=-30))],
    ids=str,
)
def test_the_moment_asked_about_may_be_in_any_zone(zone: ZoneInfo | timezone) -> None:
    schedule = Schedule("*/15 * * * *", "America/New_York")
    moment = datetime(2026, 10, 25, 0, 40, tzinfo=UTC).astimezone(zone)
    assert schedule.next(moment) == datetime(2026, 10, 25, 0, 45, tzinfo=UTC)
    assert schedule.previous(moment) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_fold_says_which_pass_of_a_repeated_hour_is_meant() -> None:
    schedule = Schedule("*/30 * * * *", "Europe/Paris")
    first = datetime(2026, 10, 25, 2, 10, tzinfo=PARIS)
    second = first.replace(fold=1)
    found = [schedule.next(first), schedule.next(second)]
    assert [moment and (moment.isoformat(), moment.fold) for moment in found] == [
        ("2026-10-25T02:30:00+02:00", 0),
        ("2026-10-25T02:30:00+01:00", 1),
    ]


@pytest.mark.parametrize(
    ("moment", "following", "strictly_before", "not_after"),
    [
        ("11:59:59.999999", "12:00", "11:00", "11:00"),
        ("12:00:00", "13:00", "11:00", "12:00"),
        ("12:00:00.000001", "13:00", "12:00", "12:00"),
        ("12:00:01", "13:00", "12:00", "12:00"),
    ],
)
def test_next_is_strictly_later_and_previous_strictly_earlier_unless_inclusive(
    moment: str, following: str, strictly_before: str, not_after: str
) -> None:
    def at(text: str) -> datetime:
        return datetime.fromisoformat(f"2026-11-23T{text}+00:00")

    schedule = Schedule("@hourly")
    assert schedule.next(at(moment)) == at(following)
    assert schedule.previous(at(moment)) == at(strictly_before)
    assert schedule.previous(at(moment), inclusive=True) == at(not_after)


def test_an_offset_of_odd_microseconds_is_exact() -> None:
    # 12:00:00 there is half a second past 11:00:00 UTC.
    odd = timezone(timedelta(hours=1) - timedelta(microseconds=500_000))
    moment = datetime(2026, 11, 23, 12, tzinfo=odd)
    assert Schedule("@hourly").previous(moment) == datetime(2026, 11, 23, 11, tzinfo=UTC)


def test_a_naive_datetime_is_refused() -> None:
    schedule = Schedule("@daily")
    naive = datetime(2026, 11, 23)  # noqa: DTZ001
    ask: list[Callable[[datetime], object]] = [schedule.next, schedule.previous]
    for question in ask:
        with pytest.raises(SchedulerError, match="2026-11-23T00:00:00 has no time zone"):
            question(naive)


ENDS = [
    ("* * * * *", "UTC", "0001-01-01T00:00", "9999-12-31T23:59"),
    ("@daily", "UTC", "0001-01-01T00:00", "9999-12-31T00:00"),
    ("@daily", "Asia/Tokyo", "0001-01-02T00:00", "9999-12-31T00:00"),
    ("@daily", "America/New_York", "0001-01-01T00:00", "9999-12-31T00:00"),
    ("0 0 29 2 */7", "Europe/Paris", "0004-02-29T00:00", "9976-02-29T00:00"),
    ("59 23 31 12 *", "Pacific/Kiritimati", "0001-12-31T23:59", "9999-12-31T23:59"),
]


@pytest.mark.parametrize(("expression", "zone", "first", "last"), ENDS)
def test_the_calendar_has_a_first_and_a_last_instant(
    expression: str, zone: str, first: str, last: str
) -> None:
    schedule = Schedule(expression, zone)
    begin, end = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    earliest = schedule.previous(begin, inclusive=True) or schedule.next(begin)
    latest = schedule.previous(end)
    assert earliest is not None and latest is not None
    assert earliest.replace(tzinfo=None) == datetime.fromisoformat(first)
    assert latest.replace(tzinfo=None) == datetime.fromisoformat(last)
    assert schedule.previous(earliest) is None
    assert schedule.next(latest) is None


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
@pytest.mark.parametrize("expression", ["* * * * *", "30 2 * * *", "0 0 31 12 *", "0 0 29 2 */7"])
def test_no_moment_is_too_early_or_too_late_to_ask_about(expression: str, zone: str) -> None:
    schedule = Schedule(expression, zone)
    offsets = [timezone(timedelta(hours=hours)) for hours in (-23, -12, 0, 14, 23)]
    for text in (
        "0001-01-01",
        "0001-01-02T03:00",
        "9999-12-30T21:00",
        "9999-12-31T23:59:59.999999",
    ):
        for offset in offsets:
            asked = datetime.fromisoformat(text).replace(tzinfo=offset)
            found = schedule.next(asked)
            assert found is None or found - asked > timedelta(0)
            found = schedule.previous(asked)
            assert found is None or found - asked < timedelta(0)


def test_the_dates_of_a_schedule_are_those_of_each_kind_of_year() -> None:
    schedule = Schedule("0 0 29 2,3 5L")
    dates = schedule.dates()
    assert len(dates) == 14
    for year in range(2001, 2029):
        new_year = date(year, 1, 1)
        is_leap = (date(year + 1, 1, 1) - new_year).days == 366
        mask = dates[new_year.isoweekday() % 7 + 7 * is_leap]
        named = {new_year + timedelta(days=n) for n in range(366) if mask >> n & 1}
        start = datetime(year, 1, 1, tzinfo=UTC) - timedelta(seconds=1)
        found: set[date] = set()
        moment = schedule.next(start)
        while moment is not None and moment.year == year:
            found.add(moment.date())
            moment = schedule.next(moment)
        assert named == found
