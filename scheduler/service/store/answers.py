"""The answers of a `Reader` from an SQLite database, over one way to ask it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from datetime import datetime

from scheduler.engine.states import TaskState
from scheduler.engine.task import Attempt, Pause, RoutineState, SkippedRun, Task, TaskId
from scheduler.service.store.protocol import Fate, Source
from scheduler.service.store.rows import (
    Row,
    from_micros,
    from_text,
    id_of,
    pause_of,
    routine_of,
    run_of,
    tasks_of,
    to_seconds,
)
from scheduler.service.store.statements import READS
from scheduler.zones import to_instant, to_utc

#: a statement and its parameters
Question = tuple[str, Row]

_OLDEST_FIRST = "t.instant, t.routine"
_NEWEST_FIRST = "t.instant DESC, t.routine DESC"

_LIVE = tuple(state for state in TaskState if not state.is_end)
_INDEXED_ENDS = (TaskState.FAILED, TaskState.CANCELLED, TaskState.SKIPPED)

_MICROSECONDS = 10**6


class SqlAnswers(ABC):
    """Answers what a `Reader` may be asked."""

    @abstractmethod
    def _ask(self, *questions: Question) -> list[list[Row]]:
        """Return the rows that answer each question, all as of one moment."""

    def _rows(self, name: str, *parameters: object) -> list[Row]:
        return self._ask((READS[name], parameters))[0]

    def _tasks(
        self, name: str, *parameters: object, order: str = _OLDEST_FIRST
    ) -> tuple[Task, ...]:
        return tasks_of(self._ask(_with_attempts(READS[name], parameters, order))[0])

    def planned_until(self) -> datetime | None:
        """Return up to when each instant has its fate; None if nothing was ever planned."""
        rows = self._rows("planned until")
        return from_micros(rows[0][0]) if rows else None

    def routines(self) -> tuple[RoutineState, ...]:
        """Return what is remembered of each routine, by name."""
        return tuple(map(routine_of, self._rows("routines")))

    def routine(self, name: str) -> RoutineState | None:
        """Return what is remembered of one routine."""
        return next(map(routine_of, self._rows("routine", name)), None)

    def task(self, id: TaskId) -> Task | None:
        """Return the record of a task."""
        return next(iter(self._tasks("task", id.routine, to_instant(id.instant))), None)

    def run_of(self, id: TaskId) -> SkippedRun | None:
        """Return the run of skipped instants that the instant lies in (of its routine's)."""
        runs = map(run_of, self._rows("run of", id.routine, to_instant(id.instant)))
        return next((run for run in runs if run.holds(id.instant)), None)

    def live(self) -> tuple[Task, ...]:
        """Return the tasks that are not ended, by instant, then routine."""
        return self._tasks("live")

    def ahead(self) -> tuple[TaskId, ...]:
        """Return the tasks to be cancelled when their instants come, by instant, then routine."""
        return tuple(map(id_of, self._rows("ahead")))

    def pauses(self) -> tuple[Pause, ...]:
        """Return the pauses in force, by scope, then name."""
        return tuple(map(pause_of, self._rows("pauses")))

    def tasks_since(self, routine: str, instant: datetime) -> tuple[Task, ...]:
        """Return the routine's tasks at or after an instant, oldest first."""
        return self._tasks("tasks since", routine, to_seconds(instant))

    def runs_since(self, routine: str, instant: datetime) -> tuple[SkippedRun, ...]:
        """Return the routine's runs that end at or after an instant, oldest first."""
        return tuple(map(run_of, self._rows("runs since", routine, to_seconds(instant))))

    def early(self, after: datetime) -> tuple[Task, ...]:
        """Return tasks at instants after ``after``."""
        return self._tasks("early", to_instant(after))

    def early_runs(self, after: datetime) -> tuple[SkippedRun, ...]:
        """Return the runs that end after ``after``."""
        return tuple(map(run_of, self._rows("early runs", to_instant(after))))

    def history(
        self,
        *,
        routine: str | None = None,
        state: TaskState | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
    ) -> tuple[Fate, ...]:
        """Return the newest fates, newest instant first; of all routines or of one."""
        questions = [_tasks_in_history(routine, state, since, until, limit)]
        if state in (None, TaskState.SKIPPED):
            questions.append(_runs_in_history(routine, since, until, limit))
        tasks, *runs = self._ask(*questions)
        fates = [Fate(task=task) for task in tasks_of(tasks)]
        fates += [Fate(run=run_of(row)) for rows in runs for row in rows]
        fates.sort(key=lambda fate: (fate.instant, fate.routine), reverse=True)
        return tuple(fates[:limit])

    def newest(self, routine: str) -> Task | None:
        """Return the routine's newest task that ran or is to run (its record is no mere cover)."""
        return next(iter(self._tasks("newest", routine)), None)

    def last_ended(self, routine: str) -> Task | None:
        """Return the routine's newest task that ended with an attempt."""
        return next(iter(self._tasks("last ended", routine)), None)

    def last_ended_of_all(self) -> Mapping[str, Task]:
        """Return the newest task that ended with an attempt of each routine that has one."""
        return {task.routine: task for task in self._tasks("last ended of all")}

    def recent_ends(self, limit: int = 20) -> tuple[tuple[Task, Attempt], ...]:
        """Return the attempts that ended last, newest first, each with its task."""
        keys = self._rows("recent ends", limit)
        tasks = {key[:2]: task for key in keys for task in self._tasks("task", *key[:2])}
        ends = ((tasks[key[:2]], key[2]) for key in keys if key[:2] in tasks)
        return tuple(
            (task, attempt)
            for task, number in ends
            for attempt in task.attempts
            if attempt.number == number
        )

    def redone(self, limit: int = 1000) -> tuple[tuple[TaskId, int], ...]:
        """Return the further attempts that ended, what ended last first."""
        rows = self._rows("redone", limit)
        return tuple(
            (TaskId(routine, to_utc(instant)), number) for routine, instant, number in rows
        )

    def failed(self, since: datetime | None = None) -> tuple[Task, ...]:
        """Return failed tasks, by instant, then routine; without ``since`` those that matter."""
        return self._tasks("failed", None if since is None else to_seconds(since))

    def durations(self, routine: str, limit: int = 20) -> tuple[float, ...]:
        """Return the seconds that the last attempts of the newest succeeded tasks took."""
        rows = self._rows("durations", routine, limit)
        return tuple(micros / _MICROSECONDS for (micros,) in rows)

    def counts(self) -> Mapping[TaskState, int]:
        """Return how many records there are in each state; a run counts its instants."""
        counts = {TaskState(state): int(count) for state, count in self._rows("tally")}
        return {state: counts[state] for state in TaskState}

    def sources(self) -> tuple[Source, ...]:
        """Return the files of the last registry that loaded, its own first."""
        rows = self._rows("sources")
        return tuple(Source(path=from_text(path), data=data) for path, data in rows)

    def note(self, key: str) -> str | None:
        """Return a note that the service made to itself."""
        rows = self._rows("note", key)
        return from_text(rows[0][0]) if rows else None


def _with_attempts(found: str, parameters: Row, order: str) -> Question:
    return READS["tasks with attempts"].format(found=found, order=order), parameters


def _tasks_in_history(
    routine: str | None,
    state: TaskState | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
) -> Question:
    parts = _conditions(routine, since, until, column="instant")
    conditions, index = list(parts), ""
    if state is not None:
        conditions += _state_conditions(state)
        index = _state_index(state, of_routine=routine is not None)
    found = (
        f"SELECT * FROM task {index} WHERE {' AND '.join(conditions) or 'true'}"
        " ORDER BY instant DESC, routine DESC LIMIT ?"
    )
    return _with_attempts(found, (*parts.values(), limit), _NEWEST_FIRST)


def _state_conditions(state: TaskState) -> Iterator[str]:
    # As text, not as parameters, and with the condition of the index that serves.
    yield f"state = '{state.value}'"
    if state in _INDEXED_ENDS or not state.is_end:
        group = _INDEXED_ENDS if state.is_end else _LIVE
        yield f"state IN ({', '.join(repr(one.value) for one in group)})"


def _state_index(state: TaskState, *, of_routine: bool) -> str:
    if not state.is_end:
        return "INDEXED BY task_live"
    if of_routine:
        return "INDEXED BY task_failed" if state is TaskState.FAILED else ""
    return "INDEXED BY task_unsuccessful" if state in _INDEXED_ENDS else ""


def _runs_in_history(
    routine: str | None, since: datetime | None, until: datetime | None, limit: int
) -> Question:
    parts = _conditions(routine, since, until, column="last")
    statement = READS["skipped"].format(conditions=" AND ".join(parts) or "true")
    return statement, (*parts.values(), limit)


def _conditions(
    routine: str | None, since: datetime | None, until: datetime | None, *, column: str
) -> dict[str, str | int]:
    """Return each condition with its parameter."""
    conditions: dict[str, str | int] = {}
    if routine is not None:
        conditions["routine = ?"] = routine
    if since is not None:
        conditions[f"{column} >= ?"] = to_seconds(since)
    if until is not None:
        conditions[f"{column} < ?"] = to_seconds(until)
    return conditions
