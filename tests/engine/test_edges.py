"""Corners of the rules, each of which a random world found first."""

import pytest

from scheduler.engine.admission import Limits
from scheduler.engine.commands import Refuse, Reply
from scheduler.engine.engine import Engine
from scheduler.engine.events import RoutineExecuteAsked, SchedulerStarted
from scheduler.engine.states import Cause, TaskState
from scheduler.engine.task import TaskId
from scheduler.registry.routine import Backlog
from scheduler.service.recovery import restored
from tests.support.checked_world import CheckedWorld
from tests.support.world import Ends, World, a_registry, a_routine, at

FAILS = Ends(minutes=1, code=1)


def runs(world: World, name: str) -> list[tuple[str, int]]:
    """Return (reason, count) of each run of skipped instants of a routine."""
    found = world.store.runs_since(name, at("2026-01-01T00:00"))
    return [(run.reason, run.count) for run in found]


# -- cancelling with all that waits ------------------------------------------------------------


def test_cancelling_with_downstream_leaves_the_later_tasks_of_a_routine_alone() -> None:
    registry = a_registry(a_routine("sum", "0 2 * * *", "sum previous"))
    world = CheckedWorld(registry, at("2026-11-01T12:00")).start()
    reply = world.cancel("sum.2026-11-02T02:00:00", downstream=True)
    assert isinstance(reply, Reply) and [str(id) for id in reply.tasks] == [
        "sum.2026-11-02T02:00:00"
    ]


def test_cancelling_with_downstream_passes_over_what_is_cancelled_already() -> None:
    registry = a_registry(a_routine("load", "0 2 * * *"), a_routine("report", None, "load"))
    world = CheckedWorld(registry, at("2026-11-01T12:00")).start()
    world.cancel("report.2026-11-02T02:00:00")
    reply = world.cancel("load.2026-11-02T02:00:00", downstream=True)
    assert isinstance(reply, Reply) and len(reply.tasks) == 1
    world.run_until(at("2026-11-02T03:00"))
    assert world.state("report.2026-11-02T02:00:00") == "cancelled"
    assert world.store.ahead() == ()


def test_a_cancellation_to_come_is_forgotten_with_its_instant() -> None:
    world = CheckedWorld(a_registry(a_routine("load", "0 2 * * *")), at("2026-11-01T12:00")).start()
    world.cancel("load.2026-11-02T02:00:00")
    world.stop()
    world.edit(a_routine("load", "0 3 * * *")).start()
    assert world.store.ahead() == () == world.engine.snapshot().ahead


# -- disabled, removed, changed ----------------------------------------------------------------


def test_instants_of_a_disabled_routine_are_recorded_once_across_restarts() -> None:
    registry = a_registry(a_routine("off", "0 * * * *", enabled=False), a_routine("x", "0 * * * *"))
    world = CheckedWorld(registry, at("2026-11-02T00:30")).start()
    world.run_until(at("2026-11-02T02:30")).crash().sleep_until(at("2026-11-02T05:30")).start()
    world.run_until(at("2026-11-02T06:30"))
    assert runs(world, "off") == [("disabled", 6)]


def test_a_routine_that_is_enabled_again_does_not_make_up_for_what_it_missed() -> None:
    off = a_routine("load", "0 * * * *", enabled=False)
    world = CheckedWorld(a_registry(off), at("2026-11-02T00:30")).start().stop()
    world.edit(a_routine("load", "0 * * * *")).sleep_until(at("2026-11-02T03:30")).start()
    world.run_until(at("2026-11-02T04:30")).stop()
    assert world.state("load.2026-11-02T04:00:00") == "succeeded"
    world.edit(off).sleep_until(at("2026-11-02T06:30")).start()
    # The task in between has a fate of its own: two runs, not one that holds it.
    assert runs(world, "load") == [("disabled", 3), ("disabled", 2)]


def test_a_routine_that_was_removed_and_comes_back_begins_anew() -> None:
    load, other = a_routine("load", "0 * * * *"), a_routine("other", "0 * * * *")
    world = CheckedWorld(a_registry(load, other), at("2026-11-02T00:30")).start()
    world.run_until(at("2026-11-02T01:30")).stop()
    world.edit(other).start().run_until(at("2026-11-02T03:30")).stop()
    world.edit(load, other).sleep_until(at("2026-11-02T05:30")).start()
    world.run_until(at("2026-11-02T06:30"))
    assert world.started("load") == ["02T01:00@02T01:00", "02T06:00@02T06:00"]
    assert runs(world, "load") == []


def test_a_run_of_an_older_schedule_is_never_split() -> None:
    world = CheckedWorld(a_registry(a_routine("load", "0 * * * *")), at("2026-11-02T00:30")).start()
    world.stop()
    world.edit(a_routine("load", "*/20 * * * *")).sleep_until(at("2026-11-02T05:30")).start()
    world.execute("load.2026-11-02T03:00:00")
    world.run_until(at("2026-11-02T05:35"))
    assert runs(world, "load") == [("schedule changed", 5)]
    assert world.state("load.2026-11-02T03:00:00") == "succeeded"


