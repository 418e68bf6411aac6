"""What is expected of the tasks to come: the real engine, run ahead on a virtual clock.

Each routine takes as long as it usually did (the median of its last successes).  What is before
the window counts as done, and nobody interferes, but for what the question assumes: that a
routine fails, or that the scheduler is down.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from statistics import median

from scheduler.engine.admission import Limits
from scheduler.engine.commands import RecordPause
from scheduler.engine.moments import deadline_at
from scheduler.engine.states import Cause, TaskState
from scheduler.engine.task import Pause, Task, TaskId
from scheduler.errors import SchedulerError, quoted
from scheduler.registry.registry import Registry
from scheduler.registry.routine import Routine
from scheduler.service.simulation import Ends, OutcomeOf, Simulator
from scheduler.service.store.protocol import Reader
from scheduler.service.views import View, in_zone
from scheduler.zones import to_instant, to_utc, zone_named

_FAILS = re.compile(r"(?P<routine>.+?)\s+fails")
_DOWN = re.compile(r"down\s+(?P<start>\d\d?:\d\d)\s*-\s*(?P<end>\d\d?:\d\d)", re.ASCII)
_EXAMPLES = "'load fails' or 'down 02:00-05:00'"

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)
_LONGEST_TAIL = _DAY  # after the window, for what is in it to end
_MOST_STEPS = 20_000  # a live scheduler has other things to do
_MOST_EFFORT = 60_000  # where tasks wait for ever, a step may be about thousands


class TooMuchError(SchedulerError):
    """More happens in a window than can be run ahead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """What a forecast takes for given."""

    failing: frozenset[str] = frozenset()  # routines of which every task of the window fails
    down: tuple[tuple[datetime, datetime], ...] = ()  # in order, none begins within another


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What is expected of one task; of its times those that can be told."""

    state: TaskState | None  # at last; None if that is not known
    reason: str
    start: datetime | None = None  # of its first attempt
    end: datetime | None = None  # of its last
    is_overdue: bool | None = None  # by its due_by; None if it has none, or that cannot be told


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What a forecast starts from, besides the registry."""

    limits: Limits
    durations: Mapping[str, timedelta] = field(default_factory=dict[str, timedelta])  # usual ones
    pauses: tuple[Pause, ...] = ()


def limits_of(max_running: int) -> Limits:
    """Return the limits of a scheduler on this machine."""
    return Limits(max_running=max_running, late=os.cpu_count() or 1)


def conditions_of(store: Reader, registry: Registry, limits: Limits) -> Conditions:
    """Return what a forecast of a scheduler starts from."""
    return Conditions(durations=durations_of(store, registry), pauses=store.pauses(), limits=limits)


def durations_of(store: Reader, names: Iterable[str]) -> dict[str, timedelta]:
    """Return how long routines usually take, of those that have succeeded lately."""
    lengths = ((name, store.durations(name)) for name in names)
    return {name: timedelta(seconds=median(found)) for name, found in lengths if found}


def expected_views(
    registry: Registry,
    ids: Sequence[TaskId],
    window: tuple[datetime, datetime],
    assumed: str | None,
    conditions: Callable[[Registry], Conditions],
    routine: str | None = None,
) -> list[View]:
    """Return what a plan says of each task besides: what is expected of it.

    ``assumed`` are texts with commas between them.  Without any, a window that is too long leaves
    all open.  ``routine``: all of the tasks are its own, and only it is run ahead, with what it
    waits for.

    Raises:
        SchedulerError: what is assumed makes no sense, or the window is too long.
    """
    start, end = window
    texts = [] if assumed is None else assumed.split(",")
    assumptions = assumptions_of(texts, registry, start, end)
    part = registry if routine is None else resting_on(registry, routine)
    try:
        if len(ids) > _MOST_STEPS:
            raise _too_much()
        given = conditions(part)
        found = forecast(part, ids, start, end, conditions=given, assumptions=assumptions)
    except TooMuchError:
        if texts:
            raise
        found = {}
    return [_expected_view(found.get(id), id, registry[id.routine]) for id in ids]


def resting_on(registry: Registry, name: str) -> Registry:
    """Return the registry of a routine and of all that it waits for, also through others."""
    reached = {name: None}
    stack = [name]
    while stack:
        for upstream in registry[stack.pop()].upstreams:
            if upstream not in reached:
                reached[upstream] = None
                stack.append(upstream)
    routines = [registry[one] for one in registry if one in reached]
    return Registry(routines, timezone=registry.timezone, pools=registry.pools)


def _expected_view(expected: Expected | None, id: TaskId, routine: Routine) -> View:
    zone, due_by = id.zone, _due_by(routine, id)
    if expected is None:
        expected = Expected(state=None, reason="")
    return {
        "expected_start": in_zone(expected.start, zone),
        "expected_end": in_zone(expected.end, zone),
        "expected_state": None if expected.state is None else expected.state.value,
        "expected_reason": expected.reason,
        "due_by": in_zone(due_by, zone),
        "expected_overdue": expected.is_overdue,
    }


def _due_by(routine: Routine, id: TaskId) -> datetime | None:
    return None if routine.due_by is None else deadline_at(routine.due_by, routine, id.instant)


def assumptions_of(
    texts: Iterable[str], registry: Registry, start: datetime, end: datetime
) -> Assumptions:
    """Return what is assumed by texts such as ``load fails`` and ``down 02:00-05:00``.

    Of a time of day the first in the window is meant, in the registry's zone.

    Raises:
        SchedulerError: one of them makes no sense.
    """
    failing: set[str] = set()
    down: list[tuple[datetime, datetime]] = []
    for text in texts:
        written = text.strip()
        if found := _DOWN.fullmatch(written):
            down.append(_period(found["start"], found["end"], registry.timezone, start, end))
        elif found := _FAILS.fullmatch(written):
            failing.add(registry[found["routine"]].name)
        else:
            raise SchedulerError(f"--if {quoted(text)} makes no sense: write {_EXAMPLES}")
    return Assumptions(failing=frozenset(failing), down=tuple(_merged(down)))


