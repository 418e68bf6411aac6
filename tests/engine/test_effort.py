"""What an event costs does not grow with how much there is besides.

Counted in calls, for a few and for many: nothing here depends on how fast the machine is.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from statistics import median

import pytest

from scheduler.engine.admission import Limits
from scheduler.engine.commands import StartAttempt
from scheduler.engine.engine import Engine
from scheduler.engine.events import (
    AnyEvent,
    AttemptExited,
    PauseAsked,
    SchedulerStarted,
    TimePassed,
)
from scheduler.engine.snapshot import Snapshot
from scheduler.engine.task import Pause, PauseScope
from scheduler.registry.registry import Registry
from scheduler.registry.routine import Backlog
from tests.support.effort import calls_of
from tests.support.world import a_routine, at

EVE = at("2026-11-02T00:30")
ONE = at("2026-11-02T01:00")

FEW, MANY = 30, 600
_SLACK = 1.5  # a heap or a search may take the logarithm more


def of_an_end(registry: Registry) -> int:
    """Return what the end of a task costs once all that falls due at one o'clock is planned."""
    engine = Engine(registry, Snapshot(planned_until=EVE), Limits(max_running=4, late=2))
    engine.handle(SchedulerStarted(at=EVE, registry=registry))
    started: list[StartAttempt] = []

    def handle(event: AnyEvent) -> None:
        started.extend(one for one in engine.handle(event) if isinstance(one, StartAttempt))

    while engine.snapshot().planned_until < ONE:  # some in each pass
        handle(TimePassed(at=ONE))
    costs: list[int] = []
    for _ in range(5):
        first = started.pop(0)
        end = AttemptExited(at=ONE, task=first.task, attempt=first.attempt, code=0)
        costs.append(calls_of(partial(handle, end)))
        assert started, "each end lets another start"
    return sorted(costs)[len(costs) // 2]


def lacking_slots_of_a_pool(count: int) -> Registry:
    routines = [replace(a_routine(f"r{n}", "0 1 * * *"), pool="db") for n in range(count)]
    return Registry(routines, pools={"db": 1})


def lacking_any_slot(count: int) -> Registry:
    return Registry([a_routine(f"r{n}", "0 1 * * *") for n in range(count)])


def in_a_chain(count: int) -> Registry:
    chain = [a_routine(f"r{n}", None, f"r{n - 1}") for n in range(1, count)]
    return Registry([a_routine("r0", "0 1 * * *"), *chain])


def with_one_that_waits_for_all(count: int) -> Registry:
    names = [f"r{n}" for n in range(count)]
    return Registry(
        [*(a_routine(name, "0 1 * * *") for name in names), a_routine("top", None, *names)]
    )


@pytest.mark.parametrize(
    "world", [lacking_slots_of_a_pool, lacking_any_slot, in_a_chain, with_one_that_waits_for_all]
)
def test_the_end_of_a_task_costs_the_same_however_many_wait(
    world: Callable[[int], Registry],
) -> None:
    assert of_an_end(world(MANY)) < _SLACK * of_an_end(world(FEW))


def test_the_next_instant_costs_the_same_however_many_tasks_a_pause_has_held_up() -> None:
    up = a_routine("up", "* * * * *", backlog=Backlog.ALL)
    registry = Registry([up, a_routine("down", "* * * * *", "up")])
    engine = Engine(registry, Snapshot(planned_until=EVE), Limits(max_running=4, late=2))
    engine.handle(SchedulerStarted(at=EVE, registry=registry, assume_done=True))
    pause = Pause(scope=PauseScope.ROUTINE, name="up", since=EVE)
    engine.handle(PauseAsked(at=EVE, pause=pause))
    costs = [
        calls_of(partial(engine.handle, TimePassed(at=EVE + timedelta(minutes=minute))))
        for minute in range(1, MANY)
    ]
    held = [task for task in engine.snapshot().live if task.routine == "down"]
    assert len(held) == MANY - 1, "each waits for another: none covers another"
    # By the median of each: now and then what has ended is looked through.
    assert median(costs[-FEW:]) < _SLACK * median(costs[1:FEW])


def test_what_is_unknown_costs_no_look_at_each_routine_once_all_have_triggered() -> None:
    costs: list[int] = []
    for count in (FEW, MANY):
        registry = lacking_any_slot(count - 1)
        registry = Registry([*registry.values(), a_routine("top", "0 1 * * *", *registry)])
        engine = Engine(registry, Snapshot(planned_until=EVE), Limits(max_running=4, late=2))
        engine.handle(SchedulerStarted(at=EVE, registry=registry))
        while engine.snapshot().planned_until < ONE:
            engine.handle(TimePassed(at=ONE))
        costs.append(calls_of(engine.unknown) // count)
    assert costs[1] <= costs[0] + 1
    assert costs[1] < 25
