"""What may happen to a data folder while its scheduler runs: said, survived, nothing lost."""

import shutil
import sqlite3
import subprocess
from contextlib import closing

import pytest

from tests.system.data_folder import PROGRAM, DataFolder


@pytest.fixture
def live(folder: DataFolder) -> DataFolder:
    """Return a folder whose scheduler runs."""
    folder.write_jobs('<job name="job" script="job.py"/>')
    folder.write_script("job.py", "print('ran')")
    folder.start()
    return folder


def test_a_database_that_another_program_has_locked_is_waited_for(live: DataFolder) -> None:
    with closing(sqlite3.connect(live.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with subprocess.Popen(
            [*PROGRAM, "execute", "job", "--wait"],
            cwd=live.elsewhere,
            env=live.environment,
            stdout=subprocess.PIPE,
        ) as asked:
            # What only reads goes on meanwhile.
            assert "scheduler night is running" in live.run("status").ok().out
            assert asked.poll() is None
            other.execute("ROLLBACK")
            out, _ = asked.communicate(timeout=60)
    assert asked.returncode == 0 and out.endswith(b"ran\n")


def test_a_folder_of_logs_that_is_gone_is_made_anew(live: DataFolder) -> None:
    live.executed("job")
    shutil.rmtree(live.path / "logs")
    task = live.executed("job")["task"]
    assert live.log_of(task) == b"ran\n"


def test_a_log_that_is_gone_is_said_to_be(live: DataFolder) -> None:
    task = live.executed("job")["task"]
    shutil.rmtree(live.path / "logs" / "job")
    assert f"the log of {task}, attempt 1, is gone" in live.run("logs", task).mistake()


def test_a_log_that_cannot_be_written_fails_its_task_only(live: DataFolder) -> None:
    shutil.rmtree(live.path / "logs" / "job", ignore_errors=True)
    (live.path / "logs" / "job").write_text("in the way")
    fate = live.executed("job")
    assert fate["state"] == "failed" and "could not be opened" in fate["reason"]
    (live.path / "logs" / "job").unlink()
    assert live.executed("job")["state"] == "succeeded"


def test_the_database_can_be_read_by_anyone_while_it_runs(live: DataFolder) -> None:
    live.executed("job")
    with closing(sqlite3.connect(f"file:{live.database}?mode=ro", uri=True)) as reader:
        assert reader.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        [(state,)] = reader.execute("SELECT state FROM task").fetchall()
    assert state == "succeeded"


def test_a_registry_that_is_edited_counts_from_the_next_start(live: DataFolder) -> None:
    live.write_jobs('<job name="other" script="job.py"/>')
    assert live.executed("job")["state"] == "succeeded"
    live.stop()
    live.start()
    assert live.executed("other")["state"] == "succeeded"
    assert "'job'" in live.run("execute", "job").mistake()
    # What it did is still there to be read.
    assert live.run("history", "job", "--json").ok().json["fates"][0]["state"] == "succeeded"
    assert live.run("logs", "job").ok().out == "ran\n"
