"""Values for tests, complete but for what a test is about.

Instants are written as in a task id, in UTC: ``a_task("load.2026-10-01T02:00:00")``.
"""

from datetime import UTC, datetime, timedelta

from scheduler.engine.states import TRANSITIONS, Cause, TaskState
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
from scheduler.registry.task_id import parse_task_id

#: the cause that a task of each state has unless the test says another
_CAUSES = {
    TaskState.WAITING: Cause.PLANNED,
    TaskState.BLOCKED: Cause.NEEDS_LOST,
    TaskState.READY: Cause.NEEDS_MET,
    TaskState.RUNNING: Cause.STARTED,
    TaskState.SUCCEEDED: Cause.EXITED_WELL,
    TaskState.FAILED: Cause.EXITED_BADLY,
    TaskState.CANCELLED: Cause.CANCELLED,
    TaskState.SKIPPED: Cause.COVERED,
}
_TRIED = (TaskState.RUNNING, TaskState.SUCCEEDED, TaskState.FAILED)


def at(text: str) -> datetime:
    """Return the moment ``2026-10-01``, ``2026-10-01T02:00`` or ``…T02:00:00.000001``, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def an_id(text: str = "load.2026-10-01T02:00:00", zone: str = "UTC") -> TaskId:
    """Return the task of that id, its moment read in the zone."""
    return parse_task_id(text, zone)


def an_attempt(
    started_at: datetime, *, number: int = 1, minutes: float | None = 1, code: int | None = 0
) -> Attempt:
    """Return an attempt that took so many minutes; with None it still runs."""
    if minutes is None:
        return Attempt(number=number, started_at=started_at)
    return Attempt(
        number=number,
        started_at=started_at,
        ended_at=started_at + timedelta(minutes=minutes),
        outcome=Outcome.EXITED,
        code=code,
    )


def a_task(
    id: TaskId | str = "load.2026-10-01T02:00:00",
    state: TaskState = TaskState.SUCCEEDED,
    *,
    cause: Cause | None = None,
    reason: str = "as the test has it",
    origin: Origin = Origin.SCHEDULED,
    attempts: tuple[Attempt, ...] | None = None,
    cover: TaskId | None = None,
    root: TaskId | None = None,
    by_hand: bool = False,
    arguments: str | None = None,
    tries: int | None = None,
    retry_at: datetime | None = None,
    is_overdue: bool = False,
    stand_ins: tuple[tuple[TaskId, TaskId], ...] = (),
    planned_at: datetime | None = None,
    changed_at: datetime | None = None,
    place: datetime | None = None,
) -> Task:
    """Return a task; one that ran or is running has an attempt unless the test says which."""
    known = an_id(id) if isinstance(id, str) else id
    cause = cause or _CAUSES[state]
    assert any(key[1] is cause and after is state for key, after in TRANSITIONS.items())
    if attempts is None:
        code = 1 if state is TaskState.FAILED else 0
        minutes = None if state is TaskState.RUNNING else 1
        one = an_attempt(known.instant, minutes=minutes, code=code)
        attempts = (one,) if state in _TRIED else ()
    return Task(
        id=known,
        state=state,
        cause=cause,
        reason=reason,
        origin=origin,
        planned_at=planned_at or known.instant,
        changed_at=changed_at or known.instant,
        place=place or known.instant,
        attempts=attempts,
        cover=cover,
        root=root,
        by_hand=by_hand,
        arguments=arguments,
        tries=len(attempts) if tries is None else tries,
        retry_at=retry_at,
        is_overdue=is_overdue,
        stand_ins=stand_ins,
    )


def a_run(
    routine: str = "load",
    first: datetime | str = "2026-10-01T00:00",
    last: datetime | str = "2026-10-01T05:00",
    *,
    count: int = 6,
    cause: Cause = Cause.COVERED,
    reason: str = "as the test has it",
    cover: TaskId | None = None,
    zone: str = "UTC",
) -> SkippedRun:
    """Return a run of skipped instants, hourly ones unless the test says otherwise."""
    end = at(last) if isinstance(last, str) else last
    return SkippedRun(
        routine=routine,
        first=at(first) if isinstance(first, str) else first,
        last=end,
        count=count,
        cause=cause,
        reason=reason,
        at=end,
        cover=cover,
        zone=zone,
    )


def a_routine_state(
    name: str = "load",
    *,
    known_since: datetime | None = None,
    trigger: str = "0 * * * * UTC",
    enabled: bool = True,
    assumed: Cause | None = None,
    last_success: datetime | None = None,
    last_manual: datetime | None = None,
    zone: str = "UTC",
) -> RoutineState:
    """Return what is remembered of a routine, known since October 2026."""
    return RoutineState(
        name=name,
        known_since=known_since or at("2026-10-01"),
        trigger=trigger,
        enabled=enabled,
        assumed=assumed,
        last_success=last_success,
        last_manual=last_manual,
        zone=zone,
    )


def a_pause(
    scope: PauseScope = PauseScope.ALL, name: str = "", *, until: datetime | None = None
) -> Pause:
    """Return a pause since October 2026."""
    return Pause(scope=scope, name=name, since=at("2026-10-01T00:00:00.000001"), until=until)
