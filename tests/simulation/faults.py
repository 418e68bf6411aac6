"""Planted faults: each breaks one rule of SPEC 4 or 8, and the simulation has to notice.

A fault changes a function of the program while it is planted, and nothing else.  Two stand for what
the simulated machine does in place of the real one.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from scheduler.engine import admission, asks, engine, pauses, planning, readiness, reconcile
from scheduler.engine import retries as retrying
from scheduler.engine import timers as timing
from scheduler.engine.admission import Lane, Queue
from scheduler.engine.board import LOST, MET, MOOT, OPEN, Board, Entry, TimerKind
from scheduler.engine.commands import (
    ForgetRun,
    Record,
    RecordPause,
    RecordPlannedUntil,
    RecordRoutine,
    WakeAt,
)
from scheduler.engine.engine import Engine
from scheduler.engine.events import (
    AttemptExited,
    AttemptLost,
    AttemptNeverBegan,
)
from scheduler.engine.states import Cause, TaskState
from scheduler.engine.task import RoutineState
from scheduler.errors import StoreError
from scheduler.registry.routine import On
from scheduler.service import recovery, wiring
from scheduler.service.executors.protocol import Found
from scheduler.service.loop import Loop
from scheduler.service.replies import Replies
from scheduler.service.store.memory import MemoryStore
from scheduler.service.store.protocol import BOOT_NOTE, RegistryText
from scheduler.service.wiring import EngineRoom
from tests.simulation.fragile import FragileMemoryStore, Killed
from tests.simulation.machine import MachineExecutor

Function = Callable[..., Any]
Plant = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that the program does wrong while it is planted."""

    name: str
    rule: str  # what SPEC says
    plant: Plant


FAULTS: dict[str, Fault] = {}


@contextmanager
def _changed(owner: Any, name: str, change: Callable[[Any], Any]) -> Iterator[None]:
    """Replace an attribute of a module or class by what is made of it."""
    original = vars(owner)[name]
    setattr(owner, name, change(original))
    try:
        yield
    finally:
        setattr(owner, name, original)


def _instead(owner: Any, name: str, function: Function) -> AbstractContextManager[None]:
    """Replace a function; the new one is handed the old one first."""

    def change(original: Any) -> Any:
        def changed(*given: Any, **named: Any) -> Any:
            return function(original, *given, **named)

        return changed

    return _changed(owner, name, change)


def _nothing(owner: Any, name: str, result: Any = None) -> AbstractContextManager[None]:
    """Replace a function by one that does nothing."""
    return _changed(owner, name, lambda _: lambda *_, **__: result)


def _plant(name: str, rule: str, *changes: Callable[[], AbstractContextManager[None]]) -> None:
    """Take in a fault that is a change or two."""

    @contextmanager
    def planted() -> Iterator[None]:
        if len(changes) == 1:
            with changes[0]():
                yield
        else:
            with changes[0](), changes[1]():
                yield

    FAULTS[name] = Fault(name=name, rule=rule, plant=planted)


# -- the backlog ------------------------------------------------------------------------------

_plant(
    "a-cover-is-forgotten",
    "4: a task that has not started is covered by the newest due one",
    lambda: _nothing(planning, "cover"),
)
_plant(
    "a-blocked-task-is-not-covered",
    "4: a blocked one by any newer due one",
    lambda: _instead(
        planning,
        "_cover_of",
        lambda original, board, entry: None if entry.is_stuck else original(board, entry),
    ),
)
_plant(
    "a-cover-waits-for-more",
    "4: covered by one that waits for nothing it does not wait for itself",
    lambda: _instead(
        planning,
        "_cover_of",
        lambda _, board, entry: _newest(board, entry),
    ),
)


def _newest(board: Board, entry: Entry) -> Entry | None:
    id = board.newest_unstarted(entry.task.routine)
    newest = board.live[id] if id is not None else entry
    return None if newest is entry else newest


