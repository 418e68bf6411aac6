"""What is expected of the tasks to come, and what an assumption makes of that."""

from datetime import timedelta

import pytest

from scheduler.engine.admission import Limits
from scheduler.engine.commands import RecordTask
from scheduler.engine.task import Pause, PauseScope
from scheduler.errors import SchedulerError
from scheduler.registry.registry import Registry
from scheduler.service import forecast as forecasts
from scheduler.service.forecast import (
    Conditions,
    TooMuchError,
    assumptions_of,
    conditions_of,
    expected_views,
    forecast,
)
from scheduler.service.planned import planned
from scheduler.service.store.memory import MemoryStore
from scheduler.testing import Ends, simulate
from tests.support.builders import at
from tests.support.memory_files import read

START, END = at("2026-11-23T00:00"), at("2026-11-24T00:00")
LOAD = '<job name="load" script="load.py" schedule="0 2 * * *"/>'
REPORT = '<job name="report" script="report.py" schedule="30 2 * * *" depends_on="load"/>'
LENGTHS = {"load": timedelta(minutes=45), "report": timedelta(minutes=5)}


def a_registry(*jobs: str, pools: str = "", timezone: str = "UTC") -> Registry:
    reading = read(f'<registry timezone="{timezone}">{pools}{"".join(jobs)}</registry>')
    assert not reading.errors, reading.errors
    return Registry(reading.routines, timezone=reading.timezone, pools=reading.pools)


def a_forecast(
    registry: Registry,
    *assumed: str,
    lengths: dict[str, timedelta] = LENGTHS,
    slots: int = 8,
    pauses: tuple[Pause, ...] = (),
) -> list[str]:
    """Return of each task of the day when it starts and ends, and in which state."""
    ids = list(planned(registry, START, END))
    found = forecast(
        registry,
        ids,
        START,
        END,
        conditions=Conditions(
            limits=Limits(max_running=slots, late=slots), durations=lengths, pauses=pauses
        ),
        assumptions=assumptions_of(assumed, registry, START, END),
    )
    lines: list[str] = []
    for id, one in found.items():
        times = (f"{moment:%H:%M}" if moment else "-" for moment in (one.start, one.end))
        lines.append(f"{id.routine} {' '.join(times)} {one.state}")
    return lines


def test_a_task_is_expected_to_take_as_long_as_it_usually_does() -> None:
    assert a_forecast(a_registry(LOAD, REPORT)) == [
        "load 02:00 02:45 succeeded",
        "report 02:45 02:50 succeeded",
    ]


def test_an_end_is_not_known_of_a_routine_that_never_ran() -> None:
    assert a_forecast(a_registry(LOAD, REPORT), lengths={"report": timedelta(minutes=5)}) == [
        "load 02:00 - succeeded",
        "report 02:30 02:35 succeeded",
    ]


def test_the_usual_length_is_the_median_of_the_last_successes() -> None:
    registry = a_registry(LOAD, REPORT)
    store = MemoryStore()
    assert conditions_of(store, registry, Limits(max_running=1, late=1)).durations == {}
    past = simulate(
        registry,
        start=START - timedelta(days=5),
        end=START,
        outcomes={"load": lambda id, _: Ends({18: 10, 19: 20, 20: 90}.get(id.instant.day, 30))},
    )
    for task in past.of("load"):
        store.apply([RecordTask(task=task)])
    found = conditions_of(store, registry, Limits(max_running=1, late=1)).durations
    assert found == {"load": timedelta(minutes=30)}


def test_slots_are_waited_for() -> None:
    other = '<job name="other" script="o.py" schedule="0 2 * * *"/>'
    lengths = {**LENGTHS, "other": timedelta(minutes=10)}
    assert a_forecast(a_registry(LOAD, other), lengths=lengths, slots=1) == [
        "load 02:00 02:45 succeeded",
        "other 02:45 02:55 succeeded",
    ]


def test_pools_are_waited_for() -> None:
    jobs = (f'<job name="{n}" script="s.py" schedule="0 2 * * *" pool="db"/>' for n in "ab")
    registry = a_registry(*jobs, pools='<pool name="db" slots="1"/>')
    lengths = {"a": timedelta(minutes=10), "b": timedelta(minutes=10)}
    assert a_forecast(registry, lengths=lengths) == [
        "a 02:00 02:10 succeeded",
        "b 02:10 02:20 succeeded",
    ]


def test_a_task_that_begins_in_the_window_may_end_after_it() -> None:
    late = '<job name="late" script="l.py" schedule="50 23 * * *"/>'
    assert a_forecast(a_registry(late), lengths={"late": timedelta(hours=3)}) == [
        "late 23:50 02:50 succeeded"
    ]


def test_what_waits_for_a_failure_is_blocked() -> None:
    assert a_forecast(a_registry(LOAD, REPORT), "load fails") == [
        "load 02:00 02:45 failed",
        "report - - blocked",
    ]


def test_an_outage_is_caught_up_with() -> None:
    assert a_forecast(a_registry(LOAD, REPORT), "down 01:00-05:00") == [
        "load 05:00 05:45 succeeded",
        "report 05:45 05:50 succeeded",
    ]


def test_assumptions_add_up() -> None:
    found = a_forecast(a_registry(LOAD, REPORT), "load fails", "down 1:00-05:00")
    assert found == ["load 05:00 05:45 failed", "report - - blocked"]


