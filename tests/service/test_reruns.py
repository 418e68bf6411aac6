"""Which tasks a re-run is about."""

from dataclasses import replace

import pytest

from scheduler.engine.commands import Record, RecordRun, RecordTask
from scheduler.engine.states import Cause, TaskState
from scheduler.errors import SchedulerError
from scheduler.registry.registry import Registry
from scheduler.service.reruns import (
    Backfill,
    Staleness,
    downstream_of,
    extent_of,
    late_tasks,
    records_for,
    resting_on_others,
    stale_tasks,
    to_refresh,
)
from scheduler.service.store.memory import MemoryStore
from tests.support.builders import a_run, a_task, an_attempt, an_id, at
from tests.support.effort import calls_of
from tests.support.world import a_registry, a_routine

NOW = at("2026-10-04")
CHAIN = a_registry(
    a_routine("load", "0 2 * * *"),
    a_routine("report", "0 3 * * *", "load"),
    a_routine("summary", "0 4 * * *", "report"),
    a_routine("other", "0 5 * * *"),
)


def a_store(*records: Record) -> MemoryStore:
    store = MemoryStore()
    store.apply(records)
    return store


def done(task: str, *hours: int, **changes: object) -> RecordTask:
    """Return a task that succeeded with attempts at these hours of 2 October."""
    attempts = tuple(
        an_attempt(at(f"2026-10-02T{hour:02d}:00"), number=number)
        for number, hour in enumerate(hours, start=1)
    )
    return RecordTask(task=a_task(task, attempts=attempts, **changes))  # type: ignore[arg-type]


def ids(tasks: object) -> list[str]:
    return [str(task) for task in tasks]  # type: ignore[attr-defined]


LOAD = "load.2026-10-02T02:00:00"
REPORT = "report.2026-10-02T03:00:00"
SUMMARY = "summary.2026-10-02T04:00:00"


def backfill(**changes: object) -> Backfill:
    wanted: dict[str, object] = {"routine": "load", "start": at("2026-10-01"), "end": NOW}
    return Backfill(**{**wanted, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "cause", "is_missing"),
    [
        (TaskState.SUCCEEDED, Cause.EXITED_WELL, False),
        (TaskState.SUCCEEDED, Cause.MARKED_SUCCEEDED, False),
        (TaskState.SKIPPED, Cause.NOTHING_TO_DO, False),
        (TaskState.SKIPPED, Cause.COVERED, True),
        (TaskState.FAILED, Cause.EXITED_BADLY, True),
        (TaskState.CANCELLED, Cause.CANCELLED, True),
        (TaskState.WAITING, Cause.PLANNED, False),  # it is on its way
        (TaskState.RUNNING, Cause.STARTED, False),
    ],
)
def test_what_has_not_succeeded_is_missing(
    state: TaskState, cause: Cause, is_missing: bool
) -> None:
    store = a_store(RecordTask(task=a_task(LOAD, state, cause=cause)))
    extent = extent_of(CHAIN, store, backfill(start=at("2026-10-02"), end=at("2026-10-03")), NOW)
    assert ids(extent.tasks) == [LOAD]
    assert ids(extent.missing) == ([LOAD] if is_missing else [])


def test_instants_without_a_record_are_missing_in_order() -> None:
    found = extent_of(CHAIN, a_store(done(LOAD, 2)), backfill(), NOW)
    assert ids(found.missing) == ["load.2026-10-01T02:00:00", "load.2026-10-03T02:00:00"]


def test_everything_is_what_has_succeeded_too() -> None:
    found = extent_of(CHAIN, a_store(done(LOAD, 2)), backfill(everything=True), NOW)
    assert found.missing == found.tasks


def test_what_rests_on_one_that_runs_again_runs_again() -> None:
    store = a_store(done(REPORT, 3), done(SUMMARY, 4))
    wanted = backfill(start=at("2026-10-02"), end=at("2026-10-03"), downstream=True)
    assert ids(extent_of(CHAIN, store, wanted, NOW).missing) == [LOAD, REPORT, SUMMARY]
    store = a_store(done(LOAD, 2), done(REPORT, 3), done(SUMMARY, 4))
    assert extent_of(CHAIN, store, wanted, NOW).missing == ()


