"""What is wrong, or surprising, with routines that are each right by themselves (SPEC 3).

Refused: cycles, dependencies on what runs by hand only, rounds that come too rarely or never.
Warned of: rounds that wait for something old, dependencies on what is disabled, and what
`surprises` has.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from scheduler.errors import Problem
from scheduler.registry.dates import common_dates, count
from scheduler.registry.routine import InstantKind, Routine
from scheduler.registry.surprises import Surprises, problem_of
from scheduler.registry.task_id import TaskId
from scheduler.registry.triggers import Rounds, Triggers, upstream_first
from scheduler.zones import EPOCH_ORDINAL, to_utc

_WAY_OUT = "give it a schedule"
_OLD = 12 * 3600
# A first trigger day in winter and one in summer show each side of daylight-saving time.
_SAMPLES = (date(2026, 1, 12), date(2026, 7, 13))
_SHOWN_LOOP = 12  # routines of a cycle that a message names


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What `examine` found, in registry order."""

    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def examine(routines: Sequence[Routine], *, around: int | None = None) -> Findings:
    """Return what is wrong with routines together; dependencies on unknown names are ignored.

    ``around`` is the instant of now, for what the coming year brings; without it that is not told.
    """
    known = {routine.name: routine for routine in routines}
    order = upstream_first(known)
    sound = {name: known[name] for name in order}
    errors = [*_cycles(known, sound), *_by_hand_upstreams(known)]
    triggers = Triggers(sound, order)
    surprises = Surprises(triggers, around)
    warnings: list[Problem] = []
    for name, routine in known.items():
        if name not in sound:
            continue
        rare = _rare_rounds(routine, triggers)
        if rare is not None:
            errors.append(rare)
        else:
            warnings.extend(_old_upstreams(routine, triggers))
            warnings.extend(surprises.of(routine))
        warnings.extend(_disabled_upstreams(routine, known))
    return Findings(errors=tuple(sorted(errors, key=_place)), warnings=tuple(warnings))


def _place(problem: Problem) -> tuple[int, int]:
    return problem.line or 0, problem.column or 0


def _cycles(known: Mapping[str, Routine], sound: Mapping[str, Routine]) -> Iterator[Problem]:
    """Yield one problem for each group of routines that wait for each other in a loop."""
    rest = {name: routine for name, routine in known.items() if name not in sound}
    seen: set[str] = set()
    for start in rest:
        path: dict[str, None] = {}
        name: str | None = start
        # Each routine of the rest depends on another of the rest: walking up ends in a loop.
        while name is not None and name not in path and name not in seen:
            path[name] = None
            name = next((upstream for upstream in rest[name].upstreams if upstream in rest), None)
        if name in path:
            yield _cycle(known, list(path)[list(path).index(name) :])
        seen.update(path)


def _cycle(known: Mapping[str, Routine], loop: list[str]) -> Problem:
    order = {name: number for number, name in enumerate(known)}
    first = min(range(len(loop)), key=lambda index: order[loop[index]])
    loop = [*loop[first:], *loop[:first]]
    shown = loop if len(loop) <= _SHOWN_LOOP else [*loop[: _SHOWN_LOOP - 1], "…"]
    text = " -> ".join([*shown, loop[0]])
    return problem_of(
        known[loop[0]],
        f"routine {loop[0]!r} depends on itself in a cycle: {text}",
        "remove one of these dependencies; a routine may wait for its own previous task only",
    )


def _by_hand_upstreams(known: Mapping[str, Routine]) -> Iterator[Problem]:
    for routine in known.values():
        if routine.schedule is None and routine.dependencies and not routine.upstreams:
            yield problem_of(
                routine,
                f"routine {routine.name!r} depends on itself alone and never triggers",
                _WAY_OUT,
            )
        for dependency in routine.dependencies:
            upstream = known.get(dependency.name)
            if upstream is not None and upstream is not routine and upstream.is_by_hand:
                yield problem_of(
                    routine,
                    f"routine {routine.name!r} depends on {dependency.name!r}, which runs by hand"
                    " only and has no instants",
                    f"{dependency.name!r} needs a schedule: {_WAY_OUT}",
                    dependency.place,
                )


def _rare_rounds(routine: Routine, triggers: Triggers) -> Problem | None:
    if not routine.is_by_rounds:
        return None
    upstreams = [(name, triggers.dates(name)) for name in routine.upstreams]
    dates = [(name, found) for name, found in upstreams if found is not None]
    if len(dates) < len(upstreams):
        return None  # one of them is refused by itself
    rarest, its_dates = min(dates, key=lambda pair: count(pair[1]))
    rounds = count(common_dates([found for _, found in dates]))
    if rounds == count(its_dates) and rounds:
        return None
    if rounds == 0:
        what = "would never trigger: the routines it depends on share no day"
    else:
        what = f"would trigger on fewer days than {rarest!r}, the rarest routine it depends on"
    return problem_of(routine, f"routine {routine.name!r} has no schedule and {what}", _WAY_OUT)


def _old_upstreams(routine: Routine, triggers: Triggers) -> Iterator[Problem]:
    source = triggers.source(routine.name)
    if not isinstance(source, Rounds) or source.name != routine.name:
        return  # it triggers together with what it waits for
    long = [
        instant for sample in _SAMPLES for instant in _ends_of_long_rounds(source, triggers, sample)
    ]
    for dependency in routine.dependencies:
        if dependency.instant in (InstantKind.PREVIOUS, InstantKind.ALL):
            continue
        pairs = ((instant, triggers.bound(routine, dependency, instant)) for instant in long)
        old = [
            (instant, found[0]) for instant, found in pairs if found and instant - found[0] > _OLD
        ]
        if old:
            instant, bound = old[0]
            task = TaskId(routine.name, to_utc(instant), routine.zone)
            yield problem_of(
                routine,
                f"routine {routine.name!r} waits for a task more than 12 hours older than itself:"
                f" {task} for {TaskId(dependency.name, to_utc(bound), routine.zone)}",
                _WAY_OUT,
                dependency.place,
            )


def _ends_of_long_rounds(source: Rounds, triggers: Triggers, sample: date) -> Iterator[int]:
    """Yield the ends of rounds longer than 12 hours, on the first day of any from a date on."""
    start = source.zone.day_start(sample.toordinal() - EPOCH_ORDINAL)
    assert start is not None
    first = triggers.next(source.name, start - 1)
    if first is None:
        return
    begin, end = source.zone.day_bounds(source.zone.day_of(first)) or (first, first)
    for instant in triggers.between(source.name, begin, end):
        # What is waited for triggered within the round: a shorter one holds nothing old.
        if instant - begin > _OLD:
            yield instant
        begin = instant


def _disabled_upstreams(routine: Routine, known: Mapping[str, Routine]) -> Iterator[Problem]:
    for dependency in routine.dependencies:
        upstream = known.get(dependency.name)
        if routine.enabled and upstream is not None and not upstream.enabled:
            yield problem_of(
                routine,
                f"routine {routine.name!r} waits for {dependency.name!r}, which is disabled:"
                " its tasks will be blocked",
                f"enable {dependency.name!r} or remove the dependency",
                dependency.place,
            )
