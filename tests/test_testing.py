"""`scheduler.testing`: a registry of one's own on a virtual clock."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from scheduler import Registry, SchedulerError, TaskId, load_registry
from scheduler.engine.states import TaskState
from scheduler.testing import Ends, Outcome, Simulation, simulate

NIGHT = """
<registry timezone="Europe/Paris">
  <job name="load" script="load.py" schedule="0 2 * * *" retries="1" retry_delay="10m"/>
  <job name="report" script="report.py" schedule="30 2 * * *" depends_on="load"/>
  <job name="tick" script="tick.py" schedule="*/30 * * * *"/>
</registry>
"""
LOAD, REPORT = "load.2026-11-23T02:00:00", "report.2026-11-23T02:30:00"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A registry with two that depend on one another, and one that does not."""
    file = tmp_path / "registry.xml"
    file.write_text(NIGHT, encoding="utf-8")
    return file


@pytest.fixture
def registry(path: Path) -> Registry:
    """The same, loaded."""
    return load_registry(path)


def a_day(registry: Registry, **outcomes: Outcome) -> Simulation:
    return simulate(registry, start="2026-11-23", end="2026-11-24", outcomes=outcomes)


def test_a_day_has_all_its_tasks_from_its_first_instant_on(path: Path) -> None:
    day = simulate(path, start="2026-11-23", end="2026-11-24", outcomes={"load": Ends("40m")})
    assert Counter(id.routine for _, id in day.starts) == {"load": 1, "report": 1, "tick": 48}
    assert day.started("tick")[0].isoformat() == "2026-11-23T00:00:00+01:00"
    assert {task.state for task in day.tasks} == {TaskState.SUCCEEDED}
    assert [when.isoformat() for when in day.started("report")] == ["2026-11-23T02:40:00+01:00"]
    assert not day.runs


def test_moments_may_be_datetimes_of_any_zone(registry: Registry) -> None:
    start = datetime(2026, 11, 22, 23, tzinfo=UTC)
    found = simulate(registry, start=start, end=start + timedelta(days=1))
    assert found.tasks == a_day(registry).tasks


def test_a_failure_is_tried_again_and_blocks_what_waits_for_it(registry: Registry) -> None:
    day = a_day(registry, load=Ends(5, code=3))
    load = day.task(LOAD)
    assert load.state is TaskState.FAILED
    assert [attempt.code for attempt in load.attempts] == [3, 3]
    assert [f"{when:%H:%M}" for when in day.started("load")] == ["02:00", "02:15"]
    assert day.state(REPORT) is TaskState.BLOCKED
    assert str(day.task(REPORT).root) == LOAD


def test_an_outcome_may_depend_on_the_task_and_the_attempt(registry: Registry) -> None:
    asked: list[tuple[str, int]] = []

    def second_time_lucky(id: TaskId, attempt: int) -> Ends:
        asked.append((str(id), attempt))
        return Ends(1, code=0 if attempt == 2 else 1)

    day = a_day(registry, load=second_time_lucky)
    assert asked == [(LOAD, 1), (LOAD, 2)]
    assert day.state(REPORT) is TaskState.SUCCEEDED


def test_an_outage_loses_what_runs_and_runs_the_latest_of_what_was_missed(
    registry: Registry,
) -> None:
    down = [("2026-11-23T02:35", "2026-11-23T05:10")]
    outcomes = {"report": Ends("30m")}
    day = simulate(registry, start="2026-11-23", end="2026-11-24", outcomes=outcomes, down=down)
    (lost,) = day.task(REPORT).attempts
    assert (lost.outcome, day.state(REPORT)) == ("lost", TaskState.FAILED)
    missed = day.state("tick.2026-11-23T03:00:00"), day.state("tick.2026-11-23T05:00:00")
    assert missed == (TaskState.SKIPPED, TaskState.SUCCEEDED)
    assert not [when for when, _ in day.starts if 2 < when.hour + 1 < 5]


def test_a_scheduler_that_is_down_to_the_end_plans_nothing_more(registry: Registry) -> None:
    day = simulate(
        registry,
        start="2026-11-23",
        end="2026-11-24",
        down=[("2026-11-23T01:00", "2026-11-25"), ("2026-11-26", "2026-11-27")],
    )
    assert [str(id) for _, id in day.starts] == [
        "tick.2026-11-23T00:00:00",
        "tick.2026-11-23T00:30:00",
    ]