def test_a_range_that_is_too_long_is_refused() -> None:
    busy = a_registry(a_routine("load", "* * * * *"))
    with pytest.raises(SchedulerError, match="more than 10000 tasks"):
        extent_of(busy, a_store(), backfill(start=at("2026-01-01")), NOW)


def test_downstream_is_what_has_a_fate_by_now() -> None:
    store = a_store(
        done(LOAD, 2), RecordTask(task=a_task(REPORT, TaskState.FAILED)), done(SUMMARY, 4)
    )
    assert ids(downstream_of(CHAIN, store, [an_id(LOAD)], NOW)) == [REPORT, SUMMARY]
    assert downstream_of(CHAIN, store, [an_id(LOAD)], at("2026-10-02T03:00")) == ()


@pytest.mark.parametrize("cause", [Cause.DISABLED, Cause.FRESH_START, Cause.SCHEDULE_CHANGED])
def test_what_was_not_wanted_then_is_not_wanted_now(cause: Cause) -> None:
    skipped = RecordTask(task=a_task(REPORT, TaskState.SKIPPED, cause=cause))
    assert downstream_of(CHAIN, a_store(skipped, done(SUMMARY, 4)), [an_id(LOAD)], NOW) == ()


def test_in_place_of_a_covered_one_its_cover_runs_again() -> None:
    cover = "report.2026-10-03T03:00:00"
    run = a_run("report", "2026-10-02T03:00", "2026-10-02T03:00", count=1, cover=an_id(cover))
    store = a_store(RecordRun(run=run), done(cover, 9))
    assert ids(downstream_of(CHAIN, store, [an_id(LOAD)], NOW)) == [cover]


def stale(registry: Registry, *records: Record) -> dict[str, str]:
    found = stale_tasks(registry, a_store(*records), NOW)
    return {str(task): str(redone) for task, redone in found.items()}


def test_a_task_is_stale_once_something_it_waited_for_was_redone() -> None:
    assert stale(CHAIN, done(LOAD, 2, 9), done(REPORT, 3), done(SUMMARY, 4)) == {REPORT: LOAD}


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ([done(LOAD, 2), done(REPORT, 3)], "nothing was redone"),
        ([done(LOAD, 2, 9), done(REPORT, 3, 10)], "it ran again after that"),
        ([done(LOAD, 1, 2), done(REPORT, 3)], "it waited for the retry"),
        (
            [done(LOAD, 2, 9), RecordTask(task=a_task(REPORT, TaskState.FAILED))],
            "it did not succeed",
        ),
        (
            [
                RecordTask(
                    task=a_task(
                        LOAD,
                        TaskState.FAILED,
                        attempts=(
                            an_attempt(at("2026-10-02T02:00")),
                            an_attempt(at("2026-10-02T09:00"), number=2, code=1),
                        ),
                    )
                ),
                done(REPORT, 3),
            ],
            "the later attempt failed",
        ),
    ],
)
def test_a_task_is_not_stale_if(records: list[Record], why: str) -> None:
    assert stale(CHAIN, *records) == {}, why


def test_what_ran_while_something_it_waited_for_was_redone_is_stale_once_it_succeeds() -> None:
    staleness = Staleness(CHAIN)
    begun = an_attempt(at("2026-10-02T03:00"), number=1)
    runs = a_task(
        REPORT, TaskState.RUNNING, attempts=(replace(begun, ended_at=None, outcome=None),)
    )
    store = a_store(done(LOAD, 2, 9), RecordTask(task=runs))
    assert staleness.tasks(store, NOW) == {}
    store.apply([done(REPORT, 3)])
    assert staleness.tasks(store, NOW) == {an_id(REPORT): an_id(LOAD)}
    assert staleness.tasks(store, NOW) == {an_id(REPORT): an_id(LOAD)}, "also when asked again"


def test_a_retry_that_made_nothing_stale_is_looked_at_once() -> None:
    staleness, store = Staleness(CHAIN), a_store(done(LOAD, 1, 2), done(REPORT, 3))
    first = calls_of(lambda: staleness.tasks(store, NOW))
    assert calls_of(lambda: staleness.tasks(store, NOW)) < first / 2
    store.apply([done(LOAD, 1, 2, 9)])
    assert staleness.tasks(store, NOW) == {an_id(REPORT): an_id(LOAD)}, "a further attempt counts"


