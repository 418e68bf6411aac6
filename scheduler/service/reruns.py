"""Which tasks a re-run is about: those of a range, those downstream of a task, stale ones.

Read from registry and store.  That they run again, and in what order, is the engine's business.
"""

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from scheduler.engine.readiness import needs_of
from scheduler.engine.states import Cause, TaskState
from scheduler.engine.task import Attempt, Outcome, SkippedRun, Task, TaskId
from scheduler.errors import SchedulerError
from scheduler.registry.registry import Registry
from scheduler.registry.routine import On, Routine
from scheduler.service.store.protocol import Reader
from scheduler.zones import to_instant, to_utc

MOST = 10_000  # tasks that one request may be about

_LATE = (Cause.TOO_LATE, Cause.GAVE_UP)

_GOOD_SKIPS = (Cause.NOTHING_TO_DO, Cause.MARKED_SKIPPED)
# What nobody wanted to run then does not run because of something upstream either.
_UNWANTED = (Cause.DISABLED, Cause.SCHEDULE_CHANGED, Cause.FRESH_START, Cause.REMOVED)
_MOST_COVERS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """What a person asked for: a routine's tasks, ``start`` <= instant < ``end``."""

    routine: str
    start: datetime
    end: datetime
    everything: bool = False  # also what has succeeded
    downstream: bool = False  # also what waits for these tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """What a backfill amounts to by now: all of its tasks, and those still to be planned."""

    tasks: tuple[TaskId, ...]
    missing: tuple[TaskId, ...]


def extent_of(registry: Registry, store: Reader, wanted: Backfill, now: datetime) -> Extent:
    """Return the tasks that a backfill is about, in the order in which they are to run.

    Raises:
        SchedulerError: there is none, or there are too many.
    """
    routine = registry[wanted.routine]
    instants = registry.triggers.between(
        routine.name, _whole(wanted.start), _whole(min(wanted.end, now))
    )
    own = _few(TaskId(routine.name, to_utc(at), routine.zone) for at in instants)
    if not own:
        raise SchedulerError(f"routine {routine.name!r} has no instant in that range up to now")
    if not wanted.downstream:
        chosen = own if wanted.everything else [id for id in own if not is_done(store, id)]
        return _extent(registry, store, own, chosen)
    reached = _few([*own, *_waiting_for(registry, own, now)])
    chosen = reached if wanted.everything else [id for id in reached if not is_done(store, id)]
    # What rests on one that runs again runs again.
    chosen = list(dict.fromkeys([*chosen, *_waiting_for(registry, chosen, now)]))
    return _extent(registry, store, reached, chosen)


def _extent(
    registry: Registry, store: Reader, tasks: Iterable[TaskId], chosen: Iterable[TaskId]
) -> Extent:
    live = {task.id for task in store.live()}
    return Extent(
        tasks=_in_order(registry, tasks),
        missing=_in_order(registry, (id for id in chosen if id not in live)),
    )


def downstream_of(
    registry: Registry, store: Reader, start: Iterable[TaskId], now: datetime
) -> tuple[TaskId, ...]:
    """Return what waits for one of these tasks, directly or through others, and has a fate by now.

    Of one that was covered, its cover; what was not wanted to run at its time is left out.

    Raises:
        SchedulerError: there are too many.
    """
    first = dict.fromkeys(start)
    reached = list(first)
    seen = dict(first)
    found: dict[TaskId, None] = {}
    for id in reached:  # grows while it is walked
        covers = () if id in first else _cover_of(store, id)
        for waiting in (*_bound_to(registry, id, now), *covers):
            record = _record(store, waiting)
            if record is None or record.cause in _UNWANTED:
                continue
            if record.cause is not Cause.COVERED:
                found[waiting] = None
            if waiting not in seen:
                seen[waiting] = None
                reached.append(waiting)
        _refuse_many(len(seen))
    return _in_order(registry, found)


def stale_tasks(registry: Registry, store: Reader, now: datetime) -> dict[TaskId, TaskId]:
    """Return the tasks that succeeded with an attempt of an upstream that has since been redone.

    Each comes with that upstream, in the order in which they are to run.
    """
    return Staleness(registry).tasks(store, now)


