"""The scheduler dies at once, as by kill -9: what the next start finds, says and does."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import psutil
import pytest

from scheduler.service.client import Client
from scheduler.service.executors.records import read_record
from tests.system.data_folder import ENDS, PROGRAM, UNTIL_LET_GO, DataFolder, is_alive, wait_until

TREE = """\
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"],
                         start_new_session=True)
print("begun", flush=True)
time.sleep(600)
"""


def attempts_of(folder: DataFolder) -> Iterator[Path]:
    """Yield the records of attempts that are kept beside the database."""
    root = Path(f"{folder.database}-attempts")
    return (path for path in root.rglob("*") if path.is_file())


def lose(folder: DataFolder) -> None:
    """Kill all that a dead scheduler has left, the supervisors first, which would see the ends."""
    (record, *_) = map(read_record, attempts_of(folder))
    assert record is not None
    psutil.Process(record.supervisor.pid).kill()
    for process in folder.processes():
        process.kill()
    wait_until(folder.is_quiet, "all of them to be gone")


def fate_of(folder: DataFolder, task: str) -> Any:
    """Return the record of a task whose routine may be gone."""
    fates = folder.run("history", "--json").ok().json["fates"]
    return next(fate for fate in fates if fate.get("task") == task)


@pytest.fixture
def crashed(folder: DataFolder) -> DataFolder:
    """Return a folder with routines by hand: one that ends, one that starts children."""
    folder.write_jobs(
        '<job name="tree" script="tree.py" grace="1s" warm="no"/>'
        '<job name="quick" script="quick.py"/>'
    )
    folder.write_script("tree.py", TREE)
    folder.write_script("quick.py", "print('done')")
    folder.start()
    return folder


def test_a_script_goes_on_without_its_scheduler_and_the_next_one_looks_after_it(
    folder: DataFolder,
) -> None:
    folder.write_jobs('<job name="slow" script="slow.py"/>')
    folder.write_script("slow.py", UNTIL_LET_GO + "print('done')\n")
    folder.start()
    task = folder.execute("slow")
    wait_until(lambda: b"begun" in folder.log_of(task), "the script")
    folder.kill_scheduler()
    left = folder.processes()
    assert len(left) == 2, "the script and its supervisor"

    told = folder.start()
    assert f"{task} still runs, as the last scheduler left it" in told
    assert "was late" not in told
    assert folder.state(task) == "running"
    assert task in folder.run("status").ok().out
    assert all(map(is_alive, left))
    folder.let_go()
    fate = folder.wait_for(task)
    assert (fate["state"], len(fate["attempts"])) == ("succeeded", 1)
    assert folder.log_of(task) == b"begun\ndone\n"
    wait_until(lambda: not list(attempts_of(folder)), "its record to be dropped")


@pytest.mark.parametrize(
    ("end", "state", "reason"),
    [
        ("", "succeeded", ""),
        ("sys.exit(99)", "skipped", "nothing to do"),
        ("sys.exit('no rows')", "failed", "exit code 1: no rows"),
        ("os.kill(os.getpid(), 9)", "failed", "killed by SIGKILL"),
        ("os._exit(7)", "failed", "exit code 7"),
    ],
)
def test_how_a_script_ended_while_no_scheduler_ran_is_known(
    folder: DataFolder, end: str, state: str, reason: str
) -> None:
    folder.write_jobs('<job name="slow" script="slow.py" skip_exit="99"/>')
    folder.write_script("slow.py", f"import os, sys\n{UNTIL_LET_GO}\n{end}\n")
    folder.start()
    task = folder.execute("slow")
    wait_until(lambda: b"begun" in folder.log_of(task), "the script")
    folder.kill_scheduler()
    folder.let_go()
    wait_until(folder.is_quiet, "its end")
    (folder.path / "quiet").touch()
    before_start = (
        folder.path / "quiet"
    ).stat().st_mtime + 0.1  # the file system's clock is coarse

    told = folder.start()
    fate = folder.fate(task)
    assert (fate["state"], fate["reason"][: len(reason)]) == (state, reason)
    assert f"{task} ended while no scheduler was running" in told
    (attempt,) = fate["attempts"]
    ended_at = datetime.fromisoformat(attempt["ended_at"]).timestamp()
    assert datetime.fromisoformat(attempt["started_at"]).timestamp() < ended_at < before_start
    assert not list(attempts_of(folder))


def test_a_script_that_was_adopted_is_cancelled_with_all_its_children(crashed: DataFolder) -> None:
    task = crashed.execute("tree")
    wait_until(lambda: b"begun" in crashed.log_of(task), "its child")
    crashed.kill_scheduler()
    left = crashed.processes()
    assert len(left) == 3, "the script, its child and its supervisor"
    crashed.start()
    crashed.run("cancel", task).ok()
    assert crashed.wait_for(task)["state"] == "cancelled"
    wait_until(lambda: not any(map(is_alive, left)), "all of them to be gone")


def test_a_timeout_holds_across_a_crash(folder: DataFolder) -> None:
    folder.write_jobs('<job name="slow" script="slow.py" timeout="2s" grace="1s"/>')
    folder.write_script("slow.py", UNTIL_LET_GO)
    folder.start()
    task = folder.execute("slow")
    wait_until(lambda: b"begun" in folder.log_of(task), "the script")
    folder.kill_scheduler()
    folder.start()
    fate = folder.wait_for(task)
    assert (fate["state"], fate["reason"]) == ("failed", "timeout after 2s")


def test_a_cancel_is_carried_out_by_the_next_start(folder: DataFolder) -> None:
    folder.write_jobs('<job name="deaf" script="deaf.py" grace="3s" retries="3" warm="no"/>')
    folder.write_script(
        "deaf.py", f"import signal\nsignal.signal(15, signal.SIG_IGN)\n{UNTIL_LET_GO}"
    )
    folder.start()
    task = folder.execute("deaf")
    wait_until(lambda: b"begun" in folder.log_of(task), "the script")
    folder.run("cancel", task).ok()
    folder.kill_scheduler()
    assert fate_of(folder, task)["state"] == "running"
    folder.start()
    fate = folder.wait_for(task)
    assert (fate["state"], len(fate["attempts"])) == ("cancelled", 1)
    wait_until(lambda: len(folder.processes()) == 1, "the script to be gone")


def test_what_nobody_saw_end_is_lost_and_says_how_to_run_it_again(crashed: DataFolder) -> None:
    done = crashed.executed("quick")["task"]
    task = crashed.execute("tree")
    wait_until(lambda: b"begun" in crashed.log_of(task), "its child")
    crashed.kill_scheduler()
    lose(crashed)

    told = crashed.start()
    assert f"{task} is failed: lost, may have run" in told
    assert f"scheduler execute {task}" in told
    fate = crashed.fate(task)
    assert (fate["state"], fate["reason"][:18]) == ("failed", "lost, may have run")
    assert fate["attempts"][0]["outcome"] == "lost"
    assert crashed.state(done) == "succeeded"
    assert task in crashed.run("status").ok().out

    crashed.write_script("tree.py", "print('again')")
    again = crashed.run("execute", task, "--wait")
    assert (again.code, again.out.splitlines()[-1]) == (0, "again")
    assert [one["number"] for one in crashed.fate(task)["attempts"]] == [1, 2]


def test_what_is_lost_runs_again_as_often_as_its_retries_say(folder: DataFolder) -> None:
    folder.write_jobs('<job name="slow" script="slow.py" retries="1" retry_delay="0s"/>')
    folder.write_script("slow.py", UNTIL_LET_GO)
    folder.start()
    task = folder.execute("slow")
    wait_until(lambda: b"begun" in folder.log_of(task), "the script")
    folder.kill_scheduler()
    lose(folder)
    folder.let_go()
    told = folder.start()
    assert f"{task} lost an attempt that may have run; it runs again, as its retries say" in told
    assert "is failed" not in told
    fate = folder.wait_for(task)
    assert fate["state"] == "succeeded"
    assert [one["outcome"] for one in fate["attempts"]] == ["lost", "exited"]


LATE = """\
#!/bin/sh
echo late >> "{folder}/pythons"
while [ ! -e "{folder}/go" ]; do sleep 0.01; done
exec "{python}" "$@"
"""


@pytest.fixture(params=["auto", "no"])
def late(request: pytest.FixtureRequest, folder: DataFolder) -> DataFolder:
    """Return a folder with a routine, started in either way, whose interpreter is slow to begin."""
    python = folder.path / "python"
    python.write_text(LATE.format(folder=folder.path, python=sys.executable))
    python.chmod(0o755)
    folder.write_jobs(f'<job name="late" script="late.py" python="python" warm="{request.param}"/>')
    folder.write_script("late.py", "open('ran', 'a').write('x')")
    folder.start()
    return folder


def is_warm(folder: DataFolder) -> bool:
    """Return whether its routine is started warm: the interpreter is kept then."""
    return 'warm="auto"' in (folder.path / "registry.xml").read_text()


def pythons(folder: DataFolder) -> int:
    """Return how many of these interpreters were started so far."""
    file = folder.path / "pythons"
    return len(file.read_text().split()) if file.exists() else 0


def test_what_was_decided_and_had_not_begun_begins_once(late: DataFolder) -> None:
    task = late.execute("late")
    wait_until(lambda: pythons(late) == 1, "the first interpreter")
    late.kill_scheduler()
    late.start()
    wait_until(lambda: pythons(late) == 2, "the second one")
    late.let_go()  # both of them
    fate = late.wait_for(task)
    assert (fate["state"], len(fate["attempts"])) == ("succeeded", 1)
    kept = 1 if is_warm(late) else 0
    wait_until(lambda: len(late.processes()) == 1 + kept, "both to be gone")
    assert (late.path / "ran").read_text() == "x"


def test_after_a_boot_what_may_have_begun_does_not_begin_again(late: DataFolder) -> None:
    task = late.execute("late")
    wait_until(lambda: pythons(late) == 1, "the first interpreter")
    late.kill_scheduler()
    with closing(sqlite3.connect(late.database)) as database, database:
        database.execute("UPDATE note SET value = 'the boot before' WHERE key = 'boot'")
    assert f"{task} is failed: lost, may have run" in late.start()
    late.let_go()
    wait_until(lambda: len(late.processes()) == 1, "the late one to be gone")
    assert not (late.path / "ran").exists()


def test_without_the_records_nothing_runs_twice(folder: DataFolder) -> None:
    folder.write_jobs(
        '<defaults warm="no"/>'
        '<job name="ends" script="ends.py"/><job name="slow" script="slow.py"/>'
    )
    ran = "import os\nprint(os.environ['SCHEDULER_TASK'], file=open('ran', 'a'))\n"
    folder.write_script("ends.py", ran + UNTIL_LET_GO)
    folder.write_script("slow.py", ran + UNTIL_LET_GO.replace('"go"', '"further"'))
    folder.start()
    ends, slow = folder.execute("ends"), folder.execute("slow")
    wait_until(lambda: b"begun" in folder.log_of(ends), "the script")
    wait_until(lambda: b"begun" in folder.log_of(slow), "the other")
    shutil.rmtree(f"{folder.database}-attempts")
    folder.kill_scheduler()
    folder.let_go()
    wait_until(lambda: len(folder.processes()) == 2, "one of the two to end")

    told = folder.start()
    assert f"{ends} is failed: lost, may have run" in told
    assert f"{slow} still runs, as the last scheduler left it" in told
    (folder.path / "further").touch()
    assert folder.wait_for(slow)["state"] == "succeeded", "its end is on record"
    assert sorted((folder.path / "ran").read_text().split()) == [ends, slow]
    wait_until(lambda: not list(attempts_of(folder)), "its record to be dropped")


def test_a_script_whose_routine_was_removed_meanwhile_ends_as_it_began(folder: DataFolder) -> None:
    slow = '<job name="slow" script="slow.py"/>'
    folder.write_jobs(f'{slow}<job name="other" script="slow.py"/>')
    folder.write_script("slow.py", UNTIL_LET_GO)
    folder.start()
    task = folder.execute("slow")
    wait_until(lambda: b"begun" in folder.log_of(task), "the script")
    folder.kill_scheduler()
    folder.write_jobs('<job name="other" script="slow.py"/>')
    folder.start()
    folder.let_go()
    wait_until(lambda: fate_of(folder, task)["state"] == "succeeded", "its end")


def test_a_task_that_waited_for_a_slot_still_waits_for_what_was_adopted(folder: DataFolder) -> None:
    folder.write_config("max_running = 1")
    folder.write_jobs('<job name="slow" script="slow.py"/><job name="next" script="next.py"/>')
    folder.write_script("slow.py", UNTIL_LET_GO)
    folder.write_script("next.py", "")
    folder.start()
    slow = folder.execute("slow")
    wait_until(lambda: b"begun" in folder.log_of(slow), "the script")
    following = folder.execute("next")
    folder.wait_for(following, "ready")
    folder.kill_scheduler()

    folder.start()
    assert (folder.state(slow), folder.state(following)) == ("running", "ready")
    folder.let_go()
    assert folder.wait_for(following)["state"] == "succeeded"
    assert folder.state(slow) == "succeeded"


def test_what_waits_for_a_lost_task_is_blocked_and_says_so(folder: DataFolder) -> None:
    folder.write_jobs(
        '<job name="load" script="load.py" schedule="0 0 1 1 *" warm="no"/>'
        '<job name="report" script="report.py" schedule="0 0 1 1 *" depends_on="load"/>'
    )
    folder.write_script("load.py", UNTIL_LET_GO)
    folder.write_script("report.py", "")
    folder.start()
    task = "load.2026-01-01T00:00:00"
    folder.run("execute", task).ok()
    wait_until(lambda: b"begun" in folder.log_of(task), "the script")
    folder.kill_scheduler()
    lose(folder)
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
        assert (fate["state"], len(fate["attempts"])) == ("succeeded", 1), fate
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
