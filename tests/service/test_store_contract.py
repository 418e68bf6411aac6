"""What every store must do, in a table of tests that each of them passes."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from scheduler.engine.commands import (
    ForgetRun,
    RecordAhead,
    RecordPause,
    RecordPlannedUntil,
    RecordRoutine,
    RecordRun,
    RecordTask,
)
from scheduler.engine.states import Cause, TaskState
from scheduler.engine.task import (
    Attempt,
    Origin,
    Outcome,
    PauseScope,
    RoutineState,
    SkippedRun,
    Task,
)
from scheduler.service.store.memory import MemoryStore
from scheduler.service.store.protocol import Fate, RegistryText, Source, Store
from scheduler.service.store.sqlite import SqliteStore
from tests.support.builders import (
    a_pause,
    a_routine_state,
    a_run,
    a_task,
    an_attempt,
    an_id,
    at,
)

HOUR = timedelta(hours=1)
ENDED = [state for state in TaskState if state.is_end]
ODD = timedelta(hours=3, microseconds=1)  # no float of seconds would bring this back


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Each store in turn, empty."""
    made: Store = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "s.db")
    yield made
    made.close()


def keep(store: Store, *values: Task | SkippedRun | RoutineState) -> None:
    """Record all of these in one transaction."""
    records: list[RecordTask | RecordRun | RecordRoutine] = []
    for value in values:
        match value:
            case Task():
                records.append(RecordTask(task=value))
            case SkippedRun():
                records.append(RecordRun(run=value))
            case RoutineState():
                records.append(RecordRoutine(state=value))
    store.apply(records)


def ids(tasks: tuple[Task, ...]) -> list[str]:
    """Return the ids of tasks as text."""
    return [str(task.id) for task in tasks]


# -- round trips -------------------------------------------------------------------------------

A_FULL_TASK = a_task(
    an_id("Täglich 1.2026-10-25T02:30:00+01:00", "Europe/Paris"),
    TaskState.BLOCKED,
    cause=Cause.NEEDS_LOST,
    reason="waits for «load»;\n'); DROP TABLE task; --",
    origin=Origin.ROUND,
    planned_at=at("2026-10-25T01:30:00.000001"),
    changed_at=at("9999-12-31T23:59:59.999999"),
    place=at("0001-01-01T00:00:00.000003"),
    cover=an_id("load.2026-10-26T00:00:00", "Asia/Kathmandu"),
    root=an_id("rates.2026-10-01T00:00:00", "America/New_York"),
    by_hand=True,
    arguments="--day 'x' ☃",
    tries=2,
    retry_at=at("2026-10-25T07:30:00.000001"),
    is_overdue=True,
    stand_ins=(
        (an_id("a.2026-10-01T00:00:00", "Europe/Paris"), an_id("a.2026-10-02T00:00:00")),
        (an_id("b 2.2026-10-01T00:00:00"), an_id("b 2.2026-10-03T00:00:00", "Asia/Tokyo")),
    ),
    attempts=(
        an_attempt(at("2026-10-25T01:30:00.123456"), minutes=0.0000001, code=3),
        Attempt(
            number=2,
            started_at=at("2026-10-25T02:30"),
            ended_at=at("2026-10-25T02:30") + ODD,
            outcome=Outcome.KILLED,
            signal="SIGKILL",
            error="ValueError: 'naïve'",
            peak_memory=2**40 + 1,
            cpu_time=0.1 + 0.2,
        ),
        Attempt(number=3, started_at=at("2026-10-25T06:30:00.000007")),
    ),
)


