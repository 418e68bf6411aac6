"""``reload``, ``backfill``, ``execute --downstream``: what is shown, and what is asked for."""

import io
import json
from collections.abc import Mapping

import pytest

from scheduler.cli.main import main
from tests.support.served import Served

LOAD, REPORT = "load.2026-10-01T02:00:00", "report.2026-10-01T03:00:00"
ROW = {
    "routine": "load",
    "changes": [],
    "schedule_in_words": "daily at 02:00",
    "begins": False,
    "next": None,
    "skipped": 0,
    "running": 0,
}


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


def at_a_terminal(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    """Let commands find a terminal, at which somebody types this."""
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    monkeypatch.setattr("sys.stderr", Terminal())


def preview(**changes: object) -> dict[str, object]:
    empty: dict[str, object] = {key: [] for key in ("added", "removed", "changed", "rebound")}
    return {
        "revision": "abc",
        "is_new": True,
        "registry": "registry.xml",
        "count": 3,
        "summary": "",
        **empty,
        "pools": [],
        "errors": [],
        "warnings": [],
        **changes,
    }


def extent(**changes: object) -> dict[str, object]:
    view: dict[str, object] = {"count": 3, "done": 1, "missing": [], "live": {}, "blocked": None}
    return {**view, **changes}


def test_a_reload_shows_each_change_and_adopts_what_it_showed(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    schedule = {"attribute": "schedule", "old": "0 2 * * *", "new": "0 3 * * *"}
    served.answers["reload"] = lambda _: preview(
        added=[{**ROW, "routine": "rates", "begins": True}],
        removed=[{**ROW, "routine": "old", "skipped": 2, "running": 1}],
        changed=[{**ROW, "changes": [schedule, {**schedule, "attribute": "tags", "old": None}]}],
        rebound=[{**ROW, "routine": "report"}],
        pools=[{"attribute": "db", "old": "1", "new": ""}],
        warnings=["registry.xml:3: odd"],
    )
    served.replies["reload"] = {"messages": ["registry reloaded"], "tasks": []}
    assert main(["reload"]) == 0
    assert served.asked == [("reload", {"revision": "abc"})]
    assert capsys.readouterr().out.splitlines() == [
        "warning: registry.xml:3: odd",
        "  added     rates   by hand only",
        "  removed   old     2 tasks not started: skipped; 1 task running: not touched",
        "  changed   load    schedule: 0 2 * * * → 0 3 * * *; tags",
        "  re-bound  report  waits for other tasks than before",
        "  pool      db      slots: 1 → none",
        "registry reloaded",
    ]


def test_nothing_is_adopted_where_nothing_has_changed(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    served.answers["reload"] = lambda _: preview(is_new=False)
    assert main(["reload"]) == 0
    assert served.asked == []
    assert capsys.readouterr().out == "the registry's files have not changed\n"


def test_the_problems_of_an_invalid_file_are_all_printed(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    problem = {"file": "registry.xml", "line": 3, "column": 1, "routine": None, "hint": None}
    problems = [{**problem, "message": text} for text in ("this is wrong", "that is wrong")]
    served.answers["reload"] = lambda _: {"revision": None, "errors": problems}
    assert main(["reload", "--json"]) == 2
    assert served.asked == []
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "registry.xml:3:1: this is wrong\nregistry.xml:3:1: that is wrong\n"


@pytest.mark.parametrize(
    ("typed", "is_done"),
    [("y\n", True), ("YES\n", True), ("n\n", False), ("\n", False), ("", False)],
)
def test_on_a_terminal_a_reload_is_asked_about(
    served: Served, monkeypatch: pytest.MonkeyPatch, typed: str, is_done: bool
) -> None:
    at_a_terminal(monkeypatch, typed)
    served.answers["reload"] = lambda _: preview(added=[ROW])
    assert main(["reload"]) == (0 if is_done else 1)
    assert bool(served.asked) == is_done


@pytest.mark.parametrize("words", ["reload --yes", "reload --json"])
def test_nobody_is_asked_who_does_not_want_to_be(
    served: Served, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    at_a_terminal(monkeypatch, "n\n")
    served.answers["reload"] = lambda _: preview(added=[ROW])
    assert main(words.split()) == 0
    assert served.asked == [("reload", {"revision": "abc"})]


def test_a_re_run_of_what_is_downstream_is_shown_first(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Mapping[str, str]] = []

    def shown(parameters: Mapping[str, str]) -> object:
        asked.append(parameters)
        return {"tasks": [LOAD, REPORT]}

    served.answers["execute"] = shown
    served.replies["execute"] = {"messages": ["they run"], "tasks": [LOAD, REPORT]}
    assert main(["execute", LOAD, "--downstream"]) == 0
    assert asked == [{"task": LOAD, "downstream": "True"}]
    assert served.asked == [("execute", {"task": LOAD, "downstream": True})]
    assert capsys.readouterr().out.splitlines() == [
        "2 tasks, each after those that it waits for:",
        f"  {LOAD}",
        f"  {REPORT}",
        "they run",
    ]


def test_a_long_plan_is_cut(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    served.answers["execute"] = lambda _: {"tasks": [LOAD] * 30}
    assert main(["execute", "--stale"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "  … and 10 more"


def test_a_backfill_says_what_it_plans_and_returns_in_a_pipe(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    other = "load.2026-10-02T02:00:00"
    served.answers["backfill"] = lambda _: extent(
        missing=[LOAD, REPORT, other], count=9, live={"waiting": 2, "blocked": 1}
    )
    served.replies["backfill"] = {"messages": ["3 tasks planned"], "tasks": []}
    assert main(["backfill", "load", "--from", "2026-10-01"]) == 0
    assert served.asked == [
        ("backfill", {"routine": "load", "from": "2026-10-01", "all": False, "downstream": False})
    ]
    assert capsys.readouterr().out.splitlines() == [
        "3 tasks of 9 to run, 2 more on their way already",
        f"  {LOAD} … 2026-10-02T02:00:00 (2)",
        f"  {REPORT}",
        "3 tasks planned",
    ]


@pytest.mark.parametrize(
    ("at_the_end", "code", "said"),
    [
        (extent(done=3), 0, ""),
        (extent(done=1), 1, "2 tasks did not succeed; the same command runs them again"),
        (extent(done=2, live={"blocked": 1}, blocked=LOAD), 1, f"scheduler why {LOAD}"),
    ],
)
def test_with_wait_a_backfill_ends_as_its_tasks_do(
    served: Served,
    capsys: pytest.CaptureFixture[str],
    at_the_end: dict[str, object],
    code: int,
    said: str,
) -> None:
    answers = iter([extent(missing=[LOAD]), extent(live={"running": 1})])
    served.answers["backfill"] = lambda _: next(answers, at_the_end)
    assert main(["backfill", "load", "--from", "2026-10-01", "--wait"]) == code
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("view", "code", "said"),
    [
        (extent(done=3), 0, "nothing is missing: 3 tasks succeeded\n"),
        (
            extent(live={"blocked": 2}, blocked=LOAD),
            1,
            f"what is missing is blocked: scheduler why {LOAD}\n",
        ),
    ],
)
def test_a_backfill_of_which_nothing_is_left_to_plan(
    served: Served,
    capsys: pytest.CaptureFixture[str],
    view: dict[str, object],
    code: int,
    said: str,
) -> None:
    served.answers["backfill"] = lambda _: view
    assert main(["backfill", "load", "--from", "2026-10-01"]) == code
    assert served.asked == []
    assert capsys.readouterr().out == said


def test_what_would_be_planned_is_json_on_request(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    served.answers["backfill"] = lambda _: extent(missing=[LOAD])
    served.replies["backfill"] = {"messages": ["1 task planned"], "tasks": [LOAD]}
    assert main(["backfill", "load", "--from", "2026-10-01", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tasks"] == [LOAD]
