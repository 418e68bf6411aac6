"""`Engine.handle`: events in, commands out; the only door (STYLE, rule 1).

One pass for each event: apply it, settle what it means for what waits (upstream first), plan what
has fallen due, settle again, give slots.  The rules are in `readiness`, `planning`, `admission`,
`asks` and `reconcile`; here is only their order.
"""

from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from heapq import heapify, heappop, heappush
from typing import assert_never

from scheduler.engine import asks
from scheduler.engine.admission import Limits, Queue, admitted, enqueue
from scheduler.engine.board import TimerKind
from scheduler.engine.commands import (
    Command,
    ForgetRun,
    KillAttempt,
    RecordAhead,
    RecordPause,
    RecordPlannedUntil,
    RecordRoutine,
    RecordRun,
    RecordTask,
    StartAttempt,
    WakeAt,
)
from scheduler.engine.events import (
    AnyEvent,
    AttemptExited,
    AttemptLost,
    AttemptNeverBegan,
    AttemptRefused,
    BackfillAsked,
    CancelAsked,
    ExecuteAsked,
    MachineWoke,
    MarkAsked,
    PauseAsked,
    RegistryReloaded,
    ResumeAsked,
    RoutineExecuteAsked,
    SchedulerStarted,
    StopAsked,
    TimePassed,
    UnknownMarkAsked,
)
from scheduler.engine.pauses import arm_pause, pause, resume
from scheduler.engine.planning import backfill, plan, settle_routine
from scheduler.engine.readiness import unknown_tasks
from scheduler.engine.reconcile import reconcile, start_afresh
from scheduler.engine.retries import lost_verdict, retry_at, verdict
from scheduler.engine.snapshot import Snapshot, board_of, snapshot_of
from scheduler.engine.states import Cause, TaskState
from scheduler.engine.task import Attempt, Outcome, Pause, SkippedRun, Task, TaskId
from scheduler.engine.timers import arm, arm_timeout, go_off, stop_waiting
from scheduler.registry.registry import Registry
from scheduler.registry.routine import InstantKind
from scheduler.zones import FIRST, to_instant, to_utc

# Events that do not wait for the rest of what is being planned: the end of one task must not hold
# up the start of the next.
_AMID_PLANNING = (TimePassed, AttemptExited, AttemptRefused, AttemptLost)
# A moment that no clock is before, whatever it is set to.
_AT_ONCE = to_utc(FIRST)
# Ended tasks of a routine that are kept before those that nothing can wait for are dropped.
_KEPT_ENDED = 64
# A time of day comes again within a day, but for what a zone makes of it.
_LONGEST_TO_A_TIME = timedelta(days=2)


@dataclass(slots=True, kw_only=True)
class _Batch:
    """What has fallen due together, while it is planned: upstream first, some in each pass.

    None of it starts before all is planned: what comes last may have the higher priority.  What was
    ready before may, or what covers it now: an end in between counts as if it had come before.
    """

    after: datetime  # up to when all had been planned before
    until: datetime
    rest: list[str]  # of those that are still to be planned, the last one first