_plant(
    "a-cover-goes-to-the-end-of-the-queue",
    "4: a cover takes the place of the oldest it covers",
    lambda: _nothing(Board, "give_place"),
)
_plant(
    "a-stand-in-for-all",
    "4: a routine that keeps all accepts no stand-in",
    lambda: _needs(lambda need: replace(need, takes_stand_in=need.on is On.SUCCESS)),
)
_plant(
    "no-stand-in-is-accepted",
    "4: a newer success stands in where the latest only is kept",
    lambda: _needs(lambda need: replace(need, takes_stand_in=False)),
)
_plant(
    "what-is-tried-can-be-covered",
    "4: a task that waits for a retry has started: it is not covered",
    lambda: _changed(
        Entry,
        "heeds_needs",
        lambda _: property(lambda self: self.is_unstarted and not self.task.by_hand),
    ),
)
_plant(
    "what-is-by-hand-waits",
    "6: execute waives time and dependencies",
    lambda: _changed(
        Entry,
        "heeds_needs",
        lambda _: property(lambda self: self.is_unstarted and not self.task.tries),
    ),
)
_plant(
    "off-by-one-at-the-instant",
    "4: each instant up to now has a fate (the one at midnight is not)",
    lambda: _instead(
        planning,
        "due_instants",
        lambda original, board, name, after, at: original(
            board, name, after, at - timedelta(seconds=1)
        ),
    ),
)
_plant(
    "an-instant-is-left-out-of-a-run",
    "4: a run of skipped instants is a record with first, last and count",
    lambda: _instead(
        planning,
        "_unbroken",
        lambda original, skipped, instants: original(skipped[:-1] or skipped, instants),
    ),
)
_plant(
    "a-disabled-routine-leaves-no-trace",
    "3: instants of a disabled routine are recorded as skipped",
    lambda: _instead(
        planning,
        "skip",
        lambda original, board, name, skipped, instants, cause, *rest, **named: (
            None
            if cause is Cause.DISABLED and len(skipped) > 1
            else original(board, name, skipped, instants, cause, *rest, **named)
        ),
    ),
)


def _needs(change: Callable[[Any], Any]) -> AbstractContextManager[None]:
    def changed(original: Function, *given: Any) -> Any:
        return tuple(change(need) for need in original(*given))

    @contextmanager
    def planted() -> Iterator[None]:
        with (
            _instead(planning, "needs_of", changed),
            _instead(reconcile, "needs_of", changed),
        ):
            yield

    return planted()


# -- what a task waits for --------------------------------------------------------------------


def _standing(
    kind: str, instead: str, states: Sequence[TaskState], on: On
) -> AbstractContextManager[None]:
    """Take a task's end for something else."""

    def changed(original: Function, need: Any, task: Any) -> Any:
        found = original(need, task)
        if found.kind == kind and task.state in states and need.on is on:
            return replace(found, kind=instead, root=task.id if instead == LOST else None)
        return found

    return _instead(readiness, "_standing_on_task", changed)


_plant(
    "a-failure-is-as-good-as-a-success",
    "4: success asks for succeeded",
    lambda: _standing(LOST, MET, (TaskState.FAILED,), On.SUCCESS),
)
_plant(
    "not-needed-runs-all-the-same",
    "4: a failure that is not to be had is skipped as not needed",
    lambda: _standing(MOOT, MET, (TaskState.SUCCEEDED,), On.FAILURE),
)
_plant(
    "done-does-not-take-a-failure",
    "4: done asks for any end",
    lambda: _standing(MET, LOST, (TaskState.FAILED,), On.DONE),
)
_plant(
    "a-block-is-not-passed-on",
    "4: what waits for a blocked task is blocked too",
    lambda: _standing(LOST, OPEN, (TaskState.BLOCKED,), On.SUCCESS),
)
_plant(
    "nothing-to-do-is-no-success",
    "4: skipped with nothing to do counts as success",
    lambda: _changed(readiness, "_GOOD_SKIPS", lambda _: ()),
)
_plant(
    "covers-are-not-followed",
    "4: what waited for a covered task waits for the cover",
    lambda: _nothing(Board, "cover_of"),
)
_plant(
    "the-unknown-counts-as-done",
    "4: what waits for an unknown task is blocked",
    lambda: _instead(
        readiness,
        "_standing_on_nothing",
        lambda original, *given: _met(original(*given), LOST),
    ),
)
_plant(
    "what-is-to-come-counts-as-done",
    "4: a same-day task may come after the one that waits for it",
    lambda: _instead(
        readiness,
        "_standing_on_nothing",
        lambda original, *given: _met(original(*given), OPEN),
    ),
)


