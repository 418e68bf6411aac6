"""The rules of SPEC 4 once more: slow, from the store alone, with nothing remembered.

What the engine keeps in indexes is worked out here from scratch for every question.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from scheduler.engine.states import UNSTARTED, Cause, TaskState
from scheduler.engine.task import SkippedRun, Task, TaskId
from scheduler.registry.registry import Registry
from scheduler.registry.routine import Backlog, Dependency, InstantKind, On
from scheduler.service.store.memory import MemoryStore
from scheduler.zones import to_instant, to_utc

GOOD_SKIPS = (Cause.NOTHING_TO_DO, Cause.MARKED_SKIPPED)


@dataclass(frozen=True, slots=True)
class Answer:
    """How one dependency of a task stands: met, open, lost or moot; and on which task."""

    kind: str
    target: TaskId
    on: On


@dataclass(frozen=True, slots=True)
class Reference:
    """Answers from a store and a registry.

    ``live`` are the tasks that are not ended, ``successes`` holds each routine's newest one.
    """

    store: MemoryStore
    registry: Registry
    live: Mapping[TaskId, Task]
    successes: Mapping[str, datetime]

    def answers(self, id: TaskId) -> list[Answer]:
        """Return how each thing that a task waits for stands."""
        routine = self.registry[id.routine]
        return [
            self._answer(routine.name, dependency, TaskId(dependency.name, to_utc(bound)))
            for dependency in routine.dependencies
            for bound in self.registry.triggers.bound(routine, dependency, to_instant(id.instant))
        ]

    def unmet(self, id: TaskId) -> set[tuple[TaskId, On]]:
        """Return what a task still waits for, or in vain."""
        return {(one.target, one.on) for one in self.answers(id) if one.kind != "met"}

    def state(self, id: TaskId) -> TaskState:
        """Return the state in which an unstarted task has to be."""
        kinds = {one.kind for one in self.answers(id)}
        if "moot" in kinds:
            return TaskState.SKIPPED
        if "lost" in kinds:
            return TaskState.BLOCKED
        return TaskState.WAITING if "open" in kinds else TaskState.READY

    def final(self, id: TaskId) -> TaskId:
        """Return the task that runs in place of this one, or itself."""
        while (cover := self._cover(id)) is not None:
            id = cover
        return id

    def _cover(self, id: TaskId) -> TaskId | None:
        record = self.record(id)
        return record.cover if record is not None and record.cause is Cause.COVERED else None

    def record(self, id: TaskId) -> Task | SkippedRun | None:
        """Return what became of a task."""
        return self.store.task(id) or self.store.run_of(id)

    def _answer(self, waiter: str, dependency: Dependency, bound: TaskId) -> Answer:
        target, on = self.final(bound), dependency.on
        kind = self._kind(waiter, target, on)
        if kind == "lost" and on is On.SUCCESS and dependency.instant is InstantKind.LATEST:
            newest = self.successes.get(target.routine)
            keeps_latest = self.registry[waiter].backlog is Backlog.LATEST
            if keeps_latest and newest is not None and newest > target.instant:
                kind = "met"
        return Answer(kind, target, on)

    def _kind(self, waiter: str, target: TaskId, on: On) -> str:
        record = self.record(target)
        if record is None or record.cause is Cause.SCHEDULE_CHANGED:
            return self._kind_of_nothing(waiter, target, on)
        state = record.state if isinstance(record, Task) else TaskState.SKIPPED
        if state in (TaskState.WAITING, TaskState.READY, TaskState.RUNNING):
            return "open"
        if state is TaskState.BLOCKED:
            return "lost"
        if on is On.DONE:
            return "met"
        if record.cause is Cause.NOT_NEEDED:
            return "moot"
        if record.cause is Cause.DISABLED:
            return "lost"
        if on is On.FAILURE:
            return "met" if state is TaskState.FAILED else "moot"
        is_good = state is TaskState.SUCCEEDED or record.cause in GOOD_SKIPS
        return "met" if is_good else "lost"

    def _kind_of_nothing(self, waiter: str, target: TaskId, on: On) -> str:
        known = self.store.routine(target.routine)
        planned_until = self.store.planned_until()
        assert known is not None and planned_until is not None
        if target.instant > max(planned_until, known.known_since):
            return "open"
        if target.routine == waiter:
            return "met"
        if known.assumed is None:
            return "lost"
        return "moot" if on is On.FAILURE else "met"

    # -- the backlog rule --------------------------------------------------------------------

    def unstarted(self, name: str) -> list[TaskId]:
        """Return the routine's tasks to which the backlog rule applies, oldest first."""
        found = [
            id
            for id, task in self.live.items()
            if id.routine == name and task.state in UNSTARTED and not task.by_hand
        ]
        return sorted(found, key=lambda id: id.instant)

    def uncovered(self) -> Iterator[tuple[TaskId, TaskId]]:
        """Yield (older, newer) for each task that should have been covered and was not."""
        for name, routine in self.registry.items():
            if routine.backlog is not Backlog.LATEST:
                continue
            tasks = [(id, self.unmet(id)) for id in self.unstarted(name)]
            for number, (older, its_unmet) in enumerate(tasks[:-1]):
                is_blocked = self.state(older) is TaskState.BLOCKED
                for newer, unmet in tasks[number + 1 :]:
                    if is_blocked or unmet <= its_unmet:
                        yield older, newer