@pytest.mark.parametrize(
    ("night", "ticks", "load"),
    [
        ("2026-03-29", 46, "2026-03-29T03:00:00+02:00"),  # 02:00 does not come
        ("2026-10-25", 50, "2026-10-25T02:00:00+02:00"),  # it comes twice
    ],
)
def test_a_night_when_the_clocks_change(
    night: str, ticks: int, load: str, registry: Registry
) -> None:
    end = (datetime.fromisoformat(night) + timedelta(days=1)).date().isoformat()
    day = simulate(registry, start=night, end=end)
    assert len(day.started("tick")) == ticks
    assert [when.isoformat() for when in day.started("load")] == [load]
    assert len(day.started("report")) == 1


def test_a_year_of_a_small_registry(registry: Registry) -> None:
    year = simulate(
        registry,
        start="2026-01-01",
        end="2027-01-01",
        outcomes={"load": lambda id, _: Ends("20m", code=id.local.month == 2)},
    )
    states = Counter(task.state for task in year.of("load"))
    assert states == {TaskState.SUCCEEDED: 365 - 28, TaskState.FAILED: 28}
    assert len(year.of("tick")) == 365 * 48


def test_no_more_run_at_once_than_there_are_slots(registry: Registry) -> None:
    outcomes = {"load": Ends("1h"), "report": Ends("1h"), "tick": Ends(10)}
    day = simulate(registry, start="2026-11-23", end="2026-11-24", outcomes=outcomes, max_running=1)
    spans = sorted(
        (attempt.started_at, attempt.ended_at or attempt.started_at)
        for task in day.tasks
        for attempt in task.attempts
    )
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))


def test_what_runs_at_the_end_is_still_running(registry: Registry) -> None:
    day = a_day(registry, tick=Ends("1d"))
    assert day.state("tick.2026-11-23T00:00:00") is TaskState.RUNNING


def test_a_timeout_kills(tmp_path: Path) -> None:
    file = tmp_path / "registry.xml"
    file.write_text(
        '<registry timezone="UTC">'
        '<job name="slow" script="slow.py" schedule="0 2 * * *" timeout="5m"/></registry>',
        encoding="utf-8",
    )
    day = simulate(
        file, start="2026-11-23", end="2026-11-24", outcomes={"slow": Ends("1h")}, timezone="UTC"
    )
    (attempt,) = day.task("slow.2026-11-23T02:00:00").attempts
    assert attempt.ended_at is not None
    assert attempt.ended_at - attempt.started_at == timedelta(minutes=5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"end": "2026-11-23"}, "start must be before end"),
        ({"end": datetime(2026, 11, 24)}, "has no time zone"),  # noqa: DTZ001
        ({"end": "tomorrow"}, "is not a moment"),
        ({"outcomes": {"laod": Ends()}}, "did you mean 'load'?"),
        ({"outcomes": {"tick": lambda _id, _n: 5}}, "the outcome of tick.2026-11-23T00:00:00 is 5"),
        ({"outcomes": {"tick": lambda _id, _n: Ends(1e12)}}, "ends after the last year"),
        ({"down": [("2026-11-22", "2026-11-24")]}, "is before 2026-11-22T23:00:00+00:00"),
        ({"down": [("2026-11-23T05", "2026-11-23T04")]}, "is not a moment"),
        ({"down": [("2026-11-23T05:00", "2026-11-23T05:00")]}, "the period is empty"),
        ({"max_running": 0}, "nothing could ever run"),
        ({"timezone": "UTC"}, "a registry has its own"),
    ],
)
def test_what_makes_no_sense_is_refused(
    changes: dict[str, object], message: str, registry: Registry
) -> None:
    arguments: dict[str, object] = {"start": "2026-11-23", "end": "2026-11-24", **changes}
    with pytest.raises(SchedulerError, match=message.replace("?", r"\?").replace("+", r"\+")):
        simulate(registry, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("arguments", [("5",), (-1,), (float("nan"),), (1, -9), (float("inf"),)])
def test_an_end_that_cannot_be_is_refused(arguments: tuple[float, int]) -> None:
    with pytest.raises(SchedulerError):
        Ends(*arguments)


def test_a_task_without_a_record_is_an_error_that_says_why(registry: Registry) -> None:
    down = [("2026-11-23T02:05", "2026-11-23T05:10")]
    day = simulate(registry, start="2026-11-23", end="2026-11-24", down=down)
    with pytest.raises(SchedulerError, match="skipped: "):
        day.task("tick.2026-11-23T02:30:00")
    with pytest.raises(SchedulerError, match="never planned"):
        day.task("tick.2026-11-25T02:30:00")
    with pytest.raises(SchedulerError, match="no routine"):
        day.task("laod.2026-11-23T02:31:00")