def _met(standing: Any, kind: str) -> Any:
    return replace(standing, kind=MET, root=None) if standing.kind == kind else standing


_plant(
    "the-first-task-waits-for-itself",
    "4: the first task of a routine waits for nothing of itself",
    lambda: _needs(lambda need: replace(need, is_own=False)),
)
_plant(
    "an-end-is-not-told-downstream",
    "4: a task starts when each task that it waits for has ended",
    lambda: _nothing(Board, "touch"),
)
_plant(
    "marking-the-unknown-changes-nothing",
    "4: mark --unknown settles what is unknown",
    lambda: _nothing(Board, "touch_routine"),
)
_plant(
    "the-last-success-is-forgotten",
    "5: SCHEDULER_SINCE is the instant of the last succeeded task",
    lambda: _nothing(Board, "_note_success"),
)
_plant(
    "ends-are-forgotten-too-early",
    "4: what may still be waited for is kept",
    lambda: _instead(engine, "horizon", lambda _, registry, name, until: until),
    lambda: _changed(engine, "_KEPT_ENDED", lambda _: 1),
)
_plant(
    "any-wants-all",
    "2: require=any asks for one of the dependencies",
    lambda: _changed(Entry, "_has_met", lambda _: property(lambda self: False)),
)

# -- slots ------------------------------------------------------------------------------------

_plant(
    "one-slot-too-many",
    "4: no more run than max_running",
    lambda: _instead(
        engine,
        "admitted",
        lambda original, board, queue, limits: original(
            board, queue, replace(limits, max_running=limits.max_running + 1)
        ),
    ),
)
_plant(
    "a-pool-has-no-limit",
    "4: slots of its pool are free",
    lambda: _nothing(admission, "_has_slots", True),
)
_plant(
    "a-pool-stays-full",
    "4: no slot stays idle while a ready task may use it",
    lambda: _instead(
        admission, "_has_slots", lambda _, board, pool, wanted: pool not in board.pool_used
    ),
)
_plant(
    "overlap-is-allowed",
    "4: overlap=no: not two tasks of a routine at once",
    lambda: _nothing(admission, "_is_held", False),
)
_plant(
    "a-retry-gives-up-its-overlap",
    "4: a task that waits for a retry holds its routine's overlap",
    lambda: _changed(
        Entry,
        "holds_overlap",
        lambda _: property(lambda self: self.task.state is TaskState.RUNNING),
    ),
)
_plant(
    "what-was-late-floods-the-machine",
    "4: what was late takes at most one slot a core",
    lambda: _instead(
        admission,
        "lane_of",
        lambda original, *given: Lane.DUE if original(*given) is Lane.LATE else original(*given),
    ),
)
_plant(
    "backfill-goes-first",
    "4: backfill goes behind all that is due",
    lambda: _instead(
        admission,
        "lane_of",
        lambda original, *given: {
            Lane.BACKFILL: Lane.DUE,
            Lane.DUE: Lane.BACKFILL,
        }.get(original(*given), original(*given)),
    ),
)
_plant(
    "by-hand-goes-last",
    "4: by hand goes before what is due",
    lambda: _instead(
        admission,
        "lane_of",
        lambda original, *given: (
            Lane.BACKFILL if original(*given) is Lane.BY_HAND else original(*given)
        ),
    ),
)
_plant(
    "the-lower-priority-goes-first",
    "4: higher priority goes first",
    lambda: _instead(
        Queue,
        "offer",
        lambda original, self, board, name: _offer_upside_down(original, self, board, name),
    ),
)


def _offer_upside_down(original: Function, queue: Queue, board: Board, name: str) -> None:
    routine = board.registry.get(name)
    if routine is None:
        original(queue, board, name)
        return
    routines = board.registry._routines
    routines[name] = replace(routine, priority=-routine.priority)
    try:
        original(queue, board, name)
    finally:
        routines[name] = routine


