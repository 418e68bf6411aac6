"""What ``status``, ``list``, ``why``, ``history`` and ``plan`` print of an answer."""

import re
from datetime import UTC, datetime

import pytest

from scheduler.cli.history import history_lines, size_in_words, task_lines
from scheduler.cli.planning import plan_lines
from scheduler.cli.printing import Page
from scheduler.cli.reading import list_lines, why_lines
from scheduler.cli.status import status_lines
from scheduler.service.answers import HistoryView, WhyView
from tests.support.cli_views import (
    a_plan,
    a_routine,
    a_run,
    a_scheduler,
    a_status,
    a_task,
    an_attempt,
)

PIPE = Page()
NOON = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)  # 10:00 in Paris
LOAD = "load.2026-11-23T02:00:00"
REPORT = "report.2026-11-23T02:30:00"


def cells(line: str) -> list[str]:
    """Return the cells of a table's line, without those that are empty."""
    return re.split(" {2,}", line.strip())


def test_a_quiet_scheduler_has_a_short_status() -> None:
    assert status_lines(a_status(), PIPE, NOON) == [
        "scheduler night is running: pid 4711, http://127.0.0.1:4712, for 1 h",
        "zone Europe/Paris, config /srv/night/config.cfg",
        "",
        "All is well.",
    ]


@pytest.mark.parametrize(
    "trouble",
    [
        {"blocked": [a_task(REPORT, state="blocked")]},
        {"failed": [a_task(state="failed")]},
        {"stale": [a_task(REPORT, stale=LOAD)]},
        {"unknown": ["rates.2026-11-01T00:00:00"]},
        {"pauses": [{"scope": "all", "name": "", "since": "", "until": None}]},
        {"waiting": [a_task(state="waiting", is_overdue=True)]},
        {"scheduler": a_scheduler(notices=["registry.xml CANNOT BE LOADED"])},
        {"scheduler": a_scheduler(is_live=False, pid=None, address=None, started_at=None)},
    ],
    ids=lambda trouble: next(iter(trouble)),
)
def test_not_all_is_well_while_a_person_has_to_see_to_something(trouble: dict[str, object]) -> None:
    assert "All is well." not in status_lines(a_status(**trouble), PIPE, NOON)


def test_what_is_under_way_is_well() -> None:
    running = [a_task(state="running", attempts=[an_attempt(ended_at=None)])]
    lines = status_lines(a_status(running=running, waiting=[a_task(REPORT)]), PIPE, NOON)
    assert lines[-1] == "All is well."


def test_the_commands_that_mend_it_come_first_among_those_that_are_named() -> None:
    view = a_status(
        failed=[a_task(state="failed")],
        stale=[a_task(REPORT, stale=LOAD)],
        commands=["scheduler execute --failed", "scheduler execute --late"],
    )
    assert status_lines(view, PIPE, NOON)[-8:] == [
        "",
        "To mend it, once its cause is repaired:",
        "  scheduler execute --failed",
        "  scheduler execute --late",
        "",
        "To bring what is stale up to date: scheduler execute --stale",
        "",
        f"To see why, and what mends it: scheduler why {LOAD}",
    ]


def test_a_scheduler_that_is_down_can_do_nothing_yet() -> None:
    down = a_scheduler(is_live=False, pid=None, address=None, started_at=None)
    view = a_status(scheduler=down, failed=[a_task()], commands=["scheduler execute --failed"])
    assert not any("--failed" in line for line in status_lines(view, PIPE, NOON))


