"""How often things run, over days: the numbers that a slow script must not spoil."""

from itertools import pairwise

import pytest

from scheduler.engine.admission import Limits
from scheduler.engine.engine import Engine
from scheduler.engine.events import AnyEvent, SchedulerStarted, TimePassed
from scheduler.engine.states import TaskState
from scheduler.service.recovery import restored
from scheduler.service.store.memory import MemoryStore
from tests.support.world import Ends, World, a_registry, a_routine, at

EVE, MIDNIGHT, NEXT = at("2026-11-01T23:30"), at("2026-11-02T00:00"), at("2026-11-03T00:00")


@pytest.mark.parametrize(("minutes", "runs"), [(61, 23), (90, 16)])
def test_what_waits_for_a_slow_hourly_runs_as_often_as_that_ends(minutes: int, runs: int) -> None:
    registry = a_registry(
        a_routine("a", "0 * * * *"),
        a_routine("b", "0 * * * *", "a"),
        a_routine("c", "0 * * * *", "b"),
    )
    world = World(registry, EVE, {"a": Ends(minutes)}).start().run_until(NEXT)
    assert [len(world.started(name)) for name in "bc"] == [runs, runs]


def test_a_chain_of_eight_does_not_run_less_often_at_each_link() -> None:
    links = [a_routine("r0", "0 * * * *")]
    links += [a_routine(f"r{n}", "0 * * * *", f"r{n - 1}") for n in range(1, 8)]
    outcomes = {routine.name: Ends(50) for routine in links}
    world = World(a_registry(*links), EVE, outcomes).start().run_until(at("2026-11-04T00:00"))
    counts = [len(world.started(routine.name)) for routine in links]
    # Each link begins 50 minutes after the one before: that is all that it may lack.
    assert counts[0] == 49
    assert all(before - after <= 1 for before, after in pairwise(counts))


def test_with_one_slot_busy_at_each_full_hour_the_others_still_run() -> None:
    registry = a_registry(a_routine("a", "0 * * * *"), a_routine("b", "0 * * * *", "a"))
    outcomes = {"a": Ends(50), "b": Ends(20)}
    world = World(registry, EVE, outcomes, slots=1).start().run_until(NEXT)
    assert len(world.started("b")) >= 10


def test_no_older_task_starts_after_a_newer_one_of_a_routine_that_keeps_the_latest() -> None:
    registry = a_registry(a_routine("a", "*/7 * * * *"), a_routine("b", "*/5 * * * *", "a"))
    world = World(registry, EVE, {"a": Ends(9), "b": Ends(12)}, slots=2).start().run_until(NEXT)
    for name in "ab":
        instants = [id.instant for _, id in world.starts if id.routine == name]
        assert instants == sorted(instants)


def test_a_restart_goes_on_exactly_where_the_last_run_stopped() -> None:
    registry = a_registry(
        a_routine("a", "0 * * * *"),
        a_routine("b", "30 * * * *", "a"),
        a_routine("c", None, "a", "b"),
    )
    outcomes = {"a": Ends(40), "b": Ends(5)}
    through = World(registry, EVE, outcomes).start().run_until(at("2026-11-02T06:10"))
    halves = World(registry, EVE, outcomes).start().run_until(at("2026-11-02T03:50"))
    halves.stop().start().run_until(at("2026-11-02T06:10"))
    assert halves.starts == through.starts
    assert halves.engine.snapshot().live == through.engine.snapshot().live


def test_each_instant_of_an_outage_is_skipped_in_one_record() -> None:
    registry = a_registry(a_routine("a", "* * * * *"))
    world = World(registry, MIDNIGHT).start().run_until(at("2026-11-02T00:05"))
    world.crash().sleep_until(at("2026-11-05T00:00")).start()
    runs = world.store.runs_since("a", MIDNIGHT)
    assert [run.count for run in runs] == [3 * 1440 - 6]
    assert runs[0].cover is not None
    assert world.task("a.2026-11-05T00:00:00").state is TaskState.RUNNING


def test_the_same_events_lead_to_the_same_commands() -> None:
    registry = a_registry(a_routine("a", "*/3 * * * *"), a_routine("b", None, "a"))
    events: list[AnyEvent] = [SchedulerStarted(at=EVE, registry=registry), TimePassed(at=MIDNIGHT)]
    said: list[list[object]] = []
    for _ in range(2):
        snapshot = restored(MemoryStore(), registry, registry, EVE)
        engine = Engine(registry, snapshot, Limits(max_running=4, late=2))
        said.append([command for event in events for command in engine.handle(event)])
    assert said[0] == said[1]
