"""What comes next of all routines, and what is unknown: as if each were asked, at less cost."""

from datetime import datetime, timedelta

import pytest

from scheduler.engine.task import TaskId
from scheduler.registry.registry import Registry
from scheduler.service.outlook import Outlook
from scheduler.zones import to_instant, to_utc
from tests.support.effort import calls_of
from tests.support.world import World, a_registry, a_routine, at

START = at("2026-11-02T00:30")

MIXED = a_registry(
    a_routine("hourly", "0 * * * *"),
    a_routine("load", "0 2 * * *"),
    a_routine("rates", "0 0 1 * *"),
    a_routine("never", "0 0 * * *", enabled=False),
    a_routine("both", None, "load", "hourly"),
    a_routine("report", "30 2 * * *", "load", "rates"),
    a_routine("early", "0 1 * * *", "load", "early previous"),
    a_routine("sum", "0 3 * * 1", "load all", "both all"),
    a_routine("week", "0 4 * * *", "rates same-month", "load same-week"),
)


def each_asked(
    registry: Registry, now: int, gone: set[TaskId], limit: int
) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for name, routine in registry.items():
        following = registry.triggers.next(name, now) if routine.enabled else None
        while following is not None and TaskId(name, to_utc(following)) in gone:
            following = registry.triggers.next(name, following)
        if following is not None:
            found.append((following, name))
    return sorted(found)[:limit]


def test_what_comes_next_is_what_each_routine_says_also_if_the_clock_is_set_back() -> None:
    outlook = Outlook(MIXED)
    gone = {TaskId("load", at("2026-11-02T02:00")), TaskId("hourly", at("2026-11-02T01:00"))}
    steps = (0, 1, 59, 3_600, 90_000, 5, 90_061, 40 * 86_400, 0)
    for limit in (3, 20):
        for step in steps:
            now = to_instant(START) + step
            for left_out in (set[TaskId](), gone):
                expected = each_asked(MIXED, now, left_out, limit)
                assert outlook.coming(now, left_out, limit) == expected


def test_what_comes_next_costs_no_look_at_each_routine_once_it_was_asked() -> None:
    costs: list[int] = []
    for count in (20, 400):
        registry = Registry([a_routine(f"r{n}", f"{n % 60} * * * *") for n in range(count)])
        outlook, now = Outlook(registry), to_instant(START)
        outlook.coming(now, (), 10)
        costs.append(calls_of(lambda: outlook.coming(now + 1, (), 10)))  # noqa: B023  # called here
    assert costs[1] < 1.5 * costs[0]


def each_waited_for(world: World, now: int) -> set[TaskId]:
    """Return what is unknown of all that the next task of each routine waits for."""
    found = {task.root for task in world.store.live() if task.root is not None}
    for name, routine in world.registry.items():
        following = world.registry.triggers.next(name, now)
        if following is not None and routine.enabled:
            found.update(world.registry.waits_for(name, to_utc(following)))
    states = {state.name: state for state in world.store.routines()}
    return {
        id
        for id in found
        if id.instant <= states[id.routine].known_since
        and states[id.routine].assumed is None
        and world.store.task(id) is None
        and world.store.run_of(id) is None
    }


@pytest.mark.parametrize("start", [START, at("2026-10-31T23:30"), at("2026-11-01T12:00")])
def test_what_is_unknown_is_what_is_waited_for_and_older_than_what_is_known(
    start: datetime,
) -> None:
    world = World(MIXED, start).start()
    outlook = Outlook(MIXED)
    seen = 0
    for hours in (0, 1, 2, 3, 6, 24, 25, 48, 24 * 8, 24 * 40):
        world.run_until(start + timedelta(hours=hours, minutes=1))
        now = to_instant(world.now)
        expected = {id for id in each_waited_for(world, now) if id.routine != "early"}
        assert set(outlook.unknown(world.store, world.store.live(), now)) == expected
        seen += len(expected)
    assert seen, "something is unknown at first"
    world.mark_unknown()
    assert not outlook.unknown(world.store, world.store.live(), to_instant(world.now))


def test_what_is_unknown_costs_no_look_at_each_routine_once_that_is_settled() -> None:
    registry = a_registry(
        a_routine("load", "* * * * *"),
        *(a_routine(f"r{n}", "* * * * *", "load") for n in range(99)),
    )
    world = World(registry, START).start()
    world.run_until(START + timedelta(minutes=2, seconds=30))
    outlook, now = Outlook(registry), to_instant(world.now)
    assert not outlook.unknown(world.store, (), now)
    assert calls_of(lambda: outlook.unknown(world.store, (), now)) < 30
