"""`backup`: copies of the state while a scheduler writes, and going back to one."""

import shlex
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from scheduler.service.client import Client
from tests.system.data_folder import UNTIL_LET_GO, DataFolder


@pytest.fixture
def live(folder: DataFolder) -> DataFolder:
    """Return a folder whose scheduler runs."""
    folder.write_jobs('<job name="job" script="job.py"/><job name="slow" script="slow.py"/>')
    folder.write_script("job.py", "print('ran')")
    folder.write_script("slow.py", UNTIL_LET_GO)
    folder.start()
    return folder


def tasks_in(database: Path) -> set[str]:
    """Return the tasks in a database, as anyone may read them."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as opened:
        assert opened.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        found = opened.execute("SELECT routine, instant FROM tasks").fetchall()
    return {f"{routine}.{instant.rstrip('Z')}" for routine, instant in found}


def typed(told: str) -> list[str]:
    """Return the words of the command that a backup offers."""
    (command,) = [line for line in told.splitlines() if "--restore" in line]
    words = shlex.split(command)
    assert words.pop(0) == "scheduler"
    return words


def test_a_backup_is_made_while_the_scheduler_writes(live: DataFolder) -> None:
    done = live.executed("job")["task"]
    client, asked, enough = Client(live.live()), list[str](), threading.Event()

    def write() -> None:
        while not enough.is_set():
            answer = client.post("execute", routine="job")
            assert isinstance(answer, dict)
            asked.extend(answer["tasks"])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        made: list[Path] = []
        known: list[set[str]] = []
        for _ in range(3):
            known.append(set(asked))
            answer = live.run("backup", "--json").ok().json
            made.append(Path(answer["backup"]))
            assert answer["size"] == made[-1].stat().st_size
            assert answer["database"] == str(live.database)
    finally:
        enough.set()
        writer.join()
    assert len(set(made)) == 3 and len(asked) > 3
    for before, copy in zip(known, made, strict=True):
        assert {done} | before <= tasks_in(copy) <= {done, *asked}
        assert copy.parent == live.path and copy.stat().st_mode & 0o777 == 0o600


def test_a_scheduler_goes_on_from_a_backup(live: DataFolder) -> None:
    before = live.executed("job")["task"]
    told = live.run("backup").ok().out
    assert f"{live.path}/scheduler.db." in told and "KB, checked" in told
    after = live.executed("job")["task"]
    # Not while it runs.
    refused = live.run(*typed(told)).mistake()
    assert f"scheduler night (pid {live.pid()}) is running: stop it first" in refused
    live.stop()

    back = live.run(*typed(told)).ok().out
    assert f"what was there before is kept as {live.database}.replaced" in back
    assert "start --fresh skips that" in back
    live.start()
    assert live.state(before) == "succeeded"
    assert live.state(after) == "none"
    assert live.executed("job")["state"] == "succeeded"
    assert after in tasks_in(Path(f"{live.database}.replaced"))


def test_a_backup_starts_in_another_folder_too(live: DataFolder, tmp_path: Path) -> None:
    task = live.executed("job")["task"]
    live.run("backup", str(tmp_path / "copy.db")).ok()
    live.stop()
    for file in live.path.iterdir():
        if file.name.startswith("scheduler.db"):
            file.unlink()
    (tmp_path / "copy.db").rename(live.database)
    assert "IS GONE" not in live.start()
    assert live.state(task) == "succeeded"


def test_what_ran_at_the_time_of_a_backup_is_not_started_twice(live: DataFolder) -> None:
    task = live.execute("slow")
    live.wait_for(task, "running")
    told = live.run("backup").ok().out
    live.let_go()
    assert live.wait_for(task)["state"] == "succeeded"
    live.stop()
    live.run(*typed(told)).ok()
    live.start()
    assert len(live.wait_for(task)["attempts"]) == 1
    assert live.log_of(task) == b"begun\n"


def test_a_backup_is_made_of_a_scheduler_that_is_down(live: DataFolder) -> None:
    task = live.executed("job")["task"]
    live.stop()
    for words in ((), ("--scheduler_name", "night"), ("--config_file", str(live.config))):
        made = live.run("backup", *words, "--json").ok().json
        assert task in tasks_in(Path(made["backup"]))
    live.start()
    live.kill_scheduler()
    assert "holds the state of night" in live.run("backup").ok().out


def test_a_target_is_a_new_file_or_a_folder(live: DataFolder) -> None:
    assert (
        live.run("backup", "mine.db", cwd=live.path).ok().out.startswith(str(live.path / "mine.db"))
    )
    assert "mine.db is there already" in live.run("backup", "mine.db", cwd=live.path).mistake()
    made = live.run("backup", str(live.elsewhere), "--json").ok().json["backup"]
    assert Path(made).parent == live.elsewhere and made.endswith("Z.backup")
    assert "there is no such folder" in live.run("backup", "no/such.db").mistake()


def test_without_a_state_there_is_nothing_to_back_up(folder: DataFolder) -> None:
    assert "no such database" in folder.run("backup", "--config_file", str(folder.config)).mistake()
    assert "no scheduler is running" in folder.run("backup").mistake()


def test_two_who_go_back_at_once_do_not_mix(live: DataFolder) -> None:
    live.executed("job")
    made = live.run("backup", "--json").ok().json
    live.stop()
    codes: list[int] = []

    def restore() -> None:
        codes.append(live.run(*made["restore"][1:]).code)

    threads = [threading.Thread(target=restore) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 in codes and set(codes) <= {0, 2}
    assert tasks_in(live.database) == tasks_in(Path(made["backup"]))
    live.start()
