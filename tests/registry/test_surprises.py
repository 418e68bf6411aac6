"""What `check` warns of: legal but surprising, with the way out; and what it keeps quiet about."""

from datetime import datetime
from pathlib import Path

import pytest

from scheduler.registry.examine import examine
from scheduler.zones import to_instant
from tests.support.memory_files import read

NOW = to_instant(datetime.fromisoformat("2026-11-20T12:00:00+01:00"))


def warnings_of(
    inside: str, files: dict[str, str] | None = None, around: int | None = NOW
) -> list[str]:
    """Return the messages of all warnings of a registry in Paris, with their hints."""
    reading = read(f'<registry timezone="Europe/Paris">{inside}</registry>', files)
    assert reading.errors == (), [str(problem) for problem in reading.errors]
    findings = examine(reading.routines, around=around)
    assert findings.errors == (), [str(problem) for problem in findings.errors]
    found = [*reading.warnings, *findings.warnings]
    assert all(problem.hint and problem.line == 1 for problem in found)
    return [problem.message for problem in found]


def job(attributes: str) -> str:
    return f'<job name="a" script="a" {attributes}/>'


@pytest.mark.parametrize(
    ("attributes", "what"),
    [
        ('schedule="30 2 * * *"', "its run of 02:30 comes at 03:00"),
        ('schedule="0 2 * * *"', "its run of 02:00 comes at 03:00"),
        ('schedule="0 2,3 * * *"', "its runs of 02:00 and 03:00 are one, at 03:00"),
        ('schedule="15,45 2 * * *"', "its runs of 02:15 and 02:45 are one, at 03:00"),
        ('schedule="*/30 2 * * *"', "it does not run that day at 02:00 and 02:30"),
        ('schedule="30 2 * * 0"', "its run of 02:30 comes at 03:00"),
    ],
)
def test_a_change_of_the_clocks_within_a_year_is_told_with_its_date(
    attributes: str, what: str
) -> None:
    assert warnings_of(job(attributes)) == [
        f"routine 'a': on 2027-03-28 clocks in Europe/Paris skip 02:00 to 03:00: {what}"
    ]


@pytest.mark.parametrize(
    "attributes",
    [
        'schedule="0 1 * * *"',
        'schedule="0 3 * * *"',
        'schedule="* * * * *"',
        'schedule="0 * * * *"',
        'schedule="0 */2 * * *"',
        'schedule="*/30 1-3 * * *"',
        'schedule="30 2 * * 1-5"',  # it is a Sunday
        'schedule="30 2 1 * *"',
        'schedule="30 2 * * *" timezone="UTC"',
        'schedule="30 2 * * *" timezone="Asia/Tokyo"',
        'schedule="30 2 * * *" enabled="false"',
        'schedule="30 2 * * *" calendar="./days.txt"',  # it does not run that day
    ],
)
def test_what_no_change_of_the_clocks_touches_is_no_surprise(attributes: str) -> None:
    assert warnings_of(job(attributes), {"/data/days.txt": "2027-03-28"}) == []


def test_without_a_clock_nothing_is_said_of_dates() -> None:
    assert warnings_of(job('schedule="30 2 * * *"'), around=None) == []


@pytest.mark.parametrize(
    ("around", "date"),
    [("2027-03-27T12:00+01:00", "2027-03-28"), ("2027-03-28T04:00+02:00", "2028-03-26")],
)
def test_the_next_change_is_told(around: str, date: str) -> None:
    now = to_instant(datetime.fromisoformat(around))
    (message,) = warnings_of(job('schedule="30 2 * * *"'), around=now)
    assert date in message


@pytest.mark.parametrize(
    ("attributes", "field"),
    [
        ('schedule="@daily" arguments="--day {instant:%Y-%m-%d}"', "instant"),
        ('schedule="@daily" arguments="--from {previous_instant}"', "previous_instant"),
        ('schedule="@daily" arguments="{nominal}"', "nominal"),
        ('depends_on="load" arguments="{attempt} {instant}"', "instant"),
    ],
)
def test_a_routine_that_is_told_its_instant_but_keeps_only_the_latest_is_a_surprise(
    attributes: str, field: str
) -> None:
    load = '<job name="load" script="l" schedule="@daily"/>'
    (message,) = warnings_of(load + job(attributes))
    assert message.startswith(f"routine 'a' names {{{field}}} in its arguments, but of its late")