@pytest.mark.parametrize(
    "task",
    [
        A_FULL_TASK,
        *(a_task(state=state) for state in TaskState),
        a_task("load.0001-01-05T00:00:00"),
        a_task("load.9999-12-27T23:59:59"),
        a_task(reason=""),
        a_task(reason="a name that is no Unicode: \udcff", arguments="\ud800", attempts=()),
        a_task(reason="a null: \0 and more", arguments=""),
        a_task(attempts=(Attempt(number=1, started_at=at("2026-10-01"), code=4294967295),)),
        a_task(origin=Origin.BACKFILL, attempts=()),
        *(
            a_task(attempts=(replace(an_attempt(at("2026-10-01")), outcome=outcome, cpu_time=0.0),))
            for outcome in Outcome
        ),
    ],
    ids=lambda task: task.state,
)
def test_a_task_comes_back_as_it_was(store: Store, task: Task) -> None:
    keep(store, task)
    found = store.task(task.id)
    assert found == task
    assert found is not None
    # Ids are equal whatever their zone.
    assert repr(found) == repr(task)


def test_what_was_never_recorded_is_not_there(store: Store) -> None:
    assert store.task(an_id()) is None
    assert store.run_of(an_id()) is None
    assert store.routine("load") is None
    assert store.newest("load") is None
    assert store.last_ended("load") is None
    assert store.planned_until() is None
    assert store.note("key") is None
    assert store.history() == ()
    assert store.sources() == ()
    assert set(store.counts()) == set(TaskState)
    assert set(store.counts().values()) == {0}


def test_a_later_record_of_a_task_replaces_the_one_before(store: Store) -> None:
    first = a_task(state=TaskState.WAITING, arguments="x", root=an_id("a.2026-10-01T00:00:00"))
    last = a_task(reason="another", origin=Origin.MANUAL, by_hand=True)
    keep(store, first)
    keep(store, last)
    assert store.task(last.id) == last
    keep(store, A_FULL_TASK, first, last)
    assert store.task(last.id) == last


def test_attempts_are_added_one_by_one(store: Store) -> None:
    attempts: tuple[Attempt, ...] = ()
    for number in range(1, 8):
        start = at("2026-10-01T02:00") + number * HOUR
        running = an_attempt(start, number=number, minutes=None)
        keep(store, a_task(state=TaskState.RUNNING, attempts=(*attempts, running)))
        attempts = (*attempts, an_attempt(start, number=number, code=number))
        ended = a_task(state=TaskState.FAILED, attempts=attempts)
        keep(store, ended)
        assert store.task(ended.id) == ended


def test_several_attempts_may_come_in_one_step(store: Store) -> None:
    start = at("2026-10-01T02:00")
    running = a_task(state=TaskState.RUNNING, attempts=(an_attempt(start, number=1, minutes=None),))
    keep(store, running)
    attempts = tuple(an_attempt(start + n * HOUR, number=n, code=n) for n in range(1, 5))
    ended = a_task(state=TaskState.FAILED, attempts=attempts)
    keep(store, ended)
    assert store.task(ended.id) == ended
    without = a_task(state=TaskState.CANCELLED, attempts=())
    keep(store, without)
    assert store.task(without.id) == without


@pytest.mark.parametrize(
    "run",
    [
        a_run(),
        a_run("Täglich 1", cover=an_id("Täglich 1.2026-10-01T06:00:00", "Asia/Tokyo")),
        a_run(cause=Cause.DISABLED, reason="é\udc80", zone="Europe/Paris", count=10**9),
    ],
)
def test_a_run_comes_back_as_it_was(store: Store, run: SkippedRun) -> None:
    keep(store, run)
    (found,) = store.runs_since(run.routine, run.first)
    assert repr(found) == repr(run)


@pytest.mark.parametrize(
    "state",
    [
        a_routine_state(),
        a_routine_state(
            "Täglich 1",
            known_since=at("2026-10-01T00:00:00.000001"),
            trigger="rounds of a, b",
            enabled=False,
            assumed=Cause.MARKED_SUCCEEDED,
            last_success=at("2026-10-02T00:00:01"),
            last_manual=at("2026-10-03T00:00:02"),
            zone="Europe/Paris",
        ),
    ],
)
def test_what_is_remembered_of_a_routine_comes_back(store: Store, state: RoutineState) -> None:
    keep(store, state)
    assert store.routine(state.name) == state


