"""``plan --ical``: what a calendar reads in it, and what the file looks like."""

import io
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from icalendar import Calendar, Event

from scheduler.cli.ical import ical_of
from scheduler.cli.main import main
from scheduler.service.answers import PlannedView
from tests.support.builders import at
from tests.support.cli_views import a_plan
from tests.support.served import Served

NOW = at("2026-11-23T08:00")
LOAD, REPORT = "load.2026-11-23T11:00:00", "report.2026-11-23T11:30:00"
WINDOW = ("--from", "2026-11-23", "--to", "2026-11-24")

REGISTRY = """\
<registry timezone="Europe/Paris">
  <job name="load" script="load.py" schedule="0 11 * * *"/>
  <job name="report" script="report.py" schedule="30 11 * * *" depends_on="load"/>
</registry>
"""


def expected(one: PlannedView, **changes: object) -> PlannedView:
    """Return the task with what is expected of it: that it runs for 20 minutes and succeeds."""
    more: dict[str, object] = {
        "expected_start": "2026-11-23T11:00:00+01:00",
        "expected_end": "2026-11-23T11:20:00.750000+01:00",
        "expected_state": "succeeded",
        "expected_reason": "",
    }
    return cast("PlannedView", {**one, **more, **changes})


def events_of(text: str | bytes) -> list[Event]:
    """Return the events of a file, once it is sure that it keeps to the standard."""
    data = text.encode() if isinstance(text, str) else text
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert all(len(line) <= 75 for line in data.split(b"\r\n"))
    calendar = Calendar.from_ical(data)
    assert isinstance(calendar, Calendar)
    assert (str(calendar["version"]), bool(calendar["prodid"])) == ("2.0", True)
    events = [event for event in calendar.subcomponents if isinstance(event, Event)]
    assert events == calendar.subcomponents and not any(event.errors for event in events)
    assert all(event.decoded("dtstamp") for event in events)
    return events


def the_event(one: PlannedView) -> Event:
    (event,) = events_of(ical_of([one], "night", NOW))
    return event


def test_a_task_is_an_event_from_its_expected_start_to_its_expected_end() -> None:
    late = expected(a_plan(LOAD), expected_start="2026-11-23T11:05:00+01:00")
    event = the_event(late)
    assert event.decoded("dtstart") == datetime(2026, 11, 23, 10, 5, tzinfo=UTC)
    assert event.decoded("dtend") == datetime(2026, 11, 23, 10, 20, tzinfo=UTC)
    assert str(event["summary"]) == "load"
    assert (str(event["transp"]), "status" in event) == ("TRANSPARENT", False)
    # In UTC no calendar needs to be told of a zone.
    assert "DTSTART:20261123T100500Z\r\n" in ical_of([late], "night", NOW)


@pytest.mark.parametrize("end", [None, "2026-11-23T11:00:00.400000+01:00"])
def test_a_task_of_unknown_length_is_an_event_of_one_moment(end: str | None) -> None:
    event = the_event(expected(a_plan(LOAD), expected_end=end))
    assert event.decoded("dtstart") == datetime(2026, 11, 23, 10, tzinfo=UTC)
    assert "dtend" not in event and "duration" not in event


def test_of_a_task_that_is_not_expected_to_run_the_event_is_tentative() -> None:
    blocked = expected(
        a_plan(REPORT, LOAD),
        expected_start=None,
        expected_end=None,
        expected_state="blocked",
        expected_reason=f"{LOAD} failed",
    )
    event = the_event(blocked)
    assert event.decoded("dtstart") == datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
    assert (str(event["status"]), "dtend" in event) == ("TENTATIVE", False)
    assert str(event["description"]).splitlines() == [
        REPORT,
        f"waits for {LOAD}",
        f"expected: blocked: {LOAD} failed",
    ]


def test_a_due_by_is_told_and_whether_it_is_expected_to_break() -> None:
    one = expected(a_plan(LOAD), due_by="2026-11-23T11:10:00+01:00", expected_overdue=True)
    told = "should succeed by 2026-11-23 11:10, and is expected not to"
    assert told in str(the_event(one)["description"])


@pytest.mark.parametrize(
    ("until", "said"),
    [
        (None, "paused until resumed"),
        ("2026-11-24T06:00:00+01:00", "paused until 2026-11-24 06:00"),
    ],
)
def test_a_pause_is_told_by_the_clock(until: str | None, said: str) -> None:
    pause = {"scope": "all", "name": "", "since": "2026-11-23T08:00:00+01:00", "until": until}
    one = cast("PlannedView", {**a_plan(LOAD), "paused": pause})
    assert str(the_event(one)["description"]).splitlines()[1] == said


