"""Simulated time for tests of one's own registry: the real engine on a virtual clock.

    from scheduler.testing import Ends, simulate

    night = simulate("registry.xml", start="2026-11-23", end="2026-11-24",
                     outcomes={"load": Ends("20m", code=1)})
    assert night.task("report.2026-11-23T02:30:00").state == "blocked"

No process runs, no file is written, and no real time passes.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduler.engine.admission import Limits
from scheduler.engine.states import TaskState
from scheduler.engine.task import SkippedRun, Task, TaskId
from scheduler.errors import SchedulerError
from scheduler.registry.registry import Registry
from scheduler.registry.task_id import parse_moment, parse_task_id, split_task_id
from scheduler.service.registry_files import load_registry
from scheduler.service.simulation import Ends, OutcomeOf, Simulator
from scheduler.zones import to_instant, to_local, to_utc, zone_named

__all__ = ["Ends", "Moment", "Outcome", "Simulation", "simulate"]

Moment = datetime | str
"""An aware `datetime`, or a text such as ``2026-11-23T02:00`` in the registry's zone."""

Outcome = Ends | Callable[[TaskId, int], Ends]
"""How attempts of a routine go: all alike, or by task and number of the attempt."""

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What happened: each task and each run of skipped instants as it stood at the end."""

    registry: Registry
    tasks: tuple[Task, ...]  # by instant, then routine
    runs: tuple[SkippedRun, ...]  # by last instant, then routine
    starts: tuple[tuple[datetime, TaskId], ...]  # of attempts, in their order; in UTC

    def task(self, text: str) -> Task:
        """Return the record of a task, such as ``load.2026-11-23T02:00:00``.

        Raises:
            SchedulerError: there is none; one that was skipped in a run is among ``runs``.
        """
        id = self._id(text)
        for task in self.tasks:
            if task.id == id:
                return task
        run = self._run_of(id)
        if run is not None:
            raise SchedulerError(f"{id} has no record of its own, it was skipped: {run.reason}")
        raise SchedulerError(f"{id} was never planned")

    def state(self, text: str) -> TaskState:
        """Return what became of a task, also if it was skipped in a run.

        Raises:
            SchedulerError: it was never planned.
        """
        return TaskState.SKIPPED if self._run_of(self._id(text)) else self.task(text).state

    def of(self, routine: str) -> tuple[Task, ...]:
        """Return the tasks of a routine, by instant."""
        name = self.registry[routine].name
        return tuple(task for task in self.tasks if task.routine == name)

    def started(self, routine: str) -> tuple[datetime, ...]:
        """Return when attempts of a routine started, in its zone."""
        zone = zone_named(self.registry[routine].zone)
        return tuple(
            to_local(to_instant(when), zone) for when, id in self.starts if id.routine == routine
        )

    def _id(self, text: str) -> TaskId:
        routine, _ = split_task_id(text)
        return parse_task_id(text, self.registry[routine].zone)

    def _run_of(self, id: TaskId) -> SkippedRun | None:
        runs = (run for run in self.runs if run.routine == id.routine)
        return next((run for run in runs if run.holds(id.instant)), None)


def simulate(
    registry: Registry | str | os.PathLike[str],
    *,
    start: Moment,
    end: Moment,
    outcomes: Mapping[str, Outcome] | None = None,
    down: Sequence[tuple[Moment, Moment]] = (),
    max_running: int = 8,
    timezone: str | None = None,
) -> Simulation:
    """Run a registry, or that of a file, on a virtual clock: all instants, start <= instant < end.

    ``outcomes`` tell by routine how its attempts go; what is not named succeeds at once.  ``down``
    are the periods in which the scheduler is dead: what ran is lost, and at the end of each it
    starts again.  What is older than ``start`` counts as done.  ``timezone`` is for a file that
    names none.

    Raises:
        RegistryError: something in the file is wrong.
        SchedulerError: a name, a moment or an outcome makes no sense.
    """
    if not isinstance(registry, Registry):
        registry = load_registry(registry, timezone)
    elif timezone is not None:
        raise SchedulerError("timezone goes with a file: a registry has its own")
    if max_running < 1:
        raise SchedulerError(f"max_running is {max_running}: nothing could ever run")
    first, last = _moment(start, registry), _moment(end, registry)
    if last <= first:
        raise SchedulerError("nothing to simulate: start must be before end")
    simulator = Simulator(
        registry=registry,
        now=first - _SECOND,  # instants after the start of a scheduler are its own
        outcome_of=_outcome_of(registry, outcomes or {}),
        # Not by the cores of this machine: the same test must go the same way on each.
        limits=Limits(max_running=max_running, late=max_running),
    )
    simulator.start(assume_done=True)
    for dead_from, dead_until in _periods(down, registry, first):
        if dead_from >= last:
            break
        simulator.run_until(dead_from)
        simulator.die()
        simulator.run_until(min(dead_until, last))
        if dead_until < last:
            simulator.start()
    simulator.run_until(last)
    return _simulation(simulator)


def _outcome_of(registry: Registry, outcomes: Mapping[str, Outcome]) -> OutcomeOf:
    by_name = {registry[name].name: outcome for name, outcome in outcomes.items()}
    default = Ends()

    def outcome_of(id: TaskId, attempt: int) -> Ends:
        outcome: object = by_name.get(id.routine, default)
        ends = outcome(id, attempt) if callable(outcome) else outcome
        # A function of the user's may return anything.
        if not isinstance(ends, Ends):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise SchedulerError(f"the outcome of {id} is {ends!r}: give Ends, or what returns it")
        return ends

    return outcome_of


def _periods(
    down: Sequence[tuple[Moment, Moment]], registry: Registry, start: datetime
) -> list[tuple[datetime, datetime]]:
    """Return the periods in order; none may begin before the last is over."""
    periods = sorted((_moment(one, registry), _moment(other, registry)) for one, other in down)
    free = start
    for dead_from, dead_until in periods:
        if dead_from < free:
            raise SchedulerError(
                f"down from {dead_from.isoformat()}: that is before {free.isoformat()}, when the "
                "scheduler starts"
            )
        if dead_until <= dead_from:
            raise SchedulerError(f"down from {dead_from.isoformat()}: the period is empty")
        free = dead_until
    return periods


def _moment(moment: Moment, registry: Registry) -> datetime:
    if isinstance(moment, str):
        return parse_moment(moment, registry.timezone)
    return to_utc(to_instant(moment) + bool(moment.microsecond))


def _simulation(simulator: Simulator) -> Simulation:
    fates = simulator.store.history(limit=sys.maxsize)[::-1]  # they come newest first
    return Simulation(
        registry=simulator.registry,
        tasks=tuple(fate.task for fate in fates if fate.task is not None),
        runs=tuple(fate.run for fate in fates if fate.run is not None),
        starts=tuple(simulator.starts),
    )
