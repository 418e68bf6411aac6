"""Corners of retries, limits, deadlines and reloads, found when random worlds were given them."""

from dataclasses import replace
from datetime import timedelta

from scheduler.engine.commands import Notice
from scheduler.engine.events import (
    BackfillAsked,
    PauseAsked,
    ResumeAsked,
    RoutineExecuteAsked,
    StopAsked,
)
from scheduler.engine.states import Cause
from scheduler.engine.task import Outcome, Pause, PauseScope
from scheduler.registry.deadlines import parse_deadline
from scheduler.registry.routine import Backlog, Dependency, Otherwise, Overlap, Routine
from tests.support.checked_world import CheckedWorld
from tests.support.world import Ends, Outcomes, a_registry, a_routine, at

EVE = at("2026-11-02T00:30")
TWO = at("2026-11-02T02:00")


def retried(routine: Routine, retries: int = 1, minutes: int = 10) -> Routine:
    delay = timedelta(minutes=minutes)
    return replace(routine, retries=retries, retry_delay=delay, retry_backoff=1.0)


def first_fails(minutes: float = 1) -> Outcomes:
    return lambda _id, number: Ends(minutes, code=1 if number == 1 else 0)


def waits_until(name: str, deadline: str, otherwise: Otherwise = Otherwise.RUN) -> Dependency:
    return Dependency(name=name, wait_until=parse_deadline(deadline), otherwise=otherwise)


def told(world: CheckedWorld) -> list[str]:
    """Return which tasks were told to be overdue."""
    return [str(one.task) for pass_ in world.decided for one in pass_ if isinstance(one, Notice)]


# -- retries -----------------------------------------------------------------------------------


def test_a_retry_goes_before_an_older_task_that_its_overlap_holds_up() -> None:
    load = a_routine("load", "0 1,2 * * *")
    report = retried(a_routine("report", "0 1,2 * * *", "load", backlog=Backlog.ALL))
    outcomes = {
        "load": lambda id, _number: Ends(70 if id.instant.hour == 1 else 0),
        "report": lambda _id, number: Ends(1, code=1 if number == 1 else 0),
    }
    load = replace(load, overlap=Overlap.YES, backlog=Backlog.ALL)
    world = CheckedWorld(a_registry(load, report), EVE, outcomes).start()
    world.run_until(at("2026-11-02T03:00"))
    assert world.started("report") == [
        "02T02:00@02T02:00",
        "02T02:00@02T02:11",
        "02T01:00@02T02:12",
        "02T01:00@02T02:23",
    ]


def test_a_retry_goes_before_a_task_by_hand_that_its_overlap_holds_up() -> None:
    world = CheckedWorld(
        a_registry(retried(a_routine("load", "0 1 * * *"))), EVE, {"load": first_fails()}
    ).start()
    world.run_until(at("2026-11-02T01:05"))
    world.ask(RoutineExecuteAsked(at=world.now, routine="load"), "execute load")
    world.run_until(at("2026-11-02T02:00"))
    assert world.started("load")[:3] == [
        "02T01:00@02T01:00",
        "02T01:00@02T01:11",
        "02T01:05@02T01:12",
    ]


def test_retries_go_on_one_by_one_once_overlap_is_not_allowed_any_more() -> None:
    load = retried(a_routine("load", "0,1 1 * * *", overlap=Overlap.YES, backlog=Backlog.ALL))
    world = CheckedWorld(a_registry(load), EVE, {"load": first_fails(2)}).start()
    world.run_until(at("2026-11-02T01:05"))
    world.reload(a_registry(replace(load, overlap=Overlap.NO)))
    world.run_until(at("2026-11-02T02:00"))
    assert world.started("load")[2:] == ["02T01:00@02T01:12", "02T01:01@02T01:14"]


