"""The grid: routines by periods of time, and in each cell what became of the tasks in it.

A column is a period, from a minute to a month, the same for all rows, so that what happened at one
time stands in one column.  A cell shows the worst of its routine's tasks there, and says of how
many.  What is too rare for the columns has its newest task beside them.

Decides nothing, and knows nothing of colours.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from statistics import median_low

from scheduler.engine.states import TaskState
from scheduler.engine.task import SkippedRun, Task, TaskId
from scheduler.errors import SchedulerError
from scheduler.registry.registry import Registry
from scheduler.service.store.protocol import Reader
from scheduler.service.views import View, in_zone
from scheduler.zones import DAY, EPOCH_ORDINAL, HOUR, MINUTE, Zone, to_instant, to_utc, zone_named

DEFAULT_COLUMNS = 48
MOST_COLUMNS = 400
DEFAULT_ROWS = 500
MOST_ROWS = 10_000

#: what a column may be, with its length in seconds: of weeks and months the shortest
PERIODS = {
    "1m": MINUTE,
    "5m": 5 * MINUTE,
    "15m": 15 * MINUTE,
    "30m": 30 * MINUTE,
    "1h": HOUR,
    "6h": 6 * HOUR,
    "1d": DAY - HOUR,  # a day on which the clock goes forward
    "week": 7 * DAY - HOUR,
    "month": 28 * DAY - HOUR,
}
_PARTS_OF_DAY = ("1m", "5m", "15m", "30m", "1h", "6h")

#: of several tasks in a cell the first of these is shown
WORST_FIRST = (
    TaskState.FAILED,
    TaskState.BLOCKED,
    TaskState.CANCELLED,
    TaskState.RUNNING,
    TaskState.READY,
    TaskState.WAITING,
    TaskState.SUCCEEDED,
    TaskState.SKIPPED,
)
_RANK = {state: rank for rank, state in enumerate(WORST_FIRST)}

_MOST_READ = 50_000  # records that one grid reads, all rows together
_MOST_LOOKED_AT = 1_000  # routines that are asked how often they run


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The periods of a grid: each begins where the one before it ends, the last ends now."""

    starts: Sequence[int]
    now: int

    def of(self, instant: int) -> int | None:
        """Return the number of the column that holds an instant, if one does."""
        number = bisect_right(self.starts, instant) - 1
        return number if number >= 0 and instant <= self.now else None

    def bounds(self, number: int) -> tuple[int, int]:
        """Return the first and the last instant of a column."""
        is_last = number == len(self.starts) - 1
        return self.starts[number], self.now if is_last else self.starts[number + 1] - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A routine's place in the grid."""

    routine: str
    is_root: bool = False  # it failed, and something may wait for it
    held_by: str | None = None  # the root failure that blocks its tasks


@dataclass(slots=True, kw_only=True)
class Cell:
    """The worst task of a routine in one period."""

    id: TaskId
    state: TaskState
    reason: str
    count: int = 1

    def view(self) -> View:
        """Return the cell as plain data."""
        return {
            "task": str(self.id),
            "state": self.state.value,
            "reason": self.reason,
            "instant": in_zone(self.id.instant, self.id.zone),
            "count": self.count,
        }


