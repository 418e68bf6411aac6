"""Rows of the tables <-> values.

Instants are kept as whole seconds since 1970-01-01 UTC, all other times as microseconds, so that
both come back exactly.  No statements here.
"""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from scheduler.engine.states import Cause, TaskState
from scheduler.engine.task import (
    Attempt,
    Origin,
    Outcome,
    Pause,
    PauseScope,
    RoutineState,
    SkippedRun,
    Task,
    TaskId,
)
from scheduler.zones import EPOCH, to_instant, to_utc

#: what the database gives and takes; the values of a row have no common type
Row = tuple[Any, ...]

_SECOND = timedelta(seconds=1)
_MICROSECOND = timedelta(microseconds=1)
_TASK_WIDTH = 24  # columns of a task; those of an attempt stand behind them

_routine_and_instant = itemgetter(0, 1)


def to_micros(moment: datetime) -> int:
    """Return the microseconds since 1970-01-01 UTC."""
    return (moment - EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Return the moment that many microseconds after 1970-01-01, in UTC."""
    return EPOCH + timedelta(microseconds=micros)


def _to_micros_or_none(moment: datetime | None) -> int | None:
    return None if moment is None else to_micros(moment)


def _from_micros_or_none(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


def to_seconds(moment: datetime) -> int:
    """Return the first whole second since 1970-01-01 UTC that is not before a moment."""
    return -((EPOCH - moment) // _SECOND)


def to_text(text: str) -> str | bytes:
    """Return a text as SQLite can keep it.

    The name of a file, or a line that a script printed, may be no proper Unicode; SQLite has no
    text for that, so it is kept as bytes.
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="surrogatepass")
    return text


def from_text(kept: str | bytes) -> str:
    """Return the text that `to_text` was given."""
    return kept if isinstance(kept, str) else kept.decode(errors="surrogatepass")


def task_row(task: Task) -> Row:
    """Return the columns of a task, its key first."""
    id = task.id
    return (
        id.routine,
        to_instant(id.instant),
        id.zone,
        task.state.value,
        task.cause.value,
        to_text(task.reason),
        task.origin.value,
        to_micros(task.planned_at),
        to_micros(task.changed_at),
        to_micros(task.place),
        *_id_row(task.cover),
        *_id_row(task.root),
        int(task.by_hand),
        None if task.arguments is None else to_text(task.arguments),
        _stand_ins_text(task.stand_ins),
        len(task.attempts),
        task.tries,
        _to_micros_or_none(task.retry_at),
        int(task.is_overdue),
        None if task.ending is None else task.ending.value,
    )


def attempt_row(id: TaskId, attempt: Attempt) -> Row:
    """Return the columns of an attempt."""
    return (
        id.routine,
        to_instant(id.instant),
        attempt.number,
        to_micros(attempt.started_at),
        _to_micros_or_none(attempt.ended_at),
        None if attempt.outcome is None else attempt.outcome.value,
        attempt.code,
        attempt.signal,
        None if attempt.error is None else to_text(attempt.error),
        attempt.peak_memory,
        attempt.cpu_time,
    )


def tasks_of(rows: Iterable[Row]) -> tuple[Task, ...]:
    """Return the tasks of a join with their attempts, in the order of the rows.

    The rows of one task are neighbours, its attempts in order; a task without one has one row.
    """
    return tuple(_task(list(group)) for _, group in groupby(rows, key=_routine_and_instant))


def _task(rows: list[Row]) -> Task:
    first = rows[0]
    return Task(
        id=id_of(first[:3]),
        state=TaskState(first[3]),
        cause=Cause(first[4]),
        reason=from_text(first[5]),
        origin=Origin(first[6]),
        planned_at=from_micros(first[7]),
        changed_at=from_micros(first[8]),
        place=from_micros(first[9]),
        cover=_id(first[10:13]),
        root=_id(first[13:16]),
        by_hand=bool(first[16]),
        arguments=None if first[17] is None else from_text(first[17]),
        stand_ins=_stand_ins(first[18]),
        tries=first[20],
        retry_at=_from_micros_or_none(first[21]),
        is_overdue=bool(first[22]),
        ending=None if first[23] is None else Cause(first[23]),
        attempts=tuple(_attempt(row[_TASK_WIDTH:]) for row in rows if row[_TASK_WIDTH] is not None),
    )