def test_a_retry_that_is_cancelled_has_no_time_any_more() -> None:
    world = CheckedWorld(
        a_registry(retried(a_routine("load", "0 1 * * *"))), EVE, {"load": first_fails()}
    ).start()
    world.run_until(at("2026-11-02T01:05"))
    world.cancel("load.2026-11-02T01:00:00")
    assert world.task("load.2026-11-02T01:00:00").retry_at is None


def test_a_retry_that_waits_for_a_slot_can_be_cancelled() -> None:
    registry = a_registry(retried(a_routine("load", "0 1 * * *")), a_routine("long", "5 1 * * *"))
    world = CheckedWorld(registry, EVE, {"load": first_fails(), "long": Ends(30)}, slots=1).start()
    world.run_until(at("2026-11-02T01:15"))
    assert world.state("load.2026-11-02T01:00:00") == "ready"
    world.cancel("load.2026-11-02T01:00:00")
    world.run_until(at("2026-11-02T02:00"))
    assert world.state("load.2026-11-02T01:00:00") == "cancelled"


# -- timeouts ----------------------------------------------------------------------------------


def with_timeout(minutes: int) -> Routine:
    return replace(a_routine("load", "0 1 * * *"), timeout=timedelta(minutes=minutes))


def test_a_running_attempt_keeps_the_timeout_that_it_began_with() -> None:
    world = CheckedWorld(a_registry(with_timeout(30)), EVE, {"load": Ends(20)}).start()
    world.run_until(at("2026-11-02T01:05")).reload(a_registry(with_timeout(10)))
    world.run_until(at("2026-11-02T02:00"))
    assert world.state("load.2026-11-02T01:00:00") == "succeeded"


def test_a_timeout_holds_also_while_the_scheduler_stops() -> None:
    world = CheckedWorld(a_registry(with_timeout(10)), EVE, {"load": Ends(600)}).start()
    world.run_until(at("2026-11-02T01:05")).stop()
    assert world.now == at("2026-11-02T01:10")
    attempt = world.task("load.2026-11-02T01:00:00").attempts[-1]
    assert attempt.outcome is Outcome.TIMED_OUT


# -- start_by and wait_until -------------------------------------------------------------------


def test_after_a_reload_the_new_start_by_holds() -> None:
    slow = a_routine("slow", "0 1 * * *")
    hasty = replace(a_routine("report", "0 1 * * *", "slow"), start_by=parse_deadline("+30m"))
    world = CheckedWorld(a_registry(slow, hasty), EVE, {"slow": Ends(40)}).start()
    world.run_until(at("2026-11-02T01:10"))
    world.reload(a_registry(slow, replace(hasty, start_by=parse_deadline("+2h"))))
    world.run_until(at("2026-11-02T02:00"))
    assert world.state("report.2026-11-02T01:00:00") == "succeeded"


def test_after_a_reload_the_new_wait_until_holds_whichever_dependency_it_is_of() -> None:
    upstreams = [a_routine(name, "0 1 * * *") for name in ("slow", "rates")]
    skip = waits_until("slow", "+30m", Otherwise.SKIP)
    before = a_registry(*upstreams, a_routine("report", "0 1 * * *", skip, "rates"))
    after = a_registry(*upstreams, a_routine("report", "0 1 * * *", "rates"))
    world = CheckedWorld(before, EVE, {"slow": Ends(600), "rates": Ends(40)}).start()
    world.run_until(at("2026-11-02T01:10"))
    world.reload(after).run_until(at("2026-11-02T02:00"))
    assert world.state("report.2026-11-02T01:00:00") == "succeeded"


def test_one_dependency_that_is_met_outweighs_another_that_was_waited_for_in_vain() -> None:
    upstreams = [a_routine(name, "0 1 * * *") for name in ("quick", "slow")]
    skip = waits_until("slow", "+30m", Otherwise.SKIP)
    any_of = replace(a_routine("report", "0 1 * * *", "quick", skip), require_any=True)
    urgent = replace(a_routine("urgent", "1 1 * * *"), priority=1)
    registry = a_registry(*upstreams, urgent, any_of)
    outcomes = {"quick": Ends(2), "slow": Ends(600), "urgent": Ends(60)}
    world = CheckedWorld(registry, EVE, outcomes, slots=2).start()
    world.run_until(at("2026-11-02T03:00"))
    assert world.started("report") == ["02T01:00@02T02:02"]