_plant(
    "a-pause-holds-nothing",
    "6: pause stops starting a routine's tasks",
    lambda: _nothing(Board, "pause_of"),
)
_plant(
    "a-pause-never-ends",
    "6: pause --until ends by itself",
    lambda: _nothing(pauses, "arm_pause"),
    lambda: _nothing(engine, "arm_pause"),
)
_plant(
    "a-resume-wakes-nobody",
    "6: resume lets a routine's tasks start again",
    lambda: _instead(
        pauses,
        "resume",
        lambda original, board, scope, name: _resumed_in_silence(original, board, scope, name),
    ),
    lambda: _instead(
        engine,
        "resume",
        lambda original, board, scope, name: _resumed_in_silence(original, board, scope, name),
    ),
)


def _resumed_in_silence(original: Function, board: Board, scope: Any, name: str) -> Any:
    with _nothing(Board, "soil_unstarted"):
        return original(board, scope, name)


# -- retries, limits, deadlines ---------------------------------------------------------------

_plant(
    "one-retry-too-many",
    "8: runs again only as retries allow",
    lambda: _instead(
        engine,
        "retry_at",
        lambda original, routine, cause, tries, at: original(routine, cause, tries - 1, at),
    ),
)
_plant(
    "what-is-lost-is-not-retried",
    "8: lost, may have run: runs again as retries allow",
    lambda: _changed(retrying, "_RETRIED", lambda _: (Cause.EXITED_BADLY, Cause.TIMED_OUT)),
)
_plant(
    "a-stop-is-retried",
    "6: stop --now: failed, stopped, no retry",
    lambda: _changed(retrying, "_RETRIED", lambda causes: (*causes, Cause.STOPPED)),
)
_plant(
    "the-backoff-is-forgotten",
    "2: the wait grows by retry_backoff",
    lambda: _instead(
        engine,
        "retry_at",
        lambda original, routine, cause, tries, at: original(
            routine and replace(routine, retry_backoff=1.0), cause, tries, at
        ),
    ),
)
_plant(
    "a-cancelled-task-may-succeed",
    "6: cancel of a running task: its tree is killed, it is cancelled",
    lambda: _instead(
        engine, "verdict", lambda original, event, routine, ending: original(event, routine, None)
    ),
)
_plant(
    "a-retry-never-comes",
    "4: a task that waits for a retry is tried again",
    lambda: _nothing(timing, "_is_due_retry", False),
)
_plant(
    "no-timeout",
    "2: timeout is the longest run of an attempt",
    lambda: _nothing(engine, "arm_timeout"),
)
_plant(
    "what-is-adopted-has-no-timeout",
    "8: the next start adopts what runs, its limits too",
    lambda: _instead(
        Engine, "_start", lambda original, self, event: _without_timeouts(original, self, event)
    ),
)


def _without_timeouts(original: Function, self: Engine, event: Any) -> Any:
    acts = original(self, event)
    timers = self._board.timers
    timers[:] = [one for one in timers if one[-1].kind is not TimerKind.TIMEOUT]
    timers.sort(key=lambda one: one[:3])
    return acts


_plant(
    "start-by-is-ignored",
    "2: not started by start_by: skipped",
    lambda: _nothing(timing, "start_by_of"),
)
_plant(
    "due-by-is-ignored",
    "2: due_by: when it should have succeeded",
    lambda: _nothing(timing, "due_by_of"),
)
_plant(
    "wait-until-is-ignored",
    "4: wait_until, otherwise run, skip or fail",
    lambda: _nothing(timing, "wait_until_of"),
    lambda: _nothing(readiness, "wait_until_of"),
)
_plant(
    "it-wakes-a-minute-late",
    "4: a task starts when its instant has come",
    lambda: _instead(
        Engine,
        "_wake",
        lambda original, self: [
            WakeAt(at=one.at and one.at + timedelta(minutes=1)) for one in original(self)
        ],
    ),
)

# -- write first, act second ------------------------------------------------------------------

_plant(
    "an-act-before-its-write",
    "8: a kill -9 starts none twice: write first, act second",
    lambda: _instead(Loop, "_keep", lambda original, self, *given: _kept_later(self, *given)),
    lambda: _instead(Loop, "step", lambda original, self: _step_then_keep(original, self)),
)
_LATER: list[tuple[list[Record], RegistryText | None]] = []


def _kept_later(self: Loop, records: list[Record], registry: RegistryText | None) -> None:
    _LATER[:] = [(records, registry)]


