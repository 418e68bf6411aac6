"""What a person asked for, as words and ids -> an event for the engine.

Ids are read in the zone of their routine, times in the registry's.  Tasks that the engine may have
forgotten come with their record.  Called by the loop only.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime

from scheduler.engine.events import (
    AnyEvent,
    CancelAsked,
    ExecuteAsked,
    MarkAsked,
    Recorded,
    RoutineExecuteAsked,
    UnknownMarkAsked,
)
from scheduler.engine.states import Cause, TaskState
from scheduler.engine.task import TaskId
from scheduler.errors import SchedulerError
from scheduler.registry.arguments import read_arguments
from scheduler.registry.registry import Registry
from scheduler.registry.task_id import parse_moment, parse_task_id, split_task_id
from scheduler.service.store.protocol import Reader

Parameters = Mapping[str, object]

_MARKS = {"succeeded": Cause.MARKED_SUCCEEDED, "skipped": Cause.MARKED_SKIPPED}
_MOST = 10_000  # tasks that one request may mark


def event_of(
    verb: str,
    parameters: Parameters,
    *,
    at: datetime,
    registry: Registry,
    store: Reader,
    unknown: tuple[TaskId, ...] = (),
) -> AnyEvent:
    """Return the event that a request amounts to.

    Raises:
        SchedulerError: it names what is not there, or nothing is left to do.
    """
    match verb:
        case "execute":
            return _execute(parameters, at, registry, store, unknown)
        case "cancel":
            task = recorded(store, named_task(registry, store, _text(parameters, "task")))
            return CancelAsked(at=at, task=task, downstream=bool(parameters.get("downstream")))
        case "mark":
            return _mark(parameters, at, registry, store)
        case _:
            raise SchedulerError(f"there is no verb {verb!r}")


def named_task(registry: Registry, store: Reader, text: str) -> TaskId:
    """Return the task that a person named; its routine may have left the registry since.

    Raises:
        SchedulerError: it is no task id, or nothing is known of such a routine.
    """
    routine, _ = split_task_id(text)
    if routine in registry:
        return parse_task_id(text, registry[routine].zone)
    state = store.routine(routine)
    if state is None:
        registry[routine]  # raises, with a suggestion
    assert state is not None
    return parse_task_id(text, state.zone)


def recorded(store: Reader, id: TaskId) -> Recorded:
    """Return a task with what the store holds of it."""
    task = store.task(id)
    return Recorded(id=id, task=task, run=None if task is not None else store.run_of(id))


def covered_downstreams(registry: Registry, store: Reader, id: TaskId) -> Iterator[str]:
    """Yield a sentence for each task that waits for this one but was covered by a newer one."""
    if id.routine not in registry:
        return
    seen: set[TaskId] = set()
    for downstream in registry.waiting_for(id.routine, id.instant, limit=50):
        cover = _cover_of(store, downstream)
        if cover is None or cover in seen:
            continue
        seen.add(cover)
        task = store.task(cover)
        if task is not None and task.state not in (TaskState.SUCCEEDED, TaskState.RUNNING):
            yield (
                f"{downstream}, which waited for it, was covered by {cover}: that one is"
                f" {task.state}, to run it: scheduler execute {cover}"
            )


def _cover_of(store: Reader, id: TaskId) -> TaskId | None:
    cover: TaskId | None = None
    found = recorded(store, id)
    for _ in range(1000):
        record = found.task or found.run
        if record is None or record.cause is not Cause.COVERED or record.cover is None:
            break
        cover = record.cover
        found = recorded(store, cover)
    return cover


def _text(parameters: Parameters, key: str) -> str:
    value = parameters.get(key)
    if not isinstance(value, str) or not value:
        raise SchedulerError(f"{key} is missing")
    return value


def _execute(
    parameters: Parameters,
    at: datetime,
    registry: Registry,
    store: Reader,
    unknown: tuple[TaskId, ...],
) -> AnyEvent:
    arguments = parameters.get("arguments")
    words = arguments if isinstance(arguments, str) else None
    if words is not None:
        read_arguments(words)  # raises: better now than as the reason of a failed task
    if parameters.get("failed"):
        since = parameters.get("since")
        zone = registry.timezone
        start = parse_moment(since, zone) if isinstance(since, str) else None
        ids = [task.id for task in store.failed(start) if task.routine in registry]
        if not ids:
            raise SchedulerError("nothing has failed that a newer success has not made up for")
    elif parameters.get("unknown"):
        ids = list(unknown)
        if not ids:
            raise SchedulerError("nothing is unknown")
    elif parameters.get("task"):
        ids = [named_task(registry, store, _text(parameters, "task"))]
    else:
        name = registry[_text(parameters, "routine")].name
        return RoutineExecuteAsked(at=at, routine=name, arguments=words)
    return ExecuteAsked(at=at, tasks=tuple(recorded(store, id) for id in ids), arguments=words)


def _mark(parameters: Parameters, at: datetime, registry: Registry, store: Reader) -> AnyEvent:
    cause = _MARKS.get(str(parameters.get("as")))
    if cause is None:
        raise SchedulerError("mark as 'succeeded' or as 'skipped'")
    if parameters.get("unknown"):
        return UnknownMarkAsked(at=at, cause=cause)
    if parameters.get("task"):
        ids = [named_task(registry, store, _text(parameters, "task"))]
    else:
        ids = _range(parameters, at, registry)
    return MarkAsked(at=at, tasks=tuple(recorded(store, id) for id in ids), cause=cause)


def _range(parameters: Parameters, at: datetime, registry: Registry) -> list[TaskId]:
    routine = registry[_text(parameters, "routine")]
    start = parse_moment(_text(parameters, "from"), registry.timezone)
    end = parse_moment(_text(parameters, "to"), registry.timezone)
    if end <= start:
        raise SchedulerError("the range is empty: --from must be before --to")
    ids: list[TaskId] = []
    for instant in registry.instants(routine.name, start, min(end, at)):
        ids.append(TaskId(routine.name, instant, routine.zone))
        if len(ids) > _MOST:
            raise SchedulerError(f"that is more than {_MOST} tasks: give a shorter range")
    if not ids:
        raise SchedulerError(f"routine {routine.name!r} has no instant in that range up to now")
    return ids
