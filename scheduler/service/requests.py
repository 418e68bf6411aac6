"""What a person asked for, as words and ids -> events for the engine.

Ids are read in the zone of their routine, times in the registry's.  Tasks that the engine may have
forgotten come with their record.  Called by the loop only.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

from scheduler.engine.events import (
    AnyEvent,
    BackfillAsked,
    CancelAsked,
    ExecuteAsked,
    MarkAsked,
    PauseAsked,
    Recorded,
    ResumeAsked,
    RoutineExecuteAsked,
    UnknownMarkAsked,
)
from scheduler.engine.states import Cause, TaskState
from scheduler.engine.task import Pause, PauseScope, TaskId
from scheduler.errors import SchedulerError, as_word
from scheduler.registry.arguments import read_arguments
from scheduler.registry.deadlines import parse_deadline
from scheduler.registry.registry import Registry
from scheduler.registry.task_id import parse_moment, parse_task_id, split_task_id
from scheduler.service.reruns import (
    MOST,
    Backfill,
    downstream_of,
    extent_of,
    late_tasks,
    records_for,
    resting_on_others,
    to_refresh,
)
from scheduler.service.store.protocol import Reader
from scheduler.zones import to_instant, to_utc, zone_named

Parameters = Mapping[str, object]

_MARKS = {"succeeded": Cause.MARKED_SUCCEEDED, "skipped": Cause.MARKED_SKIPPED}


def events_of(
    verb: str,
    parameters: Parameters,
    *,
    at: datetime,
    registry: Registry,
    store: Reader,
    unknown: tuple[TaskId, ...] = (),
) -> tuple[AnyEvent, ...]:
    """Return the events that a request amounts to, to be handled one after the other.

    Raises:
        SchedulerError: it names what is not there, or nothing is left to do.
    """
    match verb:
        case "execute":
            return tuple(_execute(parameters, at, registry, store, unknown))
        case "cancel":
            task = recorded(store, named_task(registry, store, _text(parameters, "task")))
            downstream = bool(parameters.get("downstream"))
            return (CancelAsked(at=at, task=task, downstream=downstream),)
        case "mark":
            return (_mark(parameters, at, registry, store),)
        case "pause":
            return (PauseAsked(at=at, pause=_pause(parameters, at, registry)),)
        case "resume":
            return tuple(_resume(parameters, at, registry, store))
        case "backfill":
            extent = extent_of(registry, store, backfill_of(parameters, at, registry), at)
            return (_again(extent.missing, at, registry, store),)
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


def covered_downstreams(
    registry: Registry, store: Reader, id: TaskId, executed: Collection[TaskId]
) -> Iterator[str]:
    """Yield a sentence for each task that waits for this one but was covered by a newer one.

    Unless that one is blocked by what runs now: then it comes by itself.
    """
    if id.routine not in registry:
        return
    seen: set[TaskId] = set()
    for downstream in registry.waiting_for(id.routine, id.instant, limit=50):
        cover = _cover_of(store, downstream)
        if cover is None or cover in seen:
            continue
        seen.add(cover)
        task = store.task(cover)
        if task is None or task.root in executed:
            continue
        if task.state not in (TaskState.SUCCEEDED, TaskState.RUNNING):
            yield (
                f"{downstream}, which waited for it, was covered by {cover}: that one is"
                f" {task.state}, to run it: scheduler execute {as_word(cover)}"
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
) -> Iterator[AnyEvent]:
    arguments = parameters.get("arguments")
    words = arguments if isinstance(arguments, str) else None
    if words is not None:
        read_arguments(words)  # raises: better now than as the reason of a failed task
    if parameters.get("routine"):
        name = registry[_text(parameters, "routine")].name
        yield RoutineExecuteAsked(at=at, routine=name, arguments=words)
        return
    if parameters.get("stale"):
        yield _again(to_refresh(registry, store, at), at, registry, store)
        return
    ids = _executed(parameters, registry, store, unknown)
    below = tuple[TaskId, ...]()
    if parameters.get("downstream"):
        below = downstream_of(registry, store, ids, at)
    elif parameters.get("failed") and words is None:
        below = resting_on_others(registry, store, ids)
    if parameters.get("late"):
        below = (*(id for id in ids if id not in below), *below)
    # Of those asked for, too, one that rests on another waits for it.
    first = [recorded(store, id) for id in ids if id not in below]
    if first:
        yield ExecuteAsked(at=at, tasks=tuple(first), arguments=words)
    if below:
        yield _again(below, at, registry, store)


def executed(
    parameters: Parameters,
    at: datetime,
    registry: Registry,
    store: Reader,
    unknown: tuple[TaskId, ...] = (),
) -> tuple[TaskId, ...]:
    """Return the recorded tasks that a request to execute is about, in the order of their runs.

    Raises:
        SchedulerError: it names what is not there, or nothing is left to do.
    """
    if parameters.get("stale"):
        return to_refresh(registry, store, at)
    ids = _executed(parameters, registry, store, unknown)
    if not parameters.get("downstream"):
        return tuple(ids)
    below = downstream_of(registry, store, ids, at)
    return (*(id for id in ids if id not in below), *below)


def _executed(
    parameters: Parameters, registry: Registry, store: Reader, unknown: tuple[TaskId, ...]
) -> list[TaskId]:
    if parameters.get("failed"):
        since = parameters.get("since")
        zone = registry.timezone
        start = parse_moment(since, zone) if isinstance(since, str) else None
        ids = [task.id for task in store.failed(start) if task.routine in registry]
        if not ids:
            raise SchedulerError("nothing has failed that a newer success has not made up for")
        _refuse_many(ids, "have failed", "give a later --since")
    elif parameters.get("late"):
        ids = list(late_tasks(registry, store))
        if not ids:
            raise SchedulerError("nothing is blocked by a task that was skipped as too late")
        _refuse_many(ids, "were skipped as too late", "execute some of them by their names first")
    elif parameters.get("unknown"):
        ids = list(unknown)
        if not ids:
            raise SchedulerError("nothing is unknown")
        way_out = "scheduler mark --unknown succeeded, or execute some of them by their names first"
        _refuse_many(ids, "are unknown", way_out)
    else:
        ids = [named_task(registry, store, _text(parameters, "task"))]
    return ids


def _refuse_many(ids: Collection[TaskId], what: str, way_out: str) -> None:
    """Refuse what would keep the loop from all else for many seconds."""
    if len(ids) > MOST:
        raise SchedulerError(
            f"{len(ids):,} tasks {what}, and no more than {MOST:,} at once can be run: {way_out}"
        )


def _again(
    ids: tuple[TaskId, ...], at: datetime, registry: Registry, store: Reader
) -> BackfillAsked:
    """Return what has these tasks run once those that they wait for have."""
    return BackfillAsked(
        at=at,
        tasks=tuple(recorded(store, id) for id in ids),
        records=records_for(registry, store, ids),
    )


def backfill_of(parameters: Parameters, at: datetime, registry: Registry) -> Backfill:
    """Return the backfill that was asked for; without an end, up to now.

    Raises:
        SchedulerError: its range is empty, or it names what is not there.
    """
    end = at
    if parameters.get("to"):
        end = parse_moment(_text(parameters, "to"), registry.timezone)
    start = parse_moment(_text(parameters, "from"), registry.timezone)
    if end <= start:
        raise SchedulerError("the range is empty: --from must be before --to")
    return Backfill(
        routine=registry[_text(parameters, "routine")].name,
        start=start,
        end=end,
        everything=bool(parameters.get("all")),
        downstream=bool(parameters.get("downstream")),
    )


def _pause(parameters: Parameters, at: datetime, registry: Registry) -> Pause:
    scope, name = _scope(parameters)
    if scope is PauseScope.ROUTINE:
        name = registry[name].name
    until = None
    if parameters.get("until"):
        until = moment_to_come(_text(parameters, "until"), at, registry.timezone)
    return Pause(scope=scope, name=name, since=at, until=until)


def _resume(
    parameters: Parameters, at: datetime, registry: Registry, store: Reader
) -> Iterator[ResumeAsked]:
    scope, name = _scope(parameters)
    paused = [(pause.scope, pause.name) for pause in store.pauses()]
    if scope is PauseScope.ALL and paused:
        yield from (ResumeAsked(at=at, scope=one, name=its) for one, its in paused)
        return
    if scope is PauseScope.ROUTINE and (scope, name) not in paused:
        name = registry[name].name
    yield ResumeAsked(at=at, scope=scope, name=name)


def _scope(parameters: Parameters) -> tuple[PauseScope, str]:
    if parameters.get("all"):
        return PauseScope.ALL, ""
    if parameters.get("tag"):
        return PauseScope.TAG, _text(parameters, "tag")
    return PauseScope.ROUTINE, _text(parameters, "routine")


def moment_to_come(text: str, at: datetime, zone: str) -> datetime:
    """Return the moment that ``2026-10-01T06:00``, ``06:00`` or ``+2h`` means, seen from ``at``.

    Raises:
        SchedulerError: it is none of these.
    """
    written = text.strip()
    if written[:1] == "+" or written[2:3] == ":":
        return to_utc(parse_deadline(written).after(to_instant(at), zone_named(zone)))
    return parse_moment(written, zone)


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
        if len(ids) > MOST:
            raise SchedulerError(f"that is more than {MOST} tasks: give a shorter range")
    if not ids:
        raise SchedulerError(f"routine {routine.name!r} has no instant in that range up to now")
    return ids
