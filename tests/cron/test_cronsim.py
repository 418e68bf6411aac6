"""An independent library as oracle, away from where it is known to be wrong.

It goes astray where a clock goes back over midnight, where midnight does not exist, in zones that
shift by 30 or 45 minutes, when it starts inside a repeated hour, and on ``30-30/5``.
"""

import random
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim, CronSimError

from scheduler import Schedule, SchedulerError

ZONES = ("UTC", "Europe/Paris", "America/New_York", "Asia/Tokyo", "Europe/London")
DAYS = ("*", "*", "*", "*/2", "1-7", "15", "31", "L", "LW", "1,15,L", "8-14/3")
MONTHS = ("*", "*", "*", "2", "1-6", "*/5", "JAN,MAR-MAY", "10")
WEEKDAYS = ("*", "*", "*", "1-5", "0", "7", "MON-FRI", "*/2", "5L", "FRI#3", "1#1,0#5", "5-7")


def a_field(draw: random.Random, high: int) -> str:
    low = draw.randrange(high)
    return draw.choice(
        (
            "*",
            f"*/{draw.randrange(1, 40)}",
            str(low),
            str(low),
            f"{low}/{draw.randrange(2, 20)}",
            f"{low},{draw.randrange(high)}",
            f"{low}-{draw.randrange(low + 1, high + 1)}/{draw.randrange(1, 9)}",
        )
    )


@pytest.mark.parametrize("seed", range(20))
def test_next_and_previous_agree_with_cronsim(seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(40):
        expression = " ".join(
            (
                a_field(draw, 59),
                a_field(draw, 23),
                draw.choice(DAYS),
                draw.choice(MONTHS),
                draw.choice(WEEKDAYS),
            )
        )
        zone = ZoneInfo(draw.choice(ZONES))
        # At noon no clock of these zones is about to change.
        start = datetime(draw.randrange(1975, 2037), draw.randrange(1, 13), 28, 12, tzinfo=zone)
        start += timedelta(days=draw.randrange(28))
        assert walked(expression, start) == simulated(expression, start), (expression, start)


def walked(expression: str, start: datetime) -> list[datetime] | None:
    try:
        schedule = Schedule(expression, str(start.tzinfo))
    except SchedulerError:
        return None
    found: list[datetime] = []
    for step in (schedule.next, schedule.previous):
        moment = start
        for _ in range(8):
            following = step(moment)
            assert following is not None
            moment = following
            found.append(moment.astimezone(UTC))
    return found


def simulated(expression: str, start: datetime) -> list[datetime] | None:
    try:
        there = list(islice(CronSim(expression, start), 8))
        back = list(islice(CronSim(expression, start, reverse=True), 8))
    except CronSimError:
        return None
    return [moment.astimezone(UTC) for moment in there + back]