def _step_then_keep(original: Function, self: Loop) -> None:
    original(self)
    for records, registry in _LATER:
        self._store.apply(records, registry)
    _LATER.clear()


_plant(
    "a-kill-before-its-write",
    "8: no decision is lost",
    lambda: _instead(
        asks,
        "replace",
        lambda original, task, **changes: original(
            task, **{key: value for key, value in changes.items() if key != "ending"}
        ),
    ),
)
_plant(
    "an-end-is-dropped-before-its-write",
    "8: the next start learns how they ended",
    lambda: _instead(
        Loop, "_end_of", lambda original, self, ended, now: _dropped(original, self, ended, now)
    ),
)


def _dropped(original: Function, self: Loop, ended: Any, now: Any) -> Any:
    self._executor.forget(ended.task, ended.attempt)
    return original(self, ended, now)


def _forgiving(original: Function, self: Any, *given: Any) -> None:
    try:
        original(self, *given)
    except StoreError:
        return


_plant(
    "a-full-disk-is-forgiven",
    "8: a full disk: said clearly, survived, nothing lost",
    lambda: _instead(FragileMemoryStore, "apply", _forgiving),
)
_plant(
    "a-kill-is-forgotten",
    "6: cancel kills the tree",
    lambda: _instead(
        Loop,
        "_carry_out",
        lambda original, self, command: (
            None if type(command).__name__ == "KillAttempt" else original(self, command)
        ),
    ),
)
_plant(
    "a-start-is-forgotten",
    "8: loses no task",
    lambda: _instead(
        Loop,
        "_start_attempt",
        lambda original, self, start: None if start.attempt == 2 else original(self, start),
    ),
)
_plant(
    "nobody-is-answered",
    "6: each verb returns an answer",
    lambda: _nothing(Replies, "send"),
)
_plant(
    "sleep-goes-unnoticed",
    "4: what was late after sleep takes at most one slot a core",
    lambda: _nothing(Loop, "_has_slept", False),
)
_plant(
    "a-stop-goes-on-starting",
    "6: stop: no new starts",
    lambda: _instead(
        Engine, "_stop", lambda original, self, event: _serving_on(original, self, event)
    ),
)


def _serving_on(original: Function, self: Engine, event: Any) -> Any:
    acts = original(self, event)
    self._is_serving = True
    return acts


_plant(
    "a-stop-waits-for-nobody",
    "6: stop waits for running tasks",
    lambda: _changed(Engine, "is_idle", lambda _: property(lambda self: True)),
)
_plant(
    "a-reload-recalls-nothing",
    "6: waiting tasks are bound anew at a reload",
    lambda: _instead(
        Loop, "_reload", lambda original, *given: replace(original(*given), records=())
    ),
)

# -- recovery ---------------------------------------------------------------------------------

_plant(
    "a-fence-is-left-out",
    "8: starts none twice: a child that has not begun must find its door shut",
    lambda: _instead(
        MachineExecutor,
        "__init__",
        lambda original, self, *given: _doors_open(original, self, given),
    ),
)


def _doors_open(original: Function, self: MachineExecutor, given: tuple[Any, ...]) -> None:
    doors = dict(given[0].doors)
    original(self, *given)
    given[0].doors.update(doors)


def _event_for(before: type[Any], after: Callable[[Any], Any]) -> AbstractContextManager[None]:
    """Take one thing that recovery finds for another."""

    def changed(original: Function, *given: Any, **named: Any) -> Any:
        found = original(*given, **named)
        events = tuple(after(one) if isinstance(one, before) else one for one in found.events)
        return replace(found, events=tuple(one for one in events if one is not None))

    return _instead(wiring, "take_up", changed)