def test_routines_are_in_order_of_their_names(store: Store) -> None:
    states = [a_routine_state(name) for name in ("zeta", "Äpfel", "alpha", "Zeta")]
    keep(store, *states)
    keep(store, a_routine_state("zeta", enabled=False))
    assert [state.name for state in store.routines()] == ["Zeta", "alpha", "zeta", "Äpfel"]
    assert not store.routines()[2].enabled


def test_up_to_when_all_is_planned_comes_back_exactly(store: Store) -> None:
    for moment in (at("2026-10-01T00:00:00.000001"), at("2026-10-01T00:00:00.999999")):
        store.apply([RecordPlannedUntil(at=moment)])
        assert store.planned_until() == moment


def test_tasks_to_cancel_ahead_are_remembered_and_dropped(store: Store) -> None:
    late, soon = an_id("a.2026-10-03T00:00:00", "Asia/Tokyo"), an_id("b.2026-10-02T00:00:00")
    store.apply([RecordAhead(task=late), RecordAhead(task=soon), RecordAhead(task=late)])
    assert repr(store.ahead()) == repr((soon, late))
    store.apply([RecordAhead(task=soon, drop=True), RecordAhead(task=an_id(), drop=True)])
    assert store.ahead() == (late,)


def test_pauses_are_remembered_replaced_and_dropped(store: Store) -> None:
    everything = a_pause(until=at("2026-10-02T00:00:00.000001"))
    tag = a_pause(PauseScope.TAG, "é 1")
    routines = [a_pause(PauseScope.ROUTINE, name) for name in ("Zeta", "alpha", "é 1")]
    store.apply([RecordPause(pause=pause) for pause in (tag, *routines[::-1], everything)])
    assert repr(store.pauses()) == repr((everything, *routines, tag))
    longer = a_pause(PauseScope.TAG, "é 1", until=at("2027-01-01"))
    store.apply([RecordPause(pause=longer), RecordPause(pause=everything, drop=True)])
    store.apply([RecordPause(pause=routines[2], drop=True)] * 2)
    assert store.pauses() == (*routines[:2], longer)


def test_notes_and_sources_are_replaced(store: Store) -> None:
    store.keep_note("key", "one")
    store.keep_note("key", "två \udcff")
    assert store.note("key") == "två \udcff"
    files = (Source(path="/d/registry.xml", data=b"\0\xff"), Source(path="/d/\udcff", data=b""))
    store.apply([], RegistryText(sources=files, timezone="Europe/Paris"))
    assert store.sources() == files
    store.apply([], RegistryText(sources=files[::-1], timezone="UTC"))
    assert store.sources() == files[::-1]
    assert store.note("registry timezone") == "UTC"


def test_nothing_to_record_is_nothing_to_do(store: Store) -> None:
    store.apply([])
    assert store.history() == ()


# -- runs ----------------------------------------------------------------------------------------


def test_a_run_that_is_split_leaves_its_two_ends(store: Store) -> None:
    keep(store, a_run(count=6), a_run("other", count=6))
    between = a_task("load.2026-10-01T02:00:00")
    store.apply(
        [
            ForgetRun(routine="load", first=at("2026-10-01T00:00")),
            RecordRun(run=a_run(last="2026-10-01T01:00", count=2)),
            RecordRun(run=a_run(first="2026-10-01T03:00", count=3)),
            RecordTask(task=between),
        ]
    )
    assert [run.count for run in store.runs_since("load", at("2026-10-01"))] == [2, 3]
    assert store.run_of(between.id) is None
    assert store.counts()[TaskState.SKIPPED] == 6 + 5
    for hour, count in ((0, 2), (1, 2), (3, 3), (5, 3)):
        run = store.run_of(an_id(f"load.2026-10-01T0{hour}:00:00"))
        assert run is not None and run.count == count
    assert store.run_of(an_id("load.2026-09-30T23:00:00")) is None
    assert store.run_of(an_id("load.2026-10-01T06:00:00")) is None


def test_a_run_that_grows_replaces_itself(store: Store) -> None:
    for count in range(1, 6):
        last = at("2026-10-01") + (count - 1) * HOUR
        keep(store, a_run(last=last, count=count))
    assert [run.count for run in store.runs_since("load", at("2026-10-01"))] == [5]
    assert store.counts()[TaskState.SKIPPED] == 5