def test_what_an_older_schedule_left_behind_is_unknown_and_can_be_marked() -> None:
    load, report = a_routine("load", "0 2 * * *"), a_routine("report", "0 6 * * *", "load")
    world = CheckedWorld(a_registry(load, report), at("2026-11-02T00:30"), {"load": FAILS}).start()
    world.run_until(at("2026-11-02T03:00")).stop().sleep_until(at("2026-11-03T03:00"))
    # The new schedule has the instant at 02:00 as well, but nobody ran it.
    world.edit(a_routine("load", "0 2,22 * * *"), report).start()
    world.run_until(at("2026-11-03T06:30"))
    assert world.state("load.2026-11-03T02:00:00") == "skipped: schedule changed"
    assert "which is unknown" in world.state("report.2026-11-03T06:00:00")
    assert [str(id) for id in world.engine.unknown()] == ["load.2026-11-03T02:00:00"]
    world.mark_unknown()
    world.run_until(at("2026-11-03T06:31"))
    assert world.state("report.2026-11-03T06:00:00") == "succeeded"


@pytest.mark.parametrize(("third", "state"), [(0, "succeeded"), (1, "blocked")])
def test_the_last_task_that_ran_decides_what_a_new_schedule_begins_with(
    third: int, state: str
) -> None:
    up, report = a_routine("up", "0 1 * * *"), a_routine("report", "0 6 * * *", "load")
    load = a_routine("load", "0 2 * * *", "up", backlog=Backlog.ALL)
    world = CheckedWorld(a_registry(up, load, report), at("2026-11-01T12:00"))
    world.outcomes = {
        "load": lambda id, _: Ends(0, third if id.instant.day == 3 else 0),
        "up": lambda id, _: Ends(0, int(id.instant.day == 4)),
    }
    # The task of the 4th is blocked, and skipped with its schedule: that of the 3rd decides.
    world.start().run_until(at("2026-11-04T03:00")).stop().sleep_until(at("2026-11-04T05:30"))
    world.edit(up, a_routine("load", "0 5 * * *", "up", backlog=Backlog.ALL), report).start()
    world.run_until(at("2026-11-04T06:30"))
    assert world.task("report.2026-11-04T06:00:00").state == state


def test_a_new_routine_is_unknown_before_it_was_known_also_to_what_waits_already() -> None:
    slow = a_routine("slow", "0 1 * * *")
    old = a_registry(slow, a_routine("report", "0 2 * * *", "slow same-day"))
    world = CheckedWorld(old, at("2026-11-02T00:30"), {"slow": Ends(600)}).start()
    world.run_until(at("2026-11-02T03:00")).crash().sleep_until(at("2026-11-02T23:30"))
    new = a_routine("new", "0 23 * * *")
    world.edit(slow, new, a_routine("report", "0 2 * * *", "new same-day")).start()
    assert "unknown" in world.state("report.2026-11-02T02:00:00")


def test_a_routine_that_is_new_while_the_clock_is_behind_begins_where_planning_stands() -> None:
    load = a_routine("load", "0 * * * *")
    world = CheckedWorld(a_registry(load), at("2026-11-02T00:30")).start()
    world.run_until(at("2026-11-02T04:30")).stop().sleep_until(at("2026-11-02T02:30"))
    world.edit(load, a_routine("new", "0 * * * *")).start().run_until(at("2026-11-02T05:30"))
    assert world.started("new") == ["02T05:00@02T05:00"]
    world.check_fates()


# -- covers -----------------------------------------------------------------------------------


def test_a_chain_of_covers_is_not_forgotten_while_something_waits_for_its_beginning() -> None:
    registry = a_registry(
        a_routine("load", "*/5 * * * *"),
        a_routine("each", "0 * * * *", "load", backlog=Backlog.ALL),
    )
    outcomes = {"load": lambda id, _: Ends(0, int(id.instant == at("2026-11-02T01:10")))}
    world = CheckedWorld(registry, at("2026-11-02T00:57"), outcomes).start()
    world.crash().sleep_until(at("2026-11-02T01:12")).start()  # 01:00 is covered by 01:10
    world.run_until(at("2026-11-03T01:00"))  # and 280 further ones succeed
    world.outcomes = {}
    assert "01:10:00, which failed" in world.state("each.2026-11-02T01:00:00")
    world.check_snapshot()
    world.execute("load.2026-11-02T01:10:00")
    world.run_until(at("2026-11-03T01:01"))
    assert world.state("each.2026-11-02T01:00:00") == "succeeded"


def test_what_waits_for_a_cover_takes_the_covered_one_if_a_person_runs_it() -> None:
    registry = a_registry(
        a_routine("load", "0 * * * *"),
        a_routine("each", "0 1 * * *", "load", backlog=Backlog.ALL),
    )
    world = CheckedWorld(registry, at("2026-11-02T00:30"), {"load": FAILS}).start().stop()
    world.sleep_until(at("2026-11-02T03:30")).start().run_until(at("2026-11-02T04:30"))
    assert "03:00:00, which failed" in world.state("each.2026-11-02T01:00:00")
    world.outcomes = {}
    world.execute("load.2026-11-02T01:00:00")
    world.run_until(at("2026-11-02T04:31"))
    assert world.state("each.2026-11-02T01:00:00") == "succeeded"


