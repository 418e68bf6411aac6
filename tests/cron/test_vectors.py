"""The table of expression, after and expected instants in vectors.txt, read in both directions."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from scheduler import Schedule
from tests.support import brute_cron

TABLE = Path(__file__).with_name("vectors.txt").read_text(encoding="utf-8")
VECTORS = [
    tuple(cell.strip() for cell in line.split("|"))
    for line in TABLE.splitlines()
    if line and not line.startswith("#")
]


def moments(cell: str) -> list[datetime]:
    return [datetime.fromisoformat(text) for text in cell.split()]


def utc(moment: datetime | None) -> datetime:
    # A datetime in a repeated hour of its zone equals none of another zone (PEP 495).
    assert moment is not None
    return moment.astimezone(UTC)


@pytest.mark.parametrize(("expression", "zone", "after", "expected"), VECTORS)
def test_next_yields_the_instants_of_the_table(
    expression: str, zone: str, after: str, expected: str
) -> None:
    schedule = Schedule(expression, zone)
    moment: datetime | None = datetime.fromisoformat(after)
    found: list[str] = []
    for _ in moments(expected):
        assert moment is not None
        moment = schedule.next(moment)
        assert moment is not None
        found.append(moment.isoformat())
    assert found == [moment.isoformat() for moment in moments(expected)]


@pytest.mark.parametrize(("expression", "zone", "after", "expected"), VECTORS)
def test_previous_yields_them_backwards(
    expression: str, zone: str, after: str, expected: str
) -> None:
    schedule = Schedule(expression, zone)
    instants = moments(expected)
    assert utc(schedule.previous(instants[0], inclusive=True)) == instants[0]
    for earlier, later in pairwise(instants):
        assert utc(schedule.previous(later)) == earlier
        assert utc(schedule.previous(later - timedelta(microseconds=1), inclusive=True)) == earlier
    assert utc(schedule.previous(instants[0])) <= datetime.fromisoformat(after)


# The oracle walks through every minute.
NEAR = [
    vector
    for vector in VECTORS
    if moments(vector[3])[-1] - datetime.fromisoformat(vector[2]) < timedelta(days=20)
]


@pytest.mark.parametrize(("expression", "zone", "after", "expected"), NEAR)
def test_the_oracle_agrees_with_the_table(
    expression: str, zone: str, after: str, expected: str
) -> None:
    instants = moments(expected)
    start = datetime.fromisoformat(after).astimezone(UTC) + timedelta(seconds=1)
    end = instants[-1].astimezone(UTC) + timedelta(seconds=1)
    assert brute_cron.instants(expression, zone, start, end) == instants