def test_each_section_stands_under_its_title_with_its_count() -> None:
    running = [an_attempt(ended_at=None, started_at="2026-11-23T09:58:00+01:00")]
    view = a_status(
        running=[a_task("slow.2026-11-23T09:00:00", state="running", attempts=running)],
        blocked=[a_task(REPORT, state="blocked", reason=f"waits for {LOAD}, which failed")],
        failed=[a_task(state="failed", reason="exit code 1")],
        ready=[a_task("next.2026-11-23T10:00:00", reason="waits for a slot")],
        waiting=[a_task("late.2026-11-23T10:00:00", reason="waits for next")],
        next=[a_plan("load.2026-11-23T10:12:00"), a_plan("report.2026-11-23T11:00:00", "load.x")],
        recent=[a_task("done.2026-11-22T01:00:00", attempts=[an_attempt()])],
        unknown=["rates.2026-11-01T00:00:00"],
    )
    assert status_lines(view, PIPE, NOON)[2:] == [
        "",
        "Running (1)",
        "  slow.2026-11-23T09:00:00  for 2 min",
        "",
        "Blocked (1)",
        f"  {REPORT}  waits for {LOAD}, which failed",
        "",
        "Failed (1)",
        f"  {LOAD}  02:00  exit code 1",
        "",
        "Ready (1)",
        "  next.2026-11-23T10:00:00  waits for a slot",
        "",
        "Waiting (1)",
        "  late.2026-11-23T10:00:00  waits for next",
        "",
        "Next (2)",
        "  load.2026-11-23T10:12:00    in 12 min",
        "  report.2026-11-23T11:00:00  in 1 h     waits for load.x",
        "",
        "Recently ended (1)",
        "  done.2026-11-22T01:00:00  succeeded  2026-11-22 01:00  5 s",
        "",
        "Unknown (1), older than the first start",
        "  rates.2026-11-01T00:00:00",
        "What waits for these is blocked until you say one of:",
        "  scheduler mark --unknown succeeded",
        "  scheduler execute --unknown",
        "",
        f"To see why, and what mends it: scheduler why {REPORT}",
    ]


def test_what_is_paused_or_stale_comes_with_its_command() -> None:
    until = {"scope": "tag", "name": "night", "since": "", "until": "2026-11-23T13:00:00+01:00"}
    endless = {"scope": "all", "name": "", "since": "", "until": None}
    stale = a_task(REPORT, stale=LOAD)
    lines = status_lines(a_status(pauses=[endless, until], stale=[stale]), PIPE, NOON)
    assert lines[3:] == [
        "Paused (2)",
        "  all routines  until resumed        scheduler resume --all",
        "  tag night     until 13:00, in 3 h  scheduler resume --tag night",
        "",
        "Stale (1)",
        f"  {REPORT}  {LOAD} has been redone since",
        "",
        "To bring what is stale up to date: scheduler execute --stale",
    ]


def test_a_failed_task_is_not_shown_twice() -> None:
    failed = a_task(state="failed", reason="exit code 1")
    text = "\n".join(status_lines(a_status(failed=[failed], recent=[failed]), PIPE, NOON))
    assert "Recently ended" not in text


def test_a_scheduler_that_is_down_says_so() -> None:
    down = a_scheduler(is_live=False, pid=None, address=None, started_at=None, mode="test")
    running = [a_task(state="running", attempts=[an_attempt(ended_at=None)])]
    lines = status_lines(a_status(scheduler=down, running=running), PIPE, NOON)
    assert lines[:2] == [
        "scheduler night is not running; this is what it left",
        "mode test, zone Europe/Paris, config /srv/night/config.cfg",
    ]
    assert "Running when it went down (1)" in lines


def test_what_the_user_must_know_comes_first() -> None:
    stopping = a_scheduler(is_stopping=True, notices=["registry.xml CANNOT BE LOADED"])
    lines = status_lines(a_status(scheduler=stopping), PIPE, NOON)
    assert "is stopping" in lines[0]
    assert lines[2] == "warning: registry.xml CANNOT BE LOADED"


