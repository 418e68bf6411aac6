"""What falls due together is planned in parts, so that ends need not wait for all of it."""

from dataclasses import replace

import pytest

from scheduler.engine.events import AttemptExited, TimePassed
from scheduler.engine.task import TaskId
from scheduler.registry.deadlines import parse_deadline
from scheduler.registry.routine import Backlog
from tests.support.checked_world import CheckedWorld
from tests.support.operating_worlds import OperatingDraw
from tests.support.random_worlds import Draw
from tests.support.world import Ends, World, a_registry, a_routine, at

EVE = at("2026-11-01T23:00")
MIDNIGHT = at("2026-11-02T00:00")
CROWD = tuple(f"c{number}" for number in range(9))


def a_crowd(*names: str) -> list[str]:
    return [f"{name}.2026-11-02T00:00:00" for name in names]


def test_none_starts_before_all_that_is_due_is_planned_for_the_last_may_go_first() -> None:
    crowd = [a_routine(name, "0 0 * * *") for name in CROWD]
    registry = a_registry(*crowd, replace(a_routine("urgent", "0 0 * * *"), priority=9))
    world = CheckedWorld(registry, EVE, slots=1, planned_at_once=3).start()
    for _ in range(3):
        world.fall_due()
        assert not world.starts
    world.fall_due()
    assert [str(id) for _, id in world.starts] == a_crowd("urgent")
    assert world.now == MIDNIGHT, "the parts follow each other at once"


def test_what_waits_for_an_end_starts_with_it_while_others_are_being_planned() -> None:
    registry = a_registry(
        a_routine("load", "30 23 * * *"),
        a_routine("report", None, "load"),
        *(a_routine(name, "0 0 * * *") for name in CROWD),
    )
    world = CheckedWorld(registry, EVE, {"load": Ends(minutes=90)}, planned_at_once=1)
    world.start().run_until(at("2026-11-01T23:59")).fall_due()
    load = TaskId("load", at("2026-11-01T23:30"))
    planned = len(world.live)
    world.handle(AttemptExited(at=world.now, task=load, attempt=1, code=0), "exited")
    assert [id.routine for _, id in world.starts] == ["load", "report"]
    assert len(world.live) == planned - 1, "nothing more is planned in that pass"


def test_what_a_person_asks_for_is_done_once_all_that_is_due_is_planned() -> None:
    registry = a_registry(*(a_routine(name, "0 0 * * *") for name in CROWD))
    world = CheckedWorld(registry, EVE, slots=1, planned_at_once=1).start().fall_due()
    assert world.state("c8.2026-11-02T00:00:00") == "none"
    world.cancel("c8.2026-11-02T00:00:00")
    assert world.task("c8.2026-11-02T00:00:00").state == "cancelled"
    assert [str(id) for _, id in world.starts] == a_crowd("c0")
    assert world.store.planned_until() == MIDNIGHT


def test_a_kill_amid_planning_leaves_no_instant_without_a_fate_nor_with_two() -> None:
    latest = (a_routine(name, "0 * * * *", backlog=Backlog.LATEST) for name in CROWD)
    world = CheckedWorld(a_registry(*latest), EVE, slots=1, planned_at_once=4).start()
    world.now = at("2026-11-02T03:10")
    # As if the machine had been too busy for hours: several instants of each fall due at once.
    world.handle(TimePassed(at=world.now), "time passed")
    assert world.store.run_of(TaskId("c0", MIDNIGHT)) is not None
    assert world.store.planned_until() == EVE
    world.crash()
    world.start()
    world.check_fates()
    world.check_snapshot()


def test_the_clock_that_is_set_back_amid_planning_does_not_hold_it_up() -> None:
    registry = a_registry(*(a_routine(name, "0 0 * * *") for name in CROWD))
    world = CheckedWorld(registry, EVE, slots=1, planned_at_once=5).start().fall_due()
    world.now = EVE
    assert world.wake_at is not None and world.wake_at < EVE
    world.fall_due()
    assert (world.now, world.store.planned_until()) == (EVE, MIDNIGHT)
    assert len(world.starts) == 1