def test_to_forget_a_run_that_is_not_there_is_nothing(store: Store) -> None:
    store.apply([ForgetRun(routine="load", first=at("2026-10-01"))])
    assert store.counts()[TaskState.SKIPPED] == 0


def test_runs_since_an_instant_are_those_that_end_no_sooner(store: Store) -> None:
    keep(store, a_run(first="2026-10-02T00:00", last="2026-10-02T03:00"), a_run())
    assert len(store.runs_since("load", at("2026-10-01T05:00"))) == 2
    assert len(store.runs_since("load", at("2026-10-01T05:00:00.000001"))) == 1
    assert len(store.runs_since("load", at("2026-10-02T03:00:01"))) == 0


# -- questions -----------------------------------------------------------------------------------


def test_live_tasks_are_in_order_of_instant_then_routine(store: Store) -> None:
    keep(
        store,
        a_task("b.2026-10-02T00:00:00", TaskState.READY),
        a_task("a.2026-10-02T00:00:00", TaskState.RUNNING),
        a_task("c.2026-10-01T00:00:00", TaskState.WAITING),
        a_task("a.2026-09-01T00:00:00", TaskState.BLOCKED),
        *(a_task(f"d.2026-10-0{n}T00:00:00", state) for n, state in enumerate(ENDED, 1)),
    )
    assert ids(store.live()) == [
        "a.2026-09-01T00:00:00",
        "c.2026-10-01T00:00:00",
        "a.2026-10-02T00:00:00",
        "b.2026-10-02T00:00:00",
    ]


def test_tasks_since_an_instant_are_the_routines_own_and_later(store: Store) -> None:
    keep(store, *(a_task(f"load.2026-10-0{day}T00:00:00") for day in (3, 1, 2)))
    keep(store, a_task("other.2026-10-02T00:00:00"))
    assert ids(store.tasks_since("load", at("2026-10-02"))) == [
        "load.2026-10-02T00:00:00",
        "load.2026-10-03T00:00:00",
    ]
    assert ids(store.tasks_since("load", at("2026-10-02T00:00:00.000001"))) == [
        "load.2026-10-03T00:00:00"
    ]


def test_early_tasks_are_those_after_a_moment(store: Store) -> None:
    keep(store, *(a_task(f"load.2026-10-0{day}T00:00:00") for day in (3, 1, 2)))
    keep(store, a_task("a.2026-10-03T00:00:00"))
    assert ids(store.early(at("2026-10-02"))) == [
        "a.2026-10-03T00:00:00",
        "load.2026-10-03T00:00:00",
    ]
    assert len(store.early(at("2026-10-01T23:59:59.5"))) == 3


def test_the_newest_task_is_no_mere_cover_or_covered_one(store: Store) -> None:
    covered = a_task("load.2026-10-03T00:00:00", TaskState.SKIPPED, cause=Cause.COVERED)
    keep(store, covered, a_task("load.2026-10-01T00:00:00"), a_task("z.2026-10-09T00:00:00"))
    newest = store.newest("load")
    assert newest is not None and newest.instant == at("2026-10-01")


def test_the_last_ended_task_had_an_attempt(store: Store) -> None:
    expected = a_task("load.2026-10-02T00:00:00", TaskState.FAILED)
    keep(
        store,
        a_task("load.2026-10-01T00:00:00"),
        expected,
        a_task("load.2026-10-03T00:00:00", TaskState.CANCELLED),
        a_task("load.2026-10-04T00:00:00", TaskState.RUNNING),
        a_task("other.2026-10-04T00:00:00", TaskState.CANCELLED),
    )
    assert store.last_ended("load") == expected
    assert store.last_ended("other") is None
    more = [a_task(f"{name}.2026-10-01T00:00:00") for name in ("a", "b c", "ü")]
    keep(store, *more)
    assert store.last_ended_of_all() == {"load": expected} | {one.routine: one for one in more}