def test_what_a_stand_in_served_is_not_made_stale_by_the_one_it_stood_in_for() -> None:
    stand_in = an_id("load.2026-10-03T02:00:00")
    assert (
        stale(
            CHAIN,
            done(LOAD, 2, 9),
            done(str(stand_in), 2),
            done(REPORT, 3, stand_ins=((an_id(LOAD), stand_in),)),
        )
        == {}
    )


def test_a_cover_that_was_redone_makes_stale_what_waited_for_the_covered_one() -> None:
    often = a_registry(a_routine("load", "0 * * * *"), a_routine("report", "30 2 * * *", "load"))
    cover = "load.2026-10-02T04:00:00"
    covered = RecordRun(
        run=a_run("load", "2026-10-02T01:00", "2026-10-02T03:00", count=3, cover=an_id(cover))
    )
    redone = done(cover, 4, 9, place=at("2026-10-02T01:00"))
    waiting = "report.2026-10-02T02:30:00"
    assert stale(often, covered, redone, done(waiting, 5)) == {waiting: cover}


def test_to_refresh_is_what_is_stale_and_what_succeeded_below_it() -> None:
    store = a_store(done(LOAD, 2, 9), done(REPORT, 3), done(SUMMARY, 4))
    assert ids(to_refresh(CHAIN, store, NOW)) == [REPORT, SUMMARY]
    with pytest.raises(SchedulerError, match="nothing is stale"):
        to_refresh(CHAIN, a_store(), NOW)


def test_the_records_that_tasks_rest_on_come_with_their_covers() -> None:
    cover = "load.2026-10-03T02:00:00"
    run = a_run("load", "2026-10-02T02:00", "2026-10-02T02:00", count=1, cover=an_id(cover))
    store = a_store(RecordRun(run=run), done(cover, 9))
    records = records_for(CHAIN, store, [an_id(REPORT), an_id("report.2026-10-01T03:00:00")])
    assert records == (run, store.task(an_id(cover)))


def late(task: str, cause: Cause = Cause.TOO_LATE) -> RecordTask:
    return RecordTask(task=a_task(task, TaskState.SKIPPED, cause=cause))


def blocked(task: str, root: str) -> RecordTask:
    return RecordTask(task=a_task(task, TaskState.BLOCKED, root=an_id(root)))


@pytest.mark.parametrize(
    ("cause", "is_late"),
    [
        (Cause.TOO_LATE, True),
        (Cause.GAVE_UP, True),
        (Cause.DISABLED, False),
        (Cause.FRESH_START, False),
    ],
)
def test_late_is_what_was_skipped_for_that_and_blocks_something(
    cause: Cause, is_late: bool
) -> None:
    store = a_store(late(REPORT, cause), blocked(SUMMARY, REPORT))
    assert ids(late_tasks(CHAIN, store)) == ([REPORT] if is_late else [])


def test_what_nothing_is_blocked_by_is_too_late_for_good() -> None:
    assert late_tasks(CHAIN, a_store(late(REPORT), done(SUMMARY, 4))) == ()


def test_what_a_late_task_waited_for_is_late_with_it() -> None:
    store = a_store(late(LOAD), late(REPORT), blocked(SUMMARY, REPORT))
    assert ids(late_tasks(CHAIN, store)) == [LOAD, REPORT]
    store = a_store(done(LOAD, 2), late(REPORT), blocked(SUMMARY, REPORT))
    assert ids(late_tasks(CHAIN, store)) == [REPORT]


def test_a_task_rests_on_another_one_directly_or_through_what_that_blocks() -> None:
    failed = [an_id(task) for task in (LOAD, REPORT)]
    assert ids(resting_on_others(CHAIN, a_store(), failed)) == [REPORT]
    ends = [an_id(task) for task in (LOAD, SUMMARY)]
    assert resting_on_others(CHAIN, a_store(), ends) == ()
    assert ids(resting_on_others(CHAIN, a_store(blocked(REPORT, LOAD)), ends)) == [SUMMARY]


def test_a_task_rests_on_one_that_is_on_its_way_but_not_on_one_that_will_not_come() -> None:
    running = RecordTask(task=a_task(LOAD, TaskState.RUNNING))
    assert ids(resting_on_others(CHAIN, a_store(running), [an_id(REPORT)])) == [REPORT]
    elsewhere = blocked(LOAD, "other.2026-10-02T05:00:00")
    assert resting_on_others(CHAIN, a_store(elsewhere), [an_id(REPORT)]) == ()
