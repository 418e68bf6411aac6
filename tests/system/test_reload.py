"""Another registry while the scheduler runs, by the real command."""

import sqlite3
from contextlib import closing

import pytest

from tests.system.data_folder import UNTIL_LET_GO, DataFolder, Window, wait_until

YEARLY = "0 0 1 1 *"
LOAD = f'<job name="load" script="job.py" schedule="{YEARLY}"/>'
REPORT = f'<job name="report" script="job.py" schedule="{YEARLY}" depends_on="load"/>'


@pytest.fixture
def running(folder: DataFolder) -> DataFolder:
    """Return a folder whose scheduler runs `load` and `report`."""
    folder.write_script("job.py", UNTIL_LET_GO)
    folder.write_jobs(LOAD + REPORT)
    folder.start()
    return folder


def kept(folder: DataFolder) -> bytes:
    """Return the registry that the database keeps."""
    with closing(sqlite3.connect(folder.database)) as database:
        (data,) = database.execute("SELECT data FROM registry_source").fetchone()
    return bytes(data)


def names(folder: DataFolder) -> list[str]:
    """Return the routines of the registry in force."""
    return [routine["name"] for routine in folder.ask("list")["routines"]]


def test_a_reload_shows_what_changes_and_adopts_it(running: DataFolder) -> None:
    running.write_jobs(
        LOAD.replace(YEARLY, "0 0 1 2 *") + REPORT + '<job name="new" script="job.py"/>'
    )
    out = running.run("reload").ok().out
    assert f"changed   load    schedule: {YEARLY} → 0 0 1 2 *" in out
    assert "added     new     by hand only" in out
    assert "re-bound  report  waits for other tasks than before" in out
    assert "registry reloaded: 3 routines, 1 added, 1 changed, 1 re-bound" in out
    assert names(running) == ["load", "report", "new"]
    assert b'name="new"' in kept(running)


def test_a_routine_that_was_removed_before_it_ever_ran_is_not_offered_to_be_run(
    running: DataFolder,
) -> None:
    running.write_jobs(LOAD)
    running.run("reload").ok()
    said = "routine 'report' has left the registry, and has never run"
    assert running.run("why", "report").mistake() == said


def test_a_reload_without_a_change_says_so(running: DataFolder) -> None:
    assert running.run("reload").ok().out == "the registry's files have not changed\n"


def test_an_invalid_file_is_refused_whole_with_all_its_problems(running: DataFolder) -> None:
    before = kept(running)
    running.write_jobs(LOAD + '<job name="a b/c" script="job.py"/><job name="x" scrpt="job.py"/>')
    refused = running.run("reload")
    assert refused.code == 2 and refused.out == ""
    assert refused.err.count("registry.xml:2") >= 2
    assert not refused.err.startswith("scheduler:")
    assert names(running) == ["load", "report"]
    assert kept(running) == before


def test_a_missing_script_is_refused(running: DataFolder) -> None:
    running.write_jobs(LOAD + REPORT + '<job name="new" script="gone.py"/>')
    refused = running.run("reload")
    assert refused.code == 2 and "there is no script" in refused.err
    assert names(running) == ["load", "report"]


def test_a_running_task_ends_as_it_began(running: DataFolder) -> None:
    task = running.execute("load")
    running.wait_for(task, "running")
    running.write_jobs(LOAD.replace('name="load"', 'name="other"'))
    out = running.run("reload").ok().out
    assert "removed  load    1 task running: not touched" in out
    running.let_go()
    assert running.wait_for(task)["state"] == "succeeded"


def test_a_reload_never_runs_the_past(folder: DataFolder) -> None:
    folder.write_script("job.py", "print('ran')")
    folder.write_jobs(LOAD)
    folder.start()
    folder.write_jobs('<job name="load" script="job.py" schedule="* * * * *" backlog="all"/>')
    out = folder.run("reload").ok().out
    assert "every minute, first in" in out
    assert folder.ask("history", routine="load")["fates"] == []


def test_a_change_between_the_look_and_the_reload_is_refused(running: DataFolder) -> None:
    from scheduler.errors import SchedulerError
    from scheduler.service.client import Client

    running.write_jobs(LOAD)
    revision = running.ask("reload")["revision"]
    running.write_jobs(LOAD + REPORT.replace("report", "other"))
    with pytest.raises(SchedulerError, match="have changed since they were shown"):
        Client(running.live()).post("reload", revision=revision)
    assert names(running) == ["load", "report"]


def test_on_a_terminal_it_asks_first(running: DataFolder) -> None:
    running.write_jobs(LOAD)
    for answer, adopted in (("n", ["load", "report"]), ("y", ["load"])):
        window = Window(("reload",), running.environment, running.elsewhere)
        running.windows.append(window)
        window.read_until("Adopt this registry? [y/N]")
        window.type(f"{answer}\n")
        assert window.end() == (0 if answer == "y" else 1)
        assert names(running) == adopted


def test_what_was_reloaded_is_what_the_next_start_compares_with(running: DataFolder) -> None:
    running.write_jobs(LOAD + REPORT + '<job name="new" script="job.py"/>')
    running.run("reload").ok()
    running.stop()
    (running.path / "registry.xml").write_text("<registry")
    assert "CANNOT BE LOADED" in running.start()
    assert names(running) == ["load", "report", "new"]


def test_by_config_it_reloads_by_itself(folder: DataFolder) -> None:
    folder.write_config("reload = on_change")
    folder.write_script("job.py", "print('ran')")
    folder.write_jobs('<include file="more.xml"/>')
    (folder.path / "more.xml").write_text(f"<registry>{LOAD}</registry>")
    folder.start()
    (folder.path / "more.xml").write_text(f"<registry>{LOAD}{REPORT}</registry>")
    wait_until(lambda: names(folder) == ["load", "report"], "the reload")

    # What cannot be loaded is said, and changes nothing; as an editor writes: a new file moved in.
    (folder.path / "more.new").write_text(f"<registry>{REPORT}</registry>")
    (folder.path / "more.new").replace(folder.path / "more.xml")
    wait_until(lambda: notices(folder), "the complaint")
    assert "cannot be loaded" in notices(folder)[0]
    assert names(folder) == ["load", "report"]

    (folder.path / "more.xml").write_text(f"<registry>{LOAD}</registry>")
    wait_until(lambda: names(folder) == ["load"], "the reload")
    assert notices(folder) == []
    folder.stop()


def notices(folder: DataFolder) -> list[str]:
    """Return what status warns of."""
    return [str(one) for one in folder.ask("status")["scheduler"]["notices"]]
