"""What a person asked for, as events for the engine."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from scheduler.engine.commands import RecordPause, RecordTask
from scheduler.engine.events import AnyEvent, BackfillAsked, ExecuteAsked, PauseAsked, ResumeAsked
from scheduler.engine.states import Cause, TaskState
from scheduler.engine.task import PauseScope, TaskId
from scheduler.errors import SchedulerError
from scheduler.service.requests import events_of, moment_to_come
from scheduler.service.reruns import MOST
from scheduler.service.store.memory import MemoryStore
from tests.support.builders import a_pause, a_task, at
from tests.support.world import a_registry, a_routine

NOW = at("2026-10-04T12:00")
CHAIN = a_registry(a_routine("load", "0 2 * * *"), a_routine("report", "0 3 * * *", "load"))
LOAD, REPORT = "load.2026-10-02T02:00:00", "report.2026-10-02T03:00:00"


def asked(verb: str, *stores: MemoryStore, **parameters: object) -> tuple[AnyEvent, ...]:
    (store,) = stores or (MemoryStore(),)
    return events_of(verb, parameters, at=NOW, registry=CHAIN, store=store)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-10-05T06:00", "2026-10-05T04:00"),
        ("2026-10-05", "2026-10-04T22:00"),
        ("2026-10-05T06:00Z", "2026-10-05T06:00"),
        ("+2h", "2026-10-04T14:00"),
        (" +1h30m ", "2026-10-04T13:30"),
        ("06:00", "2026-10-05T04:00"),  # of tomorrow: today's is over
        ("14:30", "2026-10-04T12:30"),
        ("23:59:30", "2026-10-04T21:59:30"),
    ],
)
def test_a_moment_to_come_is_read_in_the_zone_of_the_registry(text: str, moment: str) -> None:
    assert moment_to_come(text, NOW, "Europe/Paris") == at(moment)


@pytest.mark.parametrize("text", ["tomorrow", "+2", "25:00", "+0s", "6", ""])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(SchedulerError):
        moment_to_come(text, NOW, "UTC")


@pytest.mark.parametrize("count", [MOST, MOST + 1])
def test_so_many_unknown_tasks_that_nothing_else_could_be_done_meanwhile_are_not_run(
    count: int,
) -> None:
    unknown = tuple(TaskId("load", NOW - timedelta(days=day)) for day in range(count))
    store, given = MemoryStore(), {"unknown": True}

    def ask() -> tuple[AnyEvent, ...]:
        return events_of("execute", given, at=NOW, registry=CHAIN, store=store, unknown=unknown)

    if count == MOST:
        assert len(ask()) == 1
    else:
        way_out = "10,001 tasks are unknown.* 10,000 at once.*mark --unknown succeeded"
        with pytest.raises(SchedulerError, match=way_out):
            ask()


def test_failed_tasks_that_are_too_many_for_one_request_are_asked_for_in_parts() -> None:
    store = MemoryStore()
    failed = a_task(LOAD, state=TaskState.FAILED, cause=Cause.EXITED_BADLY)
    ids = (TaskId("load", NOW - timedelta(days=day)) for day in range(MOST + 1))
    store.apply([RecordTask(task=replace(failed, id=id)) for id in ids])
    with pytest.raises(SchedulerError, match=r"10,001 tasks have failed.* 10,000 at once.*--since"):
        asked("execute", store, failed=True)
    assert asked("execute", store, failed=True, since="2026-10-01")


@pytest.mark.parametrize(
    ("parameters", "scope", "name"),
    [
        ({"routine": "load"}, PauseScope.ROUTINE, "load"),
        ({"tag": "night"}, PauseScope.TAG, "night"),
        ({"all": True}, PauseScope.ALL, ""),
    ],
)
def test_a_pause_holds_for_what_was_named(
    parameters: dict[str, object], scope: PauseScope, name: str
) -> None:
    (event,) = asked("pause", until="+1h", **parameters)
    assert isinstance(event, PauseAsked)
    assert (event.pause.scope, event.pause.name) == (scope, name)
    assert (event.pause.since, event.pause.until) == (NOW, at("2026-10-04T13:00"))


def test_a_routine_that_is_paused_can_be_resumed_though_it_left_the_registry() -> None:
    store = MemoryStore()
    store.apply([RecordPause(pause=a_pause(PauseScope.ROUTINE, "gone"))])
    assert asked("resume", store, routine="gone") == (
        ResumeAsked(at=NOW, scope=PauseScope.ROUTINE, name="gone"),
    )
    with pytest.raises(SchedulerError, match="did you mean 'load'"):
        asked("resume", store, routine="laod")


def test_resuming_all_resumes_each_that_is_paused() -> None:
    store = MemoryStore()
    store.apply([RecordPause(pause=a_pause(PauseScope.TAG, name)) for name in ("a", "b")])
    assert asked("resume", store, all=True) == tuple(
        ResumeAsked(at=NOW, scope=PauseScope.TAG, name=name) for name in ("a", "b")
    )


def test_what_is_downstream_is_planned_behind_the_one_that_is_asked_for() -> None:
    store = MemoryStore()
    store.apply([RecordTask(task=a_task(LOAD)), RecordTask(task=a_task(REPORT))])
    first, rest = asked("execute", store, task=LOAD, downstream=True)
    assert isinstance(first, ExecuteAsked) and isinstance(rest, BackfillAsked)
    assert [str(one.id) for one in first.tasks] == [LOAD]
    assert [str(one.id) for one in rest.tasks] == [REPORT]
    assert rest.records == (store.task(first.tasks[0].id),)


def test_of_failed_tasks_with_what_is_downstream_each_waits_for_the_others() -> None:
    store = MemoryStore()
    failed = [a_task(name, TaskState.FAILED) for name in (LOAD, REPORT)]
    store.apply([RecordTask(task=task) for task in failed])
    first, rest = asked("execute", store, failed=True, downstream=True)
    assert isinstance(first, ExecuteAsked) and isinstance(rest, BackfillAsked)
    assert [str(one.id) for one in first.tasks] == [LOAD]
    assert [str(one.id) for one in rest.tasks] == [REPORT]


def test_of_failed_tasks_one_that_waits_for_another_waits_for_it_again() -> None:
    store = MemoryStore()
    failed = [a_task(name, TaskState.FAILED) for name in (LOAD, REPORT)]
    store.apply([RecordTask(task=task) for task in failed])
    first, rest = asked("execute", store, failed=True)
    assert isinstance(first, ExecuteAsked) and isinstance(rest, BackfillAsked)
    assert [str(one.id) for one in first.tasks] == [LOAD]
    assert [str(one.id) for one in rest.tasks] == [REPORT]
    (at_once,) = asked("execute", store, failed=True, arguments="--again")
    assert isinstance(at_once, ExecuteAsked) and len(at_once.tasks) == 2


def test_late_tasks_wait_as_they_did_before_they_were_too_late() -> None:
    store = MemoryStore()
    late = a_task(LOAD, TaskState.SKIPPED, cause=Cause.TOO_LATE)
    store.apply([RecordTask(task=late)])
    with pytest.raises(SchedulerError, match="nothing is blocked by"):
        asked("execute", store, late=True)
    store.apply([RecordTask(task=a_task(REPORT, TaskState.BLOCKED, root=late.id))])
    (event,) = asked("execute", store, late=True)
    assert isinstance(event, BackfillAsked)
    assert [str(one.id) for one in event.tasks] == [LOAD]


@pytest.mark.parametrize(
    ("end", "days"), [(None, [3, 4]), ("2026-10-04", [3]), ("2999-01-01", [3, 4])]
)
def test_a_backfill_goes_up_to_now_at_most(end: str | None, days: list[int]) -> None:
    (event,) = asked("backfill", routine="load", to=end, **{"from": "2026-10-03"})
    assert isinstance(event, BackfillAsked)
    instants: list[datetime] = [one.id.instant for one in event.tasks]
    assert [instant.day for instant in instants] == days
