"""Which ready tasks get a slot, and in what order (SPEC 4).

By hand first, then what fell due since the start or the last wake, then what was late by then;
among those the older place, then the name.  A routine without overlap has one task running at
most.  What was late takes at most one slot a core, so that an outage ends gently.

Each routine has a queue of its own, of which only the head stands in the common one: a backlog
of a hundred thousand tasks costs no more than a short one.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from heapq import heappop, heappush

from scheduler.engine.board import Board, Entry
from scheduler.engine.states import TaskState
from scheduler.engine.task import TaskId
from scheduler.registry.routine import Overlap


class Lane(IntEnum):
    """The order in which tasks are given slots."""

    BY_HAND = 0
    DUE = 1
    LATE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many attempts may run at once."""

    max_running: int
    late: int  # of those, how many that were late at start or wake: one a core


Head = tuple[Lane, datetime, str]


@dataclass(slots=True)
class Queue:
    """The ready tasks in the order of their starts."""

    _tasks: dict[str, list[tuple[bool, datetime, datetime, int, TaskId]]] = field(
        default_factory=dict[str, list[tuple[bool, datetime, datetime, int, TaskId]]]
    )
    _tickets: dict[TaskId, tuple[int, Lane, datetime]] = field(
        default_factory=dict[TaskId, tuple[int, Lane, datetime]]
    )
    _heads: dict[str, Head] = field(default_factory=dict[str, Head])
    _common: list[Head] = field(default_factory=list[Head])
    _late: list[Head] = field(default_factory=list[Head])
    _issued: int = 0

    def push(self, id: TaskId, lane: Lane, place: datetime) -> None:
        """Put a task in its place; one that stands there already is moved."""
        self._issued += 1
        self._tickets[id] = (self._issued, lane, place)
        item = (lane is not Lane.BY_HAND, place, id.instant, self._issued, id)
        heappush(self._tasks.setdefault(id.routine, []), item)
        self.offer(id.routine)

    def drop(self, id: TaskId) -> None:
        """Take a task out."""
        if self._tickets.pop(id, None) is not None:
            self.offer(id.routine)

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

    def offer(self, routine: str) -> None:
        """Let the first task of a routine stand in the common queue."""
        id = self.first_of(routine)
        if id is None:
            self._heads.pop(routine, None)
            return
        _, lane, place = self._tickets[id]
        head = (lane, place, routine)
        if self._heads.get(routine) != head:
            self._heads[routine] = head
            heappush(self._late if lane is Lane.LATE else self._common, head)

    def withhold(self, routine: str) -> None:
        """Take the routine out of the common queue, until it is offered again."""
        self._heads.pop(routine, None)

    def head(self, *, with_late: bool) -> Head | None:
        """Return what stands first in the common queue."""
        for heap in (self._common, self._late):
            while heap and self._heads.get(heap[0][2]) != heap[0]:
                heappop(heap)
        late = self._late[0] if with_late and self._late else None
        common = self._common[0] if self._common else None
        return min((head for head in (common, late) if head is not None), default=None)


def enqueue(board: Board, queue: Queue) -> None:
    """Put what became ready, or changed its place, into the queue; take out what is so no more."""
    for name in board.freed:
        queue.offer(name)
    board.freed.clear()
    for id in board.made_unready:
        queue.drop(id)
    board.made_unready.clear()
    for id in board.made_ready:
        entry = board.live.get(id)
        if entry is not None and entry.task.state is TaskState.READY:
            queue.push(id, lane_of(board, entry), entry.task.place)
    board.made_ready.clear()


def lane_of(board: Board, entry: Entry) -> Lane:
    """Return the lane that a ready task stands in."""
    if entry.task.by_hand:
        return Lane.BY_HAND
    return Lane.LATE if entry.task.instant < board.since else Lane.DUE


def admitted(board: Board, queue: Queue, limits: Limits) -> TaskId | None:
    """Return the next task that may start now, taken out of the queue; None if there is none."""
    while board.running_count < limits.max_running:
        head = queue.head(with_late=board.running_late < limits.late)
        if head is None:
            return None
        lane, _, name = head
        if name in board.running and not _may_overlap(board, name):
            queue.withhold(name)  # offered again when that attempt ends
            continue
        id = queue.first_of(name)
        assert id is not None, "a routine without a ready task has no head"
        queue.drop(id)
        board.live[id].is_late = lane is Lane.LATE
        return id
    return None


def _may_overlap(board: Board, name: str) -> bool:
    return name in board.registry and board.registry[name].overlap is Overlap.YES
