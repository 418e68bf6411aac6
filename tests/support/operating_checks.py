"""What a checked world looks for where routines have limits, deadlines, pools and pauses.

From the records and the registry alone, as in `checked_world`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from scheduler.engine.commands import Command, KillAttempt, Notice, RecordTask, StartAttempt
from scheduler.engine.events import (
    AnyEvent,
    AttemptExited,
    AttemptLost,
    AttemptRefused,
    CancelAsked,
    RegistryReloaded,
    StopAsked,
)
from scheduler.engine.states import UNSTARTED, Cause, TaskState
from scheduler.engine.task import Origin, Task, TaskId
from scheduler.registry.registry import Registry
from scheduler.registry.routine import Otherwise
from scheduler.service.explain import Explainer
from scheduler.service.store.memory import MemoryStore
from scheduler.zones import to_instant
from tests.support.reference import GOOD_SKIPS, Reference, heeds_needs

_RETRIED = (Cause.EXITED_BADLY, Cause.TIMED_OUT, Cause.LOST)
_EXPLAINED = 25
_OPEN = ("waiting", "ready", "running", "to come")


@dataclass(frozen=True, slots=True, kw_only=True)
class Began:
    """What an attempt was started with."""

    pool: str | None
    pool_slots: int
    ends_by: datetime | None  # then its timeout has passed


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An event and what the engine made of it."""

    event: AnyEvent
    commands: Sequence[Command]
    before: Mapping[TaskId, Task]  # those that were not ended
    live: Mapping[TaskId, Task]
    planned_before: datetime | None
    is_serving: bool
    registry: Registry  # the one in force
    store: MemoryStore
    reference: Reference
    withheld: Collection[str] = ()  # routines of which something that is due is not all planned

    def may_be_covered(self, task: Task) -> bool:
        """Return whether a newer task that is being planned may run in place of this one."""
        is_by_turn = heeds_needs(task) and task.origin is not Origin.BACKFILL
        return task.routine in self.withheld and is_by_turn

    @property
    def recorded(self) -> list[Task]:
        """Return the tasks that were recorded."""
        return [one.task for one in self.commands if isinstance(one, RecordTask)]