def test_recent_ends_are_attempts_by_the_time_of_their_end(store: Store) -> None:
    start = at("2026-10-05")
    retried = a_task(
        "a.2026-10-01T00:00:00",
        TaskState.RUNNING,
        attempts=(
            an_attempt(start, minutes=5, code=1),
            an_attempt(start, number=2, minutes=50, code=1),
            an_attempt(start + HOUR, number=3, minutes=None),
        ),
    )
    once = a_task("b.2026-10-02T00:00:00", attempts=(an_attempt(start, minutes=9),))
    keep(store, retried, once, a_task("c.2026-10-01T00:00:00", TaskState.CANCELLED))
    expected = (
        (retried, retried.attempts[1]),
        (once, once.attempts[0]),
        (retried, retried.attempts[0]),
    )
    assert store.recent_ends() == expected
    assert store.recent_ends(2) == expected[:2]
    assert store.recent_ends(0) == ()


def test_a_failure_matters_until_its_routine_has_succeeded_again(store: Store) -> None:
    failed = [a_task(f"load.2026-10-0{day}T00:00:00", TaskState.FAILED) for day in (1, 3, 5)]
    others = [a_task(f"{name}.2026-10-02T00:00:00", TaskState.FAILED) for name in ("a", "z")]
    keep(store, *failed, *others, a_task("load.2026-10-04T00:00:00"))
    assert len(store.failed()) == 5
    keep(store, a_routine_state("load", last_success=at("2026-10-04")), a_routine_state("z"))
    assert store.failed() == (*others, failed[2])
    keep(store, a_routine_state("load", last_success=at("2026-10-05")))
    assert store.failed() == tuple(others)
    assert store.failed(at("2026-10-02")) == (*others, *failed[1:])
    assert store.failed(at("2026-10-02T00:00:00.1")) == tuple(failed[1:])


def test_a_failure_matters_as_long_as_something_is_blocked_by_it(store: Store) -> None:
    failed = [a_task(f"load.2026-10-0{day}T00:00:00", TaskState.FAILED) for day in (1, 2, 3)]
    keep(store, *failed, a_routine_state("load", last_success=at("2026-10-04")))
    assert store.failed() == ()
    held = [
        a_task(f"{name}.2026-10-02T06:00:00", TaskState.BLOCKED, root=failed[1].id) for name in "ab"
    ]
    keep(store, *held, a_task("c.2026-10-01T06:00:00", TaskState.CANCELLED, root=failed[0].id))
    assert store.failed() == (failed[1],)
    assert store.failed(at("2026-10-03")) == (failed[2],)
    keep(store, *(replace(task, state=TaskState.SUCCEEDED, root=None) for task in held))
    assert store.failed() == ()


def test_further_attempts_come_with_what_ended_last_first(store: Store) -> None:
    def tried(day: int, *codes: int, ends: int = 0) -> Task:
        attempts = tuple(
            an_attempt(at(f"2026-10-{day + ends:02d}T0{number}:00"), number=number, code=code)
            for number, code in enumerate(codes, start=1)
        )
        state = TaskState.SUCCEEDED if not codes[-1] else TaskState.FAILED
        return a_task(f"load.2026-10-{day:02d}T00:00:00", state, attempts=attempts)

    again, late, once, failed = tried(1, 0, 0), tried(2, 1, 0, ends=7), tried(3, 0), tried(4, 0, 1)
    keep(store, again, late, once, failed)
    assert store.redone() == ((late.id, 2), (failed.id, 2), (again.id, 2))
    assert store.redone(1) == ((late.id, 2),)


