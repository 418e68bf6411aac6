"""The engine's state: tasks that are not ended, fates that may still be asked for, and indexes.

The only mutable thing of the engine.  It keeps its indexes true and remembers what changed; the
rules are in `readiness`, `planning`, `admission` and `asks`, the order of their calls in `engine`.

Cost matters here: what an event touches may depend on what waits for the task it names, never on
how many routines or ended tasks there are.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from heapq import heappop, heappush
from typing import TypedDict, Unpack

from scheduler.engine.states import TRANSITIONS, UNSTARTED, Cause, TaskState
from scheduler.engine.task import (
    Attempt,
    Origin,
    Pause,
    PauseScope,
    RoutineState,
    SkippedRun,
    Task,
    TaskId,
)
from scheduler.registry.deadlines import Deadline
from scheduler.registry.registry import Registry
from scheduler.registry.routine import On, Otherwise
from scheduler.zones import to_instant

#: what a task waits for, once covers have been followed
Target = tuple[TaskId, On]
#: (the waiting task, the number of its need)
Link = tuple[TaskId, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One task that a task waits for, as bound by the registry."""

    task: TaskId
    on: On
    takes_stand_in: bool = False
    wait_until: Deadline | None = None
    otherwise: Otherwise = Otherwise.RUN
    is_own: bool = False  # of the same routine


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a need stands: met, still open, lost, or moot, which is not needed any more."""

    kind: str  # one of MET, OPEN, LOST, MOOT
    target: TaskId  # the task waited for, covers followed
    why: str = ""
    root: TaskId | None = None  # of a lost one: where the trouble began
    stand_in: TaskId | None = None


MET, OPEN, LOST, MOOT = "met", "open", "lost", "moot"


@dataclass(slots=True)
class Numbers:
    """Numbers of needs, of which the lowest is asked for: it does not tell how they got in."""

    _all: dict[int, None] = field(default_factory=dict[int, None])
    _heap: list[int] = field(default_factory=list[int])

    def __len__(self) -> int:
        return len(self._all)

    def add(self, number: int) -> None:
        """Put a number in."""
        if number not in self._all:
            self._all[number] = None
            heappush(self._heap, number)

    def discard(self, number: int) -> None:
        """Take a number out, if it is in."""
        self._all.pop(number, None)

    def lowest(self) -> int:
        """Return the lowest number; there must be one."""
        while self._heap[0] not in self._all:
            heappop(self._heap)
        return self._heap[0]


@dataclass(slots=True, kw_only=True)
class Entry:
    """A task that is not ended, with what it waits for."""

    task: Task
    needs: tuple[Need, ...] = ()
    takes_any: bool = False  # one of its needs is enough
    standings: list[Standing] = field(default_factory=list[Standing])
    unmet: dict[Target, int] = field(default_factory=dict[Target, int])  # with how many needs
    opens: Numbers = field(default_factory=Numbers)
    losts: Numbers = field(default_factory=Numbers)
    moots: Numbers = field(default_factory=Numbers)
    expired: dict[int, None] = field(default_factory=dict[int, None])  # their wait_until passed
    is_late: bool = False  # runs in one of the slots for what was late
    pool: str | None = None  # while it runs: the pool whose slots it takes,
    pool_slots: int = 0  # and how many, whatever the registry says by now

    @property
    def outstanding(self) -> Set[Target]:
        """Return what it still waits for; one that asks for any dependency stops at the first."""
        return frozenset() if self.takes_any and self._has_met else self.unmet.keys()

    @property
    def is_stuck(self) -> bool:
        """Return whether what it waits for will not come by itself."""
        if not self.takes_any:
            return bool(self.losts)
        return bool(self.losts) and not self.opens and not self._has_met

    @property
    def is_moot(self) -> bool:
        """Return whether what it asks about will not be needed any more."""
        if not self.takes_any:
            return bool(self.moots)
        return bool(self.moots) and not self.opens and not self.losts and not self._has_met

    @property
    def given_up(self) -> int | None:
        """Return the need that was waited for in vain and decides on the task; None if none did."""
        if self.takes_any and self._has_met:
            return None
        for number in self.expired:  # in the order of their moments
            if self.needs[number].otherwise is not Otherwise.RUN:
                if self.standings[number].kind in (OPEN, LOST):
                    return number
        return None

    @property
    def _has_met(self) -> bool:
        return len(self.standings) > len(self.opens) + len(self.losts) + len(self.moots)

    @property
    def is_unstarted(self) -> bool:
        """Return whether no attempt of it is under way."""
        return self.task.state in UNSTARTED

    @property
    def heeds_needs(self) -> bool:
        """Return whether what it waits for decides on it: not by hand, and never tried."""
        return self.is_unstarted and not self.task.by_hand and not self.task.tries

    @property
    def keeps_its_turn(self) -> bool:
        """Return whether the backlog rule applies: it is due by the registry alone."""
        return self.heeds_needs and self.task.origin is not Origin.BACKFILL

    @property
    def holds_overlap(self) -> bool:
        """Return whether no other task of its routine may run beside it."""
        task = self.task
        return task.state is TaskState.RUNNING or (self.is_unstarted and task.tries > 0)


class Changes(TypedDict, total=False):
    """Fields of a task that may change together with its state."""

    attempts: tuple[Attempt, ...]
    cover: TaskId | None
    root: TaskId | None
    by_hand: bool
    arguments: str | None
    place: datetime
    stand_ins: tuple[tuple[TaskId, TaskId], ...]
    tries: int
    retry_at: datetime | None
    ending: Cause | None


class TimerKind(StrEnum):
    """What is to happen when a timer goes off."""

    RETRY = "retry"
    TIMEOUT = "timeout"
    START_BY = "start_by"
    DUE_BY = "due_by"
    WAIT_UNTIL = "wait_until"
    RESUME = "resume"

    @property
    def turn(self) -> int:
        """Return its place among those that go off at one moment."""
        return tuple(TimerKind).index(self)


#: (kind, rank and name of the routine, instant, number)
TimerTurn = tuple[int, int, str, datetime, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """Something that happens at a moment, unless it is pointless by then."""

    kind: TimerKind
    task: TaskId | None = None
    number: int = 0  # of the attempt, or of the need
    pause: tuple[PauseScope, str] | None = None


#: (moment, turn, number, timer), as it stands in a heap
TimerItem = tuple[datetime, TimerTurn, int, Timer]


class Board:
    """All that the engine knows.  Dicts keep the order in which things were put in: no chance."""

    def __init__(self, registry: Registry, planned_until: datetime) -> None:
        self.registry = registry
        self.rank = {name: number for number, name in enumerate(registry.order)}
        self.planned_until = planned_until
        # Routines that are being planned, with up to when all had been planned before; those of
        # them that are still to come; and timers of their tasks.
        self.withheld: dict[str, datetime] = {}
        self.behind: dict[str, datetime] = {}
        self.put_off: dict[TaskId, list[TimerItem]] = {}
        self.since = planned_until  # of the start or the last wake: what is older is late
        self.routines: dict[str, RoutineState] = {}
        self.live: dict[TaskId, Entry] = {}
        self.ended: dict[str, dict[datetime, Task]] = {}
        self.runs: dict[str, list[SkippedRun]] = {}
        self.ahead: dict[TaskId, None] = {}  # to be cancelled when their instants come
        self.unstarted: dict[str, list[datetime]] = {}  # those that keep their turn, in order
        self.apart: dict[str, dict[TaskId, None]] = {}  # the other live ones
        self.running: dict[str, dict[TaskId, None]] = {}
        self.running_count = 0
        self.running_late = 0  # of those, in the slots for what was late
        self.holding: dict[str, dict[TaskId, None]] = {}  # tasks that allow no other beside them
        self.pool_used: dict[str, int] = {}
        self.pauses: dict[tuple[PauseScope, str], Pause] = {}
        self.timers: list[TimerItem] = []  # a heap
        self.waits: list[TimerItem] = []  # the same, of wait_until
        self._timers_set = 0
        self.freed: dict[str, None] = {}  # routines of which an attempt ended
        # upstream routine -> instant -> downstream routine -> links
        self.waiters: dict[str, dict[datetime, dict[str, dict[Link, None]]]] = {}
        self.wanting_stand_in: dict[str, dict[Link, None]] = {}
        # routine -> task -> the numbers of its needs that must be looked up again
        self.dirty: dict[str, dict[TaskId, dict[int, None]]] = {}
        self.attention: list[tuple[int, str]] = []  # a heap: routines that a pass must come to
        self.made_ready: dict[TaskId, None] = {}  # or given another place
        self.made_unready: dict[TaskId, None] = {}
        self.changed_tasks: dict[TaskId, None] = {}
        self.changed_runs: dict[tuple[str, datetime], SkippedRun | None] = {}
        self.changed_routines: dict[str, None] = {}
        self.changed_ahead: dict[TaskId, bool] = {}
        self.changed_pauses: dict[tuple[PauseScope, str], Pause | None] = {}

    def adopt_registry(self, registry: Registry) -> None:
        """Go on with another registry."""
        self.registry = registry
        self.rank = {name: number for number, name in enumerate(registry.order)}
        self.attention = []
        for name in self.dirty:  # in the new order
            self.attend(name)

    # -- what there is ---------------------------------------------------------------------

    def task(self, id: TaskId) -> Task | None:
        """Return the record of a task, if the engine still has it."""
        entry = self.live.get(id)
        if entry is not None:
            return entry.task
        return self.ended.get(id.routine, {}).get(id.instant)

    def run_of(self, id: TaskId) -> SkippedRun | None:
        """Return the run of skipped instants that the task lies in, if the engine still has it."""
        runs = self.runs.get(id.routine)
        if not runs:
            return None
        index = bisect_right(runs, id.instant, key=lambda run: run.first)
        return runs[index - 1] if index and runs[index - 1].holds(id.instant) else None

    def cover_of(self, id: TaskId) -> TaskId | None:
        """Return the newer task that runs in place of this one, if one does."""
        task = self.task(id)
        if task is not None:
            return task.cover if task.cause is Cause.COVERED else None
        run = self.run_of(id)
        return run.cover if run is not None else None

    def planned_until_of(self, name: str) -> datetime:
        """Return up to when each instant of a routine has its fate, or is on its way to one."""
        return self.behind.get(name, self.planned_until)

    def is_recorded(self, id: TaskId) -> bool:
        """Return whether the task has a fate or is on its way to one."""
        return self.task(id) is not None or self.run_of(id) is not None

    def newest_unstarted(self, routine: str) -> TaskId | None:
        """Return the newest due task of a routine that keeps its turn."""
        instants = self.unstarted.get(routine)
        return TaskId(routine, instants[-1]) if instants else None

    # -- changes ---------------------------------------------------------------------------

    def add(self, task: Task, needs: tuple[Need, ...] = ()) -> Entry:
        """Take in a task that is not ended."""
        entry = self.live[task.id] = Entry(task=task, needs=needs)
        if task.state is TaskState.RUNNING and task.routine in self.registry:
            routine = self.registry[task.routine]  # it runs since before the start
            entry.pool, entry.pool_slots = routine.pool, routine.pool_slots
        self.ended.get(task.routine, {}).pop(task.instant, None)
        self._index(entry)
        self.changed_tasks[task.id] = None
        return entry

    def move(
        self, entry: Entry, cause: Cause, reason: str, at: datetime, **changes: Unpack[Changes]
    ) -> None:
        """Bring a task to the state that the table gives; a move that it lacks is our mistake."""
        task = entry.task
        state = TRANSITIONS[task.state, cause]
        self._unindex(entry)
        if state.is_end:
            changes["retry_at"] = None
        entry.task = replace(
            task,
            state=state,
            cause=cause,
            reason=reason,
            changed_at=at if state is not task.state else task.changed_at,
            **{"root": None, **changes},  # type: ignore[arg-type]  # mypy: no TypedDict in **
        )
        self.changed_tasks[task.id] = None
        if state is TaskState.RUNNING or state.is_end or entry.task.by_hand:
            self.set_needs(entry, ())  # it waits for nothing any more
        if state.is_end:
            del self.live[task.id]
            self.keep_ended(entry.task)
        else:
            self._index(entry)
        self.touch(task.id)

    def keep_ended(self, task: Task) -> None:
        """Take in a task that is ended, for what may still wait for it."""
        self.ended.setdefault(task.routine, {})[task.instant] = task
        if task.state is TaskState.SUCCEEDED:
            self._note_success(task.id)

    def recall(self, record: Task | SkippedRun) -> None:
        """Take in what the store holds of an end, if it has been forgotten here."""
        if isinstance(record, Task):
            if record.state.is_end and self.task(record.id) is None:
                self.keep_ended(record)
        elif self.run_of(TaskId(record.routine, record.last)) is None:
            insort(self.runs.setdefault(record.routine, []), record, key=lambda one: one.first)

    def put(self, task: Task) -> None:
        """Keep a record that differs in nothing that others depend on."""
        entry = self.live.get(task.id)
        if entry is not None:
            entry.task = task
        else:
            self.ended.setdefault(task.routine, {})[task.instant] = task
        self.changed_tasks[task.id] = None

    def _note_success(self, id: TaskId) -> None:
        state = self.routines.get(id.routine)
        if state is None or (state.last_success is not None and state.last_success >= id.instant):
            return
        self.set_routine(replace(state, last_success=id.instant))
        for link in list(self.wanting_stand_in.get(id.routine, ())):
            self._soil(link)

    def set_routine(self, state: RoutineState) -> None:
        """Keep what is remembered of a routine."""
        self.routines[state.name] = state
        self.changed_routines[state.name] = None

    def skip_run(self, run: SkippedRun) -> None:
        """Keep a run of skipped instants; it continues the one before it where it can."""
        runs = self.runs.setdefault(run.routine, [])
        last = runs[-1] if runs else None
        if last is not None and self._continues(last, run):
            run = replace(run, first=last.first, count=last.count + run.count)
            runs[-1] = run
        else:
            insort(runs, run, key=lambda one: one.first)
        self.changed_runs[run.routine, run.first] = run
        for instant in list(self.waiters.get(run.routine, ())):
            if run.holds(instant):
                self.touch(TaskId(run.routine, instant))

    def _continues(self, last: SkippedRun, run: SkippedRun) -> bool:
        if not last.cause is run.cause is Cause.DISABLED:
            return False
        if last.first <= self.routines[run.routine].known_since:
            return False  # of an older trigger
        following = self.registry.triggers.next(run.routine, to_instant(last.last))
        return following == to_instant(run.first)

    def drop_ahead(self, id: TaskId) -> bool:
        """Forget that a task is to be cancelled; return whether it was."""
        if id not in self.ahead:
            return False
        del self.ahead[id]
        self.changed_ahead[id] = True
        return True

    def take_from_run(self, run: SkippedRun, parts: tuple[SkippedRun, ...]) -> None:
        """Replace a run by what is left of it once one of its instants has a record of its own."""
        runs = self.runs.setdefault(run.routine, [])
        if run in runs:
            runs.remove(run)
        self.changed_runs[run.routine, run.first] = None
        for part in parts:
            insort(runs, part, key=lambda one: one.first)
            self.changed_runs[part.routine, part.first] = part

    def set_timer(self, at: datetime, timer: Timer) -> None:
        """Let a timer go off at a moment."""
        self._timers_set += 1
        heap = self.waits if timer.kind is TimerKind.WAIT_UNTIL else self.timers
        heappush(heap, (at, self._turn_of(timer), self._timers_set, timer))

    def withhold(self, names: Iterable[str], after: datetime) -> None:
        """Let what falls due of these routines wait until all of it is planned."""
        self.withheld = dict.fromkeys(names, after)
        self.behind = self.withheld.copy()

    def release(self) -> None:
        """Let what was withheld have its turn, and the timers that were put off go off."""
        self.freed.update(dict.fromkeys(self.withheld))
        self.withheld.clear()
        for items in self.put_off.values():
            for item in items:
                heappush(self.timers, item)
        self.put_off.clear()

    def _turn_of(self, timer: Timer) -> TimerTurn:
        """Return the turn of a timer among those of one moment, which no restart changes."""
        id = timer.task
        if id is None:
            return timer.kind.turn, -1, "", self.planned_until, 0
        rank = self.rank.get(id.routine, -1)
        return timer.kind.turn, rank, id.routine, id.instant, timer.number

    def pause_of(self, name: str) -> Pause | None:
        """Return a pause that holds for the routine, if one does."""
        if not self.pauses or name not in self.registry:
            return None
        keys = [(PauseScope.ALL, ""), (PauseScope.ROUTINE, name)]
        keys += [(PauseScope.TAG, tag) for tag in self.registry[name].tags]
        return next((self.pauses[key] for key in keys if key in self.pauses), None)

    # -- who waits for whom ----------------------------------------------------------------

    def touch(self, id: TaskId) -> None:
        """Note that what waits for the task must look again."""
        for links in self.waiters.get(id.routine, {}).get(id.instant, {}).values():
            for link in links:
                self._soil(link)

    def soil_unstarted(self, name: str) -> None:
        """Note that the routine's tasks that have not started must be decided on again."""
        for instant in self.unstarted.get(name, ()):
            self.soil(TaskId(name, instant))
        for id in self.apart.get(name, ()):
            if self.live[id].is_unstarted:
                self.soil(id)

    def touch_routine(self, name: str) -> None:
        """Note that all that waits for tasks of the routine must look again, from the beginning."""
        for waiter in dict.fromkeys(waiter for waiter, _ in self._links(name)):
            entry = self.live[waiter]
            self.set_needs(entry, entry.needs)
            self.soil(waiter).update(dict.fromkeys(range(len(entry.needs))))

    def wanted(self, name: str) -> list[datetime]:
        """Return the routine's instants that are waited for, and what covers them, in order."""
        found: dict[datetime, None] = {}
        for waiter, number in self._links(name):
            id: TaskId | None = self.live[waiter].needs[number].task
            while id is not None and id.instant not in found:
                found[id.instant] = None
                id = self.cover_of(id)
        return sorted(found)

    def _links(self, name: str) -> Iterator[Link]:
        for by_routine in self.waiters.get(name, {}).values():
            for links in by_routine.values():
                yield from links

    def _soil(self, link: Link) -> None:
        waiter, number = link
        entry = self.live.get(waiter)
        if entry is not None and number < len(entry.standings):
            self.soil(waiter)[number] = None

    def soil(self, id: TaskId) -> dict[int, None]:
        """Note that a task must be decided on again; return the needs to look up first."""
        if id.routine not in self.dirty:
            self.attend(id.routine)
        return self.dirty.setdefault(id.routine, {}).setdefault(id, {})

    def attend(self, name: str) -> None:
        """Note that the pass must come to a routine, in its turn: upstream first."""
        heappush(self.attention, (self.rank.get(name, -1), name))

    def stand(self, entry: Entry, number: int, standing: Standing) -> None:
        """Keep how one need of a task stands."""
        link = (entry.task.id, number)
        if number < len(entry.standings):
            self._forget_standing(entry, number)
            entry.standings[number] = standing
        else:
            entry.standings.append(standing)
        need, target = entry.needs[number], standing.target
        by_instant = self.waiters.setdefault(target.routine, {})
        by_routine = by_instant.setdefault(target.instant, {})
        by_routine.setdefault(link[0].routine, {})[link] = None
        if standing.kind == MET:
            return
        key = (target, need.on)
        entry.unmet[key] = entry.unmet.get(key, 0) + 1
        kinds = {OPEN: entry.opens, LOST: entry.losts, MOOT: entry.moots}
        kinds[standing.kind].add(number)
        if need.takes_stand_in and standing.kind == LOST:
            self.wanting_stand_in.setdefault(need.task.routine, {})[link] = None

    def _forget_standing(self, entry: Entry, number: int) -> None:
        link, old, need = (entry.task.id, number), entry.standings[number], entry.needs[number]
        target = old.target
        by_instant = self.waiters[target.routine]
        by_routine = by_instant[target.instant]
        links = by_routine[entry.task.routine]
        links.pop(link, None)
        if not links:
            del by_routine[entry.task.routine]
            if not by_routine:
                del by_instant[target.instant]
        if old.kind == MET:
            return
        key = (target, need.on)
        entry.unmet[key] -= 1
        if not entry.unmet[key]:
            del entry.unmet[key]
        for kind in (entry.opens, entry.losts, entry.moots):
            kind.discard(number)
        self.wanting_stand_in.get(need.task.routine, {}).pop(link, None)

    def set_needs(self, entry: Entry, needs: tuple[Need, ...]) -> None:
        """Give a task other needs; their standings must follow."""
        for number in range(len(entry.standings)):
            self._forget_standing(entry, number)
        entry.needs, entry.standings = needs, []
        self.dirty.get(entry.task.routine, {}).get(entry.task.id, {}).clear()

    def sharing(self, entry: Entry, target: Target) -> Iterator[Entry]:
        """Yield the other tasks of the routine that wait for the same."""
        id, _ = target
        links = self.waiters.get(id.routine, {}).get(id.instant, {}).get(entry.task.routine, {})
        for waiter in dict.fromkeys(waiter for waiter, _ in links):
            other = self.live.get(waiter)
            if other is not None and other is not entry and target in other.outstanding:
                yield other

    # -- indexes ---------------------------------------------------------------------------

    def _index(self, entry: Entry) -> None:
        task = entry.task
        if entry.keeps_its_turn:
            insort(self.unstarted.setdefault(task.routine, []), task.instant)
        else:
            self.apart.setdefault(task.routine, {})[task.id] = None
        if task.state is TaskState.RUNNING:
            self.running.setdefault(task.routine, {})[task.id] = None
            self.running_count += 1
            self.running_late += entry.is_late
            if entry.pool is not None:
                self.pool_used[entry.pool] = self.pool_used.get(entry.pool, 0) + entry.pool_slots
        elif task.state is TaskState.READY:
            self.made_ready[task.id] = None
        if entry.holds_overlap:
            self.holding.setdefault(task.routine, {})[task.id] = None

    def _unindex(self, entry: Entry) -> None:
        task = entry.task
        if entry.keeps_its_turn:
            instants = self.unstarted[task.routine]
            index = bisect_left(instants, task.instant)
            if index < len(instants) and instants[index] == task.instant:
                del instants[index]
            if not instants:
                del self.unstarted[task.routine]
        else:
            apart = self.apart[task.routine]
            del apart[task.id]
            if not apart:
                del self.apart[task.routine]
        if task.state is TaskState.RUNNING:
            running = self.running[task.routine]
            del running[task.id]
            if not running:
                del self.running[task.routine]
            self.running_count -= 1
            self.running_late -= entry.is_late
            if entry.pool is not None:
                self.pool_used[entry.pool] -= entry.pool_slots
        if entry.holds_overlap:
            self.holding[task.routine].pop(task.id)
            if not self.holding[task.routine]:
                del self.holding[task.routine]
            self.freed[task.routine] = None
        if task.state is TaskState.READY:
            self.made_unready[task.id] = None

    def withdraw(self, entry: Entry) -> None:
        """Take back a task that was planned in this very pass: nobody has seen it."""
        self.set_needs(entry, ())
        self._unindex(entry)
        id = entry.task.id
        del self.live[id]
        self.changed_tasks.pop(id, None)
        self.dirty.get(id.routine, {}).pop(id, None)

    def give_place(self, entry: Entry, oldest: datetime) -> None:
        """Let a cover take the place in the queue of the oldest task that it covers."""
        entry.task = replace(entry.task, place=min(entry.task.place, oldest))
        self.changed_tasks[entry.task.id] = None
        if entry.task.state is TaskState.READY:
            self.made_ready[entry.task.id] = None

    def origin_of(self, name: str) -> Origin:
        """Return the origin of the tasks that the registry yields for a routine."""
        return Origin.ROUND if self.registry[name].is_by_rounds else Origin.SCHEDULED
