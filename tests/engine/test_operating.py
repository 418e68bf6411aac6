"""Retries, limits, deadlines, pools, pauses, reloads and backfills, as the engine decides them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from scheduler.engine.commands import Refuse
from scheduler.engine.events import (
    BackfillAsked,
    ExecuteAsked,
    PauseAsked,
    RegistryReloaded,
    ResumeAsked,
)
from scheduler.engine.states import Cause
from scheduler.engine.task import Origin, Pause, PauseScope, TaskId
from scheduler.registry.deadlines import parse_deadline
from scheduler.registry.registry import Registry
from scheduler.registry.routine import Backlog, Dependency, Otherwise, Overlap, Routine
from tests.support.world import Ends, World, a_registry, a_routine, at

EVE = at("2026-11-02T00:30")
ONE = at("2026-11-02T01:00")


def with_retries(routine: Routine, retries: int, minutes: int = 1) -> Routine:
    delay = timedelta(minutes=minutes)
    return replace(routine, retries=retries, retry_delay=delay, retry_backoff=2.0)


def fails_until(attempt: int) -> "Ends | object":
    return lambda _id, number: Ends(1, code=0 if number >= attempt else 1)


# -- retries -----------------------------------------------------------------------------------


def test_a_failed_attempt_is_retried_after_a_growing_wait_until_the_retries_are_used_up() -> None:
    routine = with_retries(a_routine("load", "0 1 * * *"), 2)
    world = World(a_registry(routine), EVE, {"load": Ends(1, code=1)}).start()
    world.run_until(at("2026-11-02T03:00"))
    assert [f"{when:%H:%M}" for when, _ in world.starts] == ["01:00", "01:02", "01:05"]
    task = world.task("load.2026-11-02T01:00:00")
    assert (task.state, task.tries, task.retry_at) == ("failed", 3, None)
    assert [attempt.number for attempt in task.attempts] == [1, 2, 3]


def test_what_waits_for_a_task_that_waits_for_a_retry_waits_on() -> None:
    load = with_retries(a_routine("load", "0 1 * * *"), 3, minutes=10)
    registry = a_registry(load, a_routine("report", "0 1 * * *", "load"))
    world = World(registry, EVE, {"load": fails_until(2)}).start()  # type: ignore[dict-item]
    world.run_until(at("2026-11-02T01:05"))
    assert world.state("load.2026-11-02T01:00:00").startswith("waiting: waits for retry 1 of 3")
    assert world.state("report.2026-11-02T01:00:00").startswith("waiting: waits for load")
    world.run_until(at("2026-11-02T02:00"))
    assert world.state("report.2026-11-02T01:00:00") == "succeeded"


def test_a_task_that_waits_for_a_retry_is_not_covered_and_holds_its_routines_overlap() -> None:
    load = with_retries(a_routine("load", "0 * * * *"), 1, minutes=90)
    world = World(a_registry(load), EVE, {"load": fails_until(2)}).start()  # type: ignore[dict-item]
    world.run_until(at("2026-11-02T02:30"))
    assert world.started("load") == ["02T01:00@02T01:00"]
    assert world.state("load.2026-11-02T02:00:00") == "ready"
    world.run_until(at("2026-11-02T02:40"))
    assert world.started("load")[1:] == ["02T01:00@02T02:31", "02T02:00@02T02:32"]


def test_a_person_gets_the_retry_now_and_fresh_retries_after_it() -> None:
    load = with_retries(a_routine("load", "0 1 * * *"), 1, minutes=60)
    world = World(a_registry(load), EVE, {"load": Ends(1, code=1)}).start()
    world.run_until(at("2026-11-02T01:10"))
    asked = ExecuteAsked(at=world.now, tasks=(world.recorded("load.2026-11-02T01:00:00"),))
    world.ask(asked, "execute load.2026-11-02T01:00:00")
    world.run_until(at("2026-11-02T05:00"))
    assert [f"{when:%H:%M}" for when, _ in world.starts] == ["01:00", "01:10", "02:11"]


def test_a_restart_keeps_the_time_of_a_retry() -> None:
    load = with_retries(a_routine("load", "0 1 * * *"), 1, minutes=60)
    world = World(a_registry(load), EVE, {"load": fails_until(2)}).start()  # type: ignore[dict-item]
    world.run_until(at("2026-11-02T01:10")).crash().start().run_until(at("2026-11-02T03:00"))
    assert [f"{when:%H:%M}" for when, _ in world.starts] == ["01:00", "02:01"]
    assert world.state("load.2026-11-02T01:00:00") == "succeeded"


def test_an_attempt_that_was_lost_runs_again_only_as_its_retries_allow() -> None:
    load = with_retries(a_routine("load", "0 1 * * *"), 1, minutes=10)
    registry = a_registry(load, a_routine("once", "0 1 * * *"))
    world = World(registry, EVE, {"load": Ends(30), "once": Ends(30)}).start()
    world.run_until(at("2026-11-02T01:05")).crash().start()
    assert "after: lost, may have run" in world.state("load.2026-11-02T01:00:00")
    assert world.state("once.2026-11-02T01:00:00") == "failed"
    world.run_until(at("2026-11-02T02:00"))
    assert world.state("load.2026-11-02T01:00:00") == "succeeded"
    assert len(world.started("once")) == 1


def test_what_fails_while_the_scheduler_stops_is_retried_by_the_next_one() -> None:
    load = with_retries(a_routine("load", "0 1 * * *"), 1, minutes=10)
    world = World(a_registry(load), EVE, {"load": fails_until(2)}).start()  # type: ignore[dict-item]
    world.run_until(ONE).stop().start().run_until(at("2026-11-02T02:00"))
    assert world.state("load.2026-11-02T01:00:00") == "succeeded"


def test_an_attempt_that_takes_too_long_is_killed_and_counts_as_failed() -> None:
    load = replace(a_routine("load", "0 1 * * *"), timeout=timedelta(minutes=10))
    world = World(a_registry(load), EVE, {"load": Ends(60)}).start()
    world.run_until(at("2026-11-02T02:00"))
    task = world.task("load.2026-11-02T01:00:00")
    assert (task.state, task.cause) == ("failed", Cause.TIMED_OUT)
    assert task.attempts[-1].ended_at == at("2026-11-02T01:10")


# -- slots -------------------------------------------------------------------------------------


def a_pool(slots: int, *routines: Routine) -> Registry:
    return Registry(routines, pools={"db": slots})


def pooled(name: str, slots: int = 1, priority: int = 0) -> Routine:
    routine = a_routine(name, "0 1 * * *")
    return replace(routine, pool="db", pool_slots=slots, priority=priority)


def test_a_pool_of_one_is_a_mutex_between_routines() -> None:
    registry = a_pool(1, pooled("a"), pooled("b"), pooled("c"))
    world = World(registry, EVE, dict.fromkeys("abc", Ends(10))).start()
    world.run_until(at("2026-11-02T02:00"))
    assert [f"{when:%H:%M}" for when, _ in world.starts] == ["01:00", "01:10", "01:20"]


def test_who_lacks_a_pools_slots_does_not_hold_up_others() -> None:
    registry = a_pool(
        2, pooled("a"), pooled("b", slots=2), pooled("c"), a_routine("d", "0 1 * * *")
    )
    world = World(registry, EVE, dict.fromkeys("abcd", Ends(10))).start().run_until(ONE)
    assert [id.routine for _, id in world.starts] == ["a", "c", "d"]


def test_higher_priority_goes_first_then_the_older_instant_then_the_name() -> None:
    registry = a_pool(1, pooled("a"), pooled("b", priority=5), pooled("c", priority=5))
    world = World(registry, EVE, dict.fromkeys("abc", Ends(10))).start()
    world.run_until(at("2026-11-02T02:00"))
    assert [id.routine for _, id in world.starts] == ["b", "c", "a"]


def test_a_retry_gives_its_pools_slots_back_while_it_waits() -> None:
    registry = a_pool(1, with_retries(pooled("a"), 1, minutes=5), pooled("b"))
    outcomes = {"a": fails_until(2), "b": Ends(2)}
    world = World(registry, EVE, outcomes).start().run_until(at("2026-11-02T02:00"))  # type: ignore[arg-type]
    assert [f"{id.routine} {when:%H:%M}" for when, id in world.starts] == [
        "a 01:00",
        "b 01:01",
        "a 01:06",
    ]


# -- deadlines ---------------------------------------------------------------------------------


def test_what_has_not_started_by_its_start_by_is_skipped() -> None:
    slow = a_routine("slow", "0 1 * * *")
    late = replace(a_routine("late", "0 1 * * *", "slow"), start_by=parse_deadline("+30m"))
    world = World(a_registry(slow, late), EVE, {"slow": Ends(40)}).start()
    world.run_until(at("2026-11-02T02:00"))
    assert world.state("late.2026-11-02T01:00:00") == "skipped: had not started by its start_by"


def test_after_an_outage_what_is_too_late_never_starts() -> None:
    routine = replace(a_routine("a", "0 1 * * *"), start_by=parse_deadline("03:00"))
    world = World(a_registry(routine), EVE).start().crash().sleep_until(at("2026-11-02T04:00"))
    world.start()
    assert world.starts == []
    assert world.task("a.2026-11-02T01:00:00").cause is Cause.TOO_LATE


@pytest.mark.parametrize("minutes", [5, 50])
def test_a_task_is_overdue_if_it_has_not_succeeded_by_its_due_by(minutes: int) -> None:
    routine = replace(a_routine("a", "0 1 * * *"), due_by=parse_deadline("+30m"))
    world = World(a_registry(routine), EVE, {"a": Ends(minutes)}).start()
    world.run_until(at("2026-11-02T02:00"))
    assert world.task("a.2026-11-02T01:00:00").is_overdue is (minutes == 50)


def test_a_task_that_never_started_is_overdue_too() -> None:
    blocked = replace(a_routine("b", "0 1 * * *", "a"), due_by=parse_deadline("+30m"))
    world = World(a_registry(a_routine("a", "0 1 * * *"), blocked), EVE, {"a": Ends(1, code=1)})
    world.start().run_until(at("2026-11-02T02:00"))
    assert world.task("b.2026-11-02T01:00:00").is_overdue


@pytest.mark.parametrize(
    ("otherwise", "state"),
    [
        (Otherwise.RUN, "succeeded"),
        (Otherwise.SKIP, "skipped: waited in vain for slow.2026-11-02T01:00:00"),
        (Otherwise.FAIL, "failed"),
    ],
)
def test_a_dependency_is_waited_for_until_a_time(otherwise: Otherwise, state: str) -> None:
    need = Dependency(name="slow", wait_until=parse_deadline("+15m"), otherwise=otherwise)
    registry = a_registry(a_routine("slow", "0 1 * * *"), a_routine("b", "0 1 * * *", need))
    world = World(registry, EVE, {"slow": Ends(60)}).start().run_until(at("2026-11-02T01:20"))
    assert world.state("b.2026-11-02T01:00:00") == state


def test_one_of_its_dependencies_is_enough_where_any_is_asked_for() -> None:
    any_of = replace(a_routine("c", "0 1 * * *", "a", "b"), require_any=True)
    registry = a_registry(a_routine("a", "0 1 * * *"), a_routine("b", "0 1 * * *"), any_of)
    outcomes = {"a": Ends(5, code=1), "b": Ends(10)}
    world = World(registry, EVE, outcomes).start().run_until(at("2026-11-02T01:07"))
    assert world.state("c.2026-11-02T01:00:00").startswith("waiting")
    world.run_until(at("2026-11-02T01:10"))
    assert world.state("c.2026-11-02T01:00:00") == "succeeded"


def test_where_any_is_asked_for_it_is_blocked_once_all_have_failed() -> None:
    any_of = replace(a_routine("c", "0 1 * * *", "a", "b"), require_any=True)
    registry = a_registry(a_routine("a", "0 1 * * *"), a_routine("b", "0 1 * * *"), any_of)
    outcomes = {"a": Ends(5, code=1), "b": Ends(10, code=1)}
    world = World(registry, EVE, outcomes).start().run_until(at("2026-11-02T02:00"))
    assert world.state("c.2026-11-02T01:00:00").startswith("blocked")


# -- pauses ------------------------------------------------------------------------------------


def test_a_paused_routine_is_planned_but_not_started_and_the_backlog_rule_applies() -> None:
    world = World(a_registry(a_routine("a", "0 * * * *")), EVE).start()
    pause = Pause(scope=PauseScope.ROUTINE, name="a", since=world.now)
    world.ask(PauseAsked(at=world.now, pause=pause), "pause a")
    world.run_until(at("2026-11-02T03:30"))
    assert world.starts == []
    assert world.state("a.2026-11-02T03:00:00").startswith("waiting: is paused")
    world.ask(ResumeAsked(at=world.now, scope=PauseScope.ROUTINE, name="a"), "resume a")
    assert world.started("a") == ["02T03:00@02T03:30"]
    assert world.state("a.2026-11-02T02:00:00").startswith("skipped: covered by")


def test_a_pause_with_an_end_ends_by_itself_also_after_a_restart() -> None:
    world = World(a_registry(a_routine("a", "0 * * * *")), EVE).start()
    until = at("2026-11-02T02:15")
    pause = Pause(scope=PauseScope.ALL, since=world.now, until=until)
    world.ask(PauseAsked(at=world.now, pause=pause), "pause --all")
    world.run_until(at("2026-11-02T01:30")).crash().start().run_until(at("2026-11-02T02:30"))
    assert world.started("a") == ["02T02:00@02T02:15"]


def test_a_person_may_run_what_is_paused() -> None:
    world = World(a_registry(a_routine("a", "0 * * * *")), EVE).start()
    pause = Pause(scope=PauseScope.ALL, since=world.now)
    world.ask(PauseAsked(at=world.now, pause=pause), "pause --all")
    world.run_until(at("2026-11-02T01:30"))
    asked = ExecuteAsked(at=world.now, tasks=(world.recorded("a.2026-11-02T01:00:00"),))
    world.ask(asked, "execute a.2026-11-02T01:00:00")
    assert world.started("a") == ["02T01:00@02T01:30"]


def test_pausing_or_resuming_what_is_not_there_is_refused() -> None:
    world = World(a_registry(a_routine("a", "0 * * * *")), EVE).start()
    pause = Pause(scope=PauseScope.TAG, name="nightly", since=world.now)
    for event in (
        PauseAsked(at=world.now, pause=pause),
        ResumeAsked(at=world.now, scope=PauseScope.ROUTINE, name="a"),
    ):
        assert isinstance(world.ask(event, "asked"), Refuse)


# -- reload and backfill -----------------------------------------------------------------------


def test_a_reload_never_runs_the_past_and_binds_waiting_tasks_anew() -> None:
    before = a_registry(a_routine("a", "0 1 * * *"), a_routine("b", "0 1 * * *", "a"))
    world = World(before, EVE, {"a": Ends(60)}).start().run_until(at("2026-11-02T01:10"))
    after = a_registry(
        a_routine("a", "0 1 * * *"), a_routine("b", "0 1 * * *"), a_routine("n", "0 * * * *")
    )
    world.handle(RegistryReloaded(at=world.now, registry=after), "reload")
    world.registry = after
    assert world.started("b") == ["02T01:00@02T01:10"]
    world.run_until(at("2026-11-02T02:00"))
    assert world.started("n") == ["02T02:00@02T02:00"]


def test_a_backfill_runs_in_order_behind_what_is_due() -> None:
    registry = a_registry(
        a_routine("a", "0 * * * *", overlap=Overlap.YES), a_routine("b", "30 2 * * *")
    )
    world = World(registry, at("2026-11-02T02:10"), {"a": Ends(15), "b": Ends(5)}, slots=1).start()
    ids = [TaskId("a", at(f"2026-11-01T{hour:02d}:00")) for hour in range(3)]
    asked = BackfillAsked(at=world.now, tasks=tuple(world.recorded(str(id)) for id in ids))
    world.ask(asked, "backfill a")
    world.run_until(at("2026-11-02T02:59"))
    assert [f"{id.routine} {when:%H:%M}" for when, id in world.starts] == [
        "a 02:10",
        "a 02:25",
        "b 02:40",
        "a 02:45",
    ]
    assert world.task(str(ids[0])).origin is Origin.BACKFILL


def test_backfilled_tasks_are_never_covered_and_cover_nothing() -> None:
    registry = a_registry(a_routine("a", "0 * * * *", backlog=Backlog.LATEST))
    world = World(registry, at("2026-11-02T02:10"), {"a": Ends(25)}).start()
    ids = [TaskId("a", at(f"2026-11-01T{hour:02d}:00")) for hour in range(3)]
    asked = BackfillAsked(at=world.now, tasks=tuple(world.recorded(str(id)) for id in ids))
    world.ask(asked, "backfill a")
    world.run_until(at("2026-11-02T05:30"))
    assert all(world.state(str(id)) == "succeeded" for id in ids)