def test_durations_are_those_of_the_newest_successes(store: Store) -> None:
    for day, minutes in ((1, 1.0), (2, 2.0), (4, 4.0)):
        attempt = an_attempt(at(f"2026-10-0{day}"), minutes=minutes)
        keep(store, a_task(f"load.2026-10-0{day}T00:00:00", attempts=(attempt,)))
    first, last = an_attempt(at("2026-10-05"), minutes=99), at("2026-10-05T12:00:00.000001")
    second = Attempt(number=2, started_at=last, ended_at=last + ODD, outcome=Outcome.EXITED)
    keep(store, a_task("load.2026-10-05T00:00:00", attempts=(first, second)))
    keep(store, a_task("load.2026-10-06T00:00:00", TaskState.FAILED))
    keep(store, a_task("load.2026-10-07T00:00:00", attempts=()))
    assert store.durations("load") == (ODD.total_seconds(), 240.0, 120.0, 60.0)
    assert store.durations("load", 2) == (ODD.total_seconds(), 240.0)
    assert store.durations("other") == ()


def test_counts_follow_every_change_and_count_the_instants_of_runs(store: Store) -> None:
    keep(store, a_task("a.2026-10-01T00:00:00", TaskState.WAITING), a_run(count=6))
    keep(store, a_task("a.2026-10-01T00:00:00", TaskState.READY))
    keep(store, a_task("b.2026-10-01T00:00:00", TaskState.SKIPPED))
    keep(
        store,
        a_task("a.2026-10-01T00:00:00", TaskState.RUNNING),
        a_task("a.2026-10-01T00:00:00", TaskState.FAILED),
        a_task("c.2026-10-01T00:00:00", TaskState.FAILED),
    )
    found = {state: count for state, count in store.counts().items() if count}
    assert found == {TaskState.FAILED: 2, TaskState.SKIPPED: 7}


# -- history -------------------------------------------------------------------------------------


def shown(fates: tuple[Fate, ...]) -> list[str]:
    """Return what stands in each line of a history."""
    return [str(fate.task.id) if fate.task else f"{fate.routine} run" for fate in fates]


@pytest.fixture
def lively(store: Store) -> Store:
    """A store with a bit of everything."""
    keep(
        store,
        a_task("b.2026-10-01T00:00:00", TaskState.FAILED),
        a_task("a.2026-10-01T00:00:00"),
        a_run("a", "2026-10-01T01:00", "2026-10-01T03:00", count=3),
        a_task("a.2026-10-01T04:00:00", TaskState.SKIPPED),
        a_run("b", "2026-10-01T00:30", "2026-10-01T04:00", count=4),
        a_task("a.2026-10-01T05:00:00", TaskState.RUNNING),
    )
    return store


@pytest.mark.parametrize(
    ("routine", "state", "since", "until", "limit", "expected"),
    [
        (None, None, None, None, 50, "a5 br a4 ar b0 a0"),
        (None, None, None, None, 3, "a5 br a4"),
        (None, None, None, None, 0, ""),
        ("a", None, None, None, 50, "a5 a4 ar a0"),
        ("b", None, None, None, 1, "br"),
        ("nobody", None, None, None, 50, ""),
        (None, TaskState.SKIPPED, None, None, 50, "br a4 ar"),
        (None, TaskState.SUCCEEDED, None, None, 50, "a0"),
        (None, TaskState.RUNNING, None, None, 50, "a5"),
        (None, TaskState.READY, None, None, 50, ""),
        ("b", TaskState.FAILED, None, None, 50, "b0"),
        ("a", TaskState.FAILED, None, None, 50, ""),
        ("a", TaskState.RUNNING, None, None, 50, "a5"),
        ("a", TaskState.SKIPPED, None, None, 50, "a4 ar"),
        (None, None, "04:00", None, 50, "a5 br a4"),
        (None, None, "04:00:00.5", None, 50, "a5"),
        (None, None, None, "04:00", 50, "ar b0 a0"),
        (None, None, None, "04:00:00.5", 50, "br a4 ar b0 a0"),
        ("a", TaskState.SKIPPED, "03:00", "04:00", 50, "ar"),
        ("b", TaskState.FAILED, "00:00", "00:00:01", 50, "b0"),
        (None, TaskState.SUCCEEDED, "00:00:01", None, 50, ""),
    ],
)
def test_history_is_newest_first_and_filtered(
    lively: Store,
    routine: str | None,
    state: TaskState | None,
    since: str | None,
    until: str | None,
    limit: int,
    expected: str,
) -> None:
    def moment(text: str | None) -> datetime | None:
        return None if text is None else at(f"2026-10-01T{text}")

    found = lively.history(
        routine=routine, state=state, since=moment(since), until=moment(until), limit=limit
    )
    lines = [f"{one[0]}{'r' if one.endswith('run') else one[-7]}" for one in shown(found)]
    assert lines == expected.split()


