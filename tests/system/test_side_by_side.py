"""Several schedulers on one machine, and what a dead one leaves behind."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.system.data_folder import UNTIL_LET_GO, DataFolder


@pytest.fixture
def other(folder: DataFolder) -> DataFolder:
    """Return a second data folder of the same user."""
    path = folder.path.parent / "other data"
    path.mkdir()
    second = replace(folder, path=path, name="day")
    for one in (folder, second):
        one.write_config()
        one.write_jobs('<job name="who" script="who.py"/>')
        one.write_script("who.py", "import os; print(os.environ['SCHEDULER_NAME'], os.getcwd())")
    return second


def test_two_schedulers_run_side_by_side(folder: DataFolder, other: DataFolder) -> None:
    folder.start()
    other.start()
    for one in (folder, other):
        asked = one.run("execute", "who", "--scheduler_name", one.name, "--wait")
        assert f"{one.name} {one.path}" in asked.out

    both = folder.run("status").ok().out
    assert "2 schedulers are running" in both and "day" in both and "night" in both
    assert [one["name"] for one in folder.run("status", "--json").json["schedulers"]] == [
        "day",
        "night",
    ]
    which = folder.run("execute", "who").mistake()
    assert "several schedulers are running: day, night" in which
    assert str(other.path) in folder.run("status", "--config_file", str(other.config)).ok().out

    folder.run("stop", "--scheduler_name", "night").ok()
    assert "scheduler day is running" in folder.run("status").ok().out
    folder.run("stop").ok()


def test_a_second_scheduler_of_a_name_is_refused_with_the_pid(
    folder: DataFolder, other: DataFolder
) -> None:
    folder.start()
    for one in (folder, other):
        refused = one.run(*one.start_words("--daemon", name="night"))
        assert f"scheduler 'night' is already running (pid {folder.pid()}" in refused.mistake()
    assert "night" in folder.run("status").ok().out


def test_a_second_scheduler_over_a_database_is_refused_with_the_pid(folder: DataFolder) -> None:
    folder.write_jobs('<job name="a" script="a.py"/>')
    folder.start()
    refused = folder.run(*folder.start_words("--daemon", name="day")).mistake()
    assert "is in use by scheduler 'night'" in refused and f"pid {folder.pid()}" in refused


def test_schedulers_of_one_name_and_two_users_leave_each_others_scripts_alone(
    folder: DataFolder, other: DataFolder, tmp_path: Path
) -> None:
    (tmp_path / "other home").mkdir()
    other = replace(other, home=tmp_path / "other home", name="night")
    task = "who.2026-10-01T02:00:00"
    for one in (folder, other):
        one.write_jobs('<job name="who" script="who.py" schedule="0 2 * * *"/>')
        one.write_script("who.py", UNTIL_LET_GO)
    try:
        for one in (folder, other):
            one.start()
            one.run("execute", task).ok()
            one.wait_for(task, "running")
        folder.run("cancel", task).ok()
        assert folder.wait_for(task)["state"] == "cancelled"
        assert other.state(task) == "running"
        folder.run("execute", task).ok()
        folder.wait_for(task, "running")
        other.kill_scheduler()
        other.start()
        assert other.state(task) == folder.state(task) == "running"
        other.run("cancel", task).ok()
        assert other.wait_for(task)["state"] == "cancelled"
        assert folder.state(task) == "running"
    finally:
        other.close()


def test_a_killed_scheduler_starts_again_without_cleaning_up(folder: DataFolder) -> None:
    folder.write_jobs('<job name="a" script="a.py"/>')
    folder.write_script("a.py", "")
    folder.start()
    before = folder.executed("a")["task"]
    killed = folder.pid()
    folder.kill_scheduler()

    assert "not running" in folder.run("status").ok().out
    assert "not running" in folder.run("stop", "--scheduler_name", "night").mistake()
    folder.start()
    assert folder.pid() != killed
    assert folder.state(before) == "succeeded"
    folder.stop()


def test_a_live_scheduler_that_does_not_answer_is_named(folder: DataFolder) -> None:
    folder.write_jobs('<job name="a" script="a.py"/>')
    folder.start()
    file = folder.home / "instance" / "night.json"
    port = folder.live().port
    file.write_text(file.read_text().replace(f'"port": {port}', '"port": 9'))
    assert f"(pid {folder.pid()}) is running but does not answer" in folder.run("status").mistake()


def test_the_instance_file_is_readable_by_its_user_only(folder: DataFolder) -> None:
    folder.write_jobs('<job name="a" script="a.py"/>')
    folder.start()
    assert (folder.home / "instance" / "night.json").stat().st_mode & 0o777 == 0o600
