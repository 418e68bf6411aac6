"""The rules of SPEC 4 once more: slow, from the store alone, with nothing remembered.

What the engine keeps in indexes is worked out here from scratch for every question.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from scheduler.engine.states import UNSTARTED, Cause, TaskState
from scheduler.engine.task import Origin, Pause, PauseScope, SkippedRun, Task, TaskId
from scheduler.registry.deadlines import Deadline
from scheduler.registry.registry import Registry
from scheduler.registry.routine import Backlog, Dependency, InstantKind, On, Otherwise
from scheduler.service.store.memory import MemoryStore
from scheduler.zones import to_instant, to_utc, zone_named

GOOD_SKIPS = (Cause.NOTHING_TO_DO, Cause.MARKED_SKIPPED)


def heeds_needs(task: Task) -> bool:
    """Return whether what a task waits for decides on it: not by hand, and never tried."""
    return task.state in UNSTARTED and not task.by_hand and not task.tries


@dataclass(frozen=True, slots=True)
class Answer:
    """How one dependency of a task stands: met, open, lost or moot; and on which task."""

    kind: str
    target: TaskId
    on: On
    given_up: Otherwise | None = None  # its wait_until has passed, and it was not met


@dataclass(frozen=True, slots=True)
class Reference:
    """Answers from a store and a registry.

    ``live`` are the tasks that are not ended, ``successes`` holds each routine's newest one.
    """

    store: MemoryStore
    registry: Registry
    live: Mapping[TaskId, Task]
    successes: Mapping[str, datetime]
    planning_until: datetime | None = None  # while what has fallen due is not all planned

    @property
    def looked_until(self) -> datetime:
        """Return the moment up to which what passes has been seen to."""
        planned_until = self.store.planned_until()
        assert planned_until is not None
        return max(planned_until, self.planning_until or planned_until)

    def answers(self, id: TaskId) -> list[Answer]:
        """Return how each thing that a task waits for stands."""
        routine = self.registry[id.routine]
        return [
            self._within(id, dependency, self._answer(routine.name, dependency, bound_id))
            for dependency in routine.dependencies
            for bound in self.registry.triggers.bound(routine, dependency, to_instant(id.instant))
            for bound_id in (TaskId(dependency.name, to_utc(bound)),)
        ]

    def _goes_round(self, id: TaskId, answer: Answer) -> bool:
        """Return whether an older task of the routine was covered by this one, or a newer one."""
        return answer.target.routine == id.routine and answer.target.instant >= id.instant

    def _within(self, id: TaskId, dependency: Dependency, answer: Answer) -> Answer:
        """Heed the dependency's wait_until; a backfill does not."""
        if self._goes_round(id, answer):
            return replace(answer, kind="met")
        is_over = self._is_over(id, dependency.wait_until)
        if not is_over or answer.kind not in ("open", "lost"):
            return answer
        if dependency.otherwise is Otherwise.RUN:
            return replace(answer, kind="met", given_up=Otherwise.RUN)
        return replace(answer, given_up=dependency.otherwise)

    def _is_over(self, id: TaskId, deadline: Deadline | None) -> bool:
        task = self.store.task(id)
        if deadline is None or (task is not None and task.origin is Origin.BACKFILL):
            return False
        return self.moment(id, deadline) <= self.looked_until

    def moment(self, id: TaskId, deadline: Deadline) -> datetime:
        """Return when a deadline passes for a task."""
        zone = zone_named(self.registry[id.routine].zone)
        return to_utc(deadline.after(to_instant(id.instant), zone))

    def unmet(self, id: TaskId) -> set[tuple[TaskId, On]]:
        """Return what a task still waits for, or in vain."""
        answers = self.answers(id)
        if self.registry[id.routine].require_any and any(one.kind == "met" for one in answers):
            return set()
        return {(one.target, one.on) for one in answers if one.kind != "met"}

    def state(self, id: TaskId) -> TaskState:
        """Return the state in which an unstarted task has to be: one due by the registry alone."""
        routine = self.registry[id.routine]
        if self._is_over(id, routine.start_by):
            return TaskState.SKIPPED
        state = self._needed_state(id)
        return TaskState.WAITING if state is TaskState.READY and self.pauses(id.routine) else state

    def _needed_state(self, id: TaskId) -> TaskState:
        answers = self.answers(id)
        kinds = {one.kind for one in answers}
        takes_any = self.registry[id.routine].require_any
        if takes_any and "met" in kinds:
            return TaskState.READY
        if "moot" in kinds and not (takes_any and kinds & {"open", "lost"}):
            return TaskState.SKIPPED
        given_up = [one.given_up for one in answers if one.given_up and one.kind != "met"]
        if given_up:
            return TaskState.FAILED if Otherwise.FAIL in given_up else TaskState.SKIPPED
        if "lost" in kinds and not (takes_any and "open" in kinds):
            return TaskState.BLOCKED
        return TaskState.WAITING if "open" in kinds else TaskState.READY

    def is_stuck(self, id: TaskId) -> bool:
        """Return whether what a task waits for will not come by itself, whatever its limits."""
        kinds = {one.kind for one in self.answers(id)}
        takes_any = self.registry[id.routine].require_any
        return "lost" in kinds and not (takes_any and kinds & {"open", "met"})

    def pauses(self, name: str) -> list[Pause]:
        """Return the pauses that hold for a routine."""
        tags = self.registry[name].tags
        return [
            pause
            for pause in self.store.pauses()
            if pause.scope is PauseScope.ALL
            or (pause.scope is PauseScope.TAG and pause.name in tags)
            or (pause.scope is PauseScope.ROUTINE and pause.name == name)
        ]

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
            if id.routine == name and heeds_needs(task) and task.origin is not Origin.BACKFILL
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