def _attempt(row: Row) -> Attempt:
    number, started_at, ended_at, outcome, code, signal, error, peak_memory, cpu_time = row
    return Attempt(
        number=number,
        started_at=from_micros(started_at),
        ended_at=_from_micros_or_none(ended_at),
        outcome=None if outcome is None else Outcome(outcome),
        code=code,
        signal=signal,
        error=None if error is None else from_text(error),
        peak_memory=peak_memory,
        cpu_time=cpu_time,
    )


def run_row(run: SkippedRun) -> Row:
    """Return the columns of a run of skipped instants, its key first."""
    return (
        run.routine,
        to_instant(run.first),
        to_instant(run.last),
        run.count,
        run.cause.value,
        to_text(run.reason),
        to_micros(run.at),
        *_id_row(run.cover),
        run.zone,
    )


def run_of(row: Row) -> SkippedRun:
    """Return the run of skipped instants of a row."""
    return SkippedRun(
        routine=row[0],
        first=to_utc(row[1]),
        last=to_utc(row[2]),
        count=row[3],
        cause=Cause(row[4]),
        reason=from_text(row[5]),
        at=from_micros(row[6]),
        cover=_id(row[7:10]),
        zone=row[10],
    )


def routine_row(state: RoutineState) -> Row:
    """Return the columns of what is remembered of a routine, its name first."""
    return (
        state.name,
        to_micros(state.known_since),
        to_text(state.trigger),
        int(state.enabled),
        None if state.assumed is None else state.assumed.value,
        None if state.last_success is None else to_instant(state.last_success),
        None if state.last_manual is None else to_instant(state.last_manual),
        state.zone,
    )


def routine_of(row: Row) -> RoutineState:
    """Return what is remembered of a routine."""
    name, known_since, trigger, enabled, assumed, last_success, last_manual, zone = row
    return RoutineState(
        name=name,
        known_since=from_micros(known_since),
        trigger=from_text(trigger),
        enabled=bool(enabled),
        assumed=None if assumed is None else Cause(assumed),
        last_success=None if last_success is None else to_utc(last_success),
        last_manual=None if last_manual is None else to_utc(last_manual),
        zone=zone,
    )


def pause_row(pause: Pause) -> Row:
    """Return the columns of a pause, its key first."""
    return (
        pause.scope.value,
        pause.name,
        to_micros(pause.since),
        _to_micros_or_none(pause.until),
    )


def pause_of(row: Row) -> Pause:
    """Return the pause of a row."""
    scope, name, since, until = row
    return Pause(
        scope=PauseScope(scope),
        name=name,
        since=from_micros(since),
        until=_from_micros_or_none(until),
    )


def id_of(row: Row) -> TaskId:
    """Return the task that three columns name."""
    routine, instant, zone = row
    return TaskId(routine, to_utc(instant), zone)


def _id_row(id: TaskId | None) -> Row:
    return (None, None, None) if id is None else (id.routine, to_instant(id.instant), id.zone)


def _id(row: Row) -> TaskId | None:
    return None if row[0] is None else id_of(row)


def _stand_ins_text(stand_ins: tuple[tuple[TaskId, TaskId], ...]) -> str | None:
    if not stand_ins:
        return None
    return json.dumps([[_id_row(asked), _id_row(given)] for asked, given in stand_ins])


def _stand_ins(text: str | None) -> tuple[tuple[TaskId, TaskId], ...]:
    if text is None:
        return ()
    return tuple((id_of(asked), id_of(given)) for asked, given in json.loads(text))
