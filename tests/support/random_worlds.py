"""Random registries, scripts and histories, each drawn from one number."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random

from scheduler.cron import Schedule
from scheduler.engine.events import (
    AnyEvent,
    CancelAsked,
    ExecuteAsked,
    MachineWoke,
    MarkAsked,
    Recorded,
    RoutineExecuteAsked,
    TimePassed,
    UnknownMarkAsked,
)
from scheduler.engine.states import Cause
from scheduler.engine.task import TaskId
from scheduler.registry.examine import examine
from scheduler.registry.registry import Registry
from scheduler.registry.routine import Backlog, Dependency, InstantKind, On, Overlap, Routine
from tests.support.checked_world import CheckedWorld
from tests.support.world import Ends, a_registry, at

SCHEDULES = (
    "*/7 * * * *",
    "*/20 * * * *",
    "0 * * * *",
    "0 * * * *",
    "0 * * * *",
    "30 * * * *",
    "15 */3 * * *",
    "0 */6 * * *",
    "0 2 * * *",
    "30 2 * * *",
    "0 0 * * *",
    "0 12 * * *",
    "0 9 * * 1-5",
    "0 0 * * 1",
    "0 0 1 * *",
)
ZONES = ("UTC", "UTC", "UTC", "Europe/Paris", "Australia/Lord_Howe")
KINDS = (*(InstantKind.LATEST,) * 8, *InstantKind)
ONS = (*(On.SUCCESS,) * 7, On.FAILURE, On.DONE)
MINUTES = (0, 0, 1, 3, 10, 30, 55, 60, 61, 90, 150, 400)


@dataclass
class Draw:
    """All that is drawn from one seed."""

    seed: int
    size: int = 8
    random: Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)

    # -- registries ------------------------------------------------------------------------

    def routines(self) -> list[Routine]:
        """Return routines that may stand together in a registry."""
        found: list[Routine] = []
        for number in range(self.random.randint(2, self.size)):
            found.append(self.routine(f"r{number}", found))
        return found

    def routine(self, name: str, known: Sequence[Routine]) -> Routine:
        """Return a routine that depends on some of the known ones."""
        random = self.random
        zone = random.choice(ZONES)
        upstreams = [one for one in known if not one.is_by_hand]
        chosen = random.sample(upstreams, min(len(upstreams), random.choice((0, 1, 1, 1, 2, 3))))
        dependencies = [self.dependency(one.name) for one in chosen]
        expression = random.choice(SCHEDULES)
        routine = Routine(
            name=name,
            script="/run.py",
            zone=zone,
            dependencies=tuple(dependencies),
            backlog=random.choice((Backlog.LATEST, Backlog.LATEST, Backlog.LATEST, Backlog.ALL)),
            overlap=random.choice((Overlap.NO, Overlap.NO, Overlap.NO, Overlap.YES)),
            enabled=random.random() > 0.08,
            skip_exit=random.choice((None, 3)),
        )
        if dependencies and random.random() < 0.5:
            if not examine([*known, routine]).errors:
                return routine
        if not dependencies and random.random() < 0.05:
            return routine
        if random.random() < 0.1:
            own = Dependency(name=name, instant=InstantKind.PREVIOUS)
            routine = replace(routine, dependencies=(*routine.dependencies, own))
        return replace(routine, schedule=Schedule(expression, zone))

    def dependency(self, name: str) -> Dependency:
        """Return a dependency of any kind."""
        return Dependency(name=name, instant=self.random.choice(KINDS), on=self.random.choice(ONS))

    def edited(self, routines: list[Routine]) -> list[Routine]:
        """Return a registry's routines after somebody has worked on them."""
        random = self.random
        for _ in range(20):
            new = list(routines)
            number = random.randrange(len(new))
            routine = new[number]
            match random.randrange(8):
                case 0 if routine.schedule is not None:
                    schedule = Schedule(random.choice(SCHEDULES), routine.zone)
                    new[number] = replace(routine, schedule=schedule)
                case 1:
                    new[number] = replace(routine, dependencies=routine.dependencies[1:])
                case 2:
                    upstream = random.choice(new)
                    more = (*routine.dependencies, self.dependency(upstream.name))
                    new[number] = replace(routine, dependencies=more)
                case 3:
                    new[number] = replace(routine, enabled=not routine.enabled)
                case 4 if len(new) > 1:
                    del new[number]
                    new = [self._without(one, routine.name) for one in new]
                case 5:
                    new.append(self.routine(f"n{random.randrange(10)}", new))
                case 6:
                    backlog = Backlog.ALL if routine.backlog is Backlog.LATEST else Backlog.LATEST
                    new[number] = replace(routine, backlog=backlog)
                case _:
                    overlap = Overlap.NO if routine.overlap is Overlap.YES else Overlap.YES
                    new[number] = replace(routine, overlap=overlap)
            if self._is_sound(new):
                return new
        return routines

    def registry(self, routines: Sequence[Routine]) -> Registry:
        """Return a registry of these, in which what others name keeps each task."""
        return a_registry(*routines)

    def _without(self, routine: Routine, name: str) -> Routine:
        rest = tuple(one for one in routine.dependencies if one.name != name)
        return replace(routine, dependencies=rest)

    def _is_sound(self, routines: list[Routine]) -> bool:
        names = {routine.name for routine in routines}
        if len(names) < len(routines):
            return False
        for routine in routines:
            for one in routine.dependencies:
                is_odd_self = one.name == routine.name and one.instant is not InstantKind.PREVIOUS
                if is_odd_self or one.name not in names:
                    return False
        return not examine(routines).errors

    def is_reload_due(self) -> bool:
        """Return whether somebody edits the registry now and has it reloaded."""
        return False

    # -- scripts ---------------------------------------------------------------------------

    def ends(self, id: TaskId, attempt: int) -> Ends:
        """Return how an attempt goes: the same for the same attempt, whoever asks first."""
        random = Random(f"{self.seed} {id} {attempt}")
        pace = Random(f"{self.seed} {id.routine}").choice(MINUTES)
        minutes = random.choice((pace, pace, pace, random.choice(MINUTES)))
        code = random.choices((0, 1, 3), (85, 10, 5))[0]
        return Ends(minutes=minutes, code=code)

    # -- what people ask for ---------------------------------------------------------------

    def ask(self, world: CheckedWorld) -> AnyEvent:
        """Return something that a person may ask for."""
        random, now = self.random, world.now
        recorded = self.some_task(world)
        match random.randrange(10):
            case 0:
                return RoutineExecuteAsked(at=now, routine=recorded.id.routine)
            case 1 | 2 | 3:
                return ExecuteAsked(at=now, tasks=(recorded,))
            case 4:
                failed = tuple(
                    Recorded(id=task.id, task=task)
                    for task in world.store.failed()
                    if task.routine in world.registry
                )
                return ExecuteAsked(at=now, tasks=failed)
            case 5 | 6:
                return CancelAsked(at=now, task=recorded, downstream=random.random() < 0.5)
            case 7:
                return UnknownMarkAsked(at=now, cause=Cause.MARKED_SUCCEEDED)
            case 8:
                unknown = tuple(Recorded(id=id) for id in world.engine.unknown())
                return ExecuteAsked(at=now, tasks=unknown)
            case _:
                cause = random.choice((Cause.MARKED_SUCCEEDED, Cause.MARKED_SKIPPED))
                return MarkAsked(at=now, tasks=(recorded,), cause=cause)

    def some_task(self, world: CheckedWorld) -> Recorded:
        """Return a task, of the past, the present or the time to come, with its record."""
        random = self.random
        live = sorted(world.live, key=str)
        if live and random.random() < 0.4:
            id = random.choice(live)
        else:
            name = random.choice(list(world.registry))
            moment = world.now + timedelta(hours=random.uniform(-40, 12))
            id = TaskId(name, moment.replace(microsecond=0))
            found = world.registry.triggers.previous(name, int(moment.timestamp()))
            if found is not None:
                id = TaskId(name, datetime.fromtimestamp(found, tz=world.now.tzinfo))
        return Recorded(id=id, task=world.store.task(id), run=world.store.run_of(id))


