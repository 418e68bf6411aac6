"""Every way to end a scheduler, and what becomes of what runs."""

import signal
import sqlite3
import subprocess
from contextlib import closing
from typing import Any

import pytest

from tests.system.data_folder import PROGRAM, UNTIL_LET_GO, DataFolder, Window, wait_until

pytestmark = pytest.mark.usefixtures("slow")

DEAF = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"


@pytest.fixture
def slow(folder: DataFolder) -> DataFolder:
    """Return a folder with a routine that runs until it is let go."""
    folder.write_jobs('<job name="slow" script="slow.py" grace="1s"/>')
    folder.write_script("slow.py", UNTIL_LET_GO)
    return folder


def fate_of(folder: DataFolder, task: str) -> Any:
    """Return the record of a task after the scheduler has ended."""
    return folder.run("history", task, "--json").ok().json["fates"][0]


def running_in(folder: DataFolder, window: Window | None = None) -> str:
    """Return a task that runs in the folder's scheduler, once it does."""
    if window is not None:
        window.read_until("Ctrl-C stops it")
    task = folder.execute("slow")
    folder.wait_for(task, "running")
    wait_until(lambda: b"begun" in folder.log_of(task), "the script")
    return task


def is_stopping(folder: DataFolder) -> bool:
    """Return whether the live scheduler has been asked to stop."""
    return bool(folder.ask("ping")["is_stopping"])


def test_stop_waits_for_what_runs_and_starts_nothing_more(folder: DataFolder) -> None:
    folder.start()
    task = running_in(folder)
    with subprocess.Popen(
        [*PROGRAM, "stop"], env=folder.environment, cwd=folder.elsewhere, stdout=subprocess.PIPE
    ) as stop:
        wait_until(lambda: is_stopping(folder), "the scheduler to stop")
        assert "stopping" in folder.run("execute", "slow").mistake()
        assert "stop" in folder.run("status").ok().out
        assert stop.poll() is None
        folder.let_go()
        out, _ = stop.communicate(timeout=60)
    assert f"waits for what is running: {task}" in out.decode()
    assert fate_of(folder, task)["state"] == "succeeded"


def test_stop_now_kills_what_runs_and_the_next_start_lists_it(folder: DataFolder) -> None:
    folder.start()
    task = running_in(folder)
    assert f"kills what is running: {task}" in folder.stop("--now")
    wait_until(folder.is_quiet)
    fate = fate_of(folder, task)
    assert (fate["state"], fate["reason"]) == ("failed", "stopped")
    told = folder.start()
    assert task in told and f"scheduler execute {task}" in told


def test_ctrl_c_waits_and_a_second_one_kills(folder: DataFolder) -> None:
    window = folder.open_window()
    task = running_in(folder, window)
    window.press_ctrl_c()
    wait_until(lambda: is_stopping(folder), "the scheduler to stop")
    assert folder.state(task) == "running"
    window.press_ctrl_c()
    assert window.end() == 0
    assert "Traceback" not in window.text
    assert fate_of(folder, task)["reason"] == "stopped"


def test_ctrl_c_does_not_reach_the_scripts(folder: DataFolder) -> None:
    window = folder.open_window()
    task = running_in(folder, window)
    window.press_ctrl_c()
    wait_until(lambda: is_stopping(folder), "the scheduler to stop")
    folder.let_go()
    assert window.end() == 0
    assert fate_of(folder, task)["state"] == "succeeded"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_waits_for_what_runs(folder: DataFolder, number: signal.Signals) -> None:
    window = folder.open_window()
    task = running_in(folder, window)
    window.signal(number)
    wait_until(lambda: is_stopping(folder), "the scheduler to stop")
    folder.let_go()
    assert window.end() == 0
    assert fate_of(folder, task)["state"] == "succeeded"


def test_after_stop_timeout_a_signal_kills_what_runs(folder: DataFolder) -> None:
    folder.write_config("stop_timeout = 1s")
    window = folder.open_window()
    task = running_in(folder, window)
    window.signal(signal.SIGTERM)
    assert window.end() == 0
    fate = fate_of(folder, task)
    assert (fate["state"], fate["reason"]) == ("failed", "stopped")


def test_a_terminal_that_closes_ends_the_scheduler_well(folder: DataFolder) -> None:
    window = folder.open_window()
    task = running_in(folder, window)
    window.hang_up()
    wait_until(lambda: is_stopping(folder), "the scheduler to stop")
    folder.let_go()
    assert window.process.wait(60) == 0
    assert fate_of(folder, task)["state"] == "succeeded"


def test_stop_now_kills_a_script_that_is_deaf_to_politeness(folder: DataFolder) -> None:
    folder.write_script("slow.py", DEAF + UNTIL_LET_GO)
    folder.start()
    task = running_in(folder)
    folder.stop("--now")
    wait_until(folder.is_quiet)
    assert fate_of(folder, task)["reason"] == "stopped"


def test_a_daemon_outlives_the_window_that_started_it(folder: DataFolder) -> None:
    window = folder.open_window("--daemon")
    assert window.end() == 0
    window.hang_up()
    assert "scheduler night is running" in folder.run("status").ok().out
    folder.stop()


def test_what_waits_stays_as_it_is_across_a_stop(folder: DataFolder) -> None:
    folder.write_config("max_running = 1")
    folder.write_jobs('<job name="slow" script="slow.py"/><job name="next" script="slow.py"/>')
    folder.start()
    running_in(folder)
    waits = folder.execute("next")
    folder.wait_for(waits, "ready")
    folder.stop("--now")
    with closing(sqlite3.connect(folder.database)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    folder.let_go()
    assert waits in folder.start()
    assert folder.wait_for(waits)["state"] == "succeeded"


def test_fresh_skips_what_was_left(folder: DataFolder) -> None:
    folder.write_config("max_running = 1")
    folder.write_jobs('<job name="slow" script="slow.py"/><job name="next" script="slow.py"/>')
    folder.start()
    running_in(folder)
    waits = folder.execute("next")
    folder.stop("--now")
    folder.start("--fresh")
    fate = folder.fate(waits)
    assert (fate["state"], fate["reason"]) == ("skipped", "fresh start")


def test_stop_detach_leaves_running_what_runs_for_the_next_start(folder: DataFolder) -> None:
    folder.start()
    task = running_in(folder)
    told = folder.run("stop", "--detach").ok().out
    assert f"the scheduler ends, and leaves running: {task}" in told
    assert fate_of(folder, task)["state"] == "running"
    assert "begun" in folder.run("logs", task).ok().out
    assert f"{task} still runs, as the last scheduler left it" in folder.start()
    folder.let_go()
    fate = folder.wait_for(task)
    assert (fate["state"], len(fate["attempts"])) == ("succeeded", 1)


def test_stop_takes_one_way_to_end_at_a_time(folder: DataFolder) -> None:
    folder.start()
    assert "not allowed with" in folder.run("stop", "--now", "--detach").mistake()
