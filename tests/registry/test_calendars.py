"""Schedules that keep clear of holidays: against a brute-force oracle, and what a user reads."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest

from scheduler.cron import Schedule
from scheduler.registry.calendar_names import library_calendar
from scheduler.registry.calendars import Calendar, CalendarSchedule, OnHoliday
from scheduler.registry.examine import examine
from scheduler.registry.registry import Registry
from scheduler.registry.routine import Dependency, Routine
from scheduler.registry.words import trigger_in_words
from scheduler.zones import EPOCH_ORDINAL, to_instant, to_utc
from tests.support import brute_calendar
from tests.support.memory_files import read


def listed(*days: date) -> Calendar:
    """Return the calendar of a file with these dates."""
    return Calendar(name="/data/days.txt", listed=tuple(sorted(map(number, days))))


def number(day: date) -> int:
    return day.toordinal() - EPOCH_ORDINAL


# A zone and the day in the midst of three weeks: clocks change then, each in another way.
NIGHTS = [
    ("Europe/Paris", date(2027, 3, 28)),
    ("Europe/Paris", date(2027, 10, 31)),
    ("America/Nuuk", date(2025, 3, 30)),  # skips the last hour of a day
    ("America/Nuuk", date(2025, 10, 26)),
    ("America/St_Johns", date(2006, 4, 2)),  # a minute after midnight
    ("America/St_Johns", date(2006, 10, 29)),  # goes back over midnight
    ("Africa/Cairo", date(2025, 4, 25)),  # midnight does not exist
    ("Australia/Lord_Howe", date(2027, 4, 4)),  # by half an hour
    ("Australia/Lord_Howe", date(2027, 10, 3)),
    ("Pacific/Apia", date(2011, 12, 30)),  # a Friday that was left out
    ("Asia/Tokyo", date(2027, 5, 3)),
]
EXPRESSIONS = [
    "30 2 * * *",
    "15,45 0,2,23 * * *",
    "30 23 * * 5-7",
    "30 0 * * 1",
    "*/20 * * * *",
    "*/30 2 * * *",
    "5 */6 * * 6,7",
    "0 2,3 * * 0",
]


def holidays_around(day: date, random: Random) -> Sequence[date]:
    """Return some of the dates near a day, now and then a long row of them."""
    near = [day + timedelta(days=shift) for shift in range(-5, 6)]
    if random.random() < 0.2:
        return near[random.randrange(5) : random.randrange(5, 11)]
    return [one for one in near if random.random() < 0.4]


@pytest.mark.parametrize(("zone", "day"), NIGHTS)
@pytest.mark.parametrize("on_holiday", OnHoliday)
def test_a_calendar_does_what_brute_force_says(zone: str, day: date, on_holiday: OnHoliday) -> None:
    random = Random(f"{zone} {day} {on_holiday}")
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    start, end = noon - timedelta(days=16), noon + timedelta(days=16)
    for expression in EXPRESSIONS:
        for _ in range(2):
            days = holidays_around(day, random)
            expected = brute_calendar.instants(expression, zone, start, end, days, on_holiday)
            schedule = CalendarSchedule(expression, zone, listed(*days), on_holiday)
            first, last = to_instant(start), to_instant(end)
            forwards = walked(schedule, first, last)
            message = f"{expression} {days}"
            assert list(map(to_utc, forwards)) == list(expected), message
            assert walked_back(schedule, first, last) == forwards, message
            nominal = {to_utc(at): to_utc(schedule.nominal(at)) for at in forwards}
            assert nominal == expected, message


def walked(schedule: Schedule, start: int, end: int) -> list[int]:
    """Return the instants, start <= instant < end, by asking for the next one."""
    found: list[int] = []
    at = schedule.next_instant(start - 1)
    while at is not None and at < end:
        found.append(at)
        at = schedule.next_instant(at)
    return found


def walked_back(schedule: Schedule, start: int, end: int) -> list[int]:
    """Return the same by asking for the previous one."""
    found: list[int] = []
    at = schedule.previous_instant(end - 1)
    while at is not None and at >= start:
        found.append(at)
        at = schedule.previous_instant(at - 1)
    return found[::-1]


def at(text: str) -> int:
    return to_instant(datetime.fromisoformat(text))


def test_a_moved_instant_keeps_its_wall_time_and_knows_where_it_came_from() -> None:
    # Monday 29 March 2027 is Easter Monday; clocks changed the day before.
    schedule = CalendarSchedule(
        "30 2 * * 1", "Europe/Paris", library_calendar("FR"), OnHoliday.BEFORE
    )
    moved = schedule.next(datetime(2027, 3, 23, tzinfo=UTC))
    assert moved is not None
    assert moved.isoformat() == "2027-03-26T02:30:00+01:00"
    nominal = schedule.nominal(to_instant(moved))
    assert to_utc(nominal).isoformat() == "2027-03-29T00:30:00+00:00"
    assert schedule.nominal(at("2027-03-22T02:30+01:00")) == at("2027-03-22T02:30+01:00")


def test_a_moved_instant_is_one_with_an_own_one_at_the_same_time() -> None:
    schedule = CalendarSchedule("0 9 * * *", "UTC", listed(date(2027, 5, 5)), OnHoliday.AFTER)
    found = walked(schedule, at("2027-05-04T00:00+00:00"), at("2027-05-07T00:00+00:00"))
    assert [to_utc(one).day for one in found] == [4, 6]
    assert schedule.nominal(found[1]) == found[1]


def test_of_two_holidays_that_move_to_one_date_the_nearer_is_the_nominal_one() -> None:
    days = listed(date(2027, 5, 6), date(2027, 5, 7))  # Thursday and Friday
    schedule = CalendarSchedule("0 9 * * 4,5", "UTC", days, OnHoliday.AFTER)
    found = walked(schedule, at("2027-05-01T00:00+00:00"), at("2027-05-12T00:00+00:00"))
    assert [str(to_utc(one).date()) for one in found] == ["2027-05-10"]
    assert str(to_utc(schedule.nominal(found[0])).date()) == "2027-05-07"


def test_holidays_of_the_weekend_move_and_weekends_alone_do_not() -> None:
    saturday, sunday = date(2027, 5, 1), date(2027, 5, 2)
    assert (saturday.isoweekday(), sunday.isoweekday()) == (6, 7)
    schedule = CalendarSchedule("0 9 * * *", "UTC", listed(saturday), OnHoliday.BEFORE)
    found = walked(schedule, at("2027-04-29T12:00+00:00"), at("2027-05-03T12:00+00:00"))
    assert [to_utc(one).day for one in found] == [30, 2, 3]


def test_a_schedule_whose_dates_are_all_holidays_has_no_instant_until_they_end() -> None:
    days = listed(*(date(year, 12, 25) for year in range(2020, 2060)))
    schedule = CalendarSchedule("0 9 25 12 *", "UTC", days, OnHoliday.SKIP)
    assert schedule.next_instant(at("2026-01-01T00:00+00:00")) == at("2060-12-25T09:00+00:00")
    assert schedule.previous_instant(at("2026-01-01T00:00+00:00")) == at("2019-12-25T09:00+00:00")


@pytest.mark.parametrize("on_holiday", OnHoliday)
def test_a_long_row_of_holidays_costs_no_more_than_its_dates(on_holiday: OnHoliday) -> None:
    days = listed(*(date(2000, 1, 1) + timedelta(days=n) for n in range(20_000)))
    schedule = CalendarSchedule("* * * * *", "Europe/Paris", days, on_holiday)
    found = schedule.next_instant(at("2010-01-01T00:00+01:00"))
    assert found is not None and to_utc(found).year == 2054


@pytest.mark.parametrize("moment", [-(10**12), 10**12])
@pytest.mark.parametrize("on_holiday", OnHoliday)
def test_the_ends_of_time_are_no_trap(on_holiday: OnHoliday, moment: int) -> None:
    days = listed(date.min, date.max, date(9999, 12, 30))
    for calendar in (days, library_calendar("US"), listed()):
        schedule = CalendarSchedule("0 0 * * *", "Asia/Tokyo", calendar, on_holiday)
        schedule.next_instant(moment)
        schedule.previous_instant(moment)


def test_schedules_are_equal_if_all_of_it_is() -> None:
    us = library_calendar("US")
    one = CalendarSchedule("0 9 * * *", "UTC", us, OnHoliday.SKIP)
    assert one == CalendarSchedule("00 9 * * *", "UTC", Calendar(name="US"), OnHoliday.SKIP)
    others = [
        Schedule("0 9 * * *", "UTC"),
        CalendarSchedule("0 9 * * *", "UTC", us, OnHoliday.AFTER),
        CalendarSchedule("0 9 * * *", "UTC", library_calendar("GB"), OnHoliday.SKIP),
        CalendarSchedule("0 9 * * *", "UTC", listed(date(2027, 5, 1)), OnHoliday.SKIP),
    ]
    assert all(one != other and other != one for other in others)
    assert len({one.text, *(other.text for other in others)}) == 5


@pytest.mark.parametrize(
    ("name", "holiday"),
    [
        ("US", date(2026, 7, 3)),  # the Friday on which a Saturday's is observed
        ("US", date(2026, 7, 4)),
        ("US", date(2021, 12, 31)),  # which belongs to the year after
        ("DE-BY", date(2026, 1, 6)),
        ("NYSE", date(2026, 4, 3)),
        ("IN", date(2020, 1, 26)),
        ("IN", date(1990, 1, 26)),  # of which the library has no lunar dates, and says so
    ],
)
def test_the_library_knows_a_holiday(name: str, holiday: date) -> None:
    calendar = library_calendar(name)
    assert number(holiday) in calendar
    assert calendar.next(number(holiday)) == calendar.previous(number(holiday)) == number(holiday)


def test_a_part_of_a_country_has_holidays_of_its_own() -> None:
    epiphany = number(date(2026, 1, 6))
    assert epiphany not in library_calendar("DE")
    assert epiphany in library_calendar("DE-BY")


@pytest.mark.parametrize(
    ("on_holiday", "words"),
    [
        (OnHoliday.SKIP, "daily at 09:00, not on holidays (US)"),
        (OnHoliday.BEFORE, "daily at 09:00, before holidays (US)"),
        (OnHoliday.AFTER, "daily at 09:00, after holidays (US)"),
    ],
)
def test_a_calendar_is_told_in_words(on_holiday: OnHoliday, words: str) -> None:
    us = library_calendar("US")
    schedule = CalendarSchedule("0 9 * * *", "UTC", us, on_holiday)
    routine = Routine(name="a", schedule=schedule, calendar=us, on_holiday=on_holiday)
    assert trigger_in_words(routine) == words
    new_year = at("2027-01-01T09:00+00:00")  # a Friday
    assert routine.nominal(new_year) == new_year
    assert Routine(name="b").nominal(new_year) == new_year


# Files of dates


def routine_of(file: bytes | str) -> Routine:
    text = (
        '<registry><job name="a" script="a" schedule="0 9 * * *" calendar="more/days.txt"/>'
        "</registry>"
    )
    reading = read(text, {"/data/more/days.txt": file})
    assert reading.errors == (), list(map(str, reading.errors))
    assert [path for path, _ in reading.sources] == ["/data/registry.xml", "/data/more/days.txt"]
    return reading.routines[0]


@pytest.mark.parametrize(
    "file",
    [
        "2026-12-25\n2026-12-26\n",
        "# closed\r\n\r\n  2026-12-26   # Boxing Day\r\n2026-12-25\r\n2026-12-25",
        b"\xef\xbb\xbf2026-12-25\n2026-12-26",
    ],
)
def test_a_file_lists_dates(file: bytes | str) -> None:
    days = (number(date(2026, 12, 25)), number(date(2026, 12, 26)))
    assert routine_of(file).calendar == Calendar(name="/data/more/days.txt", listed=days)


@pytest.mark.parametrize(
    ("file", "line", "column", "message"),
    [
        ("2026-12-25\n 26.12.2026 # no\n", 2, 2, "'26.12.2026' is not a date"),
        ("20261225", 1, 1, "'20261225' is not a date"),
        ("2026-02-30", 1, 1, "'2026-02-30' is not a date"),
        ("2026-12-25 2026-12-26", 1, 1, "is not a date"),
        ("x" * 100_000, 1, 1, "is not a date"),
        ("# nothing\n", 1, 1, "the file lists no date"),
        (b"2026-12-25\n\xff", 2, 1, "byte 0xff is not UTF-8"),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_line(
    file: bytes | str, line: int, column: int, message: str
) -> None:
    jobs = "".join(
        f'<job name="{name}" script="a" schedule="0 9 * * *" calendar="./days.txt"/>'
        for name in "abc"
    )
    reading = read(f"<registry>{jobs}</registry>", {"/data/days.txt": file})
    (problem,) = reading.errors
    assert (problem.file, problem.line, problem.column) == ("/data/days.txt", line, column)
    assert message in problem.message
    assert len(str(problem)) < 250


def test_a_calendar_from_defaults_starts_where_they_stand_and_gives_way_without_a_schedule() -> (
    None
):
    inner = '<registry><job name="a" script="a" schedule="@daily"/></registry>'
    reading = read(
        '<registry><defaults calendar="./days.txt" on_holiday="after"/>'
        '<include file="more/inner.xml"/><job name="b" script="b"/>'
        '<job name="c" script="c" depends_on="a"/>'
        '<job name="d" script="d" schedule="@daily" calendar=""/></registry>',
        {"/data/more/inner.xml": inner, "/data/days.txt": "2026-12-25"},
    )
    assert reading.errors == ()
    known = {routine.name: routine for routine in reading.routines}
    calendar = known["a"].calendar
    assert calendar is not None and calendar.name == "/data/days.txt"
    assert isinstance(known["a"].schedule, CalendarSchedule)
    assert [known[name].calendar for name in "bcd"] == [None, None, None]
    assert [known[name].on_holiday for name in "bcd"] == [OnHoliday.SKIP] * 3
    assert known["d"].schedule == Schedule("@daily")


# Rounds and bindings


def registry_of(*routines: Routine) -> Registry:
    assert examine(routines).errors == ()
    return Registry(routines)


def test_rounds_and_bindings_use_the_moved_instants() -> None:
    days = listed(date(2027, 5, 3))  # a Monday
    registry = registry_of(
        Routine(
            name="weekly",
            schedule=CalendarSchedule("0 9 * * 1", "UTC", days, OnHoliday.BEFORE),
        ),
        Routine(name="daily", schedule=Schedule("0 6 * * *")),
        Routine(
            name="both",
            dependencies=(Dependency(name="weekly"), Dependency(name="daily")),
        ),
    )
    start, end = datetime(2027, 4, 20, tzinfo=UTC), datetime(2027, 5, 12, tzinfo=UTC)
    days_of = {
        name: [(one.month, one.day, one.hour) for one in registry.instants(name, start, end)]
        for name in ("weekly", "both")
    }
    assert days_of["weekly"] == [(4, 26, 9), (4, 30, 9), (5, 10, 9)]
    assert days_of["both"] == days_of["weekly"]
    friday = datetime(2027, 4, 30, 9, tzinfo=UTC)
    assert [str(task) for task in registry.waits_for("both", friday)] == [
        "weekly.2027-04-30T09:00:00",
        "daily.2027-04-30T06:00:00",
    ]
    assert registry.triggers.previous("both", at("2027-05-02T00:00+00:00")) == to_instant(friday)


def test_rounds_are_judged_holidays_aside() -> None:
    christmas = listed(*(date(year, 12, 25) for year in range(2000, 2100)))
    routines = [
        Routine(
            name="yearly",
            schedule=CalendarSchedule("0 9 25 12 *", "UTC", christmas, OnHoliday.SKIP),
        ),
        Routine(name="daily", schedule=Schedule("0 6 * * *")),
        Routine(
            name="both",
            dependencies=(Dependency(name="yearly"), Dependency(name="daily")),
        ),
    ]
    assert examine(routines).errors == ()
    assert (
        Registry(routines).instants(
            "both", datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
        )
        == ()
    )
