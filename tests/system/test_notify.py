"""Being told of incidents, and the grid: with the real command and real scripts."""

import json
import sqlite3
import sys
from contextlib import closing
from typing import Any

import pytest

from tests.system.data_folder import UNTIL_LET_GO, DataFolder, Window, wait_until

#: Appends what it is told, as a line; fails while there is a file of that name.
TELL = """\
import json, os, pathlib, sys
message = json.load(sys.stdin)
with open("told", "a") as file:
    file.write(json.dumps({**message, "name": os.environ["SCHEDULER_NAME"]}) + "\\n")
if pathlib.Path("no_route").exists():
    sys.exit("no route to host")
print("told", message["routine"], *sys.argv[1:])
"""
LOAD = """\
import pathlib
print("loading", flush=True)
if not pathlib.Path("good").exists():
    raise ValueError("no such table")
"""
JOBS = """
<job name="load" script="load.py"/>
<job name="other" script="other.py"/>
<job name="slow" script="slow.py" due_by="+1s"/>
"""


@pytest.fixture
def told_folder(folder: DataFolder) -> DataFolder:
    """Return a folder with a routine that fails, one that is slow, and somebody to tell."""
    folder.write_script("tell.py", TELL)
    folder.write_script("load.py", LOAD)
    folder.write_script("other.py", LOAD)
    folder.write_script("slow.py", UNTIL_LET_GO)
    folder.write_jobs(JOBS)
    folder.write_config(f'[notify]\ncommand = "{sys.executable}" tell.py "the night shift"')
    return folder


def told(folder: DataFolder) -> list[Any]:
    file = folder.path / "told"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def note(folder: DataFolder) -> str:
    """Return what the scheduler keeps of incidents."""
    with closing(sqlite3.connect(folder.database)) as database:
        row = database.execute("SELECT value FROM note WHERE key = 'incidents'").fetchone()
    return "" if row is None else str(row[0])


def wait_for(folder: DataFolder, *events: str) -> list[Any]:
    """Return what was told once it is these events."""
    wait_until(lambda: len(told(folder)) >= len(events), f"{events} to be told")
    assert [f"{one['event']} {one['kind']} {one['routine']}" for one in told(folder)] == [*events]
    return told(folder)


def test_a_failure_is_told_once_whatever_happens_and_once_when_it_is_over(
    told_folder: DataFolder,
) -> None:
    told_folder.start()
    task = told_folder.executed("load")["task"]
    (first,) = wait_for(told_folder, "began failed load")
    assert (first["task"], first["name"], first["scheduler"]) == (task, "night", "night")
    assert first["last_lines"][0] == "loading"
    assert first["last_lines"][-1] == "ValueError: no such table" == first["reason"][-25:]

    told_folder.stop()
    told_folder.start()
    told_folder.executed("other")
    wait_for(told_folder, "began failed load", "began failed other")
    # Killed while the command runs, it would not know whether that has told anybody.
    wait_until(lambda: '"other"' in note(told_folder), "the note that it was told")
    told_folder.kill_scheduler()
    told_folder.start()

    told_folder.write_script("good", "")
    told_folder.executed(task)
    events = ("began failed load", "began failed other", "ended failed load")
    last = wait_for(told_folder, *events)[-1]
    assert last["outcome"] == f"{task} succeeded"


def test_what_failed_while_nobody_could_tell_is_told_at_the_start(
    told_folder: DataFolder,
) -> None:
    config = told_folder.config.read_text()
    told_folder.write_config()
    told_folder.start()
    told_folder.executed("load")
    told_folder.stop()
    told_folder.config.write_text(config)
    told_folder.start()
    wait_for(told_folder, "began failed load")


def test_a_task_that_is_overdue_is_told_while_it_runs(told_folder: DataFolder) -> None:
    told_folder.start()
    task = told_folder.execute("slow")
    (first,) = wait_for(told_folder, "began overdue slow")
    assert first["due_by"][0]["task"] == task and first["due_by"][0]["is_broken"]
    told_folder.let_go()
    wait_for(told_folder, "began overdue slow", "ended overdue slow")


def test_a_command_that_fails_is_a_warning_in_status(told_folder: DataFolder) -> None:
    told_folder.write_script("no_route", "")
    told_folder.start()
    told_folder.executed("load")

    def notices() -> list[str]:
        found: list[str] = told_folder.ask("status")["scheduler"]["notices"]
        return found

    wait_until(notices, "the warning")
    assert "the notify command failed" in notices()[0] and "no route to host" in notices()[0]
    assert "warning: the notify command failed" in told_folder.run("status").ok().out


def test_a_test_is_told_without_a_scheduler(told_folder: DataFolder) -> None:
    words = ("notify", "--test", "--config_file", str(told_folder.config))
    done = told_folder.run(*words).ok()
    assert "has been told (exit code 0)" in done.out
    assert "  told sample the night shift" in done.out
    assert told(told_folder)[0]["is_test"] is True
    told_folder.write_script("no_route", "")
    done = told_folder.run(*words, "--json")
    assert (done.code, done.json["code"], done.json["output"]) == (1, 1, "no route to host")
    told_folder.write_config()
    assert "nobody is told of incidents" in told_folder.run(*words).mistake()


# -- the grid ----------------------------------------------------------------------------------


def test_the_grid_shows_failures_first_also_of_a_scheduler_that_is_down(
    told_folder: DataFolder,
) -> None:
    told_folder.start()
    told_folder.write_script("good", "")
    told_folder.executed("load")
    (told_folder.path / "good").unlink()
    told_folder.executed("other")
    told_folder.stop()
    rows = told_folder.run("status", "--grid", "--json").ok().json["rows"]
    assert [row["routine"] for row in rows] == ["other", "load", "slow"]
    assert rows[0]["last"]["state"] == "failed"
    shown = told_folder.run("status", "--grid", "--by", "1h").ok().out
    assert "is not running" in shown and "F failed" in shown
    page = told_folder.elsewhere / "grid.html"
    told_folder.run("status", "--grid", "--html", "grid.html").ok()
    assert "ValueError: no such table" in page.read_text(encoding="utf-8")


def test_watching_goes_on_until_ctrl_c_and_ends_cleanly(told_folder: DataFolder) -> None:
    told_folder.start()
    for words in (("status", "--watch"), ("status", "--grid", "--watch")):
        window = Window(words, told_folder.environment, told_folder.elsewhere)
        told_folder.windows.append(window)
        window.read_until("is running")
        window.text = ""
        window.read_until("is running")  # drawn once more
        window.press_ctrl_c()
        assert window.end() == 0
        assert "Traceback" not in window.text
        assert window.text.count("\x1b[?1049l") == 1
