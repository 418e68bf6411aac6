"""All that a seed decides, as plain data: a registry, the scripts, and what happens when.

Drawn at once, so that a story can be shortened and still be the same story.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random

from scheduler.cron import Schedule
from scheduler.errors import SchedulerError
from scheduler.registry.calendars import CalendarSchedule
from scheduler.registry.registry import Registry
from scheduler.registry.routine import Routine
from scheduler.service.executors.protocol import Launch
from tests.simulation.machine import Script
from tests.simulation.registry_text import registry_text, routines_in
from tests.support.operating_worlds import POOLS, OperatingDraw
from tests.support.random_worlds import MINUTES, STARTS
from tests.support.world import a_registry, at

SLOTS = dict.fromkeys(POOLS, 2)


class Kind(StrEnum):
    """What may happen to a scheduler from outside."""

    EXECUTE = "execute"
    EXECUTE_ROUTINE = "execute routine"
    EXECUTE_FAILED = "execute --failed"
    EXECUTE_DOWNSTREAM = "execute --downstream"
    EXECUTE_UNKNOWN = "execute --unknown"
    CANCEL = "cancel"
    CANCEL_DOWNSTREAM = "cancel --downstream"
    MARK_SUCCEEDED = "mark succeeded"
    MARK_SKIPPED = "mark skipped"
    MARK_UNKNOWN = "mark --unknown"
    PAUSE = "pause"
    RESUME = "resume"
    BACKFILL = "backfill"
    RELOAD = "reload"
    SLEEP = "the machine sleeps"
    SET_BACK = "the clock is set back"
    FULL_DISK = "the disk is full"
    LOSE_SUPERVISOR = "a supervisor is killed"
    CRASH = "kill -9"
    CRASH_SOON = "kill -9 at a step"
    REBOOT = "the machine goes down"
    STOP = "stop"
    STOP_NOW = "stop --now"
    STOP_DETACH = "stop --detach"
    SIGNAL = "SIGTERM"


#: after these the scheduler is not there, until it is started again
ENDINGS = (
    Kind.CRASH,
    Kind.CRASH_SOON,
    Kind.REBOOT,
    Kind.STOP,
    Kind.STOP_NOW,
    Kind.STOP_DETACH,
    Kind.SIGNAL,
)

_WEIGHTS = {
    Kind.EXECUTE: 10,
    Kind.EXECUTE_ROUTINE: 4,
    Kind.EXECUTE_FAILED: 3,
    Kind.EXECUTE_DOWNSTREAM: 2,
    Kind.EXECUTE_UNKNOWN: 2,
    Kind.CANCEL: 8,
    Kind.CANCEL_DOWNSTREAM: 3,
    Kind.MARK_SUCCEEDED: 4,
    Kind.MARK_SKIPPED: 3,
    Kind.MARK_UNKNOWN: 3,
    Kind.PAUSE: 5,
    Kind.RESUME: 4,
    Kind.BACKFILL: 3,
    Kind.RELOAD: 6,
    Kind.SLEEP: 6,
    Kind.SET_BACK: 3,
    Kind.FULL_DISK: 3,
    Kind.LOSE_SUPERVISOR: 4,
    Kind.CRASH: 8,
    Kind.CRASH_SOON: 24,
    Kind.REBOOT: 5,
    Kind.STOP: 3,
    Kind.STOP_NOW: 3,
    Kind.STOP_DETACH: 3,
    Kind.SIGNAL: 2,
}


@dataclass(frozen=True, slots=True)
class Act:
    """Something that happens so many seconds after what happened before.

    What is left to choose, such as which task, follows from ``number`` and from what is there.
    """

    after: int
    kind: Kind
    number: int

    @property
    def chance(self) -> Random:
        """Return what decides on the rest."""
        return Random(self.number)

    def __str__(self) -> str:
        return f"+{timedelta(seconds=self.after)} {self.kind} ({self.number})"


@dataclass(frozen=True)
class Story:
    """What is to be lived through."""

    seed: int
    routines: tuple[Routine, ...]
    start: datetime
    slots: int
    cores: int
    in_sqlite: bool
    assume_done: bool
    acts: tuple[Act, ...]

    @property
    def planned_at_once(self) -> int:
        """Return of how many routines a pass plans what falls due."""
        return (1, 2, 50)[self.seed % 3]

    def script_of(self, launch: Launch, generation: int) -> Script:
        """Return how an attempt goes: the same for the same one, whoever asks first."""
        routine = launch.environment["SCHEDULER_ROUTINE"]
        pace = Random(f"{self.seed} {routine}").choice(MINUTES)
        random = Random(f"{self.seed} {launch.task} {launch.attempt} {generation}")
        minutes = random.choice((pace, pace, pace, random.choice(MINUTES)))
        return Script(
            begins_after=timedelta(seconds=random.choice((0, 0, 0, 0, 0, 0.5, 2, 20, 600))),
            lasts=timedelta(minutes=minutes, seconds=random.choice((0, 0, 7))),
            code=random.choices((0, 1, 3), (80, 15, 5))[0],
            dies_after=timedelta(seconds=random.choice((0, 0.2, 3, 1000))),
            code_when_told=random.choice((None, None, 0, 1)),
            refused=random.random() < 0.02,
        )


def story_of(seed: int) -> Story:
    """Return the story of a seed."""
    draw = OperatingDraw(seed, size=5)
    random = draw.random
    drawn = registry_of([_plain(one) for one in draw.routines()])
    return Story(
        seed=seed,
        routines=routines_in(registry_text(drawn)),  # as they are read, so that a text tells all
        start=at(random.choice(STARTS)) + timedelta(seconds=random.choice((0, 0, 17))),
        slots=random.choice((1, 1, 2, 3, 8, 100)),
        cores=random.choice((1, 2, 100)),
        in_sqlite=seed % 40 == 7,
        assume_done=random.random() < 0.5,
        acts=tuple(_act(random) for _ in range(random.randint(4, 16))),
    )


def _act(random: Random) -> Act:
    kind = random.choices(tuple(_WEIGHTS), tuple(_WEIGHTS.values()))[0]
    after = 60 * random.choice((0, 0, 1, 7, 60, 60, 200, 600, 1500))
    return Act(
        after=after + random.choice((0, 0, 1, 30)), kind=kind, number=random.randrange(10**6)
    )


def _plain(routine: Routine) -> Routine:
    """Return a routine as a registry file may have it, without a calendar."""
    schedule = routine.schedule
    if isinstance(schedule, CalendarSchedule):
        schedule = Schedule(schedule.expression, schedule.timezone)
    takes_any = routine.require_any and schedule is not None and bool(routine.upstreams)
    return replace(routine, schedule=schedule, require_any=takes_any)


def edited(routines: Sequence[Routine], chance: Random) -> tuple[Routine, ...]:
    """Return a registry's routines after somebody has worked on them."""
    draw = OperatingDraw(chance.randrange(10**9), size=5)
    found = list(routines)
    for _ in range(chance.randint(1, 2)):
        found = draw.edited(found)
    return tuple(_plain(one) for one in found)


def registry_of(routines: Sequence[Routine]) -> Registry:
    """Return the registry of routines, in which what others name keeps each task.

    Raises:
        SchedulerError: they cannot stand together.
    """
    names = {one.name for one in routines}
    if any(name not in names for one in routines for name in one.upstreams):
        raise SchedulerError("an upstream is missing")
    return a_registry(*routines, pools=SLOTS)
