"""What the promises of SPEC 4 and 8 are held against: what was written, and what really happened.

Nothing of the engine's own state is looked at, only the records that reached the store and the
processes of the machine.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from scheduler.engine.commands import Record, RecordTask
from scheduler.engine.states import ENDS, Cause, TaskState
from scheduler.engine.task import Origin, Outcome, Task, TaskId
from scheduler.registry.deadlines import Deadline
from scheduler.registry.registry import Registry
from scheduler.registry.routine import Backlog, Overlap, Routine
from scheduler.service.executors.protocol import Launch
from scheduler.service.store.memory import MemoryStore
from scheduler.zones import to_instant, to_utc, zone_named
from tests.simulation.machine import Process, SimulatedMachine
from tests.support.reference import Reference, heeds_needs

_BY_ITSELF = (Cause.EXITED_WELL, Cause.EXITED_BADLY, Cause.NOTHING_TO_DO)
_TRIED_AGAIN = (Cause.RETRY, Cause.RETRY_DUE, Cause.STARTED)
_RETRIED = (Cause.EXITED_BADLY, Cause.TIMED_OUT, Cause.LOST)
_LATE_LANE = 2
_EVER = datetime(1, 1, 1, tzinfo=UTC)
_RECENT = timedelta(hours=30)
_BY_PERSON = (Cause.MARKED_SUCCEEDED, Cause.MARKED_SKIPPED)


class Broken(AssertionError):
    """A promise that was not kept: which, and how."""

    def __init__(self, promise: str, how: str) -> None:
        super().__init__(promise, how)  # as given: it is handed on between processes
        self.promise = promise
        self.how = how

    def __str__(self) -> str:
        return f"{self.promise}: {self.how}"


def keep(holds: bool, promise: str, *how: object) -> None:
    """Raise unless a promise is kept; words are put together only then, for that is slow."""
    if not holds:
        raise Broken(promise, " ".join(map(str, how)))


@dataclass
class Limits:
    """The retries that a routine has had since it was first seen: an edit may change them."""

    least: int
    most: int
    waits: set[tuple[timedelta, float]]  # before them


@dataclass
class Ledger:
    """All that is known of one story so far, and the checks of it."""

    machine: SimulatedMachine
    slots: int
    cores: int
    registry: Registry = field(default_factory=Registry)
    mirror: MemoryStore = field(default_factory=MemoryStore)
    live: dict[TaskId, Task] = field(default_factory=dict[TaskId, Task])
    successes: dict[str, datetime] = field(default_factory=dict[str, datetime])
    successes_before: dict[str, datetime] = field(default_factory=dict[str, datetime])
    to_end: dict[tuple[TaskId, int], None] = field(
        default_factory=dict[tuple[TaskId, int], None]
    )  # before the last write
    is_reloading: bool = False  # what is written may follow from a registry that we do not know yet
    is_mixed: bool = False  # people ask for several things at once: what was so in between is gone
    begun: dict[tuple[str, int], Process] = field(default_factory=dict[tuple[str, int], Process])
    ids: dict[str, TaskId] = field(default_factory=dict[str, TaskId])
    known_since: dict[str, datetime] = field(default_factory=dict[str, datetime])
    retries: dict[str, Limits] = field(default_factory=dict[str, Limits])
    newest_started: dict[str, datetime] = field(default_factory=dict[str, datetime])
    late: dict[TaskId, None] = field(default_factory=dict[TaskId, None])  # of this scheduler
    pools: dict[Process, tuple[str | None, int]] = field(
        default_factory=dict[Process, tuple[str | None, int]]
    )
    ends_by: dict[TaskId, datetime] = field(default_factory=dict[TaskId, datetime])
    since: datetime | None = None  # of the start, or the last wake
    latest: datetime | None = None  # the latest that a scheduler has seen on the clock
    is_serving: bool = False
    is_stopping: bool = False
    has_stopped: bool = False  # the pass that took the request is over
    taken_up: dict[TaskId, None] = field(default_factory=dict[TaskId, None])
    note_is_old: bool = False  # the boot that the scheduler knows of is not the last one
    doubtful: dict[tuple[str, int], None] = field(default_factory=dict[tuple[str, int], None])

    @property
    def now(self) -> datetime:
        """Return what the clock shows."""
        return self.machine.now

    @property
    def reference(self) -> Reference:
        """Return the slow answers for this moment."""
        # What has passed by now counts, also when not all that has fallen due is planned yet.
        return Reference(self.mirror, self.registry, self.live, self.successes, self.now)

    # -- what the scheduler does -----------------------------------------------------------

    def adopt(self, registry: Registry) -> None:
        """Note that another registry is in force."""
        for name, routine in registry.items():
            count = routine.retries
            limits = self.retries.setdefault(name, Limits(count, count, set()))
            limits.waits.add((routine.retry_delay, routine.retry_backoff))
            limits.least = min(limits.least, routine.retries)
            limits.most = max(limits.most, routine.retries)
        for process, (pool, slots) in list(self.pools.items()):
            found = registry.get(self.ids[process.task].routine)
            if found is None or (found.pool, found.pool_slots) != (pool, slots):
                del self.pools[process]  # whose slots it takes by now is not for us to say
        self.registry = registry
        self.newest_started.clear()

    def begin(self, since: datetime) -> None:
        """Note that a scheduler serves from now on."""
        self.since, self.is_serving, self.is_stopping = since, True, False
        self.has_stopped = False
        self.latest = max(since, self.latest or since)
        self.late.clear()
        self.ends_by.clear()
        self.taken_up = {
            id: None for id, task in self.live.items() if task.state is TaskState.RUNNING
        }
        for id in self.taken_up:
            self._limit(self.live[id])

    def wrote(self, records: Sequence[Record]) -> None:
        """Note, and check, what has reached the store."""
        before = {
            record.task.id: self.mirror.task(record.task.id)
            for record in records
            if isinstance(record, RecordTask)
        }
        ahead = {id: None for id in self.mirror.ahead()}
        was_ready = {id: task for id, task in self.live.items() if task.state is TaskState.READY}
        self.to_end = {
            (id, task.attempts[-1].number): None
            for id, task in self.live.items()
            if task.ending is not None
        }
        self.mirror.apply(records)
        self.successes_before = dict(self.successes)
        for record in records:
            if isinstance(record, RecordTask):
                self._note(record.task)
        if not self.is_mixed and not self.is_reloading and self.is_serving:
            self._check_covers(records, before)
        for record in records:
            if isinstance(record, RecordTask):
                self._check_change(before[record.task.id], record.task)
                if before[record.task.id] is None and record.task.id in ahead:
                    is_cancelled = record.task.cause is Cause.CANCELLED or record.task.by_hand
                    keep(is_cancelled, "what is cancelled ahead of its time is", record.task.id)
        started = [
            record.task
            for record in records
            if isinstance(record, RecordTask)
            and self._is_start(before[record.task.id], record.task)
        ]
        if started and self.is_serving and not self.is_mixed:
            self._check_order(started, was_ready)

    def _check_covers(
        self, records: Sequence[Record], before: Mapping[TaskId, Task | None]
    ) -> None:
        """Check that what covers a task waits for nothing that it does not wait for itself."""
        tasks = [record.task for record in records if isinstance(record, RecordTask)]
        if any(task.attempts and task.state is not TaskState.RUNNING for task in tasks):
            return  # what ended in the same pass may have been waited for
        reference = self.reference
        for task in tasks:
            was = before[task.id]
            is_covered = task.cause is Cause.COVERED and was is not None and task.cover is not None
            if not is_covered or (was is not None and was.state is TaskState.BLOCKED):
                continue
            assert task.cover is not None
            final = task.cover
            cover = self.live.get(final)
            if cover is None or not heeds_needs(cover) or reference.is_stuck(task.id):
                continue
            limit = self.registry[task.routine].start_by
            if limit is not None and reference.moment(task.id, limit) <= self.now:
                continue  # it is skipped in any case
            more = reference.unmet(final) - reference.unmet(task.id)
            keep(not more, "a cover waits for no more than what it covers", task.id, final, more)

    def _is_start(self, old: Task | None, new: Task) -> bool:
        """Return whether a task was given a slot, in one step."""
        if new.state is not TaskState.RUNNING or len(new.attempts) == 0:
            return False
        return old is None or len(new.attempts) == len(old.attempts) + 1

    def _check_order(self, started: list[Task], was_ready: Mapping[TaskId, Task]) -> None:
        """Check that nothing was overtaken that had been ready before, and could have started."""
        left = [one for one in self._heads(self.live.values()) if was_ready.get(one.id) == one]
        planned_until = self.mirror.planned_until()
        assert planned_until is not None
        for task in started:
            is_early = task.place > planned_until and not task.by_hand and task.tries == 1
            keep(not is_early, "what falls due together is planned before it starts", task.id)
            for other in left if task.routine in self.registry else ():
                if self._is_free(other) and self._goes_before(other, task):
                    raise Broken("what goes first starts first", f"{task.id} before {other.id}")

    def _is_free(self, task: Task) -> bool:
        """Return whether a ready task waits for one of all slots only."""
        routine = self.registry.get(task.routine)
        if routine is None or routine.pool is not None or self._is_held(task):
            return False
        return task.by_hand or not self.reference.pauses(routine.name)

    def _goes_before(self, task: Task, other: Task) -> bool:
        lane, its_lane = self._lane(task), self._lane(other)
        if _LATE_LANE in (lane, its_lane):
            # Of these only a slot a core is given: who is overtaken may have had to wait.
            is_older = task.routine == other.routine and task.place < other.place
            return is_older and lane == its_lane and not other.tries > 1
        mine, its = self.registry[task.routine].priority, self.registry[other.routine].priority
        return (-mine, lane, task.place) < (-its, its_lane, other.place)

    def _lane(self, task: Task) -> int:
        assert self.since is not None
        if task.by_hand:
            return 0
        if task.origin is Origin.BACKFILL:
            return 3
        return _LATE_LANE if task.instant < self.since else 1

    def _note(self, task: Task) -> None:
        self.ids[str(task.id)] = task.id
        if task.state.is_end:
            self.live.pop(task.id, None)
        else:
            self.live[task.id] = task
        if task.state is TaskState.SUCCEEDED:
            known = self.successes.get(task.routine, task.instant)
            self.successes[task.routine] = max(known, task.instant)

    # -- what becomes of a task ------------------------------------------------------------

    def _check_change(self, old: Task | None, new: Task) -> None:
        if old is not None and old.state in ENDS and new.state is not old.state:
            is_asked = new.by_hand or new.cause in _BY_PERSON or new.origin is Origin.BACKFILL
            keep(is_asked, "an end is an end", new.id, ":", old.state, ", then", new.state)
        if old is not None:
            kept = [one for one in old.attempts if one.ended_at is not None]
            keep(
                list(new.attempts[: len(kept)]) == kept,
                "what was recorded of an attempt stays",
                new.id,
            )
        if new.cause is Cause.COVERED:
            self._check_cover(new)
        ended_before = {one.number for one in old.attempts if one.ended_at} if old else set[int]()
        for attempt in new.attempts:
            if attempt.ended_at is not None and attempt.number not in ended_before:
                self._check_end(old, new, attempt.number)

    def _check_cover(self, task: Task) -> None:
        is_fit = not task.tries and not task.by_hand and task.origin is not Origin.BACKFILL
        keep(is_fit, "what a person asked for, or has started, is not covered", task.id)
        cover = self.live.get(task.cover) if task.cover is not None else None
        if cover is not None and cover.state is not TaskState.RUNNING and not cover.by_hand:
            in_place = cover.place <= task.place
            keep(in_place, "a cover takes the place of what it covers", task.id, cover.id)

    def _check_end(self, old: Task | None, new: Task, number: int) -> None:
        """Check that what is recorded of an end is what happened."""
        attempt = next(one for one in new.attempts if one.number == number)
        process = self.begun.get((str(new.id), number))
        assert attempt.ended_at is not None
        keep(attempt.ended_at >= attempt.started_at, "an attempt ends after it began", new.id)
        if process is not None and process.runs:
            raise Broken("what runs has not ended", f"{process} is recorded as {attempt.outcome}")
        if attempt.outcome is Outcome.LOST:
            is_doubtful = (str(new.id), number) in self.doubtful
            is_known = process is not None and process.is_recorded
            never_began = process is None and not is_doubtful
            keep(not is_known, "what the machine knows is recorded", process, "is lost")
            keep(not never_began, "what never began is not lost", new.id, "#", number)
        if attempt.outcome is Outcome.EXITED:
            is_same = process is not None and (attempt.code, attempt.signal) == (
                process.code,
                process.signal,
            )
            keep(is_same, "an exit is recorded as it was", new.id, "#", number, ":", attempt)
            assert process is not None
            keep(process.is_recorded, "what cannot be known is not recorded", process)
        ending = old.ending if old is not None else None
        if ending is not None:
            was_killed = process is not None and process.told_to_end
            is_sure = was_killed or new.id in self.taken_up
            keep(
                not is_sure or _ends_as(ending, new, number),
                "what is to end does end so",
                new.id,
                f"was to be {ending}, and is {new.state}: {new.cause}",
            )
        if new.state is TaskState.SUCCEEDED and new.cause is not Cause.MARKED_SUCCEEDED:
            is_good = process is not None and process.code == 0 and process.is_recorded
            keep(is_good, "only an exit with 0 is a success", new.id, ":", attempt)
            keep(ending is None or process is not None, "a success is seen", new.id)
        self._check_retry(new, attempt.ended_at)

    def _check_retry(self, task: Task, ended_at: datetime) -> None:
        limits, routine = self.retries.get(task.routine), self.registry.get(task.routine)
        if limits is None or routine is None:
            return
        if task.cause is Cause.RETRY:
            keep(task.tries <= limits.most, "no more retries than allowed", task.id)
            if len(limits.waits) == 1:
                factor = routine.retry_backoff ** (task.tries - 1)
                soonest = ended_at + routine.retry_delay * factor
                is_right = task.retry_at is not None and task.retry_at == soonest
                keep(is_right, "a retry waits as long as it should", task.id, ":", task.retry_at)
        elif task.state is TaskState.FAILED and task.cause in _RETRIED:
            is_last = task.tries > limits.least
            keep(is_last, "as many retries as allowed", task.id, ":", task.tries, "tries")
        elif task.cause in (Cause.CANCELLED, Cause.STOPPED):
            keep(task.retry_at is None, "what was ended by hand is not tried again", task.id)

    # -- what really happens ---------------------------------------------------------------

    def starting(self, launch: Launch) -> None:
        """Check that a start was written, and was in its turn."""
        id = self.ids.get(launch.task)
        task = self.live.get(id) if id is not None else None
        is_written = (
            task is not None
            and task.state is TaskState.RUNNING
            and task.attempts[-1].number == launch.attempt
            and task.attempts[-1].ended_at is None
        )
        keep(is_written, "write first, act second", launch.task, "#", launch.attempt, "starts")
        assert task is not None
        is_to_end = (task.id, launch.attempt) in self.to_end
        keep(not is_to_end, "what is to end does not begin", launch.task)
        keep(not self.has_stopped, "nothing starts during a stop", launch.task)
        since = launch.environment["SCHEDULER_SINCE"]
        told = datetime.fromisoformat(since) if since else _EVER
        before = self.successes_before.get(task.routine, _EVER)
        is_told = before <= told <= self.successes.get(task.routine, _EVER)
        keep(is_told, "a script is told of the last success", task.id, since)
        self._limit(task)
        is_again = task.id in self.taken_up and len(self._alive(task.id)) == 0
        if not is_again:
            self._check_turn(task)
        else:
            self._check_slots(task, is_again=True)

    def _limit(self, task: Task) -> None:
        """Note by when a running attempt ends: an edit changes that of later ones."""
        routine = self.registry.get(task.routine)
        self.ends_by.pop(task.id, None)
        if routine is not None and routine.timeout is not None:
            self.ends_by[task.id] = task.attempts[-1].started_at + routine.timeout

    def _alive(self, id: TaskId) -> list[Process]:
        return [one for one in self._under_way() if one.task == str(id)]

    def _under_way(self) -> Iterator[Process]:
        """Yield what runs, and what this scheduler has spawned and is still to begin."""
        for process in self.machine.processes:
            if process.runs or (process.may_begin and process.watcher is not None):
                yield process

    def _check_turn(self, task: Task) -> None:
        id, routine = task.id, self.registry[task.routine]
        self._check_slots(task)
        if task.by_hand:
            return
        is_paused = bool(self.reference.pauses(routine.name))
        keep(not is_paused or self.is_mixed, "what is paused does not start", id)
        if task.tries > 1:
            return
        assert self.latest is not None
        keep(id.instant <= self.latest, "nothing starts early", id, "at", self.now)
        unmet = self.reference.unmet(id)
        keep(
            not unmet or self.is_mixed,
            "nothing starts before what it waits for",
            id,
            "before",
            unmet,
        )
        if task.origin is Origin.BACKFILL:
            return
        if routine.start_by is not None:
            limit = _moment(routine.start_by, routine, id.instant)
            is_in_time = self.now < limit or self.is_mixed
            keep(is_in_time, "nothing starts after its start_by", id)
        if routine.overlap is Overlap.NO:
            held = [one.id for one in self.live.values() if one.routine == task.routine]
            held = [id for id in held if id != task.id and self._waits_for_retry(id)]
            keep(not held or self.is_mixed, "a retry holds its routine's overlap", id, held)
        if routine.backlog is Backlog.LATEST:
            newest = self.newest_started.get(task.routine)
            in_order = newest is None or newest < id.instant
            keep(in_order, "no older task starts after a newer one", id, "after", newest)
            self.newest_started[task.routine] = id.instant

    def _waits_for_retry(self, id: TaskId) -> bool:
        task = self.live[id]
        return task.state is not TaskState.RUNNING and task.tries > 0

    def _check_slots(self, task: Task, *, is_again: bool = False) -> None:
        routine = self.registry[task.routine]
        others = list(self._under_way())
        same = [one for one in others if one.task == str(task.id)]
        keep(not same, "one process a task", task.id, ":", same and same[0])
        keep(len(others) < self.slots, "no more run than there are slots", task.id)
        if routine.overlap is Overlap.NO and not is_again:
            beside = [str(one) for one in others if self.ids[one.task].routine == routine.name]
            keep(not beside, "no overlap", task.id, "beside", beside)
        if routine.pool is not None and not is_again:
            used = sum(
                slots
                for one in others
                for pool, slots in [self.pools.get(one, (None, 0))]
                if pool == routine.pool
            )
            fits = used + routine.pool_slots <= self.registry.pools[routine.pool]
            keep(
                fits,
                "a pool has so many slots",
                task.id,
                ":",
                used,
                "of",
                routine.pool,
                "are taken",
            )
        assert self.since is not None
        self.late.pop(task.id, None)  # it may have been when it was tried before
        is_late = not is_again and not task.by_hand and task.origin is not Origin.BACKFILL
        if is_late and task.instant < self.since and task.tries == 1:
            alive = {one.task for one in others}
            running_late = [id for id in self.late if str(id) in alive]
            few = len(running_late) < self.cores
            keep(few, "what was late takes a slot a core", task.id, "beside", len(running_late))
            self.late[task.id] = None

    @property
    def taking(self) -> set[tuple[str, int]]:
        """Return the attempts of which it is known whose slots they take."""
        return {(process.task, process.attempt) for process in self.pools}

    def spawned(self, process: Process) -> None:
        """Note whose slots a process takes."""
        if self.ids[process.task] in self.taken_up:
            return  # begun at last: it was decided under a registry that may have been edited since
        routine = self.registry[self.ids[process.task].routine]
        self.pools[process] = (routine.pool, routine.pool_slots)

    def begins(self, process: Process) -> None:
        """Check that an attempt really begins for the first time, and alone."""
        key = (process.task, process.attempt)
        keep(key not in self.begun, "no attempt begins twice", process)
        self.begun[key] = process
        others = [one for one in self.machine.running() if one.task == process.task]
        keep(others == [process], "one process a task", process)
        task = self.live.get(self.ids[process.task])
        is_running = task is not None and task.state is TaskState.RUNNING
        keep(is_running, "what begins is recorded as running", process)

    def ends(self, process: Process) -> None:
        """Note the end of a script."""

    def killing(self, task: str, attempt: int) -> None:
        """Check that it was written that an attempt is to end."""
        record = self.live.get(self.ids[task])
        # One that has ended in the very pass that was to end it is past killing.
        ends = [one.ended_at for one in record.attempts if one.number == attempt] if record else []
        has_ended = record is None or any(ends)
        is_written = has_ended or (record is not None and record.ending is not None)
        keep(is_written, "a kill is written first", task, attempt)

    def forgetting(self, task: str, attempt: int) -> None:
        """Check that the end of what is dropped has been written."""
        record = self.mirror.task(self.ids[task])
        assert record is not None
        found = [one for one in record.attempts if one.number == attempt]
        is_written = bool(found) and found[0].ended_at is not None
        keep(is_written, "an end is written before its record is dropped", task, "#", attempt)

    def check_fresh(self) -> None:
        """Check that a fresh start has left nothing of what was due."""
        assert self.since is not None
        for id, task in self.live.items():
            is_left = task.state is TaskState.RUNNING or id.instant > self.since
            keep(is_left, "a fresh start skips what was due", id)

    # -- when nothing is left to do --------------------------------------------------------

    def idle(self, *, is_thorough: bool) -> None:
        """Check what must be so whenever the scheduler waits."""
        now = self.now
        assert self.latest is not None
        self.latest = max(self.latest, now)
        self._check_processes()
        self.is_mixed = self.is_reloading = False
        self.has_stopped = self.is_stopping
        if not self.is_serving or self.is_stopping:
            return
        for task in self.live.values():
            self._check_moments(task)
        for pause in self.mirror.pauses():
            keep(pause.until is None or pause.until > now, "a pause ends in time", pause)
        self._check_idle_slots()
        if is_thorough or len(self.live) < 25:
            self._check_states()
        if is_thorough:
            self.check_fates(now - _RECENT)

    def check_wake(self, until: datetime | None) -> None:
        """Check that the scheduler wakes by the next moment at which something is due."""
        if not self.is_serving or self.is_stopping:
            return
        planned_until = self.mirror.planned_until()
        assert planned_until is not None
        after = to_instant(max(planned_until, self.now))
        nexts = [
            self.registry.triggers.next(name, after)
            for name, routine in self.registry.items()
            if routine.enabled
        ]
        moments = [to_utc(instant) for instant in nexts if instant is not None]
        moments += [task.retry_at for task in self.live.values() if task.retry_at is not None]
        first = min(moments, default=None)
        is_in_time = first is None or (until is not None and until <= first)
        keep(is_in_time, "it wakes when something is due", until, first)

    def _check_processes(self) -> None:
        alive = {(one.task, one.attempt): one for one in self._under_way()}
        for id, task in self.live.items():
            if task.state is not TaskState.RUNNING:
                continue
            key = (str(id), task.attempts[-1].number)
            process = alive.pop(key, None)
            keep(process is not None, "what is recorded as running runs", id, "#", key[1])
            assert process is not None
            is_ended = task.ending is None or process.is_asked_to_end
            keep(is_ended, "what is to end is ended", process)
        for process in alive.values():
            raise Broken("no process is an orphan", str(process))
        for process in self.machine.records.values():
            keep(process.runs, "no record is left behind", process)

    def _check_moments(self, task: Task) -> None:
        now, id, routine = self.now, task.id, self.registry.get(task.routine)
        if routine is None:
            is_left = task.state is TaskState.RUNNING
            keep(is_left, "nothing waits of a routine that was removed", id)
            return
        if task.state is TaskState.RUNNING:
            limit = self.ends_by.get(id)
            is_over = limit is not None and limit <= now
            keep(task.ending is not None or not is_over, "a timeout ends an attempt", id)
            return
        if task.retry_at is not None:
            keep(task.retry_at > now, "a retry comes in time", id)
        if task.by_hand or task.origin is Origin.BACKFILL:
            return
        if routine.due_by is not None and _moment(routine.due_by, routine, id.instant) <= now:
            is_own = self.registry.triggers.is_instant(task.routine, to_instant(id.instant))
            keep(task.is_overdue or not is_own, "what is overdue is called so", id)
        if routine.start_by is not None and not task.tries:
            is_over = _moment(routine.start_by, routine, id.instant) <= now
            keep(not is_over, "what had not started by its start_by is skipped", id)

    def _check_idle_slots(self) -> None:
        """Check that no slot is free that a ready task could have."""
        running = [task for task in self.live.values() if task.state is TaskState.RUNNING]
        if len(running) >= self.slots:
            return
        for task in self._heads(self.live.values()):
            if self._could_start(task, running):
                raise Broken("no slot stays idle", f"{task.id} is ready, {len(running)} run")

    def _heads(self, tasks: Iterable[Task]) -> list[Task]:
        """Return of each routine the ready task whose turn it is: it holds up the others."""
        heads: dict[str, tuple[bool, int, datetime, datetime, Task]] = {}
        for task in tasks:
            if task.state is TaskState.READY and task.routine in self.registry:
                lane = 0 if task.by_hand else 3 if task.origin is Origin.BACKFILL else 1
                may_overlap = self.registry[task.routine].overlap is Overlap.YES
                turn = (not task.tries or may_overlap, lane, task.place, task.instant, task)
                head = heads.setdefault(task.routine, turn)
                if turn[:4] < head[:4]:
                    heads[task.routine] = turn
        return [turn[-1] for turn in heads.values()]

    def _could_start(self, task: Task, running: list[Task]) -> bool:
        routine = self.registry[task.routine]
        assert self.since is not None
        if not task.by_hand and self.reference.pauses(routine.name):
            return False
        if routine.overlap is Overlap.NO and self._is_held(task):
            return False
        if routine.pool is not None:
            used = sum(
                self.registry[one.routine].pool_slots
                for one in running
                if one.routine in self.registry and self.registry[one.routine].pool == routine.pool
            )
            if used + routine.pool_slots > self.registry.pools[routine.pool]:
                return False
            if any((str(one.id), one.attempts[-1].number) not in self.taking for one in running):
                return False  # an edit: who takes what is not for us to say
        return task.by_hand or task.instant >= self.since or task.origin is Origin.BACKFILL

    def _is_held(self, task: Task) -> bool:
        return any(
            one.id != task.id
            and one.routine == task.routine
            and (one.state is TaskState.RUNNING or (one.tries > 0 and not task.tries))
            for one in self.live.values()
        )

    def _check_states(self) -> None:
        reference = self.reference
        looked_until = reference.looked_until
        for id, task in self.live.items():
            if task.by_hand and not task.tries and task.state is not TaskState.RUNNING:
                keep(task.state is TaskState.READY, "what a person wants waits for a slot only", id)
            if not heeds_needs(task) or id.routine not in self.registry:
                continue
            if self._has_come_again(id, looked_until):
                continue
            expected = reference.state(id)
            keep(
                task.state is expected,
                "a task is in the state that its needs give it",
                id,
                "is",
                task.state,
                ", not",
                expected,
                ":",
                task.reason,
            )
            if task.state is TaskState.BLOCKED:
                keep(task.root is not None, "what is blocked names its root", id)
        for older, newer in reference.uncovered():
            raise Broken("an older task is covered", f"{older} is not covered by {newer}")

    def _has_come_again(self, id: TaskId, looked_until: datetime) -> bool:
        """Return whether a moment of a task had passed before the clock was set back.

        A scheduler that starts then goes by the clock.
        """
        routine = self.registry[id.routine]
        deadlines = [routine.start_by, *(one.wait_until for one in routine.dependencies)]
        moments = (_moment(one, routine, id.instant) for one in deadlines if one is not None)
        return any(self.now < moment <= looked_until for moment in moments)

    def check_fates(self, since: datetime) -> None:
        """Check that each instant from a moment to now has one fate."""
        for state in self.mirror.routines():
            if state.name in self.registry and state.trigger:
                self._check_fates_of(state.name, max(state.known_since, since))

    def _check_fates_of(self, name: str, known_since: datetime) -> None:
        first, last = to_instant(known_since) + 1, to_instant(self.now)
        if not self.registry[name].enabled:
            planned_until = self.mirror.planned_until()
            last = min(last, to_instant(planned_until or self.now))
        runs = [
            run
            for run in self.mirror.runs_since(name, known_since)
            if run.cause is not Cause.SCHEDULE_CHANGED
        ]
        for run in runs:
            if run.first > known_since:
                between = self.registry.triggers.between(
                    name, to_instant(run.first), to_instant(run.last) + 1
                )
                count = sum(1 for _ in between)
                keep(count == run.count, "a run counts what it skips", run, count)
        tasks = {task.instant for task in self.mirror.tasks_since(name, known_since)}
        for instant in self.registry.triggers.between(name, first, last + 1):
            at = to_utc(instant)
            holding = [run for run in runs if run.holds(at)]
            count = (at in tasks) + len(holding)
            older = self.mirror.run_of(TaskId(name, at)) if not count else None
            if older is not None and older.cause is Cause.SCHEDULE_CHANGED:
                count = 1
            keep(count == 1, "each instant has one fate", TaskId(name, at), "has", count)


def _ends_as(ending: Cause, task: Task, number: int) -> bool:
    """Return whether an attempt that was to end so did; the task may have gone on since."""
    attempt = next(one for one in task.attempts if one.number == number)
    if attempt.outcome is Outcome.EXITED or task.cause in _BY_ITSELF:
        return False
    return ending is Cause.TIMED_OUT or task.by_hand or task.cause not in _TRIED_AGAIN


def _moment(deadline: Deadline, routine: Routine, instant: datetime) -> datetime:
    return to_utc(deadline.after(to_instant(instant), zone_named(routine.zone)))


def compare(store: object, mirror: MemoryStore, tasks: Mapping[TaskId, Task]) -> None:
    """Check that a store gives back what was put in."""
    from scheduler.service.store.protocol import Reader

    found: Reader = store  # type: ignore[assignment]  # either store
    for answer in ("planned_until", "routines", "live", "ahead", "pauses"):
        mine, theirs = getattr(found, answer)(), getattr(mirror, answer)()
        keep(mine == theirs, "a store gives back what was kept", answer, ":", mine, theirs)
    for state in mirror.routines():
        mine = found.runs_since(state.name, _EVER)
        is_same = mine == mirror.runs_since(state.name, _EVER)
        keep(is_same, "a store gives back what was kept", "runs of", state.name)
        mine = found.tasks_since(state.name, _EVER)
        is_same = mine == mirror.tasks_since(state.name, _EVER)
        keep(is_same, "a store gives back what was kept", "tasks of", state.name)
    for id in tasks:
        keep(found.task(id) == mirror.task(id), "a store gives back what was kept", id)