@dataclass(slots=True)
class OperatingChecks:
    """Checks one event after the other, and remembers what the records do not tell."""

    began: dict[TaskId, Began] = field(default_factory=dict[TaskId, Began])
    killed: dict[TaskId, None] = field(default_factory=dict[TaskId, None])
    overdue: dict[TaskId, None] = field(default_factory=dict[TaskId, None])
    known: dict[TaskId, None] = field(default_factory=dict[TaskId, None])
    most_retries: dict[str, int] = field(default_factory=dict[str, int])

    def check(self, seen: Seen) -> None:
        """Check what an event led to."""
        for name, routine in seen.registry.items():
            self.most_retries[name] = max(self.most_retries.get(name, 0), routine.retries)
        running = [id for id, task in seen.live.items() if task.state is TaskState.RUNNING]
        self.began = {id: began for id, began in self.began.items() if id in running}
        self.killed = {id: None for id in self.killed if id in running}
        for command in seen.commands:
            match command:
                case StartAttempt(task=id):
                    self._check_start(seen, id)
                case KillAttempt(task=id):
                    self._check_kill(seen, id)
                case _:
                    pass
        if not isinstance(seen.event, AttemptLost):  # of one that died nobody heeds the limits
            self._check_timeouts(seen)
        if isinstance(seen.event, AttemptExited | AttemptLost | AttemptRefused):
            _check_retry(seen, seen.event)
        for task in seen.recorded:
            _check_record(seen, task)
        if seen.is_serving:
            _check_tried(seen)
            for pause in seen.store.pauses():
                assert pause.until is None or pause.until > seen.event.at, f"{pause} is over"
            self._check_overdue(seen)

    def _check_start(self, seen: Seen, id: TaskId) -> None:
        task, routine = seen.live[id], seen.registry[id.routine]
        at = seen.event.at
        limit = None if routine.timeout is None else at + routine.timeout
        self.began[id] = Began(pool=routine.pool, pool_slots=routine.pool_slots, ends_by=limit)
        if routine.pool is not None:
            used = sum(one.pool_slots for one in self.began.values() if one.pool == routine.pool)
            slots = seen.registry.pools[routine.pool]
            assert used <= slots, f"{id} starts: {used} of {slots} slots of {routine.pool} taken"
        assert task.tries <= self.most_retries[id.routine] + 1, f"{id} is tried {task.tries} times"
        if task.by_hand:
            return
        pauses = seen.reference.pauses(id.routine)
        assert not pauses, f"{id} starts while paused: {pauses}"
        if routine.start_by is not None and task.tries == 1 and task.origin is not Origin.BACKFILL:
            moment = seen.reference.moment(id, routine.start_by)
            assert at < moment, f"{id} starts after its start_by, {moment}"

    def _check_kill(self, seen: Seen, id: TaskId) -> None:
        if isinstance(seen.event, CancelAsked | StopAsked):
            self.killed[id] = None
            return
        began = self.began.get(id)
        assert began is not None and began.ends_by is not None, f"{id} is killed without a limit"
        assert began.ends_by <= seen.event.at, f"{id} is killed before {began.ends_by}"
        assert id not in self.killed, f"{id} is killed twice"
        self.killed[id] = None

    def _check_timeouts(self, seen: Seen) -> None:
        for id, began in self.began.items():
            is_over = began.ends_by is not None and began.ends_by <= seen.event.at
            assert not is_over or id in self.killed, f"{id} runs beyond {began.ends_by}"

    def _check_overdue(self, seen: Seen) -> None:
        """Check that what has not succeeded by its due_by is overdue from that moment on."""
        now = seen.reference.looked_until
        before = seen.planned_before or now
        told = [one.task for one in seen.commands if isinstance(one, Notice)]
        for name, routine in seen.registry.items():
            if routine.due_by is None:
                continue
            recent = seen.store.tasks_since(name, before - timedelta(days=3))
            live_or_ended = (*seen.live.values(), *seen.recorded)
            older = (task for task in live_or_ended if task.routine == name)
            for task in dict.fromkeys((*recent, *older)):
                if seen.may_be_covered(task):
                    continue
                is_new = task.id not in self.known and task.planned_at == seen.event.at
                is_instant = seen.registry.triggers.is_instant(name, to_instant(task.instant))
                if not (is_instant or routine.is_by_hand):
                    continue
                if task.origin is Origin.BACKFILL:
                    continue
                moment = seen.reference.moment(task.id, routine.due_by)
                is_due = before < moment <= now
                was = seen.before.get(task.id)
                is_by_hand = task.by_hand or (was is not None and was.by_hand)
                is_own = task.origin is not Origin.MANUAL and not is_by_hand
                is_new |= was is not None or not task.state.is_end
                is_due |= is_new and is_own and moment <= min(now, seen.event.at)
                if not is_due or task.id in self.overdue:
                    continue
                if task.state.is_end and was is None and isinstance(seen.event, RegistryReloaded):
                    if not task.is_overdue:
                        continue  # what has ended is not judged by a moment that it did not have
                is_well = task.state in (TaskState.SUCCEEDED, TaskState.SKIPPED)
                # What is skipped in this very moment, for what falls due, may have been told of.
                if task.state is not TaskState.SKIPPED or task.changed_at != seen.event.at:
                    words = f"{task.id} is {task.state} at its due_by, {moment}"
                    assert task.is_overdue is not is_well, words
                assert (task.id in told) is task.is_overdue
                if task.is_overdue:
                    self.overdue[task.id] = None
        for task in seen.recorded:
            if seen.may_be_covered(task):
                continue
            self.known[task.id] = None
            if task.is_overdue:
                assert task.id in self.overdue, f"{task.id} is overdue at no due_by"
            else:
                self.overdue.pop(task.id, None)  # planned anew
        for id in told:
            assert id in self.overdue


def _check_retry(seen: Seen, event: AttemptExited | AttemptLost | AttemptRefused) -> None:
    was, routine = seen.before.get(event.task), seen.registry.get(event.task.routine)
    if was is None or routine is None:
        return
    recorded = [task for task in seen.recorded if task.id == event.task]
    assert recorded, f"nothing is recorded of the end of {event.task}"
    task = recorded[-1]
    if task.state is TaskState.FAILED and task.cause in _RETRIED:
        assert was.tries > routine.retries, f"{task.id} is not retried after {was.tries} tries"
    if task.cause is Cause.RETRY:
        assert was.tries <= routine.retries, f"{task.id} is retried after {was.tries} tries"
        wait = routine.retry_delay * routine.retry_backoff ** (was.tries - 1)
        ended_at = max(event.at, was.attempts[-1].started_at)  # the clock may be set back
        assert task.retry_at == ended_at + wait, f"{task.id} is retried at {task.retry_at}"


