"""At start: what the store holds becomes the engine's state again, and what died becomes events.

Nothing is repaired by hand: a difference between the record and the machine is told to the engine
as an event like any other.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from scheduler.engine.engine import horizon
from scheduler.engine.events import (
    AnyEvent,
    AttemptExited,
    AttemptLost,
    AttemptNeverBegan,
    AttemptRefused,
)
from scheduler.engine.readiness import needs_of
from scheduler.engine.reconcile import trigger_texts
from scheduler.engine.snapshot import Snapshot
from scheduler.engine.states import UNSTARTED, TaskState
from scheduler.engine.task import SkippedRun, Task, TaskId
from scheduler.errors import SchedulerError
from scheduler.registry.examine import examine
from scheduler.registry.masking import without
from scheduler.registry.reader import read_registry
from scheduler.registry.registry import Registry
from scheduler.service.executors.protocol import Adoption, Executor, Exit
from scheduler.service.registry_files import RegistryFiles
from scheduler.service.store.protocol import TIMEZONE_NOTE, Reader

log = logging.getLogger(__name__)


def restored(store: Reader, old: Registry, new: Registry, now: datetime) -> Snapshot:
    """Return the state to go on from.

    ``old`` is the registry that the last scheduler ran with, ``new`` the one to go on with: either
    may ask for the fate of an older task, so what either can ask for is loaded.
    """
    planned_until = store.planned_until() or now
    routines = store.routines()
    live = store.live()
    texts = trigger_texts(new)
    tasks: dict[TaskId, Task] = {}
    runs: dict[tuple[str, datetime], SkippedRun] = {}
    for state in routines:
        oldest = _oldest_wanted(state.name, old, new, planned_until)
        if oldest is not None:
            tasks.update((task.id, task) for task in store.tasks_since(state.name, oldest))
            runs.update(
                ((run.routine, run.first), run) for run in store.runs_since(state.name, oldest)
            )
        if texts.get(state.name, state.trigger) != state.trigger:
            tasks.update((task.id, task) for task in _last_ones(store, state.name))
    tasks.update((task.id, task) for task in store.early(planned_until))
    early = store.early_runs(planned_until)
    runs.update(((run.routine, run.first), run) for run in early)
    for task in live:
        if task.state not in UNSTARTED or task.by_hand or task.tries:
            continue  # it waits for no other task
        if task.routine in new:
            for need in needs_of(new, task.id):
                _load_with_covers(store, need.task, tasks, runs)
    return Snapshot(
        planned_until=planned_until,
        routines=routines,
        live=live,
        ended=tuple(task for task in tasks.values() if task.state.is_end),
        runs=tuple(runs.values()),
        ahead=store.ahead(),
        pauses=store.pauses(),
    )


def _oldest_wanted(
    name: str, old: Registry, new: Registry, planned_until: datetime
) -> datetime | None:
    """Return the oldest instant of a routine whose fate may still be asked for, if any."""
    found: list[datetime] = []
    for registry in (old, new) if old is not new else (new,):
        if name not in registry:
            continue
        routine = registry[name]
        waits_for_itself = any(one.name == name for one in routine.dependencies)
        # Of a disabled one the last run of skipped instants goes on.
        is_due = routine.due_by is not None
        if routine.dependents or waits_for_itself or is_due or not routine.enabled:
            found.append(horizon(registry, name, planned_until))
    return min(found, default=None)


def _last_ones(store: Reader, name: str) -> Iterator[Task]:
    """Yield the newest tasks of a routine, back to the last of which it is known how it ended.

    The newest may not have started yet, and never will if its schedule is no more.
    """
    newest, ended = store.newest(name), store.last_ended(name)
    if ended is not None:
        yield from store.tasks_since(name, ended.instant)
    elif newest is not None:
        yield newest


def _load_with_covers(
    store: Reader,
    id: TaskId,
    tasks: dict[TaskId, Task],
    runs: dict[tuple[str, datetime], SkippedRun],
) -> None:
    """Load the record of a task, and of what covered it, and of what covered that."""
    following: TaskId | None = id
    while following is not None and following not in tasks:
        task = store.task(following)
        run = store.run_of(following) if task is None else None
        if task is not None:
            tasks[task.id] = task
        elif run is not None:
            runs[run.routine, run.first] = run
        record = task or run
        following = record.cover if record is not None else None


def last_registry(store: Reader) -> Registry | None:
    """Return the last registry that loaded, as it was kept; None if there is none that still does.

    Its scripts may be gone, its files too: only what was read of them counts.
    """
    sources = store.sources()
    if not sources:
        return None
    files = KeptFiles({source.path: source.data for source in sources})
    reading = read_registry(
        sources[0].data,
        file=sources[0].path,
        files=files,
        timezone=store.note(TIMEZONE_NOTE) or "UTC",
    )
    if reading.errors or examine(reading.routines).errors:
        return None
    return Registry(reading.routines, timezone=reading.timezone, pools=reading.pools)


class KeptFiles(RegistryFiles):
    """The files of a registry as the database keeps them."""

    def __init__(self, kept: Mapping[str, bytes]) -> None:
        super().__init__()
        self._kept = kept

    def read(self, path: str) -> bytes:
        """Return what was read of a file when the registry loaded."""
        if path not in self._kept:
            raise SchedulerError(f"{path} was not kept")
        return self._kept[path]


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenUp:
    """What has become of the attempts that an earlier scheduler began."""

    events: tuple[AnyEvent, ...] = ()  # of those that do not run any more
    running: tuple[tuple[TaskId, int], ...] = ()  # looked after from now on
    ended: tuple[TaskId, ...] = ()  # of which the end was seen
    strays: tuple[str, ...] = ()  # in words: processes that no task accounts for

    @property
    def lost(self) -> tuple[TaskId, ...]:
        """Return the tasks of which nobody saw how they ended."""
        return tuple(event.task for event in self.events if isinstance(event, AttemptLost))


def take_up(
    store: Reader,
    executor: Executor,
    adoption_of: Callable[[TaskId, int], Adoption],
    now: datetime,
    *,
    is_same_boot: bool,
) -> TakenUp:
    """Hold the stored decisions against the machine; what still runs is looked after from now on.

    What was decided and never begun is begun by the engine's next command; but where the machine
    has been started anew since, its record may be lost: then it counts as lost, may have run.
    """
    events: list[AnyEvent] = []
    running: list[tuple[TaskId, int]] = []
    ended: list[TaskId] = []
    for task in store.live():
        if task.state is not TaskState.RUNNING:
            continue
        id, number = task.id, task.attempts[-1].number
        found, adoption = executor.find(str(id), number), adoption_of(id, number)
        if found is not None and found.is_running:
            log.info("attempt adopted task=%s n=%d", id, number)
            executor.adopt(adoption)
            running.append((id, number))
        elif found is not None:
            assert found.exit is not None, f"{id} #{number} neither runs nor has ended"
            log.info("attempt had ended task=%s n=%d lost=%s", id, number, found.exit.is_lost)
            error = found.exit.error
            seen = replace(found.exit, error=without(error, adoption.secrets) if error else None)
            was_asked_for = task.ending is not None
            events.append(end_of(id, number, seen, now, was_asked_for=was_asked_for))
            if not found.exit.is_lost:
                ended.append(id)
        elif is_same_boot:
            log.warning("attempt had never begun task=%s n=%d", id, number)
            events.append(AttemptNeverBegan(at=now, task=id, attempt=number))
        else:
            log.warning("attempt lost with the machine task=%s n=%d", id, number)
            events.append(AttemptLost(at=now, task=id, attempt=number))
    strays = executor.strays()
    for line in strays:
        log.warning("%s", line)
    return TakenUp(events=tuple(events), running=tuple(running), ended=tuple(ended), strays=strays)


def end_of(
    id: TaskId, attempt: int, end: Exit, now: datetime, *, was_asked_for: bool = False
) -> AttemptExited | AttemptRefused | AttemptLost:
    """Return an executor's report as the engine's event.

    ``was_asked_for``: an earlier scheduler had decided to end the attempt.
    """
    if end.refused is not None:
        return AttemptRefused(at=now, task=id, attempt=attempt, error=end.refused)
    if end.is_lost:
        return AttemptLost(at=now, task=id, attempt=attempt)
    return AttemptExited(
        at=now,
        task=id,
        attempt=attempt,
        code=end.code,
        signal=end.signal,
        error=end.error,
        killed=end.killed or was_asked_for,
        peak_memory=end.peak_memory,
        cpu_time=end.cpu_time,
        ended_at=end.ended_at,
    )
