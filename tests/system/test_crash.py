"""The scheduler dies at once, as by kill -9: what the next start finds, says and does."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import Any, cast

import pytest

from scheduler.service.client import Client
from tests.system.data_folder import ENDS, PROGRAM, UNTIL_LET_GO, DataFolder, is_alive, wait_until

TREE = """\
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"],
                         start_new_session=True)
print("begun", flush=True)
time.sleep(600)
"""


@pytest.fixture
def crashed(folder: DataFolder) -> DataFolder:
    """Return a folder with routines by hand: one that ends, one that starts children."""
    folder.write_jobs(
        '<job name="tree" script="tree.py" grace="1s"/><job name="quick" script="quick.py"/>'
    )
    folder.write_script("tree.py", TREE)
    folder.write_script("quick.py", "print('done')")
    folder.start()
    return folder


def test_the_next_start_kills_what_was_running_and_says_how_to_run_it_again(
    crashed: DataFolder,
) -> None:
    done = crashed.executed("quick")["task"]
    task = crashed.execute("tree")
    crashed.wait_for(task, "running")
    wait_until(lambda: b"begun" in crashed.log_of(task), "its child")
    crashed.kill_scheduler()
    left = crashed.processes()
    assert len(left) == 2, "the script and its child go on without the scheduler"

    told = crashed.start()
    assert f"{task} is failed: lost, may have run" in told
    assert f"scheduler execute {task}" in told
    assert not any(map(is_alive, left))
    fate = crashed.fate(task)
    assert (fate["state"], fate["reason"][:18]) == ("failed", "lost, may have run")
    assert fate["attempts"][0]["outcome"] == "lost"
    assert crashed.state(done) == "succeeded"
    assert task in crashed.run("status").ok().out

    crashed.write_script("tree.py", "print('again')")
    again = crashed.run("execute", task, "--wait")
    assert (again.code, again.out.splitlines()[-1]) == (0, "again")
    assert [one["number"] for one in crashed.fate(task)["attempts"]] == [1, 2]


def test_a_task_that_waited_for_a_slot_runs_after_a_crash(folder: DataFolder) -> None:
    folder.write_config("max_running = 1")
    folder.write_jobs('<job name="slow" script="slow.py"/><job name="next" script="next.py"/>')
    folder.write_script("slow.py", UNTIL_LET_GO)
    folder.write_script("next.py", "")
    folder.start()
    slow = folder.execute("slow")
    folder.wait_for(slow, "running")
    following = folder.execute("next")
    folder.wait_for(following, "ready")
    folder.kill_scheduler()

    assert following in folder.start()
    assert folder.wait_for(following)["state"] == "succeeded"
    assert folder.state(slow) == "failed"


def test_what_waits_for_a_lost_task_is_blocked_and_says_so(folder: DataFolder) -> None:
    folder.write_jobs(
        '<job name="load" script="load.py" schedule="0 0 1 1 *"/>'
        '<job name="report" script="report.py" schedule="0 0 1 1 *" depends_on="load"/>'
    )
    folder.write_script("load.py", UNTIL_LET_GO)
    folder.write_script("report.py", "")
    folder.start()
    task = "load.2026-01-01T00:00:00"
    folder.run("execute", task).ok()
    folder.wait_for(task, "running")
    folder.kill_scheduler()
    folder.start()
    why = folder.run("why", "report.2027-01-01T00:00:00").ok().out
    assert "is to come" in why
    assert "lost, may have run" in folder.run("why", task).ok().out


@pytest.mark.parametrize("times", [3])
def test_repeated_crashes_lose_nothing_and_start_nothing_twice(
    crashed: DataFolder, times: int
) -> None:
    crashed.write_script("quick.py", "open('ran', 'a').write('x')")
    tasks: list[str] = []
    for _ in range(times):
        tasks.append(crashed.executed("quick")["task"])
        crashed.kill_scheduler()
        crashed.start()
    assert [crashed.state(task) for task in tasks] == ["succeeded"] * times
    assert (crashed.path / "ran").read_text() == "x" * times


def test_a_pid_that_is_another_process_by_now_is_left_alone(crashed: DataFolder) -> None:
    task = crashed.execute("tree")
    crashed.wait_for(task, "running")
    crashed.kill_scheduler()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as innocent:
        with closing(sqlite3.connect(crashed.database)) as database, database:
            database.execute(
                "UPDATE attempt SET pid = ?, process_start = process_start - 60", (innocent.pid,)
            )
        crashed.start()
        assert innocent.poll() is None
        innocent.communicate(b"\n")
    assert crashed.state(task) == "failed"


@pytest.mark.parametrize("ended", [0, 1, 3])
def test_a_crash_at_any_moment_starts_nothing_twice_and_loses_nothing(
    folder: DataFolder, ended: int
) -> None:
    folder.write_config("max_running = 2")
    names = [f"job{number}" for number in range(6)]
    folder.write_jobs("".join(f'<job name="{name}" script="job.py"/>' for name in names))
    folder.write_script(
        "job.py",
        "import os, time\n"
        "with open('ran', 'a') as file:\n    file.write(os.environ['SCHEDULER_TASK'] + '\\n')\n"
        "time.sleep(0.05)\n",
    )
    folder.start()
    client = Client(folder.live())
    tasks = [cast("Any", client.post("execute", routine=name))["tasks"][0] for name in names]
    wait_until(
        lambda: sum(folder.state(task) in ENDS for task in tasks) >= ended, "some of them to end"
    )
    folder.kill_scheduler()

    folder.start()
    fates = {task: folder.wait_for(task) for task in tasks}
    ran = (folder.path / "ran").read_text().split()
    for task, fate in fates.items():
        assert fate["state"] in ("succeeded", "failed"), fate
        assert len(fate["attempts"]) == 1
        if fate["state"] == "failed":
            assert fate["reason"].startswith("lost, may have run")
            assert ran.count(task) <= 1
        else:
            assert ran.count(task) == 1


def test_who_waits_for_a_task_is_told_that_the_scheduler_died(crashed: DataFolder) -> None:
    with subprocess.Popen(
        [*PROGRAM, "execute", "tree", "--wait"],
        cwd=crashed.elsewhere,
        env=crashed.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as waiting:
        assert waiting.stdout is not None
        while waiting.stdout.readline() != b"begun\n":
            assert waiting.poll() is None
        crashed.kill_scheduler()
        _, told = waiting.communicate(timeout=60)
    # Which of the two it sees depends on how far the system has got with the killed process.
    assert waiting.returncode == 2 and told.count(b"\n") == 1, told
    assert b"has ended before" in told or b"does not answer" in told, told
