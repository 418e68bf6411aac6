"""Pausing and resuming, by the real command."""

import re

import pytest

from tests.system.data_folder import DataFolder, wait_until
from tests.system.timed_scheduler import TimedScheduler

QUICK = '<job name="{name}" script="job.py" schedule="{schedule}" {more}/>'
YEARLY = "0 0 1 1 *"


@pytest.fixture
def jobs(folder: DataFolder) -> DataFolder:
    """Return a running folder: `load` and `other` are tagged, `free` is not."""
    folder.write_script("job.py", "print('ran')")
    folder.write_jobs(
        "\n".join(
            [
                QUICK.format(name="load", schedule="* * * * *", more='tags="warehouse"'),
                QUICK.format(name="other", schedule=YEARLY, more='tags="warehouse, slow"'),
                QUICK.format(name="free", schedule=YEARLY, more=""),
            ]
        )
    )
    folder.start()
    return folder


def test_a_pause_is_shown_wherever_one_would_look(jobs: DataFolder) -> None:
    said = jobs.run("pause", "load").ok().out
    assert said == "routine 'load' paused\n"
    status = jobs.run("status").ok().out
    assert "Paused (1)" in status and "scheduler resume load" in status
    assert re.search("paused +until resumed", jobs.run("status", "load").ok().out)
    (load, *_) = jobs.run("list", "--json").ok().json["routines"]
    assert load["paused"]["scope"] == "routine"
    assert "paused until resumed" in jobs.run("list").ok().out
    assert "paused until resumed" in jobs.run("plan", "load").ok().out
    why = jobs.run("why", "load").ok().out
    assert "paused" in why and "scheduler resume load" in why


def test_a_person_may_still_run_what_is_paused(jobs: DataFolder) -> None:
    jobs.run("pause", "--all").ok()
    assert jobs.executed("free")["state"] == "succeeded"
    assert jobs.run("resume", "--all").ok().out == "all routines resumed\n"
    assert jobs.ask("status")["pauses"] == []


def test_what_came_due_meanwhile_follows_the_backlog_rule(timed: TimedScheduler) -> None:
    timed.write_jobs(
        '<job name="latest" {} schedule="@hourly"/>'
        '<job name="each" {} schedule="@hourly" backlog="all"/>'
    )
    with timed.running("2026-01-01T00:30"):
        timed.ask("pause", all=True, until="03:30")
        timed.run_until("2026-01-01T03:29")
        assert timed.starts() == []
        timed.run_until("2026-01-01T03:31")
        assert sorted(timed.starts()) == [
            "each.2026-01-01T01:00:00",
            "each.2026-01-01T02:00:00",
            "each.2026-01-01T03:00:00",
            "latest.2026-01-01T03:00:00",
        ]


def test_a_pause_with_an_end_ends_by_itself(jobs: DataFolder) -> None:
    said = jobs.run("pause", "--tag", "warehouse", "--until", "+1s").ok().out
    assert said.startswith("tag 'warehouse' (2) paused until 20")
    wait_until(lambda: jobs.ask("status")["pauses"] == [], "the pause to end")


def test_a_pause_lasts_over_a_restart(jobs: DataFolder) -> None:
    jobs.run("pause", "load", "--until", "2999-01-01").ok()
    jobs.stop()
    down = jobs.run("status", "--json").ok().json["pauses"]
    jobs.start()
    assert jobs.ask("status")["pauses"] == down
    assert down[0]["until"] == "2999-01-01T00:00:00+00:00"


def test_resume_all_lifts_each_pause(jobs: DataFolder) -> None:
    jobs.run("pause", "load").ok()
    jobs.run("pause", "--tag", "slow").ok()
    lines = jobs.run("resume", "--all").ok().out.splitlines()
    assert sorted(lines) == ["routine 'load' resumed", "tag 'slow' resumed"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("pause", "pause takes one of: a routine, --tag TAG, --all"),
        ("pause load --all", "pause takes one of"),
        ("pause laod", "did you mean 'load'?"),
        ("pause --tag nothing", "there is no tag 'nothing' in the registry"),
        ("pause load --until yesterday", "is not a moment"),
        ("pause load --until 2020-01-01", "is over already"),
        ("pause load.2026-10-01T02:00:00", "takes a routine, not a task"),
        ("resume load", "routine 'load' is not paused"),
        ("resume --all", "nothing is paused"),
    ],
)
def test_what_cannot_be_paused_is_said(jobs: DataFolder, words: str, said: str) -> None:
    assert said in jobs.run(*words.split()).mistake()