def test_a_paused_routine_starts_nothing() -> None:
    pause = Pause(scope=PauseScope.ROUTINE, name="load", since=START)
    assert a_forecast(a_registry(LOAD), pauses=(pause,)) == ["load - - waiting"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("down 02:00-05:00", [("2026-11-23T01:00", "2026-11-23T04:00")]),
        ("down 22:00 - 01:00", [("2026-11-23T21:00", "2026-11-24T00:00")]),
        ("down 00:30-00:30", [("2026-11-23T23:30", "2026-11-24T23:30")]),  # after the window began
        ("down 02:00-05:00,down 04:00-06:00", [("2026-11-23T01:00", "2026-11-23T05:00")]),
    ],
)
def test_a_time_of_day_is_the_first_one_in_the_window(
    text: str, expected: list[tuple[str, str]]
) -> None:
    registry = a_registry(LOAD, timezone="Europe/Paris")
    found = assumptions_of(text.split(","), registry, START, END)
    assert found.down == tuple((at(first), at(last)) for first, last in expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("laod fails", "did you mean 'load'"),
        ("load breaks", "makes no sense: write 'load fails' or"),
        ("", "makes no sense"),
        ("down 25:00-26:00", "25:00 is not a time of day"),
        ("down 02:00", "makes no sense"),
    ],
)
def test_what_cannot_be_assumed_is_refused(text: str, message: str) -> None:
    with pytest.raises(SchedulerError, match=message):
        assumptions_of([text], a_registry(LOAD), START, END)


def test_a_time_that_does_not_come_in_the_window_is_refused() -> None:
    with pytest.raises(SchedulerError, match="05:00 does not come in the window"):
        assumptions_of(["down 05:00-06:00"], a_registry(LOAD), START, at("2026-11-23T03:00"))


@pytest.mark.parametrize(
    ("due_by", "assumed", "lengths", "is_overdue"),
    [
        ("03:00", None, LENGTHS, False),
        ("02:49", None, LENGTHS, True),  # it is expected to end at 02:50
        ("03:00", "load fails", LENGTHS, True),  # blocked: it never starts
        ("03:00", "down 02:10-05:00", LENGTHS, True),
        ("03:00", "down 02:10-05:00", {}, True),  # it starts after that, however long it takes
        ("03:00", None, {}, None),  # nobody knows how long it takes
        (None, "load fails", LENGTHS, None),
    ],
)
def test_a_task_that_is_not_expected_to_succeed_by_its_due_by_is_overdue(
    due_by: str | None, assumed: str | None, lengths: dict[str, timedelta], is_overdue: bool | None
) -> None:
    written = f'depends_on="load" due_by="{due_by}"' if due_by else 'depends_on="load"'
    registry = a_registry(LOAD, REPORT.replace('depends_on="load"', written))
    conditions = Conditions(limits=Limits(max_running=8, late=8), durations=lengths)
    ids = list(planned(registry, START, END))
    view = expected_views(registry, ids, (START, END), assumed, lambda _: conditions)[-1]
    assert view["expected_overdue"] is is_overdue
    assert view["due_by"] == (due_by and f"2026-11-23T{due_by}:00+00:00")


@pytest.mark.parametrize("limit", ["_MOST_STEPS", "_MOST_EFFORT"])
def test_a_window_that_is_too_long_has_nothing_expected_and_answers_no_question(
    monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(forecasts, limit, 1)
    registry = a_registry(LOAD, REPORT)
    ids, conditions = (
        list(planned(registry, START, END)),
        Conditions(limits=Limits(max_running=1, late=1)),
    )
    views = expected_views(registry, ids, (START, END), None, lambda _: conditions)
    assert (
        views
        == [
            dict.fromkeys(("expected_start", "expected_end", "expected_state"))
            | {"expected_reason": "", "due_by": None, "expected_overdue": None}
        ]
        * 2
    )
    with pytest.raises(TooMuchError, match="give a shorter one"):
        expected_views(registry, ids, (START, END), "load fails", lambda _: conditions)


def test_a_question_about_many_that_wait_for_ever_is_refused_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each minute another `clean` covers the last, for every `report` that is due by then."""
    monkeypatch.setattr(forecasts, "_MOST_EFFORT", 5_000)
    minutely = [
        '<job name="load" script="l.py" schedule="* * * * *"/>',
        '<job name="clean" script="c.py" depends_on="load"/>',
        '<job name="report" script="r.py" schedule="* * * * *" depends_on="clean" backlog="all"/>',
    ]
    with pytest.raises(TooMuchError):
        a_forecast(a_registry(*minutely), "load fails", lengths={})


def test_of_one_routine_only_it_and_what_it_waits_for_are_run_ahead() -> None:
    minutely = (f'<job name="m{n}" script="m.py" schedule="* * * * *"/>' for n in range(30))
    registry = a_registry(LOAD, REPORT, *minutely, REPORT.replace('"report"', '"other"'))
    ids = list(planned(registry, START, END, ["report"]))
    limits = Limits(max_running=8, late=8)
    asked: list[tuple[str, ...]] = []

    def conditions(part: Registry) -> Conditions:
        asked.append(tuple(part))
        return Conditions(limits=limits, durations=LENGTHS)

    window = (START, END)
    [view] = expected_views(registry, ids, window, None, conditions, "report")
    assert asked == [("load", "report")]
    assert view["expected_start"] == "2026-11-23T02:45:00+00:00"
    [view] = expected_views(registry, ids, window, None, conditions)
    assert view["expected_start"] is None, "all together are too much for one forecast"