class Engine:
    """Decides what happens next.  The same events always yield the same commands."""

    def __init__(self, registry: Registry, snapshot: Snapshot, limits: Limits) -> None:
        self._board = board_of(snapshot, registry)
        self._limits = limits
        self._queue = Queue()
        self._is_serving = False  # between start and stop
        self._due: list[tuple[datetime, int, str]] = []  # next instant of each enabled routine
        self._quiet: list[
            tuple[datetime, int, str]
        ] = []  # of each disabled one: no one wakes for it
        self._batch: _Batch | None = None
        self._woken_at: datetime | None = None
        self._recorded_until: datetime | None = None
        self._prune_at: dict[str, int] = {}

    @property
    def is_idle(self) -> bool:
        """Return whether no attempt is running."""
        return not self._board.running_count

    @property
    def registry(self) -> Registry:
        """Return the registry in force."""
        return self._board.registry

    def snapshot(self) -> Snapshot:
        """Return the state as plain values."""
        found = snapshot_of(self._board)
        return found if self._batch is None else replace(found, planned_until=self._batch.after)

    def unknown(self) -> tuple[TaskId, ...]:
        """Return the unknown tasks that something waits for."""
        return unknown_tasks(self._board)

    def handle(self, event: AnyEvent) -> list[Command]:
        """Apply an event and return what must be recorded, and then done, in that order."""
        batch, is_amid = self._batch, isinstance(event, _AMID_PLANNING)
        planned = self._plan(event.at) if self._batch is not None and not is_amid else []
        acts = self._apply(event)
        if isinstance(event, MachineWoke) and event.is_followed:
            return []
        self._settle(event.at)
        if self._is_serving:
            # Before the planning: what waits no longer is not covered by what falls due.
            stop_waiting(self._board, event.at if batch is None else min(event.at, batch.until))
            self._settle(event.at)
            if not is_amid:
                planned += self._plan(event.at)
            elif batch is None or isinstance(event, TimePassed):
                planned = self._plan(event.at, self._limits.planned_at_once)
            # After it: what is planned late may be too late already, or covered by then.
            passed = event.at if batch is None else max(event.at, batch.until)  # though set back
            acts.extend(go_off(self._board, passed))
            for name in planned:  # not before: what has ended may be overdue
                self._prune(name)
            self._settle(event.at)
            acts.extend(self._admit(event.at))
        else:
            acts.extend(go_off(self._board, event.at))
        return [*self._records(), *acts, *self._wake()]

    def _apply(self, event: AnyEvent) -> list[Command]:
        board, at = self._board, event.at
        match event:
            case SchedulerStarted():
                return self._start(event)
            case TimePassed():
                pass
            case MachineWoke():
                board.since = at
                for entry in board.live.values():
                    if entry.task.state is TaskState.READY:
                        board.made_ready[entry.task.id] = None
            case AttemptExited():
                self._end_attempt(event)
            case AttemptRefused():
                end = Attempt(
                    number=event.attempt,
                    started_at=at,
                    ended_at=at,
                    outcome=Outcome.REFUSED,
                    error=event.error,
                )
                self._close(event.task, end, Cause.EXITED_BADLY, event.error, at)
            case AttemptLost():
                end = Attempt(
                    number=event.attempt, started_at=at, ended_at=at, outcome=Outcome.LOST
                )
                cause, reason = lost_verdict(self._ending_of(event.task))
                self._close(event.task, end, cause, reason, at)
            case AttemptNeverBegan():
                return self._begin_at_last(event)
            case ExecuteAsked():
                return asks.execute(board, event.tasks, at, event.arguments)
            case RoutineExecuteAsked():
                return asks.execute_routine(board, event.routine, at, event.arguments)
            case CancelAsked():
                return asks.cancel(board, event.task, at, downstream=event.downstream)
            case MarkAsked():
                return asks.mark(board, event.tasks, event.cause, at)
            case UnknownMarkAsked():
                return asks.mark_unknown(board, event.cause)
            case PauseAsked():
                return pause(board, event.pause)
            case ResumeAsked():
                return resume(board, event.scope, event.name)
            case RegistryReloaded():
                self._reload(event)
            case BackfillAsked():
                return backfill(board, event.tasks, event.records, at)
            case StopAsked():
                return self._stop(event)
            case _:
                assert_never(event)
        return []

    # -- start and stop --------------------------------------------------------------------

    def _start(self, event: SchedulerStarted) -> list[Command]:
        board, at = self._board, event.at
        reconcile(board, event.registry, at)
        if event.fresh:
            self._settle(at)
            start_afresh(board, at)
            board.planned_until = max(board.planned_until, at)
        if event.assume_done:
            for name in board.registry:
                if board.registry[name].dependents and board.routines[name].assumed is None:
                    asks.assume(board, name, Cause.MARKED_SUCCEEDED)
        board.since = at
        self._is_serving = True
        for wanted in board.pauses.values():
            arm_pause(board, wanted)
        for ids in board.running.values():
            for id in ids:
                arm_timeout(board, board.live[id])
        self._expect_all()
        # An earlier scheduler decided to end these; whether it came to that is not known.
        return [
            KillAttempt(task=entry.task.id, attempt=entry.task.attempts[-1].number)
            for entry in board.live.values()
            if entry.task.ending is not None
        ]

    def _reload(self, event: RegistryReloaded) -> None:
        board, at = self._board, event.at
        self._plan(at)  # what was due by the old registry is settled by it
        for record in event.records:
            board.recall(record)
        reconcile(board, event.registry, at)
        for name in board.registry:
            board.freed[name] = None  # limits may have changed
        self._expect_all()

    def _expect_all(self) -> None:
        board = self._board
        self._due.clear()
        self._quiet.clear()
        for name in board.registry:
            after = max(board.planned_until, board.routines[name].known_since)
            self._expect(name, after, in_order=False)
        heapify(self._due)
        heapify(self._quiet)

    def _stop(self, event: StopAsked) -> list[Command]:
        self._is_serving = False
        board = self._board
        # What runs still ends by its timeout; the rest is for the next start.
        timers = board.timers
        timers[:] = [one for one in timers if one[-1].kind is TimerKind.TIMEOUT]
        heapify(timers)
        board.waits.clear()
        commands: list[Command] = []
        for ids in board.running.values() if event.now else ():
            for id in ids:
                entry = board.live[id]
                board.put(replace(entry.task, ending=entry.task.ending or Cause.STOPPED))
                commands.append(KillAttempt(task=id, attempt=entry.task.attempts[-1].number))
        return commands

    # -- attempts --------------------------------------------------------------------------

    def _end_attempt(self, event: AttemptExited) -> None:
        entry = self._board.live.get(event.task)
        if entry is None:
            return
        name = event.task.routine
        routine = self._board.registry[name] if name in self._board.registry else None
        cause, reason = verdict(event, routine, entry.task.ending)
        end = Attempt(
            number=event.attempt,
            started_at=event.at,
            ended_at=min(event.ended_at or event.at, event.at),
            outcome=_outcome(event, cause),
            code=event.code,
            signal=event.signal,
            error=event.error,
            peak_memory=event.peak_memory,
            cpu_time=event.cpu_time,
        )
        self._close(event.task, end, cause, reason, event.at)

    def _ending_of(self, id: TaskId) -> Cause | None:
        entry = self._board.live.get(id)
        return None if entry is None else entry.task.ending

    def _begin_at_last(self, event: AttemptNeverBegan) -> list[Command]:
        """Begin an attempt that was decided on, once; or end it, if that was decided too."""
        entry = self._board.live.get(event.task)
        if entry is None or entry.task.state is not TaskState.RUNNING:
            return []
        task, at = entry.task, event.at
        last = task.attempts[-1]
        if last.number != event.attempt:
            return []
        if task.ending is not None:
            end = Attempt(number=last.number, started_at=at, ended_at=at, outcome=Outcome.KILLED)
            cause, reason = lost_verdict(task.ending)
            self._close(task.id, end, cause, reason, at)
            return []
        # Its limits count from the real start.
        self._board.put(replace(task, attempts=(*task.attempts[:-1], replace(last, started_at=at))))
        return [self._order(entry.task)]

    def _close(self, id: TaskId, end: Attempt, cause: Cause, reason: str, at: datetime) -> None:
        """End the running attempt of a task as ``end`` says, which lacks only its start."""
        entry = self._board.live.get(id)
        if entry is None or entry.task.state is not TaskState.RUNNING:
            return  # told twice
        last = entry.task.attempts[-1]
        if last.number != end.number:
            return
        assert end.ended_at is not None
        ended_at = max(end.ended_at, last.started_at)  # the clock may have been set meanwhile
        ended = replace(end, started_at=last.started_at, ended_at=ended_at)
        attempts = (*entry.task.attempts[:-1], ended)
        name, tries = id.routine, entry.task.tries
        again = retry_at(self._board.registry.get(name), cause, tries, ended_at)
        if again is None:
            self._board.move(
                entry,
                cause,
                reason,
                at,
                attempts=attempts,
                by_hand=False,
                arguments=None,
                ending=None,
            )
            return
        of = f"retry {tries} of {self._board.registry[name].retries}"
        words = f"waits for {of} at {again.astimezone(id.local.tzinfo):%H:%M:%S}, after: {reason}"
        self._board.move(
            entry, Cause.RETRY, words, at, attempts=attempts, retry_at=again, ending=None
        )
        if self._is_serving:
            arm(self._board, entry)

    # -- the pass --------------------------------------------------------------------------

    def _settle(self, at: datetime, due: Collection[str] = ()) -> None:
        """Plan what is due and decide on all that changed, upstream first, until nothing does."""
        board, batch = self._board, self._batch
        to_plan = set(due)
        while board.attention:
            _, name = heappop(board.attention)
            if name in to_plan:
                assert batch is not None
                to_plan.discard(name)
                after = max(board.behind.pop(name), board.routines[name].known_since)
                plan(board, name, after, batch.until, at)
                self._expect(name, batch.until)
                stop_waiting(board, at)  # what is planned late may have waited in vain already
            if name in board.behind:
                continue  # its turn comes with what has fallen due
            if name in board.dirty:
                settle_routine(board, name, at)

    def _plan(self, at: datetime, most: int | None = None) -> list[str]:
        """Plan what has fallen due, of ``most`` routines; return, once it is all, of which."""
        batch = self._batch = self._batch or self._batch_due(at)
        count = len(batch.rest) if most is None else min(most, len(batch.rest))
        part = [batch.rest.pop() for _ in range(count)]
        for name in part:
            self._board.attend(name)
        self._settle(at, part)
        if batch.rest:
            return []
        self._batch = None
        names = list(self._board.withheld)
        self._board.release()
        return names

    def _batch_due(self, at: datetime) -> _Batch:
        board = self._board
        after, board.planned_until = board.planned_until, max(board.planned_until, at)
        names = [*self._fallen_due(self._due, at), *self._fallen_due(self._quiet, at)]
        board.withhold(names, after)
        rest = sorted(names, key=board.rank.__getitem__, reverse=True)
        return _Batch(after=after, until=at, rest=rest)

    def _fallen_due(self, heap: list[tuple[datetime, int, str]], at: datetime) -> list[str]:
        names: list[str] = []
        while heap and heap[0][0] <= at:
            names.append(heappop(heap)[2])
        return names

    def _expect(self, name: str, after: datetime, *, in_order: bool = True) -> None:
        following = self._board.registry.triggers.next(name, to_instant(after))
        if following is None:
            return
        heap = self._due if self._board.registry[name].enabled else self._quiet
        item = (to_utc(following), self._board.rank[name], name)
        if in_order:
            heappush(heap, item)
        else:
            heap.append(item)

    def _admit(self, at: datetime) -> list[Command]:
        board = self._board
        commands: list[Command] = []
        enqueue(board, self._queue)
        while (id := admitted(board, self._queue, self._limits)) is not None:
            commands.append(self._start_attempt(id, at))
        return commands

    def _start_attempt(self, id: TaskId, at: datetime) -> StartAttempt:
        board = self._board
        entry = board.live[id]
        number = entry.task.attempts[-1].number + 1 if entry.task.attempts else 1
        attempts = (*entry.task.attempts, Attempt(number=number, started_at=at))
        tries = entry.task.tries + 1
        board.move(entry, Cause.STARTED, f"attempt {number}", at, attempts=attempts, tries=tries)
        arm(board, entry)
        arm_timeout(board, entry)
        return self._order(entry.task)

    def _order(self, task: Task) -> StartAttempt:
        """Return the command that starts the last attempt of a task."""
        board, id = self._board, task.id
        previous = None
        if id.routine in board.registry:
            previous = board.registry.triggers.previous(id.routine, to_instant(id.instant) - 1)
        return StartAttempt(
            task=id,
            attempt=task.attempts[-1].number,
            previous_instant=None if previous is None else to_utc(previous),
            since=board.routines[id.routine].last_success,
            arguments=task.arguments,
        )

    # -- what is kept ----------------------------------------------------------------------

    def _prune(self, name: str) -> None:
        """Drop ended tasks that nothing can wait for, each time they have doubled."""
        board = self._board
        if name not in board.registry:
            return  # it was planned by the old one, which has just been replaced
        ended, runs = board.ended.get(name, {}), board.runs.get(name, [])
        if len(ended) + len(runs) < self._prune_at.get(name, _KEPT_ENDED):
            return
        oldest = horizon(board.registry, name, board.planned_until)
        wanted = board.wanted(name)
        keys = dict.fromkeys(wanted)
        for instant in [one for one in ended if one < oldest and one not in keys]:
            # What changed in this very pass is still to be recorded.
            if TaskId(name, instant) not in board.changed_tasks:
                del ended[instant]
        keep = [run for run in runs if run.last >= oldest or _holds_any(run, wanted)]
        if runs:
            board.runs[name] = keep
        self._prune_at[name] = max(_KEPT_ENDED, 2 * (len(ended) + len(keep)))

    def _records(self) -> list[Command]:
        board = self._board
        commands: list[Command] = []
        for id in board.changed_tasks:
            task = board.task(id)
            if task is not None:
                commands.append(RecordTask(task=task))
        for (name, first), run in board.changed_runs.items():
            if run is None:
                commands.append(ForgetRun(routine=name, first=first))
            else:
                commands.append(RecordRun(run=run))
        commands.extend(
            RecordRoutine(state=board.routines[name]) for name in board.changed_routines
        )
        commands.extend(RecordAhead(task=id, drop=drop) for id, drop in board.changed_ahead.items())
        for key, wanted in board.changed_pauses.items():
            dropped = Pause(scope=key[0], name=key[1], since=board.planned_until)
            commands.append(RecordPause(pause=wanted or dropped, drop=wanted is None))
        has_served = self._is_serving or self._recorded_until is not None
        if has_served and self._batch is None and self._recorded_until != board.planned_until:
            self._recorded_until = board.planned_until
            commands.append(RecordPlannedUntil(at=board.planned_until))
        for changed in (
            board.changed_tasks,
            board.changed_runs,
            board.changed_routines,
            board.changed_ahead,
            board.changed_pauses,
        ):
            changed.clear()
        return commands

    def _wake(self) -> list[Command]:
        board = self._board
        moments = [heap[0][0] for heap in (board.timers, board.waits) if heap]
        if self._is_serving and self._due:
            moments.append(self._due[0][0])
        if self._batch is not None:
            moments.append(_AT_ONCE)
        at = min(moments, default=None)
        if at == self._woken_at:
            return []
        self._woken_at = at
        return [WakeAt(at=at)]


