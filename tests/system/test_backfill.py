"""Running past tasks again: a range, what waits for a task, what is stale."""

import re

import pytest

from tests.system.data_folder import DataFolder, Window, wait_until
from tests.system.timed_scheduler import TimedScheduler

DAILY = '<job name="load" {} schedule="0 2 * * *"/>'
CHAIN = DAILY + '<job name="report" {} schedule="0 3 * * *" depends_on="load"/>'


def load(day: int) -> str:
    """Return the task of `load` on a day of January 2026."""
    return f"load.2026-01-{day:02d}T02:00:00"


def report(day: int) -> str:
    """Return the task of `report` on a day of January 2026."""
    return f"report.2026-01-{day:02d}T03:00:00"


# -- with a clock that the test moves --------------------------------------------------------------


def test_a_backfill_runs_what_has_not_succeeded_in_order(timed: TimedScheduler) -> None:
    timed.write_jobs(DAILY)
    with timed.running("2026-01-01T00:00"):
        timed.run_until("2026-01-02T00:00")
    with timed.running("2026-01-05T12:00"):  # it keeps the latest only
        assert timed.starts() == [load(1), load(5)]
        answer = timed.ask("backfill", routine="load", **{"from": "2026-01-01"})
        assert answer["tasks"] == [load(2), load(3), load(4)]
        assert timed.starts()[2:] == [load(2), load(3), load(4)]
        again = timed.ask("backfill", routine="load", **{"from": "2026-01-01"})
        assert again["tasks"] == []


def test_a_backfill_reaches_back_before_the_first_start(timed: TimedScheduler) -> None:
    timed.write_jobs(DAILY)
    with timed.running("2026-01-05T12:00"):
        timed.ask("backfill", routine="load", **{"from": "2026-01-02", "to": "2026-01-04"})
        assert timed.starts() == [load(2), load(3)]


def test_all_of_a_range_runs_again_if_asked(timed: TimedScheduler) -> None:
    timed.write_jobs(DAILY)
    with timed.running("2026-01-01T00:00"):
        timed.run_until("2026-01-03T00:00")
        timed.ask("backfill", routine="load", all=True, **{"from": "2026-01-01"})
        assert timed.starts() == [load(1), load(2)] * 2


def test_a_backfill_goes_behind_what_is_due_and_outlives_a_stop(timed: TimedScheduler) -> None:
    timed.write_jobs(DAILY)
    with timed.running("2026-01-05T12:00"):
        timed.hold("load")
        timed.ask("backfill", routine="load", **{"from": "2026-01-02", "to": "2026-01-05"})
        assert timed.state(load(2)).startswith("running")
    with timed.running("2026-01-06T02:00"):
        assert timed.starts() == [load(2), load(6), load(3), load(4)]


def test_what_waits_for_the_tasks_runs_after_them(timed: TimedScheduler) -> None:
    timed.write_jobs(CHAIN)
    with timed.running("2026-01-05T12:00"):
        wanted = {"from": "2026-01-02", "to": "2026-01-04"}
        timed.ask("backfill", routine="load", downstream=True, **wanted)
        # A load and the report of the day before may begin at the same moment.
        starts = timed.starts()
        assert sorted(starts) == sorted([load(2), report(2), load(3), report(3)])
        for first, then in ((load(2), report(2)), (load(3), report(3)), (load(2), load(3))):
            assert starts.index(first) < starts.index(then)


def test_a_task_that_rests_on_an_old_success_is_not_blocked_by_it(timed: TimedScheduler) -> None:
    timed.write_jobs(CHAIN)
    with timed.running("2026-01-01T00:00"):
        timed.run_until("2026-01-02T00:00")
    with timed.running("2026-01-30T00:00"):
        timed.ask(
            "backfill", routine="report", all=True, **{"from": "2026-01-01", "to": "2026-01-02"}
        )
        assert timed.state(report(1)) == "succeeded"
        assert timed.starts().count(report(1)) == 2


def test_downstream_of_a_task_runs_again_in_order(timed: TimedScheduler) -> None:
    timed.write_jobs(
        CHAIN
        + '<job name="summary" {} schedule="0 4 * * *" depends_on="report"/>'
        + '<job name="other" {} schedule="0 1 * * *"/>'
    )
    with timed.running("2026-01-01T00:00"):
        timed.run_until("2026-01-02T12:00")
        before = len(timed.starts())
        answer = timed.ask("execute", task=load(1), downstream=True)
        again = [load(1), report(1), "summary.2026-01-01T04:00:00"]
        assert answer["tasks"] == again
        assert timed.starts()[before:] == again


def test_what_waits_for_one_that_fails_again_is_blocked(timed: TimedScheduler) -> None:
    timed.write_jobs(CHAIN)
    with timed.running("2026-01-01T00:00"):
        timed.run_until("2026-01-01T12:00")
        timed.fail("load")
        timed.ask("execute", task=load(1), downstream=True)
        assert timed.state(report(1)).startswith("blocked")
        timed.fail("load", ever_again=False)
        timed.ask("execute", task=load(1))
        assert timed.state(report(1)) == "succeeded"