def test_a_wait_that_ends_as_the_next_task_falls_due_is_not_passed_on_to_it() -> None:
    registry = a_registry(
        a_routine("load", "30 0 * * *"),
        a_routine("report", "0 * * * *", waits_until("load", "+1h")),
    )
    world = CheckedWorld(registry, at("2026-11-02T00:10"), {"load": Ends(600)}).start()
    world.run_until(at("2026-11-02T03:30"))
    assert world.started("report") == ["02T01:00@02T02:00", "02T02:00@02T03:00"]


def test_what_waits_no_longer_is_not_covered_at_a_restart_by_what_still_does() -> None:
    registry = a_registry(
        a_routine("load", "30 0 * * *"),
        a_routine("report", "0,50 1 * * *", waits_until("load", "+30m")),
    )
    world = CheckedWorld(registry, at("2026-11-02T00:10"), {"load": Ends(600)}).start()
    pause = Pause(scope=PauseScope.ROUTINE, name="report", since=world.now)
    world.ask(PauseAsked(at=world.now, pause=pause), "pause report")
    world.run_until(at("2026-11-02T01:55"))
    assert world.state("report.2026-11-02T01:00:00") == "waiting: is paused"
    world.crash().start()
    assert world.state("report.2026-11-02T01:00:00").startswith("waiting: is paused")


# -- due_by ------------------------------------------------------------------------------------


def due(routine: Routine, deadline: str = "+30m") -> Routine:
    return replace(routine, due_by=parse_deadline(deadline))


def test_what_succeeded_in_time_is_not_overdue_when_it_is_executed_again() -> None:
    world = CheckedWorld(a_registry(due(a_routine("a", "0 1 * * *"))), EVE).start()
    world.run_until(at("2026-11-02T05:00"))
    world.execute("a.2026-11-02T01:00:00")
    world.run_until(at("2026-11-02T06:00"))
    assert told(world) == []


def test_what_failed_before_a_restart_is_overdue_at_its_due_by() -> None:
    registry = a_registry(due(a_routine("a", "0 1 * * *"), "06:30"))
    world = CheckedWorld(registry, EVE, {"a": Ends(1, code=1)}).start()
    world.run_until(at("2026-11-02T02:00")).stop().start().run_until(at("2026-11-02T07:00"))
    assert told(world) == ["a.2026-11-02T01:00:00"]


def test_a_task_between_the_instants_has_no_due_by() -> None:
    registry = a_registry(due(a_routine("a", "0 1 * * *")))
    world = CheckedWorld(registry, EVE, {"a": Ends(1, code=1)}).start()
    world.ask(RoutineExecuteAsked(at=world.now, routine="a"), "execute a")
    world.run_until(at("2026-11-02T01:05"))
    assert told(world) == []


# -- backfill ----------------------------------------------------------------------------------


def test_a_backfill_of_a_covered_task_is_what_its_downstream_waits_for() -> None:
    load, other = a_routine("load", "0 * * * *"), a_routine("other", "0 0 * * *")
    report = a_routine("report", "0 1 * * *", "load", "other")
    world = CheckedWorld(
        a_registry(load, other, report),
        at("2026-11-01T23:30"),
        {"load": Ends(150), "other": Ends(600)},
    ).start()
    world.run_until(at("2026-11-02T02:10"))
    covered = world.recorded("load.2026-11-02T01:00:00")
    assert covered.task is not None and covered.task.cause is Cause.COVERED
    world.ask(BackfillAsked(at=world.now, tasks=(covered,)), "backfill load")
    assert "load.2026-11-02T01:00:00" in world.state("report.2026-11-02T01:00:00")


