"""Which ready tasks get a slot, and in what order (SPEC 4).

Higher priority first; then by hand, then what fell due since the start or the last wake, then what
was late by then, then backfill; among those the older place, then the name.  A routine without
overlap has one task under way at most, a pool as many slots taken as it has.  What was late takes
at most one slot a core, so that an outage ends gently.

Each routine has a queue of its own, of which only the head stands in the common one: a backlog
of a hundred thousand tasks costs no more than a short one.  There is a common queue for each number
of slots of each pool, so that who lacks them holds up nobody else, and ten thousand who lack them
cost no more than one.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from heapq import heappop, heappush

from scheduler.engine.board import Board, Entry
from scheduler.engine.states import TaskState
from scheduler.engine.task import Origin, TaskId
from scheduler.registry.routine import Overlap

#: Routines of which a pass plans what has fallen due: few milliseconds, in which no end is seen to.
PLANNED_AT_ONCE = 50


class Lane(IntEnum):
    """The order in which tasks of one priority are given slots."""

    BY_HAND = 0
    DUE = 1
    LATE = 2
    BACKFILL = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many attempts may run at once."""

    max_running: int
    late: int  # of those, how many that were late at start or wake: one a core
    planned_at_once: int = PLANNED_AT_ONCE  # of so many routines, before ends are seen to


#: (priority, the highest first; lane; place; routine)
Head = tuple[int, Lane, datetime, str]
#: which heads compete: those that want so many slots of one pool, late or not
Group = tuple[str, int, bool]
_Item = tuple[int, datetime, datetime, int, TaskId]


@dataclass(slots=True)
class Queue:
    """The ready tasks in the order of their starts."""

    _tasks: dict[str, list[_Item]] = field(default_factory=dict[str, list[_Item]])
    _tickets: dict[TaskId, tuple[int, Lane, datetime]] = field(
        default_factory=dict[TaskId, tuple[int, Lane, datetime]]
    )
    _heads: dict[str, tuple[Group, Head]] = field(default_factory=dict[str, tuple[Group, Head]])
    _common: dict[Group, list[Head]] = field(default_factory=dict[Group, list[Head]])
    _issued: int = 0

    def push(self, board: Board, id: TaskId, lane: Lane, place: datetime) -> None:
        """Put a task in its place; one that stands there already is moved."""
        self._issued += 1
        self._tickets[id] = (self._issued, lane, place)
        item = (_turn(board, id, lane), place, id.instant, self._issued, id)
        heappush(self._tasks.setdefault(id.routine, []), item)
        self.offer(board, id.routine)

    def drop(self, board: Board, id: TaskId) -> None:
        """Take a task out."""
        if self._tickets.pop(id, None) is not None:
            self.offer(board, id.routine)

    def first_of(self, routine: str) -> TaskId | None:
        """Return the first task of a routine."""
        tasks = self._tasks.get(routine)
        while tasks:
            _, _, _, ticket, id = tasks[0]
            if self._tickets.get(id, (0,))[0] == ticket:
                return id
            heappop(tasks)
        self._tasks.pop(routine, None)
        return None

    def offer(self, board: Board, name: str) -> None:
        """Let the first task of a routine stand in the common queue."""
        id = self.first_of(name)
        routine = board.registry.get(name)
        if id is None or routine is None:
            self._heads.pop(name, None)
            return
        _, lane, place = self._tickets[id]
        wanted = routine.pool_slots if routine.pool is not None else 0
        group = (routine.pool or "", wanted, lane is Lane.LATE)
        head = (-routine.priority, lane, place, name)
        if self._heads.get(name) != (group, head):
            self._heads[name] = (group, head)
            heappush(self._common.setdefault(group, []), head)

    def withhold(self, name: str) -> None:
        """Take the routine out of the common queue, until it is offered again."""
        self._heads.pop(name, None)

    def head(self, board: Board, *, with_late: bool) -> Head | None:
        """Return what stands first of all that has the slots of its pool."""
        best: Head | None = None
        for group, heap in self._common.items():
            while heap and self._heads.get(heap[0][3]) != (group, heap[0]):
                heappop(heap)
            pool, wanted, is_late = group
            if not heap or (is_late and not with_late) or (best is not None and best < heap[0]):
                continue
            if not pool or _has_slots(board, pool, wanted):
                best = heap[0]
        return best


def _turn(board: Board, id: TaskId, lane: Lane) -> int:
    """Return what comes first within a routine, before the older place."""
    routine = board.registry.get(id.routine)
    if board.live[id].holds_overlap and routine is not None and routine.overlap is Overlap.NO:
        return -1  # a retry: none of the others may start before it has ended
    return Lane.DUE if lane is Lane.LATE else lane  # the older goes first, late or not


def enqueue(board: Board, queue: Queue) -> None:
    """Put what became ready, or changed its place, into the queue; take out what is so no more."""
    for name in board.freed:
        queue.offer(board, name)
    board.freed.clear()
    for id in board.made_unready:
        queue.drop(board, id)
    board.made_unready.clear()
    for id in board.made_ready:
        entry = board.live.get(id)
        if entry is not None and entry.task.state is TaskState.READY:
            queue.push(board, id, lane_of(board, entry), entry.task.place)
    board.made_ready.clear()


def lane_of(board: Board, entry: Entry) -> Lane:
    """Return the lane that a ready task stands in."""
    if entry.task.by_hand:
        return Lane.BY_HAND
    if entry.task.origin is Origin.BACKFILL:
        return Lane.BACKFILL
    return Lane.LATE if entry.task.instant < board.since else Lane.DUE


def admitted(board: Board, queue: Queue, limits: Limits) -> TaskId | None:
    """Return the next task that may start now, taken out of the queue; None if there is none."""
    while board.running_count < limits.max_running:
        head = queue.head(board, with_late=board.running_late < limits.late)
        if head is None:
            return None
        _, lane, place, name = head
        id = queue.first_of(name)
        assert id is not None, "a routine without a ready task has no head"
        entry, routine = board.live[id], board.registry[name]
        after = board.withheld.get(name)
        if after is not None and lane is not Lane.BY_HAND:
            if place > after or id in board.put_off:
                queue.withhold(name)  # offered again when all that is due is planned
                continue
        if not entry.task.by_hand and board.pause_of(name) is not None:
            queue.withhold(name)  # a retry of what had started; offered again at resume
            continue
        if routine.overlap is Overlap.NO and _is_held(board, id):
            queue.withhold(name)  # offered again when that one ends
            continue
        queue.drop(board, id)
        entry.is_late = lane is Lane.LATE
        entry.pool, entry.pool_slots = routine.pool, routine.pool_slots
        return id
    return None


def _is_held(board: Board, id: TaskId) -> bool:
    """Return whether a task must wait for another of its routine."""
    holding = board.holding.get(id.routine, {})
    if id in holding:  # of several that wait for a retry, once overlap was allowed, one goes first
        return id.routine in board.running
    return bool(holding)


def _has_slots(board: Board, pool: str, wanted: int) -> bool:
    return board.pool_used.get(pool, 0) + wanted <= board.registry.pools.get(pool, 0)