@pytest.mark.parametrize(
    "attributes",
    [
        'schedule="@daily" arguments="{instant}" backlog="all"',
        'schedule="@daily" arguments="{instant}" backlog="latest"',  # somebody thought of it
        'schedule="@daily" arguments="{since} {instant}"',  # it is told all that lies between
        'schedule="@daily" arguments="{{instant}} {routine} {attempt}"',
        'schedule="@daily"',
        'arguments="{instant}"',  # by hand
    ],
)
def test_arguments_that_lose_nothing_are_no_surprise(attributes: str) -> None:
    assert warnings_of(job(attributes)) == []


def test_a_backlog_from_defaults_counts_as_thought_of() -> None:
    text = '<defaults backlog="latest"/>' + job('schedule="@daily" arguments="{instant}"')
    assert warnings_of(text) == []


@pytest.mark.parametrize(
    ("upstream", "downstream", "is_surprising"),
    [
        ("* * * * *", "@monthly", True),
        ("*/5 * * * *", "@monthly", True),
        ("* * * * *", "@weekly", True),
        ("0 * * * *", "@monthly", False),
        ("* * * * *", "@daily", False),
        ("@daily", "@yearly", False),
    ],
)
def test_more_tasks_waited_for_than_anybody_means_are_a_surprise(
    upstream: str, downstream: str, is_surprising: bool
) -> None:
    text = (
        f'<job name="load" script="l" schedule="{upstream}"/>'
        f'<job name="sum" script="s" schedule="{downstream}">'
        '<dependency name="load" instant="all"/></job>'
    )
    expected = ["routine 'sum' waits for more than 2,000 tasks of 'load' each time"]
    assert warnings_of(text) == (expected if is_surprising else [])


@pytest.mark.parametrize(
    ("attributes", "what"),
    [
        ('schedule="*/5 * * * *" timeout="1h"', "its timeout of 1h is longer than the 5m between"),
        ('schedule="0 9-17 * * 1-5" timeout="2h"', "its timeout of 2h is longer than the 1h"),
        ('schedule="@daily" timeout="36h"', "its timeout of 1d12h is longer than the 1d between"),
        ('depends_on="load" timeout="2h"', "its timeout of 2h is longer than the 1h between"),
        ('schedule="*/5 * * * *" timeout="5m"', None),
        ('schedule="*/5 * * * *" timeout="1h" overlap="yes"', None),
        ('schedule="*/5 * * * *"', None),
        ('timeout="1h"', None),
        ('schedule="@monthly" timeout="30d"', None),
    ],
)
def test_a_timeout_beyond_the_next_instant_is_a_surprise_without_overlap(
    attributes: str, what: str | None
) -> None:
    found = warnings_of('<job name="load" script="l" schedule="0 * * * *"/>' + job(attributes))
    assert len(found) == (what is not None)
    assert what is None or what in found[0]


@pytest.mark.parametrize(
    ("text", "is_surprising"),
    [
        (job('warm="no" preload="pandas"'), True),
        ('<defaults warm="no"/>' + job('preload="pandas"'), True),
        ('<defaults warm="no" preload="pandas"/>' + job(""), True),
        ('<defaults preload="pandas"/>' + job('warm="no"'), False),
        (f'<defaults preload="pandas"/><group name="g" warm="no">{job("")}</group>', False),
        (job('warm="auto" preload="pandas"'), False),
        (job('warm="no" preload="pandas" enabled="false"'), False),
    ],
)
def test_modules_for_what_never_starts_warm_are_a_surprise(text: str, is_surprising: bool) -> None:
    expected = [
        "routine 'a': preload means nothing with warm=\"no\": each of its attempts starts a new"
        " interpreter"
    ]
    assert warnings_of(text) == (expected if is_surprising else [])


def test_the_sample_registry_has_no_surprises() -> None:
    sample = Path(__file__).parents[2] / "statics" / "sample_registry.xml"
    reading = read(sample.read_bytes(), timezone="Europe/Paris")
    assert (*reading.warnings, *examine(reading.routines, around=NOW).warnings) == ()
