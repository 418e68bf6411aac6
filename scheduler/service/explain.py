"""Why a task is in its state: the chain of reasons to the root cause, and what mends it.

Read from what the engine recorded, and from the registry for what is yet to come.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from scheduler.engine.moments import deadline_at
from scheduler.engine.pauses import in_words, pause_over
from scheduler.engine.readiness import ended_in_words
from scheduler.engine.states import UNSTARTED, Cause, TaskState
from scheduler.engine.task import Origin, Pause, SkippedRun, Task, TaskId
from scheduler.errors import as_word
from scheduler.registry.registry import Registry
from scheduler.registry.routine import Dependency, On, Otherwise, Routine
from scheduler.registry.words import trigger_in_words
from scheduler.service.lacking import Lacking
from scheduler.service.mending import resume_command
from scheduler.service.store.protocol import Reader
from scheduler.zones import to_instant, to_utc

_LONGEST = 50  # links of a chain
#: what may still end as asked, by itself
_OPEN = (TaskState.WAITING, TaskState.READY, TaskState.RUNNING, "to come", "due")
_STUCK = (TaskState.BLOCKED, "unknown")  # what will not end unless somebody does something
_THEN = {Otherwise.RUN: "goes on without", Otherwise.SKIP: "is skipped", Otherwise.FAIL: "fails"}
_BY_ITSELF = (Cause.RETRY, Cause.PAUSED)  # why a task waits, but for no other


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One step of the explanation."""

    task: TaskId
    state: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The chain from a task to its root cause."""

    links: tuple[Link, ...]
    root: TaskId | None
    commands: tuple[str, ...]


def _heeds_limits(task: Task) -> bool:
    """Return whether a start_by or a wait_until still counts for a task."""
    is_asked = task.by_hand or task.origin is Origin.BACKFILL
    return task.state in UNSTARTED and not task.tries and not is_asked


def _wall(moment: datetime, id: TaskId) -> str:
    return f"{moment.astimezone(id.local.tzinfo):%Y-%m-%d %H:%M:%S}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explainer:
    """Answers "why?" from the records, for one moment."""

    registry: Registry
    store: Reader
    now: datetime
    max_running: int
    start: str | None = None  # the command that starts the scheduler, where it is down
    is_stopping: bool = False

    @property
    def _lacking(self) -> Lacking:
        return Lacking(
            registry=self.registry,
            store=self.store,
            max_running=self.max_running,
            is_stopping=self.is_stopping,
            is_down=self.start is not None,
        )

    def explain(self, id: TaskId) -> Explanation:
        """Return why the task is in its state."""
        links: list[Link] = []
        seen: set[TaskId] = set()
        following: TaskId | None = id
        while following is not None and following not in seen and len(links) < _LONGEST:
            seen.add(following)
            link, after = self._step(following)
            links.append(link)
            following = after
            if len(links) == _LONGEST - 1 and after is not None:
                following = (
                    self._root_of(after) or after
                )  # a chain may be longer than anybody reads
        last = links[-1].task
        first = links[0]
        is_open = first.state in (*_OPEN, TaskState.BLOCKED)
        down = "; no scheduler is running" if self.start is not None and is_open else ""
        more = self._moved_words(id) + self._limit_words(id) + self._deadline_words(id) + down
        links[0] = replace(first, sentence=first.sentence + more)
        commands = tuple(self._commands(id, last))
        if self.start is not None and (commands or is_open):
            commands = (self.start, *commands)  # the others need one that runs
        return Explanation(links=tuple(links), root=last if last != id else None, commands=commands)

    def _root_of(self, id: TaskId) -> TaskId | None:
        task = self.store.task(id)
        return None if task is None else task.root

    def _moved_words(self, id: TaskId) -> str:
        """Return from where a holiday moved a task, to follow the sentence about it."""
        routine = self.registry.get(id.routine)
        nominal = None if routine is None else routine.nominal(to_instant(id.instant))
        if routine is None or nominal is None or nominal == to_instant(id.instant):
            return ""
        local = TaskId(id.routine, to_utc(nominal), routine.zone).local
        return f"; a holiday ({routine.calendar_name}) moved it from {local:%A %Y-%m-%d}"

    def _limit_words(self, id: TaskId) -> str:
        """Return until when a task that has not started waits, and what becomes of it then."""
        routine, task = self.registry.get(id.routine), self.store.task(id)
        if routine is None or not routine.enabled or not self._is_instant(id):
            return ""
        if task is None and (id.instant <= self.now or id in self.store.ahead()):
            return ""
        if task is not None and not _heeds_limits(task):
            return ""
        found: list[str] = []
        for dependency in routine.dependencies:
            if dependency.wait_until is None or not self._is_awaited(routine, dependency, id):
                continue
            at = deadline_at(dependency.wait_until, routine, id.instant)
            if at > self.now:
                then = _THEN[dependency.otherwise]
                found.append(
                    f"it waits for {dependency.name} until {_wall(at, id)}, then it {then}"
                )
        if routine.start_by is not None:
            at = deadline_at(routine.start_by, routine, id.instant)
            found.append(f"it is skipped if it has not started by {_wall(at, id)}")
        return "".join(f"; {words}" for words in found)

    def _is_awaited(self, routine: Routine, dependency: Dependency, id: TaskId) -> bool:
        """Return whether something of a dependency has not ended yet, or not as asked."""
        zone = self.registry[dependency.name].zone
        instants = self.registry.triggers.bound(routine, dependency, to_instant(id.instant))
        targets = (TaskId(dependency.name, to_utc(at), zone) for at in instants)
        ends = (TaskState.FAILED, TaskState.CANCELLED) if dependency.on is On.SUCCESS else ()
        return any(self._state_of(one) in (*_OPEN, *_STUCK, *ends) for one in targets)

    def _deadline_words(self, id: TaskId) -> str:
        """Return what a task's due_by has to say, to follow the sentence about it."""
        routine, task = self.registry.get(id.routine), self.store.task(id)
        if routine is None or routine.due_by is None or not self._is_instant(id):
            return ""
        if task is not None and task.state in (TaskState.SUCCEEDED, TaskState.SKIPPED):
            return ""
        at = deadline_at(routine.due_by, routine, id.instant)
        verb = "should have succeeded" if self.now >= at else "should succeed"
        return f"; it {verb} by {_wall(at, id)}"

    def _step(self, id: TaskId) -> tuple[Link, TaskId | None]:
        task = self.store.task(id)
        if task is not None:
            return self._task_step(task)
        run = self.store.run_of(id)
        if run is not None and self._is_instant(id):
            sentence = f"{id} was skipped: {run.reason}"
            return self._skipped_link(id, sentence, run.cover)
        return self._absent_step(id)

    def _skipped_link(
        self, id: TaskId, sentence: str, cover: TaskId | None
    ) -> tuple[Link, TaskId | None]:
        """Return the step from a skipped task to the one that runs in its place at last."""
        last = None if cover is None else self._followed(cover)
        words = "" if last == cover else f", and that one in the end by {last}"
        return Link(task=id, state=TaskState.SKIPPED, sentence=sentence + words), last

    def _task_step(self, task: Task) -> tuple[Link, TaskId | None]:
        id = task.id
        match task.state:
            case TaskState.BLOCKED | TaskState.WAITING:
                sentence = f"{id} is {task.state}: it {task.reason}"
                holder = None if task.cause in _BY_ITSELF else self._holder(task)
                return Link(task=id, state=task.state, sentence=sentence), holder
            case TaskState.READY:
                lack, before = self._lacking.words(task)
                return Link(task=id, state=task.state, sentence=f"{id} is ready{lack}"), before
            case TaskState.RUNNING:
                started = task.attempts[-1].started_at.astimezone(id.local.tzinfo)
                sentence = f"{id} is running since {started:%Y-%m-%d %H:%M:%S}"
                return Link(task=id, state=task.state, sentence=sentence), None
            case TaskState.SUCCEEDED | TaskState.FAILED | TaskState.CANCELLED | TaskState.SKIPPED:
                sentence = f"{id} {ended_in_words(task.state, task.reason)}"
                if task.cause is Cause.COVERED:
                    return self._skipped_link(id, sentence, task.cover)
                return Link(task=id, state=task.state, sentence=sentence), None

    def _absent_step(self, id: TaskId) -> tuple[Link, TaskId | None]:
        routine = self.registry.get(id.routine)
        if routine is None:
            sentence = f"{id}: its routine is not in the registry"
            return Link(task=id, state="none", sentence=sentence), None
        if not self._is_instant(id):
            sentence = self.registry.not_an_instant(id.routine, to_instant(id.instant))
            return Link(task=id, state="none", sentence=sentence), None
        if id.instant > self.now:
            return self._coming_step(id)
        if self._is_unrecorded(id):
            when = f"{id.local:%A %Y-%m-%d at %H:%M:%S} in {id.zone}"
            sentence = f"{id} fell due on {when}, and nothing is recorded of it yet"
            return Link(task=id, state="due", sentence=sentence), None
        state = self.store.routine(id.routine)
        if state is not None and state.assumed is not None:
            sentence = f"{id} is older than the first start, and counts as {state.assumed} by hand"
            return Link(task=id, state="unknown", sentence=sentence), None
        why = "it is older than the first start of its routine"
        if state is not None and id.instant > state.known_since:
            why = "its record was pruned, for it is older than the history that is kept"
        sentence = f"{id} is unknown: {why}"
        return Link(task=id, state="unknown", sentence=sentence), None

    def _coming_step(self, id: TaskId) -> tuple[Link, TaskId | None]:
        routine = self.registry[id.routine]
        if not routine.enabled:
            sentence = f"{id} will be skipped: its routine is disabled"
            return Link(task=id, state="to come", sentence=sentence), None
        if id in self.store.ahead():
            sentence = f"{id} will be cancelled when its instant comes, as asked by hand"
            return Link(task=id, state="to come", sentence=sentence), None
        sentence = (
            f"{id} is to come, on {id.local:%A %Y-%m-%d at %H:%M:%S} in {id.zone}"
            f" ({trigger_in_words(routine)})"
        )
        needs = self.registry.waits_for(id.routine, id.instant)
        if needs:
            named = ", ".join(f"{one} ({self._state_of(one)})" for one in needs[:5])
            more = f" and {len(needs) - 5} more" if len(needs) > 5 else ""
            sentence += f"; then it waits for {named}{more}"
        pause = pause_over(self.store.pauses(), routine)
        if pause is not None and (pause.until is None or pause.until > id.instant):
            sentence += f"; its routine is {in_words(self.registry, pause)}"
        held = (one for one in needs if self._will_hold_up(one, {}))
        following = next(held, None) if pause is None else None
        return Link(task=id, state="to come", sentence=sentence), following

    def _will_hold_up(self, id: TaskId, seen: dict[TaskId, None]) -> bool:
        """Return whether a task holds up one to come, unless somebody does something."""
        id = self._followed(id)
        state = self._state_of(id)
        if id in seen or len(seen) >= _LONGEST:
            return False
        seen[id] = None
        if state in ("failed", "blocked", "unknown"):
            return True
        if state not in ("to come", "due", TaskState.WAITING) or id.routine not in self.registry:
            return False
        if self._pause_that_holds(id) is not None:
            return True
        if state in ("to come", "due"):
            if not self.registry[id.routine].enabled or id in self.store.ahead():
                return True
        needs = self.registry.waits_for(id.routine, id.instant) if self._is_instant(id) else ()
        return any(self._will_hold_up(one, seen) for one in needs)

    def _holder(self, task: Task) -> TaskId | None:
        """Return the task that holds up one that waits or is blocked."""
        if task.routine not in self.registry or not self._is_instant(task.id):
            return task.root
        found: TaskId | None = None
        for need in self.registry.waits_for(task.routine, task.instant):
            target = self._followed(need)
            state = self._state_of(target)
            if task.state is TaskState.BLOCKED:
                record = self.store.task(target)
                leads = target == task.root or (record is not None and record.root == task.root)
                if leads and state != TaskState.SUCCEEDED:
                    return target
            elif state in _OPEN and (found is None or str(target) in task.reason):
                found = target if found is None or str(found) not in task.reason else found
        return task.root if task.state is TaskState.BLOCKED else found

    def _followed(self, id: TaskId) -> TaskId:
        """Return the task that runs in place of this one, covers followed."""
        # Each instant of a routine that cannot start covers the one before: that may be thousands.
        while True:
            record: Task | SkippedRun | None = self.store.task(id) or self.store.run_of(id)
            if record is None or record.cause is not Cause.COVERED or record.cover is None:
                return id
            if record.cover.instant <= id.instant:
                return id  # a cover is newer: whoever wrote this record was not the engine
            id = record.cover

    def _state_of(self, id: TaskId) -> str:
        id = self._followed(id)
        task = self.store.task(id)
        if task is not None:
            return task.state.value
        if self.store.run_of(id) is not None:
            return TaskState.SKIPPED.value
        if id.instant > self.now:
            return "to come"
        if self._is_unrecorded(id):
            return "due"
        state = self.store.routine(id.routine)
        return "assumed" if state is not None and state.assumed is not None else "unknown"

    def _is_unrecorded(self, id: TaskId) -> bool:
        """Return whether a task fell due later than a scheduler has planned: since it went down."""
        state, planned_until = self.store.routine(id.routine), self.store.planned_until()
        if state is None or planned_until is None:
            return False
        return id.instant > max(planned_until, state.known_since)

    def _is_instant(self, id: TaskId) -> bool:
        known = id.routine in self.registry
        return known and self.registry.triggers.is_instant(id.routine, to_instant(id.instant))

    def _commands(self, id: TaskId, root: TaskId) -> Iterator[str]:
        """Yield the commands that mend what stands at the end of the chain."""
        task = self.store.task(root)
        state = self._state_of(root)
        if state == "unknown" and root.routine in self.registry and self._is_instant(root):
            # Only what somebody waits for is among those that one command settles.
            yield (
                "scheduler mark --unknown succeeded"
                if root != id
                else f"scheduler execute {as_word(id)}"
            )
            yield (
                "scheduler execute --unknown"
                if root != id
                else f"scheduler mark {as_word(id)} succeeded"
            )
        elif (pause := self._pause_that_holds(root)) is not None:
            yield resume_command(pause)
        elif task is not None and task.state in (TaskState.FAILED, TaskState.CANCELLED):
            yield f"scheduler {'logs' if task.attempts else 'history'} {as_word(root)}"
            yield f"scheduler execute {as_word(root)}"
            if task.id != id:
                yield f"scheduler mark {as_word(root)} succeeded"
        elif state == TaskState.SKIPPED and not self._is_good_skip(root):
            yield from self._enabling(root)
            yield f"scheduler execute {as_word(root)}"
            if root != id:
                yield f"scheduler mark {as_word(root)} skipped"
        elif state == "to come":
            yield from self._enabling(root)

    def _enabling(self, id: TaskId) -> Iterator[str]:
        if id.routine in self.registry and not self.registry[id.routine].enabled:
            yield f"enable {id.routine!r} in the registry, then: scheduler reload"

    def _pause_that_holds(self, id: TaskId) -> Pause | None:
        task, routine = self.store.task(id), self.registry.get(id.routine)
        if routine is None or (task is not None and (task.state.is_end or task.by_hand)):
            return None
        if task is not None and task.state in (TaskState.RUNNING, TaskState.BLOCKED):
            return None
        pause = pause_over(self.store.pauses(), routine)
        if pause is None or (pause.until is not None and pause.until <= id.instant):
            return None
        return pause

    def _is_good_skip(self, id: TaskId) -> bool:
        record: Task | SkippedRun | None = self.store.task(id) or self.store.run_of(id)
        good = (Cause.NOTHING_TO_DO, Cause.MARKED_SKIPPED, Cause.NOT_NEEDED)
        return record is not None and record.cause in good
