"""At start: what the store holds becomes the engine's state again, and what died becomes events.

Nothing is repaired by hand: a difference between the record and the machine is told to the engine
as an event like any other.
"""

import logging
from collections.abc import Iterator, Mapping
from datetime import datetime

from scheduler.engine.engine import horizon
from scheduler.engine.events import AttemptLost
from scheduler.engine.readiness import needs_of
from scheduler.engine.reconcile import trigger_texts
from scheduler.engine.snapshot import Snapshot
from scheduler.engine.states import UNSTARTED, TaskState
from scheduler.engine.task import SkippedRun, Task, TaskId
from scheduler.errors import SchedulerError
from scheduler.registry.examine import examine
from scheduler.registry.reader import read_registry
from scheduler.registry.registry import Registry
from scheduler.service.executors.process_tree import end_lost
from scheduler.service.registry_files import RegistryFiles
from scheduler.service.store.protocol import TIMEZONE_NOTE, Reader

log = logging.getLogger(__name__)

_GRACE = 10.0  # seconds, of a routine that is not in the registry any more


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


def end_lost_attempts(
    store: Reader, old: Registry, now: datetime, *, name: str, database: str
) -> list[AttemptLost]:
    """End what a scheduler that died has left running, and return that as events.

    A process counts as left only if its start time is the recorded one, or if it bears the mark
    of its attempt: the pid alone may be another's by now.
    """
    processes = {(one.task, one.attempt): one for one in store.processes()}
    lost: list[AttemptLost] = []
    for task in store.live():
        if task.state is not TaskState.RUNNING:
            continue
        number = task.attempts[-1].number
        process = processes.get((task.id, number))
        routine = old.get(task.routine)
        grace = routine.grace.total_seconds() if routine is not None else _GRACE
        pid, began = (process.pid, process.process_start) if process is not None else (0, 0.0)
        was_there = end_lost(
            pid, began, str(task.id), number, grace, scheduler=name, database=database
        )
        log.warning("attempt lost task=%s n=%d was_running=%s", task.id, number, was_there)
        lost.append(AttemptLost(at=now, task=task.id, attempt=number))
    return lost
