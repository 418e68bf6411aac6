"""The commands that a user types first, word for word."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.data_folder import PROGRAM, ROOT, UNTIL_LET_GO, DataFolder, wait_until

JOB = '<job name="testJob0" script="job.py" schedule="0 2 * * *"/>'
TASK = "testJob0.2026-11-23T02:00:00"
NAMED = ("--scheduler_name", "NAME")


@pytest.fixture
def quick(folder: DataFolder) -> DataFolder:
    """Return a folder whose testJob0 says hello."""
    folder.name = "NAME"
    folder.write_jobs(JOB)
    folder.write_script("job.py", "print('hello')")
    return folder


def test_the_quick_use_commands_work_word_for_word(quick: DataFolder) -> None:
    config = str(quick.config)
    begun = quick.run("start", *NAMED, "--config_file", config, "--mode", "prod", "--daemon").ok()
    assert re.match(r"scheduler 'NAME' is running: pid \d+, http://127\.0\.0\.1:\d+\n", begun.out)
    assert "1 routine, times in UTC" in begun.out

    assert "testJob0.20" in quick.run("status", *NAMED).ok().out
    assert "testJob0.20" in quick.run("status", *NAMED, "--routine_name", "testJob0").ok().out

    asked = quick.run("execute", *NAMED, "--task_name", TASK).ok()
    assert TASK in asked.out
    assert quick.wait_for(TASK)["state"] == "succeeded"
    assert quick.log_of(TASK) == b"hello\n"

    ended = quick.run("cancel", *NAMED, "--task_name", TASK)
    assert "succeeded" in ended.mistake()

    assert "scheduler NAME has ended" in quick.run("stop", *NAMED).ok().out
    wait_until(quick.is_quiet)


def test_a_scheduler_in_the_foreground_serves_until_it_is_stopped(quick: DataFolder) -> None:
    window = quick.open_window("--mode", "prod")
    shown = window.read_until("Ctrl-C stops it")
    assert "scheduler 'NAME' is running: pid" in shown
    quick.run("execute", *NAMED, "--task_name", TASK, "--wait")
    quick.stop()
    assert window.end() == 0
    assert "Traceback" not in window.text


def test_cancelling_a_running_task_ends_it(quick: DataFolder) -> None:
    quick.write_script("job.py", UNTIL_LET_GO)
    quick.start()
    quick.run("execute", *NAMED, "--task_name", TASK).ok()
    quick.wait_for(TASK, "running")
    quick.run("cancel", *NAMED, "--task_name", TASK).ok()
    assert quick.wait_for(TASK)["state"] == "cancelled"


def test_a_task_that_is_not_due_is_cancelled_when_its_instant_comes(quick: DataFolder) -> None:
    quick.start()
    asked = quick.run("cancel", "testJob0.2099-11-23T02:00:00").ok()
    assert "when its instant comes" in asked.out
    assert "cancelled" in quick.run("why", "testJob0.2099-11-23T02:00:00").ok().out


def test_options_are_written_with_dashes_too(quick: DataFolder) -> None:
    quick.run("start", "--scheduler-name", "NAME", f"--config-file={quick.config}", "--daemon").ok()
    done = quick.run("execute", "--scheduler-name=NAME", "--task-name", TASK, "--wait")
    assert (done.code, done.out.splitlines()[-1]) == (0, "hello")
    quick.run("stop", "--scheduler-name", "NAME").ok()


def test_the_package_runs_as_a_module(quick: DataFolder) -> None:
    module = (sys.executable, "-m", "scheduler")
    quick.run(*quick.start_words("--daemon"), program=module, cwd=ROOT).ok()
    assert "testJob0" in quick.run("list", program=module, cwd=ROOT).ok().out
    quick.run("stop", program=module, cwd=ROOT).ok()


def test_in_its_own_folder_the_config_need_not_be_named(quick: DataFolder) -> None:
    quick.run("start", *NAMED, "--daemon", cwd=quick.path).ok()
    assert "testJob0" in quick.run("status", cwd=quick.path).ok().out
    quick.run("stop", cwd=quick.path).ok()
    assert "is not running" in quick.run("status", cwd=quick.path).ok().out


def test_the_sample_runs_in_test_mode_without_any_folder(quick: DataFolder) -> None:
    begun = quick.run("start", "--mode", "test", "--daemon").ok()
    assert "test mode: state and logs are in" in begun.out
    quick.name = "test"
    assert quick.executed("reset")["reason"] == "nothing to do (exit code 99)"
    quick.stop()


def test_test_mode_leaves_the_state_of_a_folder_alone(quick: DataFolder) -> None:
    quick.start("--mode", "test")
    assert quick.executed("testJob0")["state"] == "succeeded"
    quick.stop()
    assert not quick.database.exists() and not (quick.path / "logs").exists()


def test_the_status_of_a_scheduler_that_is_down_comes_from_its_folder(quick: DataFolder) -> None:
    quick.start()
    task = quick.executed("testJob0")["task"]
    quick.stop()
    shown = quick.run("status", *NAMED).ok()
    assert "not running" in shown.out and task in shown.out
    view = quick.run("status", "--json").ok().json
    assert view["scheduler"]["is_live"] is False
    assert view["recent"][0]["task"] == task
    words = quick.run("why", "testJob0", "--json").ok().json
    assert words["commands"] == [
        f'scheduler start --scheduler_name NAME --config_file "{quick.config}" --daemon'
    ]
    assert words["sentences"][0].endswith("; no scheduler is running")
    assert quick.run("logs", "testJob0").ok().out == "hello\n"
    assert quick.run("history", task, "--json").ok().json["fates"][0]["state"] == "succeeded"


@pytest.mark.parametrize("option", ["--daemon", "--mode=prod"])
def test_a_reader_that_goes_away_does_not_end_the_scheduler(quick: DataFolder, option: str) -> None:
    with subprocess.Popen(
        [*PROGRAM, *quick.start_words(option)],
        cwd=quick.elsewhere,
        env=quick.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as begun:
        assert begun.stdout is not None
        begun.stdout.close()
        wait_until(lambda: quick.run("status", *NAMED).code == 0, "the scheduler")
        assert quick.executed("testJob0")["state"] == "succeeded"
        quick.stop()


def test_a_command_to_a_scheduler_that_is_down_says_so(quick: DataFolder) -> None:
    quick.start()
    quick.stop()
    for words in (("stop",), ("execute", "testJob0"), ("cancel", TASK), ("stop", *NAMED)):
        assert "running" in quick.run(*words).mistake()


def test_a_user_without_the_dependencies_is_told_how_to_get_them(
    quick: DataFolder, tmp_path: Path
) -> None:
    bare = (sys.executable, "-S", str(ROOT / "scheduler.py"))
    done = quick.run("start", *NAMED, "--config_file", str(quick.config), program=bare)
    assert "pip install" in done.mistake()
