"""What a start makes of attempts that an earlier scheduler began, or only decided on."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from scheduler.engine.admission import Limits
from scheduler.engine.commands import Command, KillAttempt, Record, StartAttempt
from scheduler.engine.engine import Engine
from scheduler.engine.events import (
    AnyEvent,
    AttemptExited,
    AttemptLost,
    AttemptNeverBegan,
    SchedulerStarted,
    StopAsked,
)
from scheduler.engine.states import Cause, TaskState
from scheduler.engine.task import Task, TaskId
from scheduler.registry.routine import Routine
from scheduler.service.recovery import restored
from tests.support.world import Ends, World, a_registry, a_routine, at

TASK = "load.2026-11-02T02:00:00"
LONG = Ends(minutes=600)


def a_world(*changes: Callable[[Routine], Routine]) -> World:
    """Return a world in which a task has run for ten minutes."""
    routine = a_routine("load", "0 2 * * *")
    for change in changes:
        routine = change(routine)
    world = World(a_registry(routine), at("2026-11-01T12:00"), {"load": LONG})
    world.start().run_until(at("2026-11-02T02:10"))
    assert world.task(TASK).state is TaskState.RUNNING
    return world


def started_again(world: World, *events: AnyEvent) -> list[Command]:
    """Let the scheduler die, and return what the next one decides of this, and of its start."""
    snapshot = restored(world.store, world.registry, world.registry, world.now)
    engine = Engine(world.registry, snapshot, Limits(max_running=4, late=4))
    commands: list[Command] = []
    for event in (*events, SchedulerStarted(at=world.now, registry=world.registry)):
        decided = engine.handle(event)
        world.store.apply([command for command in decided if isinstance(command, Record)])
        commands.extend(decided)
    return commands


def starts(commands: list[Command]) -> list[tuple[str, int]]:
    return [(str(one.task), one.attempt) for one in commands if isinstance(one, StartAttempt)]


def kills(commands: list[Command]) -> list[str]:
    return [str(one.task) for one in commands if isinstance(one, KillAttempt)]


def never_began(world: World) -> AttemptNeverBegan:
    id = TaskId("load", at("2026-11-02T02:00"))
    return AttemptNeverBegan(at=world.now, task=id, attempt=1)


def the_task(world: World) -> Task:
    return world.task(TASK)


def test_an_attempt_that_still_runs_is_left_to_run() -> None:
    world = a_world()
    commands = started_again(world)
    assert (starts(commands), kills(commands)) == ([], [])
    assert the_task(world).state is TaskState.RUNNING


def test_an_attempt_that_never_began_is_ordered_once_more_under_its_number() -> None:
    world = a_world()
    assert starts(started_again(world, never_began(world))) == [(TASK, 1)]
    task = the_task(world)
    assert (task.state, len(task.attempts), task.tries) == (TaskState.RUNNING, 1, 1)
    assert task.attempts[0].started_at == world.now, "its limits count from the real start"


def test_a_timeout_counts_from_the_real_start() -> None:
    world = a_world(with_timeout(hours=1))
    world.now = at("2026-11-02T09:00")
    assert kills(started_again(world, never_began(world))) == []
    world = a_world(with_timeout(hours=1))
    world.now = at("2026-11-02T09:00")
    assert kills(started_again(world)) == [TASK], "this one has run all the time"


def test_what_was_to_be_ended_is_killed_again() -> None:
    world = a_world()
    world.cancel(TASK)
    assert the_task(world).ending is Cause.CANCELLED
    assert kills(started_again(world)) == [TASK]


@pytest.mark.parametrize("has_begun", [True, False])
def test_what_was_to_be_ended_and_is_gone_is_what_it_was_to_become(has_begun: bool) -> None:
    world = a_world(with_retries)
    world.cancel(TASK)
    id = TaskId("load", at("2026-11-02T02:00"))
    lost = AttemptLost(at=world.now, task=id, attempt=1)
    commands = started_again(world, lost if has_begun else never_began(world))
    assert (starts(commands), kills(commands)) == ([], [])
    task = the_task(world)
    assert (task.state, task.ending) == (TaskState.CANCELLED, None)


def test_stop_now_says_what_becomes_of_each_before_it_kills() -> None:
    world = a_world()
    world.handle(StopAsked(at=world.now, now=True), "stop now")
    assert the_task(world).ending is Cause.STOPPED


@pytest.mark.parametrize(
    ("ended_at", "shown"),
    [
        ("2026-11-02T02:05", "2026-11-02T02:05"),
        ("2026-11-01T02:05", "2026-11-02T02:00"),  # the clock was set back meanwhile
        ("2026-11-05T02:05", "2026-11-02T02:10"),  # or forward
    ],
)
def test_an_end_that_nobody_noticed_keeps_its_time_within_reason(ended_at: str, shown: str) -> None:
    world = a_world()
    id = TaskId("load", at("2026-11-02T02:00"))
    exited = AttemptExited(at=world.now, task=id, attempt=1, code=0, ended_at=at(ended_at))
    started_again(world, exited)
    task = the_task(world)
    assert task.state is TaskState.SUCCEEDED
    assert (task.attempts[0].ended_at, task.changed_at) == (at(shown), world.now)


def test_a_retry_waits_from_the_end_and_not_from_when_that_was_noticed() -> None:
    world = a_world(with_retries)
    id = TaskId("load", at("2026-11-02T02:00"))
    ended_at = at("2026-11-02T02:05")
    exited = AttemptExited(at=world.now, task=id, attempt=1, code=1, ended_at=ended_at)
    started_again(world, exited)
    assert the_task(world).retry_at == ended_at + timedelta(minutes=30)


def with_retries(routine: Routine) -> Routine:
    return changed(routine, retries=3, retry_delay=timedelta(minutes=30))


def with_timeout(**length: float) -> Callable[[Routine], Routine]:
    return lambda routine: changed(routine, timeout=timedelta(**length))


def changed(routine: Routine, **changes: int | timedelta | datetime) -> Routine:
    return replace(routine, **changes)  # type: ignore[arg-type]