def grid_view(
    registry: Registry,
    store: Reader,
    now: datetime,
    *,
    period: str | None = None,
    columns: int = DEFAULT_COLUMNS,
    limit: int = DEFAULT_ROWS,
    routine: str | None = None,
) -> View:
    """Return the grid as plain data: all routines up to a limit, or one.

    Raises:
        SchedulerError: there is no such period.
    """
    if period is not None and period not in PERIODS:
        raise SchedulerError(f"a column cannot be {period!r}: it is one of {', '.join(PERIODS)}")
    rows = [row for row in rows_of(registry, store) if routine in (None, row.routine)]
    shown = rows[:limit]
    period = period or fitting_period(registry, [row.routine for row in shown], now)
    zone = zone_named(registry.timezone)
    at = to_instant(now)
    periods = Columns(starts=starts_of(zone, period, at, columns), now=at)
    most_read = max(_MOST_READ // max(len(shown), 1), 2 * columns)
    return {
        "at": in_zone(now, registry.timezone),
        "timezone": registry.timezone,
        "period": period,
        "columns": [in_zone(to_utc(start), registry.timezone) for start in periods.starts],
        "rows": [_row_view(row, registry, store, periods, most_read) for row in shown],
        "more": len(rows) - len(shown),
    }


def rows_of(registry: Registry, store: Reader) -> list[Row]:
    """Return the routines: each root failure, then what it blocks, then the rest in their order."""
    failed = {task.routine for task in store.failed()}
    blocked = [task for task in store.live() if task.state is TaskState.BLOCKED and task.root]
    # Of what is blocked for another reason the root is first as well.
    roots = failed | {task.root.routine for task in blocked if task.root is not None}
    rank = {name: number for number, name in enumerate(registry)}
    found: dict[str, Row] = {}
    for root in sorted(roots, key=lambda name: (rank.get(name, len(rank)), name)):
        found[root] = Row(routine=root, is_root=True)
        for task in blocked:
            if task.root is not None and task.root.routine == root and task.routine not in roots:
                found.setdefault(task.routine, Row(routine=task.routine, held_by=root))
    for name in registry:
        found.setdefault(name, Row(routine=name))
    return list(found.values())


def fitting_period(registry: Registry, names: Iterable[str], now: datetime) -> str:
    """Return the longest period in which a usual routine has no more than one task.

    The usual one has as many above it as below: that few run each minute, or once a month, must
    not make the rest unreadable.
    """
    at = to_instant(now)
    spaces = [
        space
        for name in islice((name for name in names if name in registry), _MOST_LOOKED_AT)
        if (space := _space_between(registry, name, at)) is not None
    ]
    usual = median_low(spaces) if spaces else DAY
    return next((one for one in reversed(PERIODS) if PERIODS[one] <= usual), "1m")


def _space_between(registry: Registry, name: str, at: int) -> int | None:
    """Return the time between two instants of a routine, the last that have come."""
    last = registry.triggers.previous(name, at)
    before = None if last is None else registry.triggers.previous(name, last - 1)
    return None if last is None or before is None else last - before


def starts_of(zone: Zone, period: str, now: int, count: int) -> list[int]:
    """Return where the last ``count`` periods of a zone begin, the oldest first."""
    found: list[int] = []
    day = zone.day_of(now)
    while len(found) < count:
        bounds = zone.day_bounds(day)
        if bounds is not None and period in _PARTS_OF_DAY:
            first, end = bounds
            found[:0] = range(first, min(end, now + 1), PERIODS[period])
        elif bounds is not None and _is_first_day(period, day):
            found.insert(0, bounds[0])
        day -= 1
    return found[-count:]


def _is_first_day(period: str, day: int) -> bool:
    if period == "1d":
        return True
    written = date.fromordinal(day + EPOCH_ORDINAL)
    return written.weekday() == 0 if period == "week" else written.day == 1


def _row_view(
    row: Row, registry: Registry, store: Reader, columns: Columns, most_read: int
) -> View:
    newest = store.newest(row.routine)
    cells, unread = _cells_of(row.routine, registry, store, columns, most_read)
    return {
        "routine": row.routine,
        "is_root": row.is_root,
        "held_by": row.held_by,
        "last": None if newest is None else _cell_of(newest).view(),
        "cells": [None if cell is None else cell.view() for cell in cells],
        "unread": unread,
    }


def _cells_of(
    name: str, registry: Registry, store: Reader, columns: Columns, most_read: int
) -> tuple[list[Cell | None], int]:
    """Return the cells of a routine, and how many of the first ones hold more than is read."""
    cells: list[Cell | None] = [None] * len(columns.starts)
    since = to_utc(columns.starts[0])
    fates = store.history(routine=name, since=since, limit=most_read)
    for fate in fates:
        if fate.task is not None:
            _put(cells, columns, _cell_of(fate.task))
        elif fate.run is not None:
            for cell in _cells_of_run(fate.run, registry, columns):
                _put(cells, columns, cell)
    if len(fates) < most_read:
        return cells, 0
    oldest = columns.of(to_instant(fates[-1].instant))
    unread = 0 if oldest is None else oldest + 1
    return [None] * unread + cells[unread:], unread


def _put(cells: list[Cell | None], columns: Columns, cell: Cell) -> None:
    """Add what is read to its cell: the newest comes first, and stays unless another is worse."""
    number = columns.of(to_instant(cell.id.instant))
    if number is None:
        return
    known = cells[number]
    if known is not None:
        cell.count += known.count
        if _RANK[known.state] <= _RANK[cell.state]:
            cell.id, cell.state, cell.reason = known.id, known.state, known.reason
    cells[number] = cell


def _cell_of(task: Task) -> Cell:
    reason = "; ".join(filter(None, (task.reason, "overdue" if task.is_overdue else "")))
    return Cell(id=task.id, state=task.state, reason=reason)


def _cells_of_run(run: SkippedRun, registry: Registry, columns: Columns) -> Iterator[Cell]:
    """Yield a cell for each column that a run of skipped instants reaches into."""
    first, last = to_instant(run.first), to_instant(run.last)
    if columns.of(first) == columns.of(last) or run.routine not in registry:
        yield Cell(
            id=TaskId(run.routine, run.last, run.zone),
            state=TaskState.SKIPPED,
            reason=run.reason,
            count=run.count,
        )
        return
    for number in range(columns.of(first) or 0, (columns.of(last) or 0) + 1):
        start, end = columns.bounds(number)
        span = registry.triggers.between(run.routine, max(first, start), min(last, end) + 1)
        instants = list(span)
        if instants:
            yield Cell(
                id=TaskId(run.routine, to_utc(instants[-1]), run.zone),
                state=TaskState.SKIPPED,
                reason=run.reason,
                count=len(instants),
            )