class Staleness:
    """Finds the stale tasks of one registry, again and again, from any thread.

    Among the last attempts most are retries, on which nothing rested yet.  What starts later rests
    on them: an attempt that has made nothing stale by now never will, and is not looked at again.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._harmless: Set[tuple[TaskId, int]] = frozenset()

    def tasks(self, store: Reader, now: datetime) -> dict[TaskId, TaskId]:
        """Return the stale tasks, each with the upstream that has been redone since."""
        registry, known = self._registry, self._harmless
        harmless: set[tuple[TaskId, int]] = set()
        found: dict[TaskId, TaskId] = {}
        for key in store.redone():
            if key in known or self._is_harmless(store, key, now, found):
                harmless.add(key)
        self._harmless = harmless
        return {id: found[id] for id in _in_order(registry, found)}

    def _is_harmless(
        self, store: Reader, key: tuple[TaskId, int], now: datetime, found: dict[TaskId, TaskId]
    ) -> bool:
        """Look for what rests on an older attempt of a task; return whether nothing ever will."""
        id, number = key
        routine = self._registry.get(id.routine)
        if routine is None or not (routine.dependents or _waits_for_itself(routine)):
            return True
        redone = store.task(id)
        if redone is None or not any(attempt.number == number for attempt in _successes(redone)):
            return True
        is_harmless = True
        for waiting in _resting_on(self._registry, redone, now):
            task = None if waiting in found else store.task(waiting)
            if task is None:
                is_harmless = is_harmless and waiting not in found
                continue
            upstream = _redone_upstream(self._registry, store, task)
            if upstream is not None:
                found[waiting] = upstream
            # What runs may have begun before the end of the attempt, and succeed.
            if upstream is not None or task.state is TaskState.RUNNING:
                is_harmless = False
        return is_harmless


def _waits_for_itself(routine: Routine) -> bool:
    return any(dependency.name == routine.name for dependency in routine.dependencies)


def to_refresh(registry: Registry, store: Reader, now: datetime) -> tuple[TaskId, ...]:
    """Return the stale tasks, and what succeeded downstream of them: in order, all to run again.

    Raises:
        SchedulerError: there are none, or too many.
    """
    stale = stale_tasks(registry, store, now)
    if not stale:
        raise SchedulerError("nothing is stale")
    below = downstream_of(registry, store, stale, now)
    succeeded = (id for id in below if is_done(store, id))
    return _in_order(registry, dict.fromkeys([*stale, *succeeded]))


def late_tasks(
    registry: Registry, store: Reader, live: Iterable[Task] | None = None
) -> tuple[TaskId, ...]:
    """Return the tasks that were skipped because it was too late, and that something is blocked by.

    So is what such a task waited for itself, if it was skipped for that reason too.  ``live`` are
    the store's live tasks, where they are at hand.
    """
    live = store.live() if live is None else live
    roots = (task.root for task in live if task.state is TaskState.BLOCKED)
    reached = [root for root in dict.fromkeys(roots) if root is not None]
    found: dict[TaskId, None] = {}
    for id in reached:  # grows while it is walked
        record = _record(store, id)
        if id in found or record is None or record.cause not in _LATE:
            continue
        if _is_bound(registry, id):
            found[id] = None
            reached += (_followed(store, need.task) for need in needs_of(registry, id))
    return _in_order(registry, found)


def resting_on_others(
    registry: Registry, store: Reader, ids: Sequence[TaskId]
) -> tuple[TaskId, ...]:
    """Return those of these tasks that wait for another of them, or for one that comes with them.

    That is one on its way, or one that is blocked by another of these.
    """
    coming = dict.fromkeys(ids)
    for task in store.live():
        if task.state is not TaskState.BLOCKED or task.root in coming:
            coming[task.id] = None
    return tuple(
        id
        for id in ids
        if _is_bound(registry, id)
        and any(_followed(store, need.task) in coming for need in needs_of(registry, id))
    )


def _redone_upstream(registry: Registry, store: Reader, task: Task) -> TaskId | None:
    """Return a task that this one, which succeeded, waited for and that has been redone since."""
    own = _last_success(task)
    if task.state is not TaskState.SUCCEEDED or own is None or not _is_bound(registry, task.id):
        return None
    stand_ins = dict(task.stand_ins)
    for need in needs_of(registry, task.id):
        if need.on is On.FAILURE:
            continue
        upstream = store.task(stand_ins.get(need.task) or _followed(store, need.task))
        theirs = None if upstream is None else _last_success(upstream)
        if upstream is None or theirs is None or theirs.ended_at is None:
            continue
        if theirs.number > 1 and own.started_at < theirs.ended_at:
            return upstream.id
    return None


def records_for(
    registry: Registry, store: Reader, ids: Sequence[TaskId]
) -> tuple[Task | SkippedRun, ...]:
    """Return the records of all that these tasks wait for, covers followed."""
    found: dict[TaskId, Task | SkippedRun] = {}
    for id in ids:
        for need in needs_of(registry, id):
            following: TaskId | None = need.task
            while following is not None and following not in found:
                record = _record(store, following)
                if record is None:
                    break
                found[following] = record
                following = record.cover
    return tuple(dict.fromkeys(found.values()))


def is_done(store: Reader, id: TaskId) -> bool:
    """Return whether a task has succeeded, or had nothing to do."""
    task = store.task(id)
    return task is not None and (
        task.state is TaskState.SUCCEEDED
        or (task.state is TaskState.SKIPPED and task.cause in _GOOD_SKIPS)
    )


def _record(store: Reader, id: TaskId) -> Task | SkippedRun | None:
    return store.task(id) or store.run_of(id)


def _cover_of(store: Reader, id: TaskId) -> tuple[TaskId, ...]:
    record = _record(store, id)
    if record is None or record.cause is not Cause.COVERED or record.cover is None:
        return ()
    return (record.cover,)


def _followed(store: Reader, id: TaskId) -> TaskId:
    """Return the task that ran in place of this one, covers followed."""
    for _ in range(_MOST_COVERS):
        cover = _cover_of(store, id)
        if not cover:
            break
        (id,) = cover
    return id


def _last_success(task: Task) -> Attempt | None:
    return max(_successes(task), key=lambda one: one.number, default=None)


def _successes(task: Task) -> Iterator[Attempt]:
    return (one for one in task.attempts if one.outcome is Outcome.EXITED and one.code == 0)


def _is_bound(registry: Registry, id: TaskId) -> bool:
    """Return whether the registry has the task: one by hand may be at any moment."""
    name, instant = id.routine, to_instant(id.instant)
    return name in registry and registry.triggers.is_instant(name, instant)


def _bound_to(registry: Registry, id: TaskId, now: datetime) -> Iterator[TaskId]:
    if _is_bound(registry, id):
        for waiting in registry.waiting_for(id.routine, id.instant, limit=MOST + 1):
            if waiting.instant < now:
                yield waiting


def _waiting_for(registry: Registry, start: Iterable[TaskId], now: datetime) -> Iterator[TaskId]:
    """Yield what waits for these tasks by the registry, directly or through others."""
    reached = list(start)
    seen = dict.fromkeys(reached)
    for id in reached:  # grows while it is walked
        for waiting in _bound_to(registry, id, now):
            if waiting not in seen:
                seen[waiting] = None
                reached.append(waiting)
                yield waiting


def _resting_on(registry: Registry, redone: Task, now: datetime) -> Iterator[TaskId]:
    """Yield what waits for a task, or for one that it covers."""
    name, zone = redone.routine, redone.id.zone
    if not _is_bound(registry, redone.id):
        return
    first, last = to_instant(redone.place), to_instant(redone.instant)
    for at in registry.triggers.between(name, first, last + 1):
        yield from _bound_to(registry, TaskId(name, to_utc(at), zone), now)


def _in_order(registry: Registry, ids: Iterable[TaskId]) -> tuple[TaskId, ...]:
    rank = {name: number for number, name in enumerate(registry.order)}
    return tuple(sorted(ids, key=lambda id: (id.instant, rank.get(id.routine, -1))))


def _few(ids: Iterable[TaskId]) -> list[TaskId]:
    found: dict[TaskId, None] = {}
    for id in ids:
        found[id] = None
        _refuse_many(len(found))
    return list(found)


def _refuse_many(count: int) -> None:
    if count > MOST:
        raise SchedulerError(f"that is more than {MOST} tasks: give a shorter range")


def _whole(moment: datetime) -> int:
    """Return the first whole second that is not before the moment."""
    return to_instant(moment) + bool(moment.microsecond)