def _period(
    first: str, last: str, zone: str, start: datetime, end: datetime
) -> tuple[datetime, datetime]:
    begin = _first_at(_time_of_day(first), zone, start)
    if begin >= end:
        raise SchedulerError(f"--if down {first}-{last}: {first} does not come in the window")
    return begin, _first_at(_time_of_day(last), zone, begin + _SECOND)


def _time_of_day(text: str) -> time:
    hour, _, minute = text.partition(":")
    try:
        return time(int(hour), int(minute))
    except ValueError:
        raise SchedulerError(f"--if down: {text} is not a time of day") from None


def _first_at(wanted: time, zone: str, start: datetime) -> datetime:
    """Return when the clock of a zone first shows that time, at or after ``start``."""
    info = zone_named(zone).info
    day = start.astimezone(info).date()
    for date in (day, day + _DAY):
        moment = datetime.combine(date, wanted, tzinfo=info)
        found = to_utc(to_instant(moment))
        if found >= start:
            break
    return found


def _merged(periods: Iterable[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    merged: list[tuple[datetime, datetime]] = []
    for first, last in sorted(periods):
        if merged and first <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], last)
        else:
            merged.append((first, last))
    return merged


def forecast(
    registry: Registry,
    ids: Sequence[TaskId],
    start: datetime,
    end: datetime,
    *,
    conditions: Conditions,
    assumptions: Assumptions,
) -> dict[TaskId, Expected]:
    """Return what is expected of tasks of the window, start <= instant < end.

    Time goes on after the window, for a day at most, until they have come to an end.

    Raises:
        TooMuchError: the window is too long to be run ahead.
    """
    first = to_utc(to_instant(start) + bool(start.microsecond))
    simulator = Simulator(
        registry=registry,
        now=first - _SECOND,  # instants after the start of a scheduler are its own
        outcome_of=_outcome_of(conditions, assumptions, end),
        limits=conditions.limits,
    )
    simulator.store.apply([RecordPause(pause=pause) for pause in conditions.pauses])
    simulator.start(assume_done=True)
    for dead_from, dead_until in assumptions.down:
        _run(simulator, dead_from)
        simulator.die()
        simulator.run_until(dead_until)
        simulator.start()
    _run(simulator, end)
    _run_on(simulator, ids, end + _LONGEST_TAIL)
    return {id: _expected(simulator, id, conditions) for id in ids}


def _outcome_of(conditions: Conditions, assumptions: Assumptions, end: datetime) -> OutcomeOf:
    def outcome_of(id: TaskId, _: int) -> Ends:
        fails = id.routine in assumptions.failing and id.instant < end
        return Ends(conditions.durations.get(id.routine, timedelta()), code=int(fails))

    return outcome_of


def _run(simulator: Simulator, end: datetime) -> None:
    """Let time pass up to ``end``."""
    while (following := simulator.following()) is not None and following < end:
        simulator.step()
        if _is_too_much(simulator):
            raise _too_much()
    simulator.run_until(end)


def _run_on(simulator: Simulator, ids: Iterable[TaskId], end: datetime) -> None:
    """Let time pass until the tasks have come to an end: as far as that is soon."""
    left = list(ids)
    while left and not _is_too_much(simulator):
        if not _is_under_way(simulator.store.task(left[-1])):
            left.pop()
            continue
        following = simulator.following()
        if following is None or following >= end:
            return
        simulator.step()


def _is_too_much(simulator: Simulator) -> bool:
    return simulator.steps > _MOST_STEPS or simulator.effort > _MOST_EFFORT


def _too_much() -> TooMuchError:
    return TooMuchError("too much happens in the window to be forecast: give a shorter one")


def _is_under_way(task: Task | None) -> bool:
    if task is None or task.state.is_end or task.state is TaskState.BLOCKED:
        return False
    return task.cause is not Cause.PAUSED  # it would only be covered by the next one


def _expected(simulator: Simulator, id: TaskId, conditions: Conditions) -> Expected:
    task = simulator.store.task(id)
    due_by = _due_by(simulator.registry[id.routine], id)
    if task is None:
        run = simulator.store.run_of(id)
        reason = "" if run is None else run.reason
        is_overdue = None if due_by is None else False
        return Expected(state=TaskState.SKIPPED, reason=reason, is_overdue=is_overdue)
    attempts = task.attempts
    is_known = id.routine in conditions.durations
    return Expected(
        state=task.state,
        reason=task.reason,
        start=attempts[0].started_at if attempts else None,
        end=attempts[-1].ended_at if attempts and is_known else None,
        is_overdue=None if due_by is None else _is_overdue(task, due_by, is_known, simulator.now),
    )


def _is_overdue(task: Task, due_by: datetime, is_known: bool, now: datetime) -> bool | None:
    """Return whether a task will not have succeeded by its due_by; None if that is not known."""
    match task.state:
        case TaskState.SKIPPED:
            return False
        case TaskState.SUCCEEDED:
            ended_at = task.attempts[-1].ended_at if task.attempts else None
            if ended_at is not None and ended_at > due_by:
                return True  # also if it takes longer than is known
            return False if is_known else None
        case TaskState.FAILED | TaskState.BLOCKED | TaskState.CANCELLED:
            return True
        case TaskState.WAITING | TaskState.READY | TaskState.RUNNING:
            return True if due_by <= now else None