def test_what_rests_on_something_redone_is_stale_until_it_is_refreshed(
    timed: TimedScheduler,
) -> None:
    timed.write_jobs(CHAIN + '<job name="summary" {} schedule="0 4 * * *" depends_on="report"/>')
    with timed.running("2026-01-01T00:00"):
        timed.run_until("2026-01-01T12:00")
        assert stale(timed) == {}
        timed.ask("execute", task=load(1))
        assert stale(timed) == {report(1): load(1)}
        timed.ask("execute", stale=True)
        assert timed.starts()[-2:] == [report(1), "summary.2026-01-01T04:00:00"]
        assert stale(timed) == {}


def stale(timed: TimedScheduler) -> dict[str, str]:
    """Return the stale tasks, each with what was redone."""
    from scheduler.service.reruns import stale_tasks

    found = stale_tasks(timed.registry, timed.store, timed.clock.now())
    return {str(task): str(redone) for task, redone in found.items()}


# -- with the real command -------------------------------------------------------------------------


@pytest.fixture
def minutely(folder: DataFolder) -> DataFolder:
    """Return a running folder with a routine each minute, and another that waits for it."""
    folder.write_script("job.py", "import sys, pathlib\nsys.exit(pathlib.Path('fail').exists())")
    folder.write_jobs(
        '<job name="load" script="job.py" schedule="* * * * *" overlap="yes"/>'
        '<job name="report" script="job.py" schedule="* * * * *" depends_on="load"/>'
    )
    folder.start()
    return folder


RANGE = ("--from", "2020-01-01T00:00", "--to", "2020-01-01T00:03")


def test_the_command_says_how_many_and_waits_for_them(minutely: DataFolder) -> None:
    out = minutely.run("backfill", "load", *RANGE, "--downstream", "--wait").ok().out
    assert out.startswith("6 tasks of 6 to run\n  load.2020-01-01T00:00:00 … ")
    again = minutely.run("backfill", "load", *RANGE, "--downstream").ok().out
    assert again == "nothing is missing: 6 tasks succeeded\n"


def test_a_backfill_that_fails_can_be_taken_up_again(minutely: DataFolder) -> None:
    (minutely.path / "fail").touch()
    failed = minutely.run("backfill", "load", *RANGE, "--wait")
    assert failed.code == 1 and "3 tasks did not succeed" in failed.out
    (minutely.path / "fail").unlink()
    assert "3 tasks of 3 to run" in minutely.run("backfill", "load", *RANGE, "--wait").ok().out


def test_on_a_terminal_it_asks_about_many_and_draws_its_progress(minutely: DataFolder) -> None:
    hours = ("--from", "2020-01-01T00:00", "--to", "2020-01-01T02:00")
    window = terminal(minutely, "backfill", "load", *hours)
    window.read_until("Run these 120 tasks? [y/N]")
    window.type("y\n")
    window.read_until("/120")
    window.press_ctrl_c()
    assert window.end() == 130
    assert "the backfill goes on in the scheduler" in window.text
    assert "Traceback" not in window.text
    progress = {"routine": "load", "from": hours[1], "to": hours[3]}
    wait_until(lambda: minutely.ask("backfill", **progress)["done"] > 5, "it to go on")


def test_on_a_terminal_a_re_run_of_what_is_downstream_is_asked_about(minutely: DataFolder) -> None:
    minutely.run("backfill", "load", *RANGE, "--downstream", "--wait").ok()
    task = "load.2020-01-01T00:01:00"
    window = terminal(minutely, "execute", task, "--downstream")
    window.read_until("Run them? [y/N]")
    assert re.search(r"2 tasks.*\n  load.*00:01:00\n  report.*00:01:00\n", window.text)
    window.type("n\n")
    assert window.end() == 1
    assert len(minutely.fate(task)["attempts"]) == 1


def test_what_was_redone_makes_others_stale_and_they_can_be_refreshed(
    minutely: DataFolder,
) -> None:
    minutely.run("backfill", "load", *RANGE, "--downstream", "--wait").ok()
    task, waiting = "load.2020-01-01T00:01:00", "report.2020-01-01T00:01:00"
    assert minutely.run("execute", task, "--wait").code == 0
    assert minutely.fate(waiting)["stale"] == task
    status = minutely.run("status").ok().out
    assert "Stale (1)" in status and "scheduler execute --stale" in status
    assert f"stale: {task} has been redone" in minutely.run("history", waiting).ok().out
    assert waiting in minutely.run("execute", "--stale", "--wait").out
    assert minutely.fate(waiting)["stale"] is None
    assert "nothing is stale" in minutely.run("execute", "--stale").mistake()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("backfill", "backfill takes a routine and --from"),
        ("backfill load", "backfill takes a routine and --from"),
        ("backfill laod --from 2020-01-01", "did you mean 'load'?"),
        ("backfill load --from 2020-01-02 --to 2020-01-01", "the range is empty"),
        ("backfill load --from 2999-01-01 --to 2999-01-02", "no instant in that range up to now"),
        ("backfill load --from 2020-01-01", "more than 10000 tasks: give a shorter range"),
        ("execute load --downstream", "--downstream takes a task"),
        ("execute --stale --failed", "execute takes one of"),
    ],
)
def test_what_cannot_be_run_again_is_said(minutely: DataFolder, words: str, said: str) -> None:
    assert said in minutely.run(*words.split()).mistake()


def terminal(folder: DataFolder, *words: str) -> Window:
    """Run a command in a terminal."""
    window = Window(words, folder.environment, folder.elsewhere)
    folder.windows.append(window)
    return window
