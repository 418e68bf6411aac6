"""What is an incident, when it is over, and what is told: tables of situations."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from scheduler.engine.states import Cause, TaskState
from scheduler.engine.task import Task
from scheduler.registry.registry import Registry
from scheduler.service.incidents import (
    LAST_LINES,
    Incident,
    Kind,
    Situation,
    began,
    dues,
    ended,
    from_note,
    held_up,
    judge,
    sample,
    to_note,
)
from tests.support.builders import a_task, an_id, at
from tests.support.memory_files import read

REGISTRY = """
<registry>
  <job name="load" script="s.py" schedule="0 2 * * *" due_by="06:00"/>
  <job name="clean" script="s.py" schedule="10 2 * * *" depends_on="load"/>
  <job name="report" script="s.py" schedule="30 2 * * *" depends_on="clean" due_by="07:00"/>
  <job name="alarm" script="s.py" schedule="0 3 * * *" due_by="08:00">
    <dependency name="load" on="failure"/>
  </job>
  <job name="rates" script="s.py" schedule="0 2 * * *" due_by="+2h"/>
</registry>
"""
LOAD, CLEAN = "load.2026-10-02T02:00:00", "clean.2026-10-02T02:10:00"
REPORT, RATES = "report.2026-10-02T02:30:00", "rates.2026-10-02T02:00:00"
OLDER_LOAD = "load.2026-10-01T02:00:00"


def a_registry() -> Registry:
    reading = read(REGISTRY)
    assert not reading.errors, reading.errors
    return Registry(reading.routines, timezone=reading.timezone)


def a_situation(
    failed: Sequence[Task] = (), live: Sequence[Task] = (), now: str = "2026-10-02T09:00"
) -> Situation:
    return Situation(at=at(now), registry=a_registry(), failed=failed, live=live)


def failed(id: str = LOAD) -> Task:
    return a_task(id, TaskState.FAILED, reason="exit code 3")


def blocked(id: str, root: str = LOAD, *, overdue: bool = False) -> Task:
    task = a_task(id, TaskState.BLOCKED, root=an_id(root), reason=f"waits for {root}")
    return replace(task, is_overdue=overdue)


def waiting(id: str, *, overdue: bool = True) -> Task:
    task = a_task(id, TaskState.WAITING, cause=Cause.NEEDS_OPEN, reason="waits for more")
    return replace(task, is_overdue=overdue)


def running(id: str, *, overdue: bool = True) -> Task:
    return replace(a_task(id, TaskState.RUNNING, reason=""), is_overdue=overdue)


def an_incident(id: str = LOAD, kind: Kind = Kind.FAILED) -> Incident:
    return Incident(kind=kind, task=an_id(id), reason="exit code 3", since=at("2026-10-02T02:01"))


@pytest.mark.parametrize(
    ("failures", "live", "expected"),
    [
        pytest.param([], [], [], id="all is well"),
        pytest.param([failed()], [], [("failed", LOAD)], id="a task failed"),
        pytest.param(
            [failed(OLDER_LOAD), failed(LOAD)],
            [],
            [("failed", LOAD)],
            id="of several failures of a routine the newest is told",
        ),
        pytest.param(
            [failed(LOAD), failed(RATES)],
            [],
            [("failed", LOAD), ("failed", RATES)],
            id="two routines are two incidents",
        ),
        pytest.param(
            [failed()],
            [blocked(CLEAN), blocked(REPORT)],
            [("failed", LOAD)],
            id="what is blocked belongs to its root",
        ),
        pytest.param(
            [failed()],
            [blocked(CLEAN), blocked(REPORT, overdue=True)],
            [("failed", LOAD)],
            id="also when it becomes overdue",
        ),
        pytest.param([], [running(LOAD)], [("overdue", LOAD)], id="a task is overdue"),
        pytest.param([], [running(LOAD, overdue=False)], [], id="a task only runs"),
        pytest.param(
            [],
            [running(LOAD), waiting(CLEAN), waiting(REPORT)],
            [("overdue", LOAD)],
            id="what waits for an overdue one belongs to it",
        ),
        pytest.param(
            [],
            [running(LOAD, overdue=False), waiting(CLEAN, overdue=False), waiting(REPORT)],
            [("overdue", REPORT)],
            id="overdue behind others that are in time",
        ),
        pytest.param(
            [],
            [running(LOAD), waiting(CLEAN, overdue=False), waiting(REPORT)],
            [("overdue", LOAD)],
            id="overdue behind an overdue one, however far",
        ),
        pytest.param(
            [],
            [blocked(REPORT, root=OLDER_LOAD, overdue=True)],
            [("overdue", REPORT)],
            id="overdue behind one that a person cancelled",
        ),
    ],
)
def test_an_incident_begins_once_for_each_routine_in_trouble(
    failures: Sequence[Task], live: Sequence[Task], expected: Sequence[tuple[str, str]]
) -> None:
    verdict = judge({}, a_situation(failures, live))
    assert [(one.kind.value, str(one.task)) for one in verdict.begun] == list(expected)
    assert verdict.over == ()


FAILED, OVERDUE = an_incident(), an_incident(kind=Kind.OVERDUE)


@pytest.mark.parametrize(
    ("known", "failures", "live", "begun", "over"),
    [
        pytest.param(FAILED, [failed()], [], [], [], id="it is still failed"),
        pytest.param(FAILED, [], [], [], [LOAD], id="it failed, and is well again"),
        pytest.param(
            FAILED, [], [running(LOAD, overdue=False)], [], [], id="it runs again: not over yet"
        ),
        pytest.param(
            FAILED,
            [failed(LOAD), failed("load.2026-10-03T02:00:00")],
            [],
            [],
            [],
            id="the next one fails too: the same incident",
        ),
        pytest.param(
            an_incident(OLDER_LOAD), [failed(LOAD)], [], [], [], id="only the next one is left"
        ),
        pytest.param(OVERDUE, [], [running(LOAD)], [], [], id="it is still overdue"),
        pytest.param(OVERDUE, [], [], [], [LOAD], id="it succeeded, late"),
        pytest.param(OVERDUE, [failed()], [], [LOAD], [], id="it was overdue and then failed"),
        pytest.param(
            FAILED, [], [running(LOAD)], [], [], id="it failed, runs again, and is overdue"
        ),
        pytest.param(
            FAILED, [failed(RATES)], [], [RATES], [LOAD], id="one is over and another begins"
        ),
    ],
)
def test_an_incident_is_over_when_nothing_of_its_routine_is_in_trouble(
    known: Incident,
    failures: Sequence[Task],
    live: Sequence[Task],
    begun: Sequence[str],
    over: Sequence[str],
) -> None:
    verdict = judge({known.routine: known}, a_situation(failures, live))
    assert [str(one.task) for one in verdict.begun] == list(begun)
    assert [str(one.task) for one in verdict.over] == list(over)


@pytest.mark.parametrize(
    ("incident", "live", "expected"),
    [
        (FAILED, [blocked(CLEAN), blocked(REPORT), waiting(RATES)], [CLEAN, REPORT]),
        (FAILED, [blocked(CLEAN, root=RATES)], []),
        (OVERDUE, [running(LOAD), waiting(CLEAN), waiting(REPORT)], [CLEAN, REPORT]),
        (OVERDUE, [running(LOAD), waiting(RATES)], []),
    ],
)
def test_an_incident_holds_up_what_waits_for_it_however_far(
    incident: Incident, live: Sequence[Task], expected: Sequence[str]
) -> None:
    assert [str(id) for id in held_up(incident, a_situation(live=live))] == list(expected)


@pytest.mark.parametrize(
    ("held", "now", "expected"),
    [
        pytest.param(
            [CLEAN, REPORT],
            "2026-10-02T06:30",
            [(LOAD, "06:00"), (REPORT, "07:00")],
            id="its own, and that of what it holds up",
        ),
        pytest.param(
            [],
            "2026-10-02T02:05",
            [(LOAD, "06:00"), (REPORT, "07:00")],
            id="that of what is yet to come, however far; not of what asks for a failure",
        ),
    ],
)
def test_an_incident_breaks_each_due_by_behind_it(
    held: Sequence[str], now: str, expected: Sequence[tuple[str, str]]
) -> None:
    found = dues(FAILED, [an_id(id) for id in held], a_situation(now=now))
    assert [(str(one.task), f"{one.at:%H:%M}") for one in found] == list(expected)


def test_what_begins_is_told_as_the_documentation_has_it() -> None:
    page = Path(__file__).parents[2] / "docs" / "notify.md"
    example = page.read_text(encoding="utf-8").partition("```json\n")[2].partition("```")[0]
    told = began(
        FAILED,
        a_situation([failed()], [blocked(CLEAN), blocked(REPORT)], now="2026-10-02T06:30"),
        scheduler="night",
        log="/srv/night/logs/load/2026-10-02T02-00-00.1.log",
        last_lines=["connecting", "ConnectionError: no route to host"],
    )
    assert told == json.loads(example)


def test_each_field_that_is_told_is_documented() -> None:
    page = Path(__file__).parents[2] / "docs" / "notify.md"
    table = page.read_text(encoding="utf-8").partition("| field | holds |")[2]
    undocumented = [
        name for name in began(FAILED, a_situation(), scheduler="n") if f"`{name}`" not in table
    ]
    assert not undocumented


def test_only_the_last_lines_and_the_first_tasks_are_told() -> None:
    many = [blocked(f"clean.2026-10-02T{n // 60:02d}:{n % 60:02d}:00") for n in range(150)]
    told = began(
        FAILED, a_situation(live=many), scheduler="night", last_lines=[str(n) for n in range(50)]
    )
    assert told["last_lines"] == [str(n) for n in range(50 - LAST_LINES, 50)]
    assert (len(cast("list[str]", told["blocks"])), told["blocks_count"]) == (100, 150)


@pytest.mark.parametrize(
    ("task", "success", "outcome"),
    [
        (a_task(LOAD, reason=""), None, f"{LOAD} succeeded"),
        (
            a_task(LOAD, TaskState.SKIPPED, cause=Cause.MARKED_SKIPPED, reason="by hand"),
            OLDER_LOAD,
            f"{LOAD} was skipped: by hand",
        ),
        (failed(), "load.2026-10-03T02:00:00", "load.2026-10-03T02:00:00 succeeded"),
        (None, None, f"{LOAD} is not recorded any more"),
    ],
)
def test_what_is_over_is_told_with_how_it_ended(
    task: Task | None, success: str | None, outcome: str
) -> None:
    newest = None if success is None else an_id(success)
    told = ended(FAILED, at("2026-10-02T09:00"), scheduler="night", task=task, success=newest)
    assert (told["event"], told["outcome"]) == ("ended", outcome)
    assert told["summary"] == f"load is well again: {outcome}"


def test_a_beginning_an_end_and_a_sample_have_the_same_fields() -> None:
    begun = began(FAILED, a_situation(), scheduler="night")
    over = ended(FAILED, at("2026-10-02"), scheduler="night", task=None)
    assert list(begun) == list(over) == list(sample(at("2026-10-02"), scheduler="night"))


def test_a_note_keeps_incidents_as_they_are() -> None:
    paris = replace(FAILED, task=an_id("rates.2026-10-25T02:30:00+02:00", "Europe/Paris"))
    kept = from_note(to_note([FAILED, paris]))
    assert kept == {"load": FAILED, "rates": paris}
    assert str(kept["rates"].task) == "rates.2026-10-25T02:30:00+02:00"
    assert from_note(None) == {}
