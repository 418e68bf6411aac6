"""What a ready task lacks to start: a slot, or its turn."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scheduler.engine.pauses import in_words, pause_over
from scheduler.engine.states import TaskState
from scheduler.engine.task import Origin, Task, TaskId
from scheduler.registry.registry import Registry
from scheduler.registry.routine import Overlap, Routine
from scheduler.service.store.protocol import Reader

_GENTLY = "of what was late at start or after sleep only one task a core runs at once"
_FEW_NAMED = 3  # of those that hold slots, in one sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacking:
    """Tells what ready tasks lack, from the records."""

    registry: Registry
    store: Reader
    max_running: int
    is_stopping: bool
    is_down: bool

    def words(self, task: Task) -> tuple[str, TaskId | None]:
        """Return what keeps it, to follow "is ready", and which of its routine goes first."""
        live = self.store.live()
        running = [one for one in live if one.state is TaskState.RUNNING]
        started = [one for one in live if one.state is TaskState.RUNNING or one.tries]
        own = [one for one in started if one.routine == task.routine and one.id != task.id]
        routine = self.registry.get(task.routine)
        pause = None if routine is None else pause_over(self.store.pauses(), routine)
        if pause is not None and not task.by_hand:
            return f", but its routine is {in_words(self.registry, pause)}", None
        if own and routine is not None and routine.overlap is Overlap.NO:
            doing = "is running" if own[0].state is TaskState.RUNNING else "is being retried"
            return f", but {own[0].id} {doing} and overlap is not allowed", None
        if routine is not None and (lack := self._pool_words(routine, running)):
            return f", but {lack}", None
        if len(running) >= self.max_running:
            by = _few(running)
            return f", but all {self.max_running} slots (max_running) are in use, by {by}", None
        if self.is_stopping:
            return ", but the scheduler is stopping, and starts nothing more", None
        if task.by_hand or self.is_down:
            return ": it waits for a slot", None
        planned_until = self.store.planned_until()
        if planned_until is not None and task.instant > planned_until:
            return ": it starts once all is planned that fell due with it", None
        # Nothing else is left that keeps the engine from starting it (engine/admission).
        if not task.tries and (before := _first_in_turn(task, live)) != task.id:
            return f", but {before} of its routine goes first", before
        if task.origin is Origin.BACKFILL:
            return ": it waits for a slot", None
        return f", but {_GENTLY}", None

    def _pool_words(self, routine: Routine, running: list[Task]) -> str:
        """Return what a routine lacks of its pool's slots; nothing if there are enough."""
        if routine.pool is None:
            return ""
        others = [one for one in running if one.routine in self.registry]
        holding = [one for one in others if self.registry[one.routine].pool == routine.pool]
        taken = sum(self.registry[one.routine].pool_slots for one in holding)
        count = self.registry.pools[routine.pool]
        if taken + routine.pool_slots <= count:
            return ""
        needed = f"it takes {routine.pool_slots} of the {count} slots of pool {routine.pool!r}"
        by = f", by {_few(holding)}" if holding else ""
        return f"{needed}, and {taken} are in use{by}"


def _first_in_turn(task: Task, live: Iterable[Task]) -> TaskId:
    """Return which of its routine's ready tasks goes first: itself, or an older one."""
    ready = (one for one in live if one.routine == task.routine and one.state is TaskState.READY)
    turns = ((one.origin is Origin.BACKFILL, one.place, one.instant, one.id) for one in ready)
    return min(turns, key=lambda turn: turn[:3])[-1]


def _few(tasks: Sequence[Task]) -> str:
    """Return the names of those that have run the longest, and how many more there are."""
    longest = sorted(tasks, key=lambda task: (task.changed_at, str(task.id)))
    names = ", ".join(str(task.id) for task in longest[:_FEW_NAMED])
    more = len(longest) - _FEW_NAMED
    return f"{names} and {more} more" if more > 0 else names
