"""A database full, locked, damaged, gone or replaced: said, survived, and nothing is lost."""

import os
import shlex
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.system.data_folder import (
    PROGRAM,
    UNTIL_LET_GO,
    DataFolder,
    is_alive,
    wait_until,
)

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")


def prepared(folder: DataFolder) -> DataFolder:
    """Return the folder with a routine that leaves a file, and one that goes on."""
    folder.write_jobs('<job name="job" script="job.py"/><job name="slow" script="slow.py"/>')
    folder.write_script("job.py", "print('ran'); open('ran', 'a').write('x')")
    folder.write_script("slow.py", UNTIL_LET_GO)
    return folder


@pytest.fixture
def live(folder: DataFolder) -> DataFolder:
    """Return a folder whose scheduler runs."""
    prepared(folder).start()
    return folder


def notices(folder: DataFolder) -> str:
    """Return what its user must know first, as status says it."""
    return "\n".join(folder.ask("status")["scheduler"]["notices"])


def own_log(folder: DataFolder) -> str:
    """Return the scheduler's own log."""
    return (folder.path / "logs" / f"~scheduler.{folder.name}.log").read_text()


@contextmanager
def asked(folder: DataFolder, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a command that takes its time."""
    with subprocess.Popen(
        [*PROGRAM, *words],
        cwd=folder.elsewhere,
        env=folder.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        yield process


@contextmanager
def locked(folder: DataFolder) -> Iterator[sqlite3.Connection]:
    """Hold the database locked, as an open database tool may."""
    with closing(sqlite3.connect(folder.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other


# -- locked by a stranger ------------------------------------------------------------------------


def test_a_lock_that_lasts_is_said_and_nothing_starts_until_it_ends(live: DataFolder) -> None:
    with locked(live) as other, asked(live, "execute", "job", "--wait") as execute:
        wait_until(lambda: "NOTHING STARTS" in notices(live), "the notice")
        assert "another program holds it locked" in notices(live)
        assert "NOTHING STARTS since" in live.run("status").ok().out
        assert "nothing starts until it can be written" in own_log(live)
        assert not (live.path / "ran").exists() and execute.poll() is None
        other.execute("ROLLBACK")
        out, _ = execute.communicate(timeout=60)
    assert execute.returncode == 0 and b"\nran\n" in out
    assert notices(live) == ""
    assert "the database can be written again" in own_log(live)
    assert own_log(live).count("nothing starts until") == 1, "said once, not each second"
    assert (live.path / "ran").read_text() == "x"


def test_what_ends_during_a_lock_is_recorded_after_it(live: DataFolder) -> None:
    task = live.execute("slow")
    live.wait_for(task, "running")
    with locked(live) as other:
        live.let_go()
        wait_until(lambda: "NOTHING STARTS" in notices(live), "the notice")
        assert live.state(task) == "running"
        other.execute("ROLLBACK")
        assert live.wait_for(task)["state"] == "succeeded"


def test_a_polite_stop_waits_for_the_lock_to_end(live: DataFolder) -> None:
    with locked(live) as other, asked(live, "execute", "job") as execute:
        wait_until(lambda: "NOTHING STARTS" in notices(live), "the notice")
        with asked(live, "stop") as stop:
            assert stop.stdout is not None
            told = stop.stdout.readline().decode()
            assert "holds it locked" in told and "stop --now ends it at once" in told
            assert stop.poll() is None
            other.execute("ROLLBACK")
            assert b"has ended" in stop.communicate(timeout=60)[0]
        execute.communicate(timeout=60)
    live.start()
    assert live.executed("job")["state"] == "succeeded"


def test_a_stop_at_once_does_not_wait_for_the_lock(live: DataFolder) -> None:
    task = live.execute("slow")
    live.wait_for(task, "running")
    with locked(live), asked(live, "execute", "job") as execute:
        wait_until(lambda: "NOTHING STARTS" in notices(live), "the notice")
        assert "without a record" in live.stop("--now")
        execute.communicate(timeout=60)
        assert execute.returncode == 2
        wait_until(live.is_quiet, "all to end")
    assert task in live.start()
    assert live.wait_for(task)["state"] == "failed"
    assert not (live.path / "ran").exists()


def test_a_second_ctrl_c_does_not_wait_for_the_lock(folder: DataFolder) -> None:
    window = prepared(folder).open_window()
    window.read_until("Ctrl-C stops it")
    with locked(folder), asked(folder, "execute", "job"):
        wait_until(lambda: "NOTHING STARTS" in notices(folder), "the notice")
        window.press_ctrl_c()
        window.read_until("stop waits for the database")
        window.press_ctrl_c()
        assert window.end() == 2
    assert "without a record" in window.text and "Traceback" not in window.text


def test_sigterm_waits_no_longer_than_it_does_for_what_runs(folder: DataFolder) -> None:
    folder.write_config("stop_timeout = 1s")
    prepared(folder).start()
    with locked(folder), asked(folder, "execute", "job"):
        wait_until(lambda: "NOTHING STARTS" in notices(folder), "the notice")
        os.kill(folder.pid(), signal.SIGTERM)
        wait_until(lambda: not [one for one in folder.processes() if is_alive(one)], "the end")


def test_a_start_over_a_locked_database_says_so(folder: DataFolder) -> None:
    prepared(folder).start()
    folder.stop()
    with locked(folder):
        refused = folder.run(*folder.start_words("--daemon")).mistake()
    assert "another program holds it locked" in refused


# -- a full disk, or one that is only for reading ------------------------------------------------


@pytest.fixture
def small(folder: DataFolder) -> Iterator[Path]:
    """Return a disk of two megabytes with the database on it."""
    disk = folder.path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("nothing can be mounted here")
    folder.write_config(head=f"database = {disk / 'scheduler.db'}")
    prepared(folder)
    try:
        yield disk
    finally:
        folder.close()
        subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Take all the room that is left on a disk, and return the file that does."""
    filler = disk / "filler"
    with open(filler, "ab", buffering=0) as file:
        for size in (65536, 512, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue
    return filler


@as_root
def test_on_a_full_disk_nothing_starts_and_all_goes_on_once_there_is_room(
    folder: DataFolder, small: Path
) -> None:
    folder.start()
    before = folder.executed("job")["task"]
    filler = fill(small)
    with asked(folder, "backup") as backup:
        assert b"no room left on the disk" in backup.communicate(timeout=60)[0]
    assert not list(small.glob("*.part")) and not list(small.glob("*.backup"))
    tasks: list[str] = []
    with asked(folder, "execute", "job", "--arguments", "x" * 9000, "--json") as execute:
        wait_until(lambda: "NOTHING STARTS" in notices(folder), "the notice")
        assert "there is no room left on the disk" in notices(folder)
        assert (folder.path / "ran").read_text() == "x"
        assert folder.state(before) == "succeeded"
        filler.unlink()
        tasks = json_of(execute)["tasks"]
    assert folder.wait_for(tasks[0])["state"] == "succeeded"
    assert (folder.path / "ran").read_text() == "xx"
    assert notices(folder) == ""
    assert len(folder.fate(before)["attempts"]) == 1


def json_of(process: "subprocess.Popen[bytes]") -> Any:
    """Return what a command printed in the end, as data."""
    import json

    return json.loads(process.communicate(timeout=60)[0])


@as_root
def test_a_start_on_a_full_disk_ends_with_the_reason(folder: DataFolder, small: Path) -> None:
    filler = fill(small)
    for _ in range(2):
        refused = folder.run(*folder.start_words("--daemon")).mistake()
        assert "room left" in refused or "No space left" in refused or "disk" in refused
        assert folder.is_quiet()
    filler.unlink()
    folder.start()
    assert folder.executed("job")["state"] == "succeeded"


@as_root
def test_a_folder_that_is_only_for_reading_is_said_at_the_start(
    folder: DataFolder, small: Path
) -> None:
    folder.start()
    task = folder.executed("job")["task"]
    folder.stop()
    subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
    refused = folder.run(*folder.start_words("--daemon")).mistake()
    assert "cannot be written" in refused and "Read-only" in refused
    # What it knows can be read all the same.
    assert task in folder.run("history").ok().out
    subprocess.run(["mount", "-o", "remount,rw", str(small)], check=True)
    folder.start()
    assert folder.state(task) == "succeeded"


# -- damaged, or gone at the start ---------------------------------------------------------------


@pytest.fixture
def damaged(live: DataFolder) -> DataFolder:
    """Return a folder with a backup, whose database was damaged since."""
    live.executed("job")
    live.run("backup").ok()
    live.stop()
    content = bytearray(live.database.read_bytes())
    content[4096:20480] = b"\x5a" * 16384
    live.database.write_bytes(content)
    return live


def test_a_damaged_database_is_said_with_the_command_that_goes_back(damaged: DataFolder) -> None:
    refused = damaged.run(*damaged.start_words("--daemon")).mistake()
    assert "this database is damaged" in refused
    said = damaged.run("status").mistake()
    for told in (refused, said):
        command = told.partition("while no scheduler runs: ")[2]
        assert command.startswith("scheduler backup --restore")
    damaged.run(*shlex.split(command)[1:]).ok()
    assert "IS GONE" not in damaged.start()
    assert len(damaged.run("history", "job", "--json").ok().json["fates"]) == 1
    assert damaged.executed("job")["state"] == "succeeded"


def test_a_damaged_database_without_a_backup_is_refused_too(damaged: DataFolder) -> None:
    for backup in damaged.path.glob("*.backup"):
        backup.unlink()
    before = damaged.database.read_bytes()
    refused = damaged.run(*damaged.start_words("--daemon")).mistake()
    assert "there is no backup beside it" in refused
    assert damaged.database.read_bytes() == before


def test_an_empty_database_is_never_begun_in_silence_where_there_was_one(
    damaged: DataFolder,
) -> None:
    damaged.database.unlink()
    assert "IS GONE" in damaged.run("status").ok().out
    told = damaged.start()
    assert f"{damaged.database} IS GONE: scheduler 'night' ran with it before" in told
    assert "scheduler backup --restore" in told
    assert "IS GONE" in notices(damaged) and "IS GONE" in damaged.run("status").ok().out
    assert "IS GONE" in own_log(damaged)
    # With the backup in its place nothing is missing any more.
    command = told.partition("while no scheduler runs: ")[2].partition(")")[0]
    damaged.stop()
    damaged.run(*shlex.split(command)[1:]).ok()
    assert "IS GONE" not in damaged.start()
    assert "IS GONE" not in notices(damaged)
    assert len(damaged.run("history", "job", "--json").ok().json["fates"]) == 1


@pytest.mark.parametrize("left", ["known", "log"])
def test_any_trace_of_an_earlier_run_is_enough_for_a_warning(live: DataFolder, left: str) -> None:
    live.stop()
    live.database.unlink()
    if left == "known":
        shutil.rmtree(live.path / "logs")
    else:
        (live.home / "instance" / "night.known").unlink()
    told = live.start()
    assert "IS GONE" in told and "there is no backup beside it" in told


def test_a_new_folder_is_begun_without_a_warning(folder: DataFolder) -> None:
    assert "GONE" not in prepared(folder).start()
    folder.stop()
    assert "GONE" not in folder.start()
    # Nor has another database of the same scheduler been lost.
    folder.stop()
    shutil.rmtree(folder.path / "logs")
    folder.write_config(head="database = other/new.db")
    assert "GONE" not in folder.start()


@pytest.mark.parametrize("left", ["nothing", "an empty file"])
def test_a_log_without_its_database_is_not_thrown_away(live: DataFolder, left: str) -> None:
    task = live.executed("job")["task"]
    live.kill_scheduler()
    away = live.path / "away.db"
    live.database.rename(away)
    if left != "nothing":
        live.database.touch()
    refused = live.run(*live.start_words("--daemon")).mistake()
    assert "this database is gone or empty" in refused and "scheduler.db-wal" in refused
    assert Path(f"{live.database}-wal").stat().st_size
    away.rename(live.database)
    live.start()
    assert live.state(task) == "succeeded"


def test_a_clean_end_leaves_a_database_that_is_whole_by_itself(live: DataFolder) -> None:
    live.executed("job")
    live.stop()
    assert not Path(f"{live.database}-wal").exists()


# -- deleted or replaced while it runs -----------------------------------------------------------


@pytest.mark.parametrize("what", ["database", "all", "replaced"])
def test_a_database_gone_while_it_runs_is_put_back(live: DataFolder, what: str) -> None:
    before = live.executed("job")["task"]
    if what == "replaced":
        stranger = live.path / "stranger"
        stranger.write_text("of value")
        stranger.replace(live.database)
    else:
        for ending in ("",) if what == "database" else ("", "-wal", "-shm"):
            Path(f"{live.database}{ending}").unlink()
    after = live.run("execute", "job", "--json").ok().json["tasks"][0]
    assert live.wait_for(after)["state"] == "succeeded"
    assert live.state(before) == "succeeded"
    assert "was deleted or replaced while it was in use: it is back" in own_log(live)
    assert live.run("backup").ok()
    live.stop()
    live.start()
    assert [live.state(task) for task in (before, after)] == ["succeeded"] * 2
    kept = live.path / "scheduler.db.replaced"
    assert kept.exists() == (what == "replaced")
    if kept.exists():
        assert kept.read_text() == "of value"


def test_a_folder_moved_away_and_back_loses_nothing(live: DataFolder) -> None:
    task = live.execute("slow")
    live.wait_for(task, "running")
    away = live.path.with_name("away")
    live.path.rename(away)
    (away / "go").touch()
    wait_until(lambda: "NOTHING STARTS" in notices(live), "the notice")
    away.rename(live.path)
    assert live.wait_for(task)["state"] == "succeeded"


# -- a newer schema ------------------------------------------------------------------------------


def test_a_start_with_a_database_of_the_first_version_says_what_it_kept(folder: DataFolder) -> None:
    dump = Path(__file__).parents[1] / "service" / "schemas" / "1.sql"
    with closing(sqlite3.connect(folder.database)) as database:
        database.executescript(dump.read_text())
    told = prepared(folder).start()
    kept = folder.path / "scheduler.db.schema-1.backup"
    assert "warning: the database was brought from schema 1 to " in told and str(kept) in told
    assert "schema 1" in own_log(folder) and "schema 1" in notices(folder)
    fates = folder.run("history", "load", "--json").ok().json["fates"]
    assert {fate["state"] for fate in fates} >= {"succeeded"}
    folder.stop()
    assert "schema" not in folder.start()
