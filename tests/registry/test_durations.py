"""Lengths of time as people write them."""

from datetime import timedelta

import pytest

from scheduler.durations import parse_duration
from scheduler.errors import SchedulerError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("2h", timedelta(hours=2)),
        ("1d", timedelta(days=1)),
        ("1h30m", timedelta(hours=1, minutes=30)),
        ("1d2h3m4s", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("0s", timedelta(0)),
        (" 007s ", timedelta(seconds=7)),
        ("36525d", timedelta(days=36_525)),
    ],
)
def test_a_duration_is_numbers_with_their_units(text: str, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "s", "h1", "1 h 30 m", "1.5h", "-1s", "+1h", "1w", "1M", "1h30", "٣s", "1e3s", "90s\n90s"],
)
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(SchedulerError, match="as in 90s, 30m, 2h, 1d or 1h30m"):
        parse_duration(text)


def test_a_number_without_a_unit_is_told_to_add_one() -> None:
    with pytest.raises(SchedulerError) as caught:
        parse_duration("90")
    assert str(caught.value) == (
        "'90' is not a duration: add its unit, as in 90s, 30m, 2h, 1d or 1h30m"
    )


@pytest.mark.parametrize("text", ["36525d1s", "9" * 100_000 + "s", "1s" * 3 + "999999999999d"])
def test_more_than_a_hundred_years_are_refused(text: str) -> None:
    with pytest.raises(SchedulerError) as caught:
        parse_duration(text)
    assert "longer than a hundred years" in str(caught.value) and len(str(caught.value)) < 150
