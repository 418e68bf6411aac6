"""A simulated world that looks over the engine's shoulder: after each event it checks the promises.

Each check works from what was recorded and what was asked for alone, never from the engine's own
indexes.  A broken promise is an `AssertionError` with the moment and the event.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from scheduler.engine.admission import Lane
from scheduler.engine.commands import (
    Command,
    RecordRun,
    RecordTask,
    StartAttempt,
)
from scheduler.engine.events import AnyEvent, MachineWoke, SchedulerStarted, StopAsked, TimePassed
from scheduler.engine.snapshot import Snapshot
from scheduler.engine.states import UNSTARTED, Cause, TaskState
from scheduler.engine.task import Origin, SkippedRun, Task, TaskId
from scheduler.registry.registry import Registry
from scheduler.registry.routine import Backlog, Overlap
from scheduler.service.recovery import restored
from scheduler.zones import to_utc
from tests.support.operating_checks import OperatingChecks, Seen, check_reasons
from tests.support.reference import GOOD_SKIPS, Reference, heeds_needs
from tests.support.world import World


@dataclass
class CheckedWorld(World):
    """A world that fails as soon as the engine breaks a promise."""

    live: dict[TaskId, Task] = field(default_factory=dict[TaskId, Task])
    successes: dict[str, datetime] = field(default_factory=dict[str, datetime])
    attempts: dict[tuple[TaskId, int], None] = field(default_factory=dict[tuple[TaskId, int], None])
    newest_started: dict[str, datetime] = field(default_factory=dict[str, datetime])
    late_running: dict[TaskId, None] = field(default_factory=dict[TaskId, None])
    since: datetime | None = None
    is_serving: bool = False
    handled: int = 0
    planned_until: datetime | None = None
    planning_until: datetime | None = None  # while what fell due up to then is not all planned
    operating: OperatingChecks = field(default_factory=OperatingChecks)

    @property
    def reference(self) -> Reference:
        """Return the slow answers for this moment."""
        return Reference(self.store, self.registry, self.live, self.successes, self.planning_until)

    @property
    def being_planned(self) -> Collection[str]:
        """Return the routines of which an instant fell due that is planned together with others."""
        if self.planned_until is None or self.planning_until is None:
            return ()
        last = int(self.planning_until.timestamp())
        triggers = self.registry.triggers
        found: list[str] = []
        for state in self.store.routines():
            first = int(max(self.planned_until, state.known_since).timestamp()) + 1
            if state.name in self.registry and any(triggers.between(state.name, first, last + 1)):
                found.append(state.name)
        return found

    def start(self, *, fresh: bool = False, assume_done: bool = False) -> "CheckedWorld":
        """Start a scheduler; what the last one knew has its fate by then."""
        before = {state.name: state.known_since for state in self.store.routines()}
        old = self._ran_with
        super().start(fresh=fresh, assume_done=assume_done)
        if old is not None:
            self._check_old_instants(old, before)
        self.check_fates()
        return self

    def reload(self, registry: Registry) -> "CheckedWorld":
        """Let another registry be adopted; what fell due by the old one has its fate by then."""
        before = {state.name: state.known_since for state in self.store.routines()}
        old = self.engine.registry
        self.newest_started.clear()
        super().reload(registry)
        self._check_old_instants(old, before)
        self.check_fates()
        return self

    def crash(self) -> "CheckedWorld":
        """Let the scheduler and all that it runs die at once."""
        self.is_serving = False
        self.planning_until = None
        self.check_fates()
        self.check_snapshot()
        super().crash()
        return self

    def stop(self) -> "CheckedWorld":
        """Stop the scheduler."""
        super().stop()
        self.check_fates()
        return self

    def handle(self, event: AnyEvent, words: str) -> None:
        """Give an event to the engine, store what it decides, check it, and carry it out."""
        before = dict(self.live)
        commands = self.decide(event)
        self._mirror(commands)
        planned_before, self.planned_until = self.planned_until, self.store.planned_until()
        self._note_lanes(event)
        self._note_planning(event)
        told = [line for command in commands if (line := self._in_words(command))]
        if words or told:
            self.note(words or "time passed")
            self.lines.extend(f"           {line}" for line in told)
        try:
            self._check(event, commands, before)
            self.operating.check(
                Seen(
                    event=event,
                    commands=commands,
                    before=before,
                    live=self.live,
                    planned_before=planned_before,
                    is_serving=self.is_serving,
                    registry=self.engine.registry,
                    store=self.store,
                    reference=self.reference,
                    withheld=self.being_planned,
                )
            )
        except AssertionError as error:
            raise AssertionError(f"{self.now}: after {words or 'time passed'}: {error}") from error
        for command in commands:
            self._carry_out(command)

    def _mirror(self, commands: list[Command]) -> None:
        for command in commands:
            if isinstance(command, RecordTask):
                task = command.task
                if task.state.is_end:
                    self.live.pop(task.id, None)
                else:
                    self.live[task.id] = task
                if task.state is TaskState.SUCCEEDED:
                    known = self.successes.get(task.routine, task.instant)
                    self.successes[task.routine] = max(known, task.instant)

    def _note_lanes(self, event: AnyEvent) -> None:
        match event:
            case SchedulerStarted():
                self.is_serving, self.since = True, event.at
                self.late_running.clear()
            case MachineWoke():
                self.since = event.at
            case StopAsked():
                self.is_serving = False
            case _:
                pass

    def _note_planning(self, event: AnyEvent) -> None:
        until = self.planned_until
        if not self.is_serving or until is None or until >= (self.planning_until or event.at):
            self.planning_until = None
        else:
            self.planning_until = self.planning_until or event.at

    # -- after each event ------------------------------------------------------------------

    def _check(self, event: AnyEvent, commands: list[Command], before: dict[TaskId, Task]) -> None:
        self.handled += 1
        starts = [command for command in commands if isinstance(command, StartAttempt)]
        self._check_running({start.task: None for start in starts})
        for start in starts:
            self._check_start(start)
        if not self.is_serving:
            return
        self._check_slots(starts)
        # What falls due together with an end may lift the block for which that end gave a cover.
        is_alone = self.wake_at is None or self.wake_at > self.now
        ends = (Cause.GAVE_UP, Cause.WAITED_IN_VAIN)
        has_ended = any(isinstance(one, RecordTask) and one.task.cause in ends for one in commands)
        if (is_alone or isinstance(event, TimePassed)) and not has_ended:
            self._check_covers(commands, before)
        if len(self.live) < 40 or self.handled % 16 == 0:
            self._check_states()

    def _check_running(self, started: Mapping[TaskId, None]) -> None:
        running = [id for id, task in self.live.items() if task.state is TaskState.RUNNING]
        assert len(running) <= self.slots, f"{len(running)} run in {self.slots} slots"
        for id in running:
            registry = self.engine.registry
            if id.routine in registry and registry[id.routine].overlap is Overlap.NO:
                same = [other for other in running if other.routine == id.routine]
                is_new = any(other in started for other in same)  # an edit may forbid it later
                assert len(same) == 1 or not is_new, f"overlap of {id.routine}"

    def _check_start(self, start: StartAttempt) -> None:
        id, task = start.task, self.live[start.task]
        key = (id, start.attempt)
        assert key not in self.attempts, f"{id} #{start.attempt} starts twice"
        self.attempts[key] = None
        assert task.state is TaskState.RUNNING
        assert task.attempts[-1].number == start.attempt
        if task.by_hand or task.tries > 1:
            return
        planned_until = self.store.planned_until()
        assert planned_until is not None and task.place <= planned_until, f"{id} starts early"
        unmet = self.reference.unmet(id)
        assert not unmet, f"{id} starts before {unmet}"
        for _, stand_in in task.stand_ins:
            assert stand_in.instant <= self.successes[stand_in.routine]
        if task.origin is Origin.BACKFILL:
            return
        if self.registry[id.routine].backlog is Backlog.LATEST:
            newest = self.newest_started.get(id.routine)
            assert newest is None or newest < id.instant, f"{id} starts after a newer one"
            self.newest_started[id.routine] = id.instant

    def _check_slots(self, starts: list[StartAttempt]) -> None:
        """Give the slots once more, choosing the best of all ready tasks each time."""
        started = {start.task: None for start in starts}
        busy = {id: None for id, task in self.live.items() if task.state is TaskState.RUNNING}
        for id in started:
            del busy[id]
        self.late_running = {id: None for id in self.late_running if id in busy}
        ready = [
            task for id, task in self.live.items() if task.state is TaskState.READY or id in started
        ]
        expected: list[TaskId] = []
        while len(busy) < self.slots:
            best = min(self._candidates(ready, busy), default=None)
            if best is None:
                break
            _, lane, _, _, instant, name = best
            id = TaskId(name, instant)
            busy[id] = None
            if lane is Lane.LATE:
                self.late_running[id] = None
            ready = [task for task in ready if task.id != id]
            expected.append(id)
        assert list(started) == expected, f"started {list(map(str, started))}, not {expected}"

    def _was_due(self, task: Task) -> bool:
        """Return whether a task, or what it covers, fell due before what is being planned.

        One of which a moment has passed since is judged by that first, once all is planned.
        """
        if task.by_hand or task.tries:
            return True
        routine, until = self.registry[task.routine], self.planned_until
        assert until is not None
        deadlines = (one for one in (routine.start_by, routine.due_by) if one is not None)
        moments = (self.reference.moment(task.id, deadline) for deadline in deadlines)
        return task.place <= until and not any(until < at <= self.now for at in moments)

    def _candidates(
        self, ready: list[Task], busy: dict[TaskId, None]
    ) -> Iterator[tuple[int, Lane, datetime, str, datetime, str]]:
        """Yield those that may start now: of each routine the one whose turn it is."""
        heads: dict[str, tuple[bool, Lane, datetime, datetime, Task]] = {}
        for task in ready:
            is_next = self._was_tried(task) and not self._may_overlap(task.routine)
            turn = Lane.DUE if self._lane(task) is Lane.LATE else self._lane(task)
            key = (not is_next, turn, task.place, task.instant, task)
            if task.routine not in heads or key[:4] < heads[task.routine][:4]:
                heads[task.routine] = key
        withheld = self.being_planned
        for _, _, place, instant, task in heads.values():
            if task.routine in withheld and not self._was_due(task):
                continue
            lane, routine = self._lane(task), self.registry[task.routine]
            if lane is Lane.LATE and len(self.late_running) >= self.late:
                continue
            if not task.by_hand and self.reference.pauses(task.routine):
                continue
            if self._lacks_slots(task.routine, busy):
                continue
            if self._may_overlap(task.routine) or not self._is_held(task, busy):
                yield -routine.priority, lane, place, task.routine, instant, task.routine

    def _lane(self, task: Task) -> Lane:
        assert self.since is not None
        if task.by_hand:
            return Lane.BY_HAND
        if task.origin is Origin.BACKFILL:
            return Lane.BACKFILL
        return Lane.LATE if task.instant < self.since else Lane.DUE

    def _may_overlap(self, name: str) -> bool:
        return self.registry[name].overlap is Overlap.YES

    def _was_tried(self, task: Task) -> bool:
        """Return whether a task had been tried before this event's starts."""
        return task.tries > (task.state is TaskState.RUNNING)

    def _lacks_slots(self, name: str, busy: dict[TaskId, None]) -> bool:
        routine = self.registry[name]
        if routine.pool is None:
            return False
        # What runs takes what it began with; what starts in this pass, what the registry says.
        began = self.operating.began
        taken = [
            (began[id].pool, began[id].pool_slots)
            if id in began
            else (self.registry[id.routine].pool, self.registry[id.routine].pool_slots)
            for id in busy
        ]
        used = sum(slots for pool, slots in taken if pool == routine.pool)
        return used + routine.pool_slots > self.registry.pools[routine.pool]

    def _is_held(self, task: Task, busy: dict[TaskId, None]) -> bool:
        """Return whether another task of the routine runs, or has begun and waits for a retry."""
        others = [one for id, one in self.live.items() if id != task.id]
        others = [one for one in others if one.routine == task.routine]
        if any(one.id in busy for one in others):
            return True
        return not self._was_tried(task) and any(self._was_tried(one) for one in others)

    def _check_states(self) -> None:
        reference, withheld = self.reference, self.being_planned
        for id, task in self.live.items():
            if id.routine in withheld:
                continue
            if not heeds_needs(task):
                is_fit = task.state in (TaskState.RUNNING, TaskState.READY) or task.tries
                assert is_fit, f"{id} is {task.state}"
                continue
            assert task.state is reference.state(id), (
                f"{id} is {task.state}, not {reference.state(id)}: {task.reason}"
            )
            if task.state is TaskState.BLOCKED:
                self._check_root(task)
        for older, newer in reference.uncovered():
            if older.routine in withheld:
                continue
            raise AssertionError(f"{older} is not covered by {newer}")

    def _check_root(self, task: Task) -> None:
        assert task.root is not None, f"{task.id} is blocked and names no root"
        record = self.reference.record(task.root)
        if record is None or isinstance(record, SkippedRun):
            return  # unknown, or skipped
        assert record.state.is_end, f"{task.id} names {task.root}, which is {record.state}"
        is_good = record.state is TaskState.SUCCEEDED or record.cause in GOOD_SKIPS
        assert not is_good, f"{task.id} is blocked by {task.root}, which {record.state}"

    def _check_covers(self, commands: list[Command], before: dict[TaskId, Task]) -> None:
        for command in commands:
            match command:
                case RecordTask(task=task) if task.cause is Cause.COVERED and task.cover:
                    was = before.get(task.id)
                    # A block that a start finds may be lifted by what was missed meanwhile.
                    if was is None or not isinstance(self.events[-1], SchedulerStarted):
                        self._check_cover(task.id, task.cover, was)
                case RecordRun(run=run) if run.cover and run.at == self.now and run.count < 300:
                    first, last = map(int, (run.first.timestamp(), run.last.timestamp()))
                    triggers = self.registry.triggers
                    for instant in triggers.between(run.routine, first, last + 1):
                        self._check_cover(TaskId(run.routine, to_utc(instant)), run.cover, None)
                case _:
                    pass

    def _check_cover(self, id: TaskId, cover: TaskId, was: Task | None) -> None:
        reference = self.reference
        assert cover.instant > id.instant, f"{id} is covered by an older one, {cover}"
        final = reference.final(cover)
        if was is not None and was.state is TaskState.BLOCKED:
            return
        if reference.is_stuck(id):
            return
        record = self.store.task(final)
        assert record is not None, f"{id}: its cover {final} is no task"
        if record.state in UNSTARTED:
            more = reference.unmet(final) - reference.unmet(id)
            assert not more, f"{id} is covered by {final}, which waits for more: {more}"

    # -- now and then ----------------------------------------------------------------------

    def check_reasons(self) -> None:
        """Check that each task that does not run is explained by something that is so."""
        if self.is_serving and self.planning_until is None:
            try:
                is_full = len(self.late_running) >= self.late
                held_back = [
                    id
                    for id, task in self.live.items()
                    if self._lane(task) is Lane.LATE and is_full
                ]
                check_reasons(self.live, self.reference, self.now, self.slots, held_back)
            except AssertionError as error:
                raise AssertionError(f"{self.now}: {error}") from error

    def check_fates(self) -> None:
        """Check that each instant up to now has one fate."""
        for state in self.store.routines():
            if state.name in self.registry:
                self._check_fates_of(self.registry, state.name, state.known_since)

    def _check_fates_of(self, registry: Registry, name: str, known_since: datetime) -> None:
        planned_until = self.store.planned_until()
        assert planned_until is not None
        first, last = int(known_since.timestamp()) + 1, int(planned_until.timestamp())
        for instant in registry.triggers.between(name, first, last + 1):
            id = TaskId(name, to_utc(instant))
            runs = [
                run
                for run in self.store.runs_since(name, id.instant)
                if run.holds(id.instant) and run.cause is not Cause.SCHEDULE_CHANGED
            ]
            fates = (self.store.task(id) is not None) + len(runs)
            if not fates and (run := self.store.run_of(id)) is not None:
                fates = run.cause is Cause.SCHEDULE_CHANGED
            assert fates == 1, f"{self.now}: {id} has {fates} fates: {runs}"
        counted: dict[datetime, int] = {}
        for run in self.store.runs_since(name, known_since):
            if run.first > known_since:
                between = registry.triggers.between(
                    name, int(run.first.timestamp()), int(run.last.timestamp()) + 1
                )
                counted[run.first] = sum(1 for _ in between)
                assert counted[run.first] == run.count, f"{run} counts {counted[run.first]}"

    def _check_old_instants(self, old: Registry, before: dict[str, datetime]) -> None:
        for name, known_since in before.items():
            if name in old and name in self.registry:
                planned_until = self.store.planned_until()
                assert planned_until is not None
                first = int(known_since.timestamp()) + 1
                last = int(min(self.now, planned_until).timestamp())
                for instant in old.triggers.between(name, first, last + 1):
                    id = TaskId(name, to_utc(instant))
                    record = self.reference.record(id)
                    assert record is not None, f"{self.now}: {id} of the old trigger has no fate"

    def check_snapshot(self) -> None:
        """Check that what the store gives back is what the engine has."""
        old = self._ran_with
        assert old is not None
        mine = self.engine.snapshot()
        theirs = restored(self.store, old, old, self.now)
        assert mine.routines == theirs.routines
        assert mine.live == tuple(sorted(theirs.live, key=lambda one: (one.routine, one.instant)))
        assert sorted(map(str, mine.ahead)) == sorted(map(str, theirs.ahead))
        assert mine.planned_until == theirs.planned_until
        for task in (*mine.ended, *theirs.ended):
            assert self.store.task(task.id) == task
        _check_subset(mine, theirs)


def _check_subset(mine: Snapshot, theirs: Snapshot) -> None:
    """Check that the engine lacks nothing that a restart would ask for."""
    known = {task.id for task in mine.ended}
    missing = [str(task.id) for task in theirs.ended if task.id not in known]
    kept = {(run.routine, run.first) for run in mine.runs}
    lacking = [run for run in theirs.runs if (run.routine, run.first) not in kept]
    assert not missing and not lacking, f"the engine has forgotten {missing} {lacking}"