def test_a_backfilled_task_heeds_no_deadline_of_its_earlier_life() -> None:
    load = a_routine("load", "0 1 * * *")
    report = replace(a_routine("report", "30 1 * * *", "load"), start_by=parse_deadline("+2h"))
    outcomes: dict[str, Outcomes] = {
        "report": Ends(1, code=1),
        "load": lambda _id, number: Ends(300 * (number > 1)),
    }
    world = CheckedWorld(a_registry(load, report), EVE, outcomes).start()
    world.run_until(at("2026-11-02T02:00"))
    world.execute("load.2026-11-02T01:00:00")
    again = world.recorded("report.2026-11-02T01:30:00")
    world.ask(BackfillAsked(at=world.now, tasks=(again,)), "backfill report")
    world.run_until(at("2026-11-02T05:00"))
    assert world.state("report.2026-11-02T01:30:00").startswith("waiting: waits for load")


def test_stopping_leaves_what_waits_as_it_is() -> None:
    load = retried(a_routine("load", "0 1 * * *"))
    registry = a_registry(load, a_routine("long", "0 1 * * *"))
    world = CheckedWorld(registry, EVE, {"load": first_fails(), "long": Ends(60)}).start()
    world.run_until(at("2026-11-02T01:05"))
    world.handle(StopAsked(at=world.now), "stop asked")
    world.run_until(at("2026-11-02T01:30"))
    assert world.state("load.2026-11-02T01:00:00").startswith("waiting: waits for retry")


# -- reload ------------------------------------------------------------------------------------


def test_a_task_does_not_wait_for_itself_in_place_of_the_older_one_that_it_covered() -> None:
    world = CheckedWorld(a_registry(a_routine("load", "0 * * * *")), EVE).start()
    pause = Pause(scope=PauseScope.ALL, since=world.now)
    world.ask(PauseAsked(at=world.now, pause=pause), "pause --all")
    world.run_until(at("2026-11-02T02:30"))
    world.reload(a_registry(a_routine("load", "0 * * * *", "load previous")))
    world.ask(ResumeAsked(at=world.now, scope=PauseScope.ALL), "resume --all")
    assert world.started("load") == ["02T02:00@02T02:30"]


def test_a_due_by_that_an_edit_has_moved_does_not_count_as_it_was() -> None:
    routine = due(a_routine("a", "0 1 * * *"), "+6h")
    world = CheckedWorld(a_registry(routine), EVE, {"a": Ends(1, code=1)}).start()
    world.run_until(at("2026-11-02T02:00"))
    world.reload(a_registry(due(routine, "+12h"))).run_until(at("2026-11-02T12:00"))
    assert told(world) == []
    world.run_until(at("2026-11-02T13:00"))
    assert told(world) == ["a.2026-11-02T01:00:00"]


def test_what_waited_in_vain_while_the_scheduler_was_down_counts_before_what_waits_for_it() -> None:
    load = a_routine("load", "0 0 * * *", enabled=False)
    check = a_routine("check", "0 1 * * *", waits_until("load", "+1h", Otherwise.FAIL))
    alarm = a_routine("alarm", "0 1 * * *", "check latest failure")
    world = CheckedWorld(a_registry(load, check, alarm), at("2026-11-01T23:30")).start()
    world.crash().sleep_until(at("2026-11-02T05:00")).start()
    assert world.started("alarm") == ["02T01:00@02T05:00"]


def test_what_failed_before_an_outage_is_overdue_if_its_due_by_passes_in_it() -> None:
    registry = a_registry(due(a_routine("a", "*/5 * * * *"), "+6h"))
    fails_at_two: Outcomes = lambda id, _number: Ends(1, code=int(id.instant == TWO))  # noqa: E731
    world = CheckedWorld(registry, at("2026-11-01T12:00"), {"a": fails_at_two}).start()
    world.run_until(at("2026-11-02T02:04")).crash().sleep_until(at("2026-11-02T09:05")).start()
    assert told(world) == ["a.2026-11-02T02:00:00"]