def _check_record(seen: Seen, task: Task) -> None:
    """Check what led to a record, if what it says happens at some moment only."""
    id, reference = task.id, seen.reference
    if id.routine not in seen.registry or task.changed_at != seen.event.at:
        return  # that it is overdue may be recorded of what ended long ago
    routine = seen.registry[id.routine]
    if task.state.is_end and task.cause is not Cause.LOST:
        assert task.retry_at is None, f"{id} has ended, and is retried at {task.retry_at}"
    match task.cause:
        case Cause.TOO_LATE:
            assert routine.start_by is not None and not task.tries
            assert reference.moment(id, routine.start_by) <= seen.event.at, f"{id} is not too late"
        case Cause.GAVE_UP | Cause.WAITED_IN_VAIN:
            wanted = Otherwise.SKIP if task.cause is Cause.GAVE_UP else Otherwise.FAIL
            answers = reference.answers(id)
            found = [one.given_up for one in answers if one.kind != "met"]
            changed = [one.id for one in seen.recorded if one.id != id]
            if any(one.target in changed for one in answers):
                return  # by now it has ended as well
            assert wanted in found, f"{id}: {task.cause}, but {found}"
        case Cause.COVERED:
            assert task.cover is not None
            assert not task.tries and not task.by_hand, f"{id} is covered after a start"
            assert task.origin is not Origin.BACKFILL, f"{id}, of a backfill, is covered"
            cover = seen.store.task(task.cover)
            assert cover is not None
            assert not cover.by_hand and cover.origin is not Origin.BACKFILL, f"{cover} covers"
        case Cause.TIMED_OUT:
            last = task.attempts[-1]
            assert last.ended_at is not None
        case _:
            pass


def _check_tried(seen: Seen) -> None:
    """Check that what waits for its retry does so until its time, and no longer."""
    for id, task in seen.live.items():
        if task.state not in UNSTARTED or not task.tries:
            continue
        if task.state is TaskState.WAITING:
            assert task.cause is Cause.RETRY and task.retry_at is not None, f"{id}: {task.cause}"
            assert task.retry_at > seen.event.at, f"{id} should be retried by {task.retry_at}"
        else:
            assert task.state is TaskState.READY and task.retry_at is None, f"{id}: {task.state}"


# -- reasons -----------------------------------------------------------------------------------


def check_reasons(
    live: Mapping[TaskId, Task],
    reference: Reference,
    now: datetime,
    slots: int,
    held_back: Collection[TaskId] = (),
) -> None:
    """Check that each task that does not run is explained by something that is so.

    ``held_back`` are those that have to wait as they were late, and enough of such run.
    """
    explainer = Explainer(
        registry=reference.registry, store=reference.store, now=now, max_running=slots
    )
    step = 1 + len(live) // _EXPLAINED  # a long backlog would take long
    for id, task in list(live.items())[::step]:
        found = explainer.explain(id)
        sentence = f"{id}: {[link.sentence for link in found.links]}"
        assert found.links[0].state == task.state, sentence
        last = found.links[-1]
        match task.state:
            case TaskState.BLOCKED:
                assert last.task == task.root and found.commands, sentence
                _check_root(reference, task, last.task, sentence)
            case TaskState.WAITING if task.cause is Cause.RETRY:
                assert len(found.links) == 1 and "waits for retry" in sentence, sentence
            case TaskState.WAITING if task.cause is Cause.PAUSED:
                assert reference.pauses(id.routine) and "paused" in sentence, sentence
                assert any("resume" in command for command in found.commands), sentence
            case TaskState.WAITING:
                assert task.cause is Cause.NEEDS_OPEN and len(found.links) > 1, sentence
                after = found.links[1]
                assert after.state in _OPEN, sentence
                targets = [one.target for one in reference.answers(id) if one.kind == "open"]
                assert after.task in targets, sentence
                assert f"{after.task}" in task.reason, sentence
                # What is to come may lead on to what holds it up by now.
                is_to_come = any(link.state == "to come" for link in found.links)
                assert is_to_come or last.state in _OPEN, sentence
            case TaskState.READY:
                _check_ready_words(live, reference, task, sentence)
                is_prompt = not any("was late" in link.sentence for link in found.links)
                assert is_prompt or last.task in held_back, sentence
                assert "waits for a slot" not in sentence or not heeds_needs(task), sentence
            case _:
                pass


def _check_root(reference: Reference, task: Task, root: TaskId, sentence: str) -> None:
    record = reference.record(root)
    if record is None or not isinstance(record, Task):
        return  # unknown, or one of many that were skipped
    assert record.state.is_end, sentence
    is_good = record.state is TaskState.SUCCEEDED or record.cause in GOOD_SKIPS
    assert not is_good, sentence
    assert task.root == root


def _check_ready_words(
    live: Mapping[TaskId, Task], reference: Reference, task: Task, sentence: str
) -> None:
    name = task.routine
    if "is paused" in sentence:
        assert reference.pauses(name) and not task.by_hand, sentence
    elif "overlap" in sentence:
        others = [one for id, one in live.items() if id.routine == name and id != task.id]
        held = [one for one in others if one.state is TaskState.RUNNING or one.tries]
        assert held, sentence
    elif heeds_needs(task):
        assert not reference.pauses(name), sentence