def test_a_task_run_before_its_time_breaks_a_run_of_skipped_ones() -> None:
    world = CheckedWorld(a_registry(a_routine("load", "0 * * * *")), at("2026-11-02T00:30")).start()
    world.execute("load.2026-11-02T03:00:00")
    world.run_until(at("2026-11-02T00:40")).stop().sleep_until(at("2026-11-02T06:30")).start()
    counts = [run.count for run in world.store.runs_since("load", at("2026-11-02T00:00"))]
    assert counts == [2, 2]  # 01:00 and 02:00, 04:00 and 05:00
    world.check_fates()


def test_a_task_that_is_covered_in_the_late_lane_does_not_hold_its_routine_there() -> None:
    registry = a_registry(a_routine("a", "0 * * * *"), a_routine("z", "0 * * * *"))
    world = CheckedWorld(registry, at("2026-11-02T00:30"), {"a": Ends(70)}, slots=1).start()
    world.stop().sleep_until(at("2026-11-02T01:30")).start()
    world.run_until(at("2026-11-02T03:00"))  # z of 02:00 is due, and took the place of a late one
    assert world.started("z") == ["02T02:00@02T02:40"]


# -- by hand ----------------------------------------------------------------------------------


def test_tasks_of_a_routine_by_hand_never_share_a_second() -> None:
    world = CheckedWorld(a_registry(a_routine("tool")), at("2026-11-02T00:30"), slots=1).start()
    asked = RoutineExecuteAsked(at=world.now, routine="tool")
    ids = [reply.tasks[0] for _ in range(5) if isinstance(reply := world.ask(asked, ""), Reply)]
    assert len(set(ids)) == 5


@pytest.mark.parametrize(
    ("verb", "task", "says"),
    [
        ("execute", "load.2026-11-02T02:30:00", "no such instant"),
        ("execute", "gone.2026-11-02T02:00:00", "not in the registry any more"),
        ("cancel", "gone.2026-11-02T02:00:00", "there is no routine 'gone'"),
        ("cancel", "load.2026-10-02T02:00:00", "unknown"),
        ("mark", "load.2026-11-02T02:30:00", "no such instant"),
        ("mark", "gone.2026-11-02T02:00:00", "there is no routine 'gone'"),
        ("mark", "load.2027-11-02T02:00:00", "not due yet"),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(
    verb: str, task: str, says: str
) -> None:
    world = CheckedWorld(a_registry(a_routine("load", "0 2 * * *")), at("2026-11-01T12:00")).start()
    before = world.engine.snapshot()
    asks = {
        "execute": lambda: world.execute(task),
        "cancel": lambda: world.cancel(task),
        "mark": lambda: world.mark(Cause.MARKED_SUCCEEDED, task),
    }
    reply = asks[verb]()
    assert isinstance(reply, Refuse) and says in reply.message
    assert world.engine.snapshot() == before


def test_an_end_that_is_told_twice_counts_once() -> None:
    world = CheckedWorld(a_registry(a_routine("load", "0 2 * * *")), at("2026-11-01T12:00")).start()
    world.run_until(at("2026-11-02T03:00"))
    again = next(event for event in world.events if type(event).__name__ == "AttemptExited")
    world.handle(again, "told again")
    task = world.task("load.2026-11-02T02:00:00")
    assert task.state is TaskState.SUCCEEDED and len(task.attempts) == 1


def test_the_registry_of_another_order_does_not_change_what_is_decided_at_a_start() -> None:
    load = a_routine("load", "0 * * * *")
    report = a_routine("report", "0 * * * *", "load")
    outcomes = {"load": Ends(90)}
    world = CheckedWorld(a_registry(load, report), at("2026-11-02T00:30"), outcomes).start()
    world.run_until(at("2026-11-02T03:10")).crash()
    other = a_registry(report, load)
    said: list[set[str]] = []
    for registry in (world.registry, other):
        snapshot = restored(world.store, world.registry, registry, world.now)
        engine = Engine(world.registry, snapshot, Limits(max_running=9, late=9))
        commands = engine.handle(SchedulerStarted(at=world.now, registry=registry))
        said.append({repr(command) for command in commands})
    assert said[0] == said[1]


def test_a_task_keeps_the_zone_that_it_was_planned_with() -> None:
    paris = a_routine("load", "0 2 * * *", zone="Europe/Paris")
    world = CheckedWorld(a_registry(paris), at("2026-11-01T12:00")).start()
    world.run_until(at("2026-11-02T03:00"))
    id = world.store.tasks_since("load", at("2026-11-01T00:00"))[0].id
    assert (str(id), id.zone) == ("load.2026-11-02T02:00:00", "Europe/Paris")
    assert id == TaskId("load", at("2026-11-02T01:00"))
