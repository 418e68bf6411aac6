"""Records -> plain data for JSON: the same names on the command line, in the API and in files.

Times are ISO 8601 with the offset of the routine's zone.  What is a secret by its name is masked.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from scheduler.engine.states import TaskState
from scheduler.engine.task import Attempt, Pause, SkippedRun, Task, TaskId
from scheduler.registry.arguments import split_arguments
from scheduler.registry.masking import masked_value, masked_words
from scheduler.registry.registry import Registry
from scheduler.registry.routine import Routine, Variable, VariableFile
from scheduler.registry.words import trigger_in_words
from scheduler.zones import zone_named

View = dict[str, object]
LogOf = Callable[[TaskId, int], Path]


def in_zone(moment: datetime | None, zone: str) -> str | None:
    """Return a moment as text, in the zone; None stays None."""
    return None if moment is None else moment.astimezone(zone_named(zone).info).isoformat()


def task_view(task: Task, log_of: LogOf, *, stale: TaskId | None = None) -> View:
    """Return a task as plain data; ``stale`` is what has been redone since it succeeded."""
    zone = task.id.zone
    return {
        "task": str(task.id),
        "routine": task.routine,
        "instant": in_zone(task.instant, zone),
        "state": task.state.value,
        "cause": task.cause.value,
        "reason": task.reason,
        "origin": task.origin.value,
        "root": None if task.root is None else str(task.root),
        "cover": None if task.cover is None else str(task.cover),
        "stale": None if stale is None else str(stale),
        "retry_at": in_zone(task.retry_at, zone),
        "is_overdue": task.is_overdue,
        "planned_at": in_zone(task.planned_at, zone),
        "changed_at": in_zone(task.changed_at, zone),
        "arguments": None if task.arguments is None else _shown_words(task.arguments),
        "stand_ins": [[str(asked), str(given)] for asked, given in task.stand_ins],
        "attempts": [_attempt_view(task.id, attempt, log_of) for attempt in task.attempts],
    }


def _attempt_view(id: TaskId, attempt: Attempt, log_of: LogOf) -> View:
    return {
        "number": attempt.number,
        "started_at": in_zone(attempt.started_at, id.zone),
        "ended_at": in_zone(attempt.ended_at, id.zone),
        "outcome": None if attempt.outcome is None else attempt.outcome.value,
        "code": attempt.code,
        "signal": attempt.signal,
        "error": attempt.error,
        "peak_memory": attempt.peak_memory,
        "cpu_time": None if attempt.cpu_time is None else round(attempt.cpu_time, 6),
        "log": str(log_of(id, attempt.number)),
    }


def _shown_words(text: str) -> list[str]:
    return list(masked_words(split_arguments(text)))


def _shown_variable(entry: Variable | VariableFile) -> View:
    if isinstance(entry, Variable):
        return {"name": entry.name, "value": masked_value(entry.name, entry.value)}
    return {"file": entry.path}  # what it holds is not even read


def run_view(run: SkippedRun) -> View:
    """Return a run of skipped instants as plain data."""
    return {
        "routine": run.routine,
        "first": str(TaskId(run.routine, run.first, run.zone)),
        "last": str(TaskId(run.routine, run.last, run.zone)),
        "count": run.count,
        "state": TaskState.SKIPPED.value,
        "cause": run.cause.value,
        "reason": run.reason,
        "cover": None if run.cover is None else str(run.cover),
        "at": in_zone(run.at, run.zone),
    }


def pause_view(pause: Pause, zone: str) -> View:
    """Return a pause as plain data, its times in the zone."""
    return {
        "scope": pause.scope.value,
        "name": pause.name,
        "since": in_zone(pause.since, zone),
        "until": in_zone(pause.until, zone),
    }


def routine_view(
    routine: Routine,
    *,
    following: datetime | None,
    last: View | None,
    known_since: datetime | None,
    pause: Pause | None = None,
) -> View:
    """Return a routine as plain data, with its next instant and its last task."""
    return {
        "name": routine.name,
        "script": routine.script,
        "module": routine.module,
        "schedule": None if routine.schedule is None else routine.schedule.expression,
        "schedule_in_words": trigger_in_words(routine),
        "timezone": routine.zone,
        "arguments": list(masked_words(routine.arguments)),
        "environment": [_shown_variable(entry) for entry in routine.environment],
        "enabled": routine.enabled,
        "next": in_zone(following, routine.zone),
        "last": last,
        "depends_on": [
            {"name": one.name, "instant": one.instant.value, "on": one.on.value}
            for one in routine.dependencies
        ],
        "dependents": list(routine.dependents),
        "backlog": routine.backlog.value,
        "due_by": None if routine.due_by is None else str(routine.due_by),
        "overlap": routine.overlap.value,
        "warm": routine.warm.value,
        "preload": list(routine.preload),
        "tags": list(routine.tags),
        "description": routine.description,
        "known_since": in_zone(known_since, routine.zone),
        "paused": None if pause is None else pause_view(pause, routine.zone),
    }


def planned_view(registry: Registry, id: TaskId, pause: Pause | None = None) -> View:
    """Return a task to come as plain data (SPEC 6), with the pause that holds it, if one does."""
    paused: View = {} if pause is None else {"paused": pause_view(pause, id.zone)}
    return {
        "task": str(id),
        "routine": id.routine,
        "instant": in_zone(id.instant, id.zone),
        "waits_for": [str(one) for one in registry.waits_for(id.routine, id.instant)],
        **paused,
    }
