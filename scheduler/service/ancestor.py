"""Folders of the program's ancestor: what would change its meaning, named before it runs.

There, 0 was Monday, and day of month and day of week were both required (SPEC 2).  A folder is
known by ``[SESSION]`` in its config or by a table ``state`` in its database.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scheduler.cron import Schedule
from scheduler.errors import SchedulerError
from scheduler.registry.dates import common_dates
from scheduler.registry.registry import Registry
from scheduler.registry.routine import Routine

_KEPT_AS = ".ancestor"
_WEEKS = {"1-7": 1, "8-14": 2, "15-21": 3, "22-28": 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedDays:
    """A schedule that would run on other days than it did."""

    routine: str
    schedule: str
    instead: str | None  # the line that keeps the old days; None if no single one does

    def __str__(self) -> str:
        """Return one line for the person who decides."""
        write = f"write {self.instead!r}" if self.instead else "no single schedule has those days"
        return f"routine {self.routine!r}: {self.schedule!r} would run on other days; {write}"


def changed_days(registry: Registry) -> tuple[ChangedDays, ...]:
    """Return the schedules whose days the ancestor read otherwise, in registry order."""
    return tuple(found for routine in registry.values() for found in _changed(routine))


def _changed(routine: Routine) -> Iterator[ChangedDays]:
    schedule = routine.schedule
    if schedule is None or schedule.expression.startswith("@"):
        return
    minute, hour, day, month, weekday = schedule.expression.split()
    shifted = _from_sunday(weekday)
    if shifted is None:
        return
    days = Schedule(f"{minute} {hour} {day} {month} *").dates()
    weekdays = Schedule(f"{minute} {hour} * {month} {shifted}").dates()
    meant = common_dates([days, weekdays])
    if meant == schedule.dates():
        return
    candidates = [f"{minute} {hour} {day} {month} {shifted}"]
    if day in _WEEKS and "," not in shifted and "-" not in shifted:
        candidates.append(f"{minute} {hour} * {month} {shifted}#{_WEEKS[day]}")
    same = (one for one in candidates if _dates_of(one) == meant)
    yield ChangedDays(routine=routine.name, schedule=schedule.expression, instead=next(same, None))


def _dates_of(expression: str) -> tuple[int, ...] | None:
    try:
        return Schedule(expression).dates()
    except SchedulerError:
        return None


def _from_sunday(weekday: str) -> str | None:
    """Return a field counted from Monday as 0, counted from Sunday; None if it cannot have been."""
    if weekday == "*" or not re.fullmatch(r"[0-6*,/-]+", weekday):
        return "*" if weekday == "*" else None
    numbers: set[int] = set()
    for item in weekday.split(","):
        span, _, step = item.partition("/")
        first, _, last = ("0-6" if span == "*" else span).partition("-")
        if not first.isdecimal():
            return None
        end = int(last) if last else (6 if step else int(first))
        numbers.update(range(int(first), end + 1, int(step or 1)))
    # As few spans as it takes, with Sunday as 7 so that none runs backwards.
    shifted = sorted(number + 1 for number in numbers)
    spans: list[list[int]] = []
    for number in shifted:
        if spans and number == spans[-1][-1] + 1:
            spans[-1].append(number)
        else:
            spans.append([number])
    return ",".join(f"{span[0]}-{span[-1]}" if len(span) > 1 else str(span[0]) for span in spans)


def set_aside(database: Path) -> Path:
    """Rename the ancestor's database, and return where it is kept.

    Raises:
        SchedulerError: it cannot be renamed.
    """
    kept = Path(f"{database}{_KEPT_AS}")
    number = 1
    while kept.exists():
        number += 1
        kept = Path(f"{database}{_KEPT_AS}{number}")
    try:
        os.rename(database, kept)
    except OSError as error:
        raise SchedulerError(f"{database} cannot be renamed: {error.strerror}") from error
    return kept