def test_a_slot_that_comes_free_meanwhile_goes_to_who_had_waited_for_it_longest() -> None:
    registry = a_registry(
        a_routine("long", "15 23 * * *"),
        replace(a_routine("urgent", "30 23,0 * * *"), priority=9),
        a_routine("other", "40 23 * * *"),
        replace(a_routine("latest", "30,59 23 * * *"), priority=5),
        *(a_routine(name, "59 23 * * *") for name in CROWD),
    )
    world = CheckedWorld(registry, EVE, {"long": Ends(minutes=300)}, slots=1, planned_at_once=4)
    world.start().run_until(at("2026-11-01T23:50"))
    long = TaskId("long", at("2026-11-01T23:15"))
    world.fall_due()
    assert world.task("latest.2026-11-01T23:59:00").place == at("2026-11-01T23:30")
    for id in (long, TaskId("urgent", at("2026-11-01T23:30"))):
        world.handle(AttemptExited(at=world.now, task=id, attempt=1, code=0), "exited")
    assert world.store.planned_until() == at("2026-11-01T23:40"), "not all is planned yet"
    assert [str(id) for _, id in world.starts[1:]] == [
        "urgent.2026-11-01T23:30:00",
        "latest.2026-11-01T23:59:00",
    ]


def test_a_reload_amid_planning_may_remove_what_has_just_been_planned() -> None:
    paused = a_routine("c0", "* * * * *", backlog=Backlog.ALL)
    crowd = [a_routine(name, "0 0 * * *") for name in CROWD[1:]]
    registry = a_registry(paused, *crowd)
    begin = at("2026-11-01T22:00")
    world = CheckedWorld(registry, begin, {"c0": Ends(minutes=3000)}, planned_at_once=2).start()
    world.run_until(at("2026-11-01T23:59")).fall_due()
    assert world.store.planned_until() == at("2026-11-01T23:59")
    world.reload(a_registry(*crowd))
    assert "c0" not in world.engine.registry
    assert world.store.planned_until() == MIDNIGHT


def test_what_is_overdue_or_takes_too_long_amid_planning_is_so_at_once_or_after_a_stop() -> None:
    registry = a_registry(
        replace(a_routine("bad", "0 0 * * *"), due_by=parse_deadline("+24h")),
        *(a_routine(name, "0 0 * * *") for name in CROWD),
    )
    world = CheckedWorld(registry, at("2026-10-31T23:00"), {"bad": Ends(code=1)}, planned_at_once=2)
    world.start().run_until(at("2026-11-01T23:00"))
    world.fall_due()
    assert world.store.planned_until() != MIDNIGHT
    assert world.task("bad.2026-11-01T00:00:00").is_overdue
    world.stop()


def test_what_is_unknown_is_so_also_to_a_task_that_is_yet_to_be_planned() -> None:
    registry = a_registry(
        a_routine("up", "0 12 * * *"),
        a_routine("down", "0 0 * * *", "up"),
        *(a_routine(name, "0 0 * * *") for name in CROWD),
    )
    world = CheckedWorld(registry, EVE, planned_at_once=1).start()
    unknown = (TaskId("up", at("2026-11-01T12:00")),)
    assert world.engine.unknown() == unknown
    world.fall_due()
    assert world.state("down.2026-11-02T00:00:00") == "none"
    assert world.engine.unknown() == unknown


@pytest.mark.parametrize("seed", range(24))
def test_in_parts_or_at_once_the_same_comes_of_it(seed: int) -> None:
    draw = OperatingDraw(seed) if seed % 2 else Draw(seed)
    registry = draw.registry(draw.routines())

    def ends(id: TaskId, attempt: int) -> Ends:
        end = draw.ends(id, attempt)
        # Never at an instant: what comes in between counts as if it had come before.
        return replace(end, minutes=end.minutes + 0.37)

    parts, whole = (
        World(registry, EVE, dict.fromkeys(registry, ends), slots=3, planned_at_once=most)
        for most in (1, 1000)
    )
    for world in (parts, whole):
        world.start(assume_done=True).run_until(at("2026-11-03T12:00"))
    assert parts.starts == whole.starts
    for name in registry:
        assert parts.store.tasks_since(name, EVE) == whole.store.tasks_since(name, EVE)
        assert parts.store.runs_since(name, EVE) == whole.store.runs_since(name, EVE)