STARTS = ("2026-10-23T21:30", "2026-10-30T22:10", "2026-04-03T12:00", "2026-03-27T20:00")


def a_world(draw: Draw, *, late: int | None = None) -> CheckedWorld:
    """Return a world at its beginning."""
    random = draw.random
    routines = draw.routines()
    world = CheckedWorld(draw.registry(routines), at(random.choice(STARTS)))
    world.outcomes = {f"{kind}{number}": draw.ends for kind in "rn" for number in range(10)}
    world.slots = random.choice((1, 1, 2, 3, 8, 100))
    world.late = late if late is not None else random.choice((1, 2, 100))
    world.planned_at_once = random.choice((1, 2, 50))
    world.start(assume_done=random.random() < 0.5)
    return world


def live_through(draw: Draw, world: CheckedWorld, steps: int, *, with_ends: bool = True) -> None:
    """Let a world go through a random history."""
    random = draw.random
    routines = list(world.registry.values())
    for _ in range(steps):
        world.run_until(world.now + timedelta(minutes=random.choice((0, 7, 60, 200, 600))))
        if random.random() < 0.3:
            world.fall_due()
        if draw.is_reload_due():
            routines = draw.edited(routines)
            world.reload(draw.registry(routines))
        chance = random.random()
        if chance < 0.6:
            world.handle(draw.ask(world), "asked")
        elif chance < 0.66:
            world.now += timedelta(hours=random.choice((0.5, 3, 30)))
            world.handle(MachineWoke(at=world.now), "woke")
        elif chance < 0.70:
            world.now -= timedelta(minutes=random.choice((30, 60)))
            world.handle(TimePassed(at=world.now), "set back")
        elif chance < 0.75:
            world.check_snapshot()
            world.check_fates()
            world.check_reasons()
        elif with_ends:
            world.crash() if random.random() < 0.5 else world.stop()
            world.now += timedelta(minutes=random.choice((0, 5, 90, 1500)))
            if random.random() < 0.5:
                for _ in range(random.randint(1, 3)):
                    routines = draw.edited(routines)
                world.registry = draw.registry(routines)
                world.newest_started.clear()
            world.start(fresh=random.random() < 0.15, assume_done=random.random() < 0.2)
    world.run_until(world.now + timedelta(hours=3))
    world.check_fates()
    world.check_snapshot()
    world.check_reasons()