def test_text_of_any_kind_comes_back_as_it_was_on_lines_of_75_bytes() -> None:
    task = "Bücher, 日本; C:\\new.2026-11-23T11:00:00"
    others = [f"Übertrag {number:03}, 日本語.2026-11-23T10:00:00" for number in range(20)]
    one = expected(
        a_plan(task, *others), expected_state="failed", expected_reason="exit; code 1,\nor\x1b[31m"
    )
    text = ical_of([one], "night", NOW)
    assert "SUMMARY:Bücher\\, 日本\\; C:\\\\new\r\n" in text
    (event,) = events_of(text)
    assert str(event["summary"]) == task.rpartition(".")[0]
    assert str(event["description"]).splitlines() == [
        task,
        f"waits for {', '.join(others)}",
        # A calendar may hold no control characters.
        "expected: failed: exit; code 1, or\\x1b[31m",
    ]


def test_the_same_task_is_the_same_event_each_time_and_that_of_no_other_scheduler() -> None:
    def ids(scheduler: str, *tasks: str, after: int = 0) -> list[str]:
        view: list[PlannedView] = [
            {"task": task, "routine": "", "instant": "2026-11-23T11:00:00+01:00", "waits_for": []}
            for task in tasks
        ]
        text = ical_of(view, scheduler, NOW + timedelta(hours=after))
        return [str(event["uid"]) for event in events_of(text)]

    assert ids("night", LOAD, REPORT) == [f"{LOAD}@night", f"{REPORT}@night"]
    assert ids("night", LOAD, after=5) == ids("night", LOAD) != ids("day", LOAD)
    # Whatever a name holds, two tasks never share an id, nor does an id hold odd letters.
    assert ids("b@c", "a") != ids("c", "a@b")
    (odd,) = ids("Nacht ü", "lo ad日@x.2026-10-25T02:30:00+02:00")
    assert odd == "lo%20ad%E6%97%A5%40x.2026-10-25T02:30:00+02:00@Nacht%20%C3%BC"


def test_a_calendar_bears_the_name_of_the_scheduler_and_may_be_empty() -> None:
    text = ical_of([], "night", NOW)
    assert events_of(text) == []
    assert "\r\nNAME:night\r\n" in text and "\r\nX-WR-CALNAME:night\r\n" in text


# -- the command ---------------------------------------------------------------------------------


def test_a_live_scheduler_is_asked_for_what_it_expects(
    served: Served, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    asked: list[dict[str, str]] = []

    def answer(parameters: Mapping[str, str]) -> object:
        asked.append(dict(parameters))
        return [expected(a_plan("日本.2026-11-23T11:00:00"))]

    # Whatever the environment's encoding is, that of the file is UTF-8.
    cast("io.TextIOWrapper", sys.stdout).reconfigure(encoding="ascii")
    served.answers["plan"] = answer
    served.answers["ping"] = lambda _: {"name": "night"}
    assert main(["plan", "--if", "load fails", *WINDOW, "--ical"]) == 0
    (event,) = events_of(capfdbinary.readouterr().out)
    assert (str(event["summary"]), "dtend" in event) == ("日本", True)
    assert str(event["uid"]).endswith("@night")
    assert asked == [
        {"from": "2026-11-23", "to": "2026-11-24", "if": "load fails", "expected": "yes"}
    ]


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ([], "here"),
        (["--registry", "registry.xml"], "here"),
        (["--registry", "../other/registry.xml"], "here"),
    ],
)
def test_the_tasks_are_those_of_the_folder_until_a_scheduler_has_had_a_name(
    words: list[str], name: str, home: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    (home.parent / "other").mkdir()
    for folder in (home, home.parent / "other"):
        (folder / "registry.xml").write_text(REGISTRY)
    (home / "config.cfg").touch()
    assert main(["plan", *WINDOW, *words, "--ical"]) == 0
    load, report = events_of(capfdbinary.readouterr().out)
    assert (str(load["uid"]), str(report["uid"])) == (f"{LOAD}@{name}", f"{REPORT}@{name}")
    assert report.decoded("dtstart") == datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
    assert f"waits for {LOAD}" in str(report["description"])


def test_a_registry_of_no_data_folder_has_the_name_of_its_own(
    home: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    (home / "registry.xml").write_text(REGISTRY)
    words = ["--registry", "registry.xml", "--if", "load fails"]
    assert main(["plan", "report", *WINDOW, *words, "--ical"]) == 0
    (report,) = events_of(capfdbinary.readouterr().out)
    assert str(report["uid"]) == f"{REPORT}@here"
    assert "expected: blocked" in str(report["description"])


def test_two_forms_of_one_answer_are_refused(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "--ical", "--json"]) == 2
    assert "--json and --ical are two forms of one answer" in capsys.readouterr().err


def test_only_who_asks_for_a_calendar_waits_for_its_library(home: Path) -> None:
    (home / "registry.xml").write_text(REGISTRY)
    asked = ["plan", "--registry", "registry.xml"]
    code = (
        "import sys; from scheduler.cli.main import main\n"
        f"main({asked}); assert 'icalendar' not in sys.modules\n"
        f"main({[*asked, '--ical']}); assert 'icalendar' in sys.modules"
    )
    root = Path(__file__).resolve().parents[2]
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": str(root)}
    )