_plant(
    "what-never-began-is-lost",
    "8: loses no task",
    lambda: _event_for(
        AttemptNeverBegan,
        lambda one: AttemptLost(at=one.at, task=one.task, attempt=one.attempt),
    ),
)
_plant(
    "what-is-lost-is-begun-again",
    "8: lost, may have run, and runs again only as retries allow",
    lambda: _event_for(
        AttemptLost,
        lambda one: AttemptNeverBegan(at=one.at, task=one.task, attempt=one.attempt),
    ),
)
_plant(
    "what-is-lost-has-succeeded",
    "8: what cannot be known is never called succeeded",
    lambda: _event_for(
        AttemptLost,
        lambda one: AttemptExited(at=one.at, task=one.task, attempt=one.attempt, code=0),
    ),
)
_plant(
    "what-has-ended-is-begun-again",
    "8: the next start learns how they ended, also if they ended in between",
    lambda: _event_for(
        AttemptExited,
        lambda one: AttemptNeverBegan(at=one.at, task=one.task, attempt=one.attempt),
    ),
)
_plant(
    "what-has-ended-is-passed-over",
    "8: the next start learns how they ended, also if they ended in between",
    lambda: _event_for(AttemptExited, lambda one: None),
)
_plant(
    "a-boot-goes-unnoticed",
    "8: after a crash of the machine an attempt without a record is lost",
    lambda: _instead(
        wiring,
        "take_up",
        lambda original, *given, **named: original(*given, **{**named, "is_same_boot": True}),
    ),
)
_plant(
    "a-boot-is-noted-too-early",
    "8: after a crash of the machine no decision is lost",
    lambda: _instead(EngineRoom, "begin", lambda original, self: _noted_first(original, self)),
)


def _noted_first(original: Function, self: EngineRoom) -> None:
    self.store.keep_note(BOOT_NOTE, self.boot_id)
    original(self)


_plant(
    "what-runs-is-not-adopted",
    "8: running scripts go on; the next start adopts them",
    lambda: _instead(
        MachineExecutor,
        "find",
        lambda original, self, task, attempt: _gone(original(self, task, attempt)),
    ),
)


def _gone(found: Found | None) -> Found | None:
    return None if found is not None and found.is_running else found


_plant(
    "ends-of-what-is-adopted-are-ignored",
    "8: the next start learns how they ended",
    lambda: _instead(
        Loop,
        "start",
        lambda original, self, taken_up, started: original(
            self, replace(taken_up, running=()), started
        ),
    ),
)
_plant(
    "a-cancel-does-not-survive",
    "8: no decision is lost",
    lambda: _instead(
        recovery,
        "end_of",
        lambda original, *given, **_: original(*given),
    ),
)
_plant(
    "a-cancel-is-not-taken-up",
    "8: no decision is lost",
    lambda: _instead(Engine, "_start", lambda original, self, event: original(self, event)[:0]),
)
_plant(
    "what-is-to-end-begins-at-last",
    "8: no decision is lost",
    lambda: _instead(
        Engine,
        "_begin_at_last",
        lambda original, self, event: _begun_all_the_same(original, self, event),
    ),
)


def _begun_all_the_same(original: Function, self: Engine, event: Any) -> Any:
    entry = self._board.live.get(event.task)
    if entry is not None and entry.task.ending is not None:
        return [self._order(entry.task)]
    return original(self, event)


def _restored_without(**changes: Any) -> AbstractContextManager[None]:
    return _instead(
        wiring,
        "restored",
        lambda original, *given: replace(original(*given), **changes),
    )


_plant(
    "a-restart-forgets-pauses",
    "8: no decision is lost",
    lambda: _restored_without(pauses=()),
)
_plant(
    "a-restart-forgets-what-is-cancelled-ahead",
    "6: cancel of what is not yet due is recorded when its instant comes",
    lambda: _restored_without(ahead=()),
)
_plant(
    "a-restart-forgets-what-has-ended",
    "8: no decision is lost",
    lambda: _restored_without(ended=()),
)
_plant(
    "a-restart-forgets-what-was-skipped",
    "8: no decision is lost",
    lambda: _restored_without(runs=()),
)
_plant(
    "a-restart-forgets-what-waits",
    "8: loses no task",
    lambda: _instead(
        wiring,
        "restored",
        lambda original, *given: _only(
            original(*given), lambda task: task.state is not TaskState.BLOCKED
        ),
    ),
)


def _only(snapshot: Any, wanted: Callable[[Any], bool]) -> Any:
    return replace(snapshot, live=tuple(task for task in snapshot.live if wanted(task)))


# -- the store --------------------------------------------------------------------------------