def test_the_status_of_a_routine_describes_it() -> None:
    routine = a_routine(
        description="Load the orders",
        enabled=False,
        depends_on=[
            {"name": "rates", "instant": "latest", "on": "success"},
            {"name": "load", "instant": "previous", "on": "done"},
        ],
        dependents=["report"],
        tags=["nightly", "orders"],
        arguments=["--day", "{instant}", "two words", 'a"b', "--token", "***"],
        environment=[{"name": "MODE", "value": "daily"}, {"file": "/srv/.env"}],
        last=a_task(state="failed"),
    )
    assert status_lines(a_status(routine=routine), PIPE, NOON)[3:] == [
        "routine load",
        "  about        Load the orders",
        "  runs         /srv/load.py",
        '  arguments    --day {instant} "two words" \'a"b\' --token ***',
        "  environment  MODE=daily, all of /srv/.env",
        "  when         daily at 02:00, Europe/Paris",
        "  enabled      no: its tasks are not made",
        "  depends on   rates, load (previous) (on done)",
        "  needed by    report",
        "  tags         nightly, orders",
        "  next         2026-11-24 02:00, in 16 h",
        f"  last         {LOAD} failed",
    ]


def test_colour_marks_states_and_titles() -> None:
    page = Page(width=200, has_colour=True)
    lines = status_lines(a_status(recent=[a_task(attempts=[an_attempt()])]), page, NOON)
    assert lines[3] == "\x1b[1mRecently ended (1)\x1b[0m"
    assert "\x1b[32msucceeded\x1b[0m" in lines[4]


def test_what_a_script_wrote_cannot_reach_the_terminal() -> None:
    view = a_status(failed=[a_task(state="failed", reason="exit code 1: \x1b]0;owned\x07\nnext")])
    text = "\n".join(status_lines(view, PIPE, NOON))
    assert "exit code 1: \\x1b]0;owned\\x07 next" in text


def test_the_list_has_a_line_a_routine() -> None:
    routines = [
        a_routine(description="Load the orders", last=a_task()),
        a_routine(name="old", enabled=False),
        a_routine(name="reset", schedule_in_words="by hand only", next=None),
    ]
    assert list_lines({"routines": routines}, PIPE, NOON) == [
        "  routine  when            next      last              about",
        "  load     daily at 02:00  in 16 h   succeeded  02:00  Load the orders",
        "  old      daily at 02:00  disabled",
        "  reset    by hand only",
    ]
    assert list_lines({"routines": []}, PIPE, NOON) == ["There are no routines."]


def test_why_walks_down_to_the_root_and_names_the_command() -> None:
    view: WhyView = {
        "task": REPORT,
        "state": "blocked",
        "sentences": [],
        "chain": [
            {"task": REPORT, "state": "blocked", "sentence": f"{REPORT} is blocked: {LOAD} failed"},
            {"task": LOAD, "state": "failed", "sentence": f"{LOAD} failed: exit code 1"},
        ],
        "root": LOAD,
        "commands": [f"scheduler execute {LOAD}"],
    }
    assert why_lines(view, PIPE) == [
        f"{REPORT} is blocked: {LOAD} failed",
        f"  {LOAD} failed: exit code 1",
        "",
        "To mend it:",
        f"  scheduler execute {LOAD}",
    ]


def test_history_shows_tasks_and_runs_of_skipped_instants() -> None:
    twice = [an_attempt(), an_attempt(number=2, cpu_time=1.85, peak_memory=9_649_999)]
    view: HistoryView = {
        "fates": [
            a_task(state="failed", reason="exit code 1", attempts=twice),
            a_run(),
            a_run(count=1, reason="disabled"),
        ]
    }
    assert [cells(line) for line in history_lines(view, PIPE, NOON)] == [
        ["task", "state", "since", "took", "CPU", "memory", "attempts", "reason"],
        [LOAD, "failed", "02:00", "5 s", "1 s", "9.6 MB", "2", "exit code 1"],
        [
            f"{LOAD} … 2026-11-23T09:00:00 (8)",
            "skipped",
            "10:00",
            "load.2026-11-23T10:00:00 runs in their place",
        ],
        [LOAD, "skipped", "10:00", "disabled"],
    ]
    assert history_lines({"fates": []}, PIPE, NOON) == ["Nothing has been recorded."]