def _outcome(event: AttemptExited, cause: Cause) -> Outcome:
    if not event.killed:
        return Outcome.EXITED
    return Outcome.TIMED_OUT if cause is Cause.TIMED_OUT else Outcome.KILLED


def _holds_any(run: SkippedRun, instants: Sequence[datetime]) -> bool:
    index = bisect_left(instants, run.first)
    return index < len(instants) and instants[index] <= run.last


def horizon(registry: Registry, name: str, planned_until: datetime) -> datetime:
    """Return the oldest instant of a routine whose fate may still matter.

    A task planned from now on may wait for it, or its due_by is yet to come.
    """
    now = to_instant(planned_until)
    last = registry.triggers.previous(name, now)
    oldest = now if last is None else last
    for downstream in (*registry[name].dependents, name):
        kinds = [one.instant for one in registry[downstream].dependencies if one.name == name]
        if InstantKind.ALL in kinds:
            since = registry.triggers.previous(downstream, now)
            oldest = min(oldest, oldest if since is None else since)
    due_by = registry[name].due_by
    if due_by is not None:  # one that failed is overdue later
        reach = due_by.length or _LONGEST_TO_A_TIME
        oldest = min(oldest, now - int(reach.total_seconds()))
    return to_utc(max(oldest, FIRST))