def _kept_but(dropped: Callable[[Record], bool]) -> AbstractContextManager[None]:
    """Let the store keep all but some records, of which it says that they were kept."""

    def changed(
        original: Function,
        self: FragileMemoryStore,
        records: Sequence[Record],
        registry: RegistryText | None,
    ) -> None:
        self.disk.write("apply")
        MemoryStore.apply(self, [one for one in records if not dropped(one)], registry)
        self.disk.written(records)
        self.disk.point("after apply")

    return _instead(FragileMemoryStore, "apply", changed)


_plant(
    "a-write-is-half-done",
    "8: a transaction is kept whole, or not at all",
    lambda: _instead(
        FragileMemoryStore,
        "apply",
        lambda original, self, *given: _halved(original, self, *given),
    ),
)


def _halved(
    original: Function,
    self: FragileMemoryStore,
    records: Sequence[Record],
    registry: RegistryText | None,
) -> None:
    try:
        original(self, records, registry)
    except Killed:
        MemoryStore.apply(self, records[: len(records) // 2], registry)
        raise


_plant(
    "the-store-keeps-split-runs",
    "4: each instant has exactly one fate",
    lambda: _kept_but(lambda one: isinstance(one, ForgetRun)),
)
_plant(
    "the-store-loses-pauses",
    "8: no decision is lost",
    lambda: _kept_but(lambda one: isinstance(one, RecordPause)),
)
_plant(
    "the-store-loses-successes",
    "8: no decision is lost",
    lambda: _kept_but(lambda one: isinstance(one, RecordRoutine) and bool(one.state.last_success)),
)
_plant(
    "the-store-forgets-where-it-was",
    "4: each instant has exactly one fate",
    lambda: _kept_but(lambda one: isinstance(one, RecordPlannedUntil)),
)
_plant(
    "the-store-notes-nothing",
    "8: a crash of the scheduler is no crash of the machine",
    lambda: _nothing(FragileMemoryStore, "keep_note"),
)

# -- another registry -------------------------------------------------------------------------

_plant(
    "missed-instants-of-an-old-trigger-vanish",
    "4: missed instants of the old trigger are skipped, schedule changed",
    lambda: _nothing(reconcile, "_settle_missed"),
)
_plant(
    "a-removed-routine-stays",
    "6: those of a removed routine are skipped",
    lambda: _nothing(reconcile, "_remove"),
)
_plant(
    "a-new-routine-is-known-since-yesterday",
    "4: a routine that is new begins now",
    lambda: _instead(
        reconcile,
        "_know",
        lambda original, board, name, text, enabled, zone, at: (
            original(board, name, text, enabled, zone, at)
            if name in board.routines
            else board.set_routine(
                RoutineState(
                    name=name,
                    known_since=at - timedelta(days=1),
                    trigger=text,
                    enabled=enabled,
                    zone=zone,
                )
            )
        ),
    ),
)
_plant(
    "needs-are-not-bound-anew",
    "6: waiting tasks use the new definition and are bound anew",
    lambda: _instead(
        reconcile,
        "bind",
        lambda original, board, entry, needs, *rest: original(board, entry, (), *rest),
    ),
)
_plant(
    "a-changed-trigger-goes-unnoticed",
    "4: a routine whose trigger changed begins now",
    lambda: _instead(
        reconcile, "trigger_texts", lambda original, registry: _same(original(registry))
    ),
    lambda: _instead(
        recovery, "trigger_texts", lambda original, registry: _same(original(registry))
    ),
)


def _same(texts: Iterable[str]) -> dict[str, str]:
    return dict.fromkeys(texts, "some trigger")


_plant(
    "a-fresh-start-is-stale",
    "6: --fresh skips all that is due, blocked or ready",
    lambda: _nothing(engine, "start_afresh"),
)


# -- what falls due together -------------------------------------------------------------------


def _as_if_all_were_planned(original: Function, self: Engine, *given: Any) -> Any:
    board, batch = self._board, self._batch
    withheld, board.withheld, self._batch = board.withheld, {}, None
    try:
        return original(self, *given)
    finally:
        board.withheld, self._batch = withheld, batch


_plant(
    "what-is-not-planned-counts-as-planned",
    "8: each instant has one fate, whenever the scheduler is killed",
    lambda: _instead(Engine, "_records", _as_if_all_were_planned),
)
_plant(
    "the-first-planned-starts-first",
    "4: higher priority first, then the older place",
    lambda: _instead(Engine, "_admit", _as_if_all_were_planned),
)