def test_the_history_of_a_task_shows_each_attempt() -> None:
    task = a_task(
        state="failed",
        reason="exit code 3",
        cover="load.2026-11-23T03:00:00",
        stand_ins=[["rates.2026-11-01T00:00:00", "rates.2026-11-02T00:00:00"]],
        attempts=[
            an_attempt(outcome="lost", code=None),
            an_attempt(number=2, outcome="killed", code=None, signal="SIGTERM"),
            an_attempt(number=3, code=3, error="ValueError: no rows"),
            an_attempt(number=4, outcome=None, ended_at=None, code=None, cpu_time=0.012),
        ],
    )
    lines = task_lines({"fates": [task]}, PIPE, NOON)
    assert lines[:3] == [
        f"{LOAD} failed since 02:00: exit code 3",
        "  covered by load.2026-11-23T03:00:00",
        "  rates.2026-11-02T00:00:00 stood in for rates.2026-11-01T00:00:00",
    ]
    assert cells(lines[3]) == ["attempt", "started", "took", "CPU", "outcome", "log"]
    assert cells(lines[7])[3] == "12 ms"
    assert [cells(line)[-2] for line in lines[4:]] == [
        "lost",
        "killed, SIGTERM",
        "exit code 3, ValueError: no rows",
        "runs",
    ]


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0.0 KB"),
        (850_000, "850 KB"),
        (999_499, "999 KB"),
        (999_500, "1.0 MB"),
        (9_649_999, "9.6 MB"),
        (9_950_000, "10 MB"),
        (123_456_789, "123 MB"),
        (2_100_000_000, "2.1 GB"),
        (4_000_000_000_000, "4000 GB"),
    ],
)
def test_a_size_has_two_digits_or_more(size: int, words: str) -> None:
    assert size_in_words(size) == words


def test_a_plan_says_what_each_task_waits_for() -> None:
    plan = [a_plan(LOAD), a_plan("report.2026-11-23T11:00:00", LOAD, "rates.2026-11-01T00:00:00")]
    assert plan_lines(plan, PIPE, NOON) == [
        "  task                                 waits for",
        "  load.2026-11-23T02:00:00    8 h ago",
        "  report.2026-11-23T11:00:00  in 1 h   load.2026-11-23T02:00:00,"
        " rates.2026-11-01T00:00:00",
    ]
    assert plan_lines([], PIPE, NOON) == ["Nothing is planned in that time."]


def test_a_plan_says_what_is_expected_of_each_task() -> None:
    runs, stands = a_plan(LOAD), a_plan("report.2026-11-23T11:00:00")
    runs["expected_start"], runs["expected_end"] = (
        "2026-11-23T02:00:00+01:00",
        "2026-11-24T02:20:00+01:00",
    )
    runs["expected_state"] = "succeeded"
    stands["expected_state"], stands["expected_reason"] = "blocked", "load failed"
    assert plan_lines([runs, stands], PIPE, NOON) == [
        "  task                                 starts  ends",
        "  load.2026-11-23T02:00:00    8 h ago  02:00   2026-11-24 02:20",
        "  report.2026-11-23T11:00:00  in 1 h                             blocked: load failed",
    ]


def test_a_plan_says_what_is_due_and_what_is_not_expected_to_be_in_time() -> None:
    prompt, late, stands = (a_plan(f"{name}.2026-11-23T11:00:00") for name in "abc")
    for one in (prompt, late, stands):
        one["due_by"], one["expected_state"] = "2026-11-23T11:30:00+01:00", "succeeded"
    late["expected_overdue"] = stands["expected_overdue"] = True
    stands["expected_state"], stands["expected_reason"] = "blocked", "load failed"
    assert plan_lines([prompt, late, stands], PIPE, NOON) == [
        "  task                           due by",
        "  a.2026-11-23T11:00:00  in 1 h  11:30",
        "  b.2026-11-23T11:00:00  in 1 h  11:30   OVERDUE",
        "  c.2026-11-23T11:00:00  in 1 h  11:30   OVERDUE; blocked: load failed",
    ]


def test_the_status_of_a_routine_says_by_when_it_should_have_succeeded() -> None:
    lines = status_lines(a_status(routine=a_routine(due_by="06:30")), PIPE, NOON)
    assert ["due by", "06:30"] in [cells(line) for line in lines]
