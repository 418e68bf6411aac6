"""How long does a schedule take to answer?

Measures `next()` of a few common expressions with warm tables, and the first `next()` of 100,000
different schedules, each beside cronsim.  Run it with ``python -m benchmarks.schedules``.
"""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from time import perf_counter
from zoneinfo import ZoneInfo

from cronsim import CronSim
from tabulate import tabulate

from scheduler import Schedule

ZONE = "Europe/Paris"
EXPRESSIONS = (
    "* * * * *",
    "*/5 * * * *",
    "0 2 * * *",
    "0 9-17 * * 1-5",
    "@monthly",
    "0 0 L * *",
    "0 0 29 2 *",
    "0 0 29 2 */7",
)
MANY = 100_000
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> None:
    """Print the two tables."""
    rows = [[expression, *answer_times(expression)] for expression in EXPRESSIONS]
    print(table(rows, ["expression", "next()", "previous()", "cronsim next"]))
    ours = timed(lambda: [first_next(expression) for expression in different_expressions()])
    theirs = timed(
        lambda: [simulated(expression, NEW_YEAR) for expression in different_expressions()]
    )
    print()
    print(
        f"{MANY:,} different schedules, built and asked once: {ours:.2f} s (cronsim {theirs:.2f} s)"
    )


def table(rows: list[list[str]], headers: list[str]) -> str:
    return tabulate(rows, headers, tablefmt="github", disable_numparse=True)


def answer_times(expression: str) -> Iterator[str]:
    """Yield the time of one next(), one previous() and one of cronsim's, in microseconds."""
    draw = random.Random(1)
    zone = ZoneInfo(ZONE)
    moments = [
        (NEW_YEAR + timedelta(seconds=draw.randrange(360 * 86_400))).astimezone(zone)
        for _ in range(5_000)
    ]
    schedule = Schedule(expression, ZONE)
    plain = expression.replace("@monthly", "0 0 1 * *")
    few = moments[:500]
    yield micros(lambda: [schedule.next(moment) for moment in moments], len(moments))
    yield micros(lambda: [schedule.previous(moment) for moment in moments], len(moments))
    yield micros(lambda: [simulated(plain, moment) for moment in few], len(few))


def simulated(expression: str, moment: datetime) -> datetime:
    return next(CronSim(expression, moment))


def first_next(expression: str) -> datetime | None:
    return Schedule(expression, ZONE).next(NEW_YEAR)


def different_expressions() -> list[str]:
    """Return so many expressions of the kind that crontabs hold, no two of them the same."""
    days = ("* * *", "* * 1-5", "* * 0", "1 * *", "15 * *", "1-7 * *", "L * *", "* 1-6 *")
    clocks = product(range(60), range(24), days)
    singles = [f"{minute} {hour} {day}" for minute, hour, day in clocks]
    twice = product(range(0, 30), range(30, 60), range(24), days)
    doubles = [f"{one},{other} {hour} {day}" for one, other, hour, day in twice]
    return (singles + doubles)[:MANY]


def micros(work: Callable[[], object], times: int) -> str:
    work()  # fills the tables
    return f"{timed(work) / times * 1e6:.1f} µs"


def timed(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


if __name__ == "__main__":
    main()
