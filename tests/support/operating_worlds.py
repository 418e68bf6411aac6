"""Random worlds with all that a routine may be given: retries, limits, pools, pauses, reloads.

Apart from the plain ones, so that a seed of those keeps its meaning.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from scheduler.cron import Schedule
from scheduler.engine.events import (
    AnyEvent,
    BackfillAsked,
    CancelAsked,
    ExecuteAsked,
    PauseAsked,
    Recorded,
    ResumeAsked,
)
from scheduler.engine.states import TaskState
from scheduler.engine.task import Pause, PauseScope, TaskId
from scheduler.registry.calendars import Calendar, CalendarSchedule, OnHoliday
from scheduler.registry.deadlines import Deadline, parse_deadline
from scheduler.registry.registry import Registry
from scheduler.registry.routine import Dependency, Otherwise, Routine
from scheduler.service.reruns import downstream_of, is_done, records_for
from scheduler.zones import EPOCH_ORDINAL, to_instant, to_utc
from tests.support.checked_world import CheckedWorld
from tests.support.random_worlds import Draw
from tests.support.world import a_registry

POOLS = ("db", "net")
TAGS = ("nightly", "heavy")
DEADLINES = ("+10m", "+30m", "+1h", "+1h", "+2h", "+6h", "03:00", "06:30", "12:00")
DELAYS = (timedelta(seconds=30), timedelta(minutes=1), timedelta(minutes=20), timedelta(hours=2))
TIMEOUTS = (timedelta(minutes=2), timedelta(minutes=30), timedelta(hours=1))
HOLIDAYS = tuple(
    day.toordinal() - EPOCH_ORDINAL
    for day in (
        *(date(2026, 10, number) for number in (24, 26, 27, 31)),
        *(date(2026, 11, number) for number in (1, 2, 5)),
        *(date(2026, 4, number) for number in (3, 4, 6)),
        *(date(2026, 3, number) for number in (28, 30)),
    )
)
CALENDAR = Calendar(name="works.txt", listed=tuple(sorted(HOLIDAYS)))


@dataclass
class OperatingDraw(Draw):
    """All that is drawn from one seed, policies of routines included."""

    size: int = 6

    def routine(self, name: str, known: Sequence[Routine]) -> Routine:
        """Return a routine that depends on some of the known ones, with policies."""
        return self.equipped(super().routine(name, known))

    def equipped(self, routine: Routine) -> Routine:
        """Return a routine with other policies."""
        random = self.random
        pool = random.choice((None, None, *POOLS))
        return replace(
            routine,
            retries=random.choice((0, 0, 1, 2)),
            retry_delay=random.choice(DELAYS),
            retry_backoff=random.choice((1.0, 2.0, 3.0)),
            timeout=random.choice((None, None, *TIMEOUTS)),
            pool=pool,
            pool_slots=1 if pool is None else random.choice((1, 1, 2)),
            priority=random.choice((0, 0, 0, 5, -5)),
            start_by=self.deadline(0.2),
            due_by=self.deadline(0.4),
            require_any=routine.schedule is not None
            and bool(routine.upstreams)
            and random.random() < 0.3,
            tags=tuple(tag for tag in TAGS if random.random() < 0.3),
            dependencies=tuple(self.limited(one) for one in routine.dependencies),
            schedule=self.with_holidays(routine.schedule),
        )

    def deadline(self, chance: float) -> Deadline | None:
        """Return a moment after an instant, or None."""
        random = self.random
        return parse_deadline(random.choice(DEADLINES)) if random.random() < chance else None

    def limited(self, dependency: Dependency) -> Dependency:
        """Return a dependency that may be waited for until some time only."""
        otherwise = self.random.choice((Otherwise.RUN, *Otherwise))
        return replace(dependency, wait_until=self.deadline(0.3), otherwise=otherwise)

    def with_holidays(self, schedule: Schedule | None) -> Schedule | None:
        """Return a schedule that may keep clear of some dates."""
        random = self.random
        if schedule is None or isinstance(schedule, CalendarSchedule):
            return schedule
        if schedule.expression.startswith("*/7 "):  # with retries that are long in coming: slow
            schedule = Schedule("7-59/50 * * * *", schedule.timezone)
        if random.random() > 0.2:
            return schedule
        on_holiday = random.choice(tuple(OnHoliday))
        return CalendarSchedule(schedule.expression, schedule.timezone, CALENDAR, on_holiday)

    def edited(self, routines: list[Routine]) -> list[Routine]:
        """Return a registry's routines after somebody has worked on them, or on their policies."""
        if self.random.random() < 0.5:
            routines = super().edited(routines)
        found = list(routines)
        for _ in range(self.random.choice((0, 1, 2))):
            number = self.random.randrange(len(found))
            routine = found[number]
            new = replace(self.equipped(routine), schedule=routine.schedule)
            found[number] = new
        return found

    def registry(self, routines: Sequence[Routine]) -> Registry:
        """Return a registry of these with pools that are large enough for each by itself."""
        sound = [
            replace(one, require_any=False) if not one.schedule or not one.upstreams else one
            for one in routines
        ]
        pools = {
            pool: max(
                self.random.choice((1, 2, 3)),
                *(one.pool_slots for one in sound if one.pool == pool),
                1,
            )
            for pool in POOLS
        }
        return a_registry(*sound, pools=pools)

    def is_reload_due(self) -> bool:
        """Return whether somebody edits the registry now and has it reloaded."""
        return self.random.random() < 0.12

    # -- what people ask for ---------------------------------------------------------------

    def ask(self, world: CheckedWorld) -> AnyEvent:
        """Return something that a person may ask for."""
        random = self.random
        if random.random() < 0.4:
            return super().ask(world)
        match random.randrange(7):
            case 0 | 1:
                return self.pause(world)
            case 2 | 3:
                return self.resume(world)
            case 4:
                return self.backfill(world)
            case 5:
                return self.downstream(world)
            case _:
                return self.about_a_retry(world)

    def pause(self, world: CheckedWorld) -> PauseAsked:
        """Return a pause of anything."""
        random, now = self.random, world.now
        scope = random.choice(tuple(PauseScope))
        names = {
            PauseScope.ALL: ("",),
            PauseScope.TAG: TAGS,
            PauseScope.ROUTINE: tuple(world.registry),
        }
        until = now + timedelta(minutes=random.choice((5, 45, 60, 300)))
        pause = Pause(
            scope=scope,
            name=random.choice(names[scope]),
            since=now,
            until=None if random.random() < 0.3 else until,
        )
        return PauseAsked(at=now, pause=pause)

    def resume(self, world: CheckedWorld) -> ResumeAsked:
        """Return the end of a pause, if there is one."""
        pauses = world.store.pauses()
        if not pauses:
            return ResumeAsked(at=world.now, scope=PauseScope.ALL)
        pause = self.random.choice(pauses)
        return ResumeAsked(at=world.now, scope=pause.scope, name=pause.name)

    def backfill(self, world: CheckedWorld) -> BackfillAsked:
        """Return a backfill of some of a routine's past, all of it or what has not succeeded."""
        random, triggers = self.random, world.registry.triggers
        name = random.choice(list(world.registry))
        start = world.now - timedelta(hours=random.choice((2, 8, 30, 80)))
        between = triggers.between(name, to_instant(start), to_instant(world.now))
        zone = world.registry[name].zone
        ids = [TaskId(name, to_utc(instant), zone) for instant in between][: random.randint(1, 6)]
        if random.random() < 0.5:
            ids = [id for id in ids if not is_done(world.store, id)]
        return self.planned_again(world, tuple(ids))

    def downstream(self, world: CheckedWorld) -> BackfillAsked:
        """Return that what rests on a task is run again."""
        id = self.some_task(world).id
        if id.routine not in world.registry or not _is_instant(world.registry, id):
            return self.planned_again(world, ())
        below = downstream_of(world.registry, world.store, [id], world.now)
        return self.planned_again(world, below[:8])

    def planned_again(self, world: CheckedWorld, ids: tuple[TaskId, ...]) -> BackfillAsked:
        """Return what has these tasks run once those that they wait for have."""
        store = world.store
        return BackfillAsked(
            at=world.now,
            tasks=tuple(Recorded(id=id, task=store.task(id), run=store.run_of(id)) for id in ids),
            records=records_for(world.registry, store, ids),
        )

    def about_a_retry(self, world: CheckedWorld) -> AnyEvent:
        """Return what a person may want of a task that waits for its retry."""
        waiting = [task for task in world.live.values() if task.retry_at is not None]
        tried = [task for task in waiting if task.state is TaskState.WAITING]
        if not tried:
            return super().ask(world)
        task = min(tried, key=lambda one: str(one.id))
        recorded = Recorded(id=task.id, task=task)
        if self.random.random() < 0.5:
            return CancelAsked(at=world.now, task=recorded)
        return ExecuteAsked(at=world.now, tasks=(recorded,))


def _is_instant(registry: Registry, id: TaskId) -> bool:
    return registry.triggers.is_instant(id.routine, to_instant(id.instant))