# -- pruning -------------------------------------------------------------------------------------


def pruned(store: Store, before: str, keep: int, step: int = 500) -> list[int]:
    """Prune and return how many went in each step, but for the empty ones."""
    return [count for count in store.prune(at(before), keep, step) if count]


def days(store: Store, routine: str) -> list[int]:
    """Return the days of October of which there is a task."""
    return [task.instant.day for task in store.tasks_since(routine, at("2026-10-01"))]


def test_pruning_keeps_the_newest_and_what_is_not_old(store: Store) -> None:
    for name in ("a", "b"):
        keep(store, *(a_task(f"{name}.2026-10-{day:02}T00:00:00") for day in range(1, 11)))
    keep(store, *(a_task(f"few.2026-10-{day:02}T00:00:00") for day in (1, 2)))
    assert sum(pruned(store, "2026-10-20", 3)) == 14
    assert days(store, "a") == days(store, "b") == [8, 9, 10]
    assert days(store, "few") == [1, 2]
    assert sum(pruned(store, "2026-10-09", 1)) == 3
    assert days(store, "a") == [9, 10]
    assert days(store, "few") == [2]
    assert sum(pruned(store, "2026-10-10T00:00:00.1", 0)) == 5
    assert store.history() == ()
    assert set(store.counts().values()) == {0}


def test_pruning_never_takes_a_live_task_or_the_last_success(store: Store) -> None:
    states = (TaskState.SUCCEEDED, TaskState.WAITING, TaskState.FAILED, TaskState.RUNNING)
    keep(store, *(a_task(f"a.2026-10-0{day}T00:00:00", s) for day, s in enumerate(states, 1)))
    keep(store, a_routine_state("a", last_success=at("2026-10-01")))
    assert pruned(store, "2027-01-01", 0) == [1]
    assert days(store, "a") == [1, 2, 4]
    keep(store, a_routine_state("a", last_success=at("2026-10-05")))
    assert pruned(store, "2027-01-01", 0) == [1]
    assert days(store, "a") == [2, 4]


def test_pruning_takes_runs_that_ended_before(store: Store) -> None:
    keep(store, a_run(), a_run(first="2026-10-02T00:00", last="2026-10-03T00:00", count=25))
    assert pruned(store, "2026-10-02T12:00", 100) == [1]
    assert store.counts()[TaskState.SKIPPED] == 25
    assert pruned(store, "2026-10-03T00:00", 100) == []


def test_pruning_goes_in_steps_between_which_anything_may_be_recorded(store: Store) -> None:
    keep(store, *(a_task(f"a.2026-10-{day:02}T00:00:00") for day in range(1, 31)))
    keep(store, *(a_run("a", at(f"2026-11-{n:02}"), at(f"2026-11-{n:02}")) for n in range(1, 20)))
    gone = 0
    for count in store.prune(at("2027-01-01"), keep=2, step=7):
        assert 0 <= count <= 7
        gone += count
        keep(store, a_task("a.2026-10-28T00:00:00", TaskState.RUNNING))
    assert gone == 27 + 19
    assert days(store, "a") == [28, 29, 30]


def test_attempts_go_with_their_tasks(store: Store) -> None:
    keep(store, a_task("a.2026-10-01T00:00:00"), a_task("a.2026-10-02T00:00:00"))
    assert pruned(store, "2027-01-01", 1) == [1]
    assert [task.instant.day for task, _ in store.recent_ends()] == [2]
    keep(store, a_task("a.2026-10-01T00:00:00", TaskState.CANCELLED, attempts=()))
    found = store.task(an_id("a.2026-10-01T00:00:00"))
    assert found is not None and found.attempts == ()
