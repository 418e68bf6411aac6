"""What comes next of all routines, and which tasks are unknown: kept, so that to ask is cheap.

`status` asks both each time, and a registry may have a hundred thousand routines: of these only
what has changed since the last answer is looked at again.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from heapq import heapify, heappop, heappush, heapreplace
from threading import Lock

from scheduler.engine.task import RoutineState, Task, TaskId
from scheduler.registry.registry import Registry
from scheduler.registry.routine import InstantKind
from scheduler.service.store.protocol import Reader
from scheduler.zones import to_instant, to_utc

_FEW = 100  # routines that are asked for one by one

#: the instant, the routine
Moment = tuple[int, str]


class Outlook:
    """What follows from one registry, from any thread."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._lock = Lock()
        self._heap: list[Moment] | None = None
        self._asked_at = 0
        # Upstreams of which a task to come may still wait for an unknown one.
        self._unsettled = {name: None for name in registry if registry[name].dependents}

    def coming(self, now: int, gone: Collection[TaskId], limit: int) -> list[Moment]:
        """Return the next instants of enabled routines, one of each; those that are gone aside."""
        triggers, found, taken = self._registry.triggers, list[Moment](), list[Moment]()
        further: list[Moment] = []  # of those of which one is gone
        with self._lock:
            heap = self._heap_at(now)
            while len(found) < limit and (heap or further):
                is_further = bool(further) and (not heap or further[0] < heap[0])
                at, name = heappop(further if is_further else heap)
                if not is_further:
                    taken.append((at, name))
                if not gone or TaskId(name, to_utc(at)) not in gone:
                    found.append((at, name))
                elif (following := triggers.next(name, at)) is not None:
                    heappush(further, (following, name))
            for moment in taken:
                heappush(heap, moment)
        return found

    def _heap_at(self, now: int) -> list[Moment]:
        """Return the next instant of each routine after now, as a heap."""
        triggers, heap = self._registry.triggers, self._heap
        if heap is None or now < self._asked_at:  # a clock may be set back
            enabled = (name for name, routine in self._registry.items() if routine.enabled)
            nexts = ((triggers.next(name, now), name) for name in enabled)
            heap = self._heap = [(at, name) for at, name in nexts if at is not None]
            heapify(heap)
        while heap and heap[0][0] <= now:
            name = heap[0][1]
            following = triggers.next(name, now)
            if following is None:
                heappop(heap)
            else:
                heapreplace(heap, (following, name))
        self._asked_at = now
        return heap

    def unknown(self, store: Reader, live: Iterable[Task], now: int) -> list[TaskId]:
        """Return the unknown tasks that a task waits for, now or at its routine's next instant."""
        roots = dict.fromkeys(task.root for task in live if task.root)
        found = {root: None for root in roots if _is_unknown(store, root)}
        with self._lock:
            names = list(self._unsettled)
        states = _states_of(store, names)
        nexts: dict[str, int | None] = {}
        for name in names:
            state = states.get(name)
            if state is None or state.assumed is not None:
                continue
            known = to_instant(state.known_since)
            first = self._registry.triggers.next(name, known)
            if self._is_settled(name, first, now):
                with self._lock:
                    self._unsettled.pop(name, None)
                continue
            for id in self._older_than(name, known, first, now, nexts):
                if store.task(id) is None and store.run_of(id) is None:
                    found[id] = None
        return list(found)

    def _is_settled(self, name: str, first: int | None, now: int) -> bool:
        """Return whether nothing to come waits for tasks older than the routine's first one.

        From that one on there is a newer one to wait for; but `all` reaches back to its own
        routine's task before.
        """
        if first is None or first > now:
            return False
        kinds = (
            dependency.instant
            for downstream in self._registry[name].dependents
            for dependency in self._registry[downstream].dependencies
            if dependency.name == name
        )
        if InstantKind.ALL not in kinds:
            return True
        second = self._registry.triggers.next(name, first)
        return second is not None and second <= now

    def _older_than(
        self, name: str, known: int, first: int | None, now: int, nexts: dict[str, int | None]
    ) -> Iterator[TaskId]:
        """Yield the routine's tasks up to ``known`` that the next task of another waits for."""
        triggers, zone = self._registry.triggers, self._registry[name].zone
        for downstream in self._registry[name].dependents:
            routine = self._registry[downstream]
            if downstream not in nexts:
                nexts[downstream] = triggers.next(downstream, now) if routine.enabled else None
            at = nexts[downstream]
            for dependency in routine.dependencies if at is not None else ():
                if dependency.name != name:
                    continue
                assert at is not None
                if dependency.instant is InstantKind.LATEST and first is not None and first <= at:
                    continue  # the first one, or a newer one
                for bound in triggers.bound(routine, dependency, at):
                    if bound <= known:
                        yield TaskId(name, to_utc(bound), zone)


def _states_of(store: Reader, names: Collection[str]) -> Mapping[str, RoutineState]:
    if len(names) > _FEW:
        return {state.name: state for state in store.routines()}
    found = ((name, store.routine(name)) for name in names)
    return {name: state for name, state in found if state is not None}


def _is_unknown(store: Reader, id: TaskId) -> bool:
    state = store.routine(id.routine)
    if state is None or state.assumed is not None or id.instant > state.known_since:
        return False
    return store.task(id) is None and store.run_of(id) is None
