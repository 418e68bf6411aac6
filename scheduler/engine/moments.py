"""When the deadlines of a task pass: a start_by, a due_by, the wait_until of a dependency.

By the registry in force, which may not be the one by which a timer was set.
"""

from datetime import datetime

from scheduler.engine.board import Board, Entry
from scheduler.engine.task import Origin, Task
from scheduler.registry.deadlines import Deadline
from scheduler.registry.routine import Routine
from scheduler.zones import to_instant, to_utc, zone_named


def deadline_at(deadline: Deadline, routine: Routine, instant: datetime) -> datetime:
    """Return when a deadline of a routine passes for the task at ``instant``."""
    return to_utc(deadline.after(to_instant(instant), zone_named(routine.zone)))


def start_by_of(board: Board, task: Task) -> datetime | None:
    """Return until when a task has to start, if there is a limit."""
    routine = board.registry.get(task.routine)
    if routine is None or routine.start_by is None:
        return None
    return deadline_at(routine.start_by, routine, task.instant)


def due_by_of(board: Board, task: Task) -> datetime | None:
    """Return by when a task should succeed; nothing is due of a backfill, or between instants."""
    routine = board.registry.get(task.routine)
    if routine is None or routine.due_by is None or task.origin is Origin.BACKFILL:
        return None
    if not board.registry.triggers.is_instant(task.routine, to_instant(task.instant)):
        return None
    return deadline_at(routine.due_by, routine, task.instant)


def wait_until_of(board: Board, entry: Entry, number: int) -> datetime | None:
    """Return until when a task waits for one of its needs, if there is a limit."""
    routine = board.registry.get(entry.task.routine)
    deadline = entry.needs[number].wait_until if number < len(entry.needs) else None
    if routine is None or deadline is None:
        return None
    return deadline_at(deadline, routine, entry.task.instant)


def has_passed(moment: datetime | None, at: datetime) -> bool:
    """Return whether there is such a moment, and it is over: an edit may have moved it."""
    return moment is not None and moment <= at
