"""A store in memory, for tests and simulation: it keeps the same contract, but no file."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import assert_never

from scheduler.engine.commands import (
    ForgetRun,
    Record,
    RecordAhead,
    RecordPause,
    RecordPlannedUntil,
    RecordRoutine,
    RecordRun,
    RecordTask,
)
from scheduler.engine.states import Cause, TaskState
from scheduler.engine.task import (
    Attempt,
    Pause,
    PauseScope,
    RoutineState,
    SkippedRun,
    Task,
    TaskId,
)
from scheduler.service.store.protocol import TIMEZONE_NOTE, Fate, RegistryText, Source

_EVER = datetime(1, 1, 1, tzinfo=UTC)


class MemoryStore:
    """Keeps all in dicts."""

    def __init__(self) -> None:
        self._planned_until: datetime | None = None
        self._routines: dict[str, RoutineState] = {}
        self._tasks: dict[TaskId, Task] = {}
        self._runs: dict[tuple[str, datetime], SkippedRun] = {}
        self._ahead: dict[TaskId, None] = {}
        self._pauses: dict[tuple[PauseScope, str], Pause] = {}
        self._sources: tuple[Source, ...] = ()
        self._notes: dict[str, str] = {}

    def apply(self, records: Sequence[Record], registry: RegistryText | None = None) -> None:
        """Keep all of these, and what they follow from."""
        if registry is not None:
            self._sources = registry.sources
            self._notes[TIMEZONE_NOTE] = registry.timezone
        for record in records:
            match record:
                case RecordTask(task=task):
                    self._tasks[task.id] = task
                case RecordRun(run=run):
                    self._runs[run.routine, run.first] = run
                case ForgetRun(routine=routine, first=first):
                    self._runs.pop((routine, first), None)
                case RecordRoutine(state=state):
                    self._routines[state.name] = state
                case RecordPlannedUntil(at=at):
                    self._planned_until = at
                case RecordAhead(task=id, drop=drop):
                    if drop:
                        self._ahead.pop(id, None)
                    else:
                        self._ahead[id] = None
                case RecordPause(pause=pause, drop=drop):
                    if drop:
                        self._pauses.pop((pause.scope, pause.name), None)
                    else:
                        self._pauses[pause.scope, pause.name] = pause
                case _:
                    assert_never(record)

    def keep_note(self, key: str, value: str) -> None:
        """Keep a note of the service to itself."""
        self._notes[key] = value

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""

    def planned_until(self) -> datetime | None:
        """Return up to when each instant has its fate."""
        return self._planned_until

    def routines(self) -> tuple[RoutineState, ...]:
        """Return what is remembered of each routine, by name."""
        return tuple(sorted(self._routines.values(), key=lambda state: state.name))

    def routine(self, name: str) -> RoutineState | None:
        """Return what is remembered of one routine."""
        return self._routines.get(name)

    def task(self, id: TaskId) -> Task | None:
        """Return the record of a task."""
        return self._tasks.get(id)

    def run_of(self, id: TaskId) -> SkippedRun | None:
        """Return the run of skipped instants that the instant lies in."""
        runs = (run for run in self._runs.values() if run.routine == id.routine)
        return next((run for run in runs if run.holds(id.instant)), None)

    def live(self) -> tuple[Task, ...]:
        """Return the tasks that are not ended."""
        live = (task for task in self._tasks.values() if not task.state.is_end)
        return tuple(sorted(live, key=_by_instant))

    def ahead(self) -> tuple[TaskId, ...]:
        """Return the tasks to be cancelled when their instants come."""
        return tuple(sorted(self._ahead, key=lambda id: (id.instant, id.routine)))

    def pauses(self) -> tuple[Pause, ...]:
        """Return the pauses in force, by scope, then name."""
        return tuple(pause for _, pause in sorted(self._pauses.items(), key=lambda one: one[0]))

    def tasks_since(self, routine: str, instant: datetime) -> tuple[Task, ...]:
        """Return the routine's tasks at or after an instant, oldest first."""
        found = (
            task
            for task in self._tasks.values()
            if task.routine == routine and task.instant >= instant
        )
        return tuple(sorted(found, key=lambda task: task.instant))

    def runs_since(self, routine: str, instant: datetime) -> tuple[SkippedRun, ...]:
        """Return the routine's runs that end at or after an instant, oldest first."""
        found = (
            run for run in self._runs.values() if run.routine == routine and run.last >= instant
        )
        return tuple(sorted(found, key=lambda run: run.first))

    def early(self, after: datetime) -> tuple[Task, ...]:
        """Return tasks at instants after ``after``."""
        early = (task for task in self._tasks.values() if task.instant > after)
        return tuple(sorted(early, key=_by_instant))

    def early_runs(self, after: datetime) -> tuple[SkippedRun, ...]:
        """Return the runs that end after ``after``."""
        early = (run for run in self._runs.values() if run.last > after)
        return tuple(sorted(early, key=lambda run: (run.last, run.routine)))

    def history(
        self,
        *,
        routine: str | None = None,
        state: TaskState | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
    ) -> tuple[Fate, ...]:
        """Return the newest fates, newest instant first."""
        fates: list[Fate] = [Fate(task=task) for task in self._tasks.values()]
        fates += [Fate(run=run) for run in self._runs.values()]
        found = [
            fate
            for fate in fates
            if routine in (None, fate.routine)
            and state in (None, fate.task.state if fate.task else TaskState.SKIPPED)
            and (since is None or fate.instant >= since)
            and (until is None or fate.instant < until)
        ]
        found.sort(key=lambda fate: (fate.instant, fate.routine), reverse=True)
        return tuple(found[:limit])

    def newest(self, routine: str) -> Task | None:
        """Return the routine's newest task that ran or is to run."""
        tasks = [
            task
            for task in self._tasks.values()
            if task.routine == routine and task.cause is not Cause.COVERED
        ]
        return max(tasks, key=lambda task: task.instant, default=None)

    def last_ended(self, routine: str) -> Task | None:
        """Return the routine's newest task that ended with an attempt."""
        return self.last_ended_of_all().get(routine)

    def last_ended_of_all(self) -> Mapping[str, Task]:
        """Return the newest task that ended with an attempt of each routine that has one."""
        ended = (task for task in self._tasks.values() if task.state.is_end and task.attempts)
        return {task.routine: task for task in sorted(ended, key=_by_instant)}

    def recent_ends(self, limit: int = 20) -> tuple[tuple[Task, Attempt], ...]:
        """Return the attempts that ended last, newest first, each with its task."""
        ends = [
            ((attempt.ended_at, task.routine, task.instant, attempt.number), task, attempt)
            for task in self._tasks.values()
            for attempt in task.attempts
            if attempt.ended_at is not None
        ]
        ends.sort(key=lambda end: end[0], reverse=True)
        return tuple((task, attempt) for _, task, attempt in ends[:limit])

    def redone(self, limit: int = 1000) -> tuple[tuple[TaskId, int], ...]:
        """Return the further attempts that ended, what ended last first."""
        further = (
            (task.id, attempt.number)
            for task, attempt in self.recent_ends(len(self._tasks) * 1000)
            if attempt.number > 1
        )
        return tuple(islice(further, limit))

    def failed(self, since: datetime | None = None) -> tuple[Task, ...]:
        """Return failed tasks, oldest first."""
        failed = [task for task in self._tasks.values() if task.state is TaskState.FAILED]
        if since is not None:
            failed = [task for task in failed if task.instant >= since]
        else:
            held = (task for task in self._tasks.values() if task.state is TaskState.BLOCKED)
            roots = {task.root for task in held}
            failed = [
                task
                for task in failed
                if task.instant > self._last_success(task.routine) or task.id in roots
            ]
        return tuple(sorted(failed, key=_by_instant))

    def _last_success(self, routine: str) -> datetime:
        state = self._routines.get(routine)
        return state.last_success if state is not None and state.last_success else _EVER

    def durations(self, routine: str, limit: int = 20) -> tuple[float, ...]:
        """Return the seconds that the routine's newest succeeded attempts took."""
        found = sorted(
            (
                task
                for task in self._tasks.values()
                if task.routine == routine and task.state is TaskState.SUCCEEDED and task.attempts
            ),
            key=lambda task: task.instant,
            reverse=True,
        )
        lasts = [task.attempts[-1] for task in found[:limit]]
        return tuple(
            (last.ended_at - last.started_at).total_seconds() for last in lasts if last.ended_at
        )

    def counts(self) -> Mapping[TaskState, int]:
        """Return how many records there are in each state."""
        counts = dict.fromkeys(TaskState, 0)
        for task in self._tasks.values():
            counts[task.state] += 1
        counts[TaskState.SKIPPED] += sum(run.count for run in self._runs.values())
        return counts

    def sources(self) -> tuple[Source, ...]:
        """Return the files of the last registry that loaded."""
        return self._sources

    def note(self, key: str) -> str | None:
        """Return a note that the service made to itself."""
        return self._notes.get(key)

    def prune(self, before: datetime, keep: int, step: int = 10) -> Iterator[int]:
        """Delete what is older than ``before``, but for the newest ``keep`` tasks of a routine."""
        for name in sorted({task.routine for task in self._tasks.values()}):
            while old := self._old_tasks(name, before, keep)[:step]:
                for id in old:
                    del self._tasks[id]
                yield len(old)
        while runs := [key for key, run in self._runs.items() if run.last < before][:step]:
            for key in runs:
                del self._runs[key]
            yield len(runs)

    def _old_tasks(self, routine: str, before: datetime, keep: int) -> list[TaskId]:
        tasks = self.tasks_since(routine, _EVER)
        success = self._last_success(routine)
        return [
            task.id
            for task in tasks[: max(len(tasks) - keep, 0)]
            if task.state.is_end and task.instant < before and task.instant != success
        ]


def _by_instant(task: Task) -> tuple[datetime, str]:
    return task.instant, task.routine
