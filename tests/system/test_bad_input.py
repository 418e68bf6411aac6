"""Bad input of every kind to every verb: one clear line, exit 2, and nothing has changed."""

import os
import re
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.system.data_folder import DataFolder, a_folder

JOBS = """
<job name="load" script="load.py" schedule="0 2 * * *" timezone="Europe/Paris"/>
<job name="report" script="load.py" schedule="30 2 * * *" timezone="Europe/Paris"
     depends_on="load"/>
<job name="byhand" script="load.py"/>
"""
TASK = "load.2026-10-01T02:00:00"
CONFIG = "{config}"  # stands for the folder's own


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataFolder]:
    """Return a folder whose scheduler runs and has run something."""
    with a_folder(tmp_path_factory.mktemp("bad")) as folder:
        folder.write_jobs(JOBS)
        folder.write_script("load.py", "")
        folder.start("--assume_done")
        folder.run("execute", TASK, "--wait")
        yield folder


def state_of(folder: DataFolder) -> Any:
    """Return all that is recorded, but for how far it has looked ahead."""
    with closing(sqlite3.connect(folder.database)) as database:
        names = database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name != 'planned'"
        ).fetchall()
        return {name: database.execute(f"SELECT * FROM {name}").fetchall() for (name,) in names}


# What is typed, and what the one line must say.
MISTAKES: list[tuple[str, str]] = [
    # No such verb, option or value.
    ("statsu", "there is no verb 'statsu' (did you mean 'status'?)"),
    ("--scheduler_name night status", "the verb comes first"),
    ("pause", "pause takes one of: a routine, --tag TAG, --all"),
    ("pause nowhere", "nowhere"),
    ("resume report", "is not paused"),
    ("init", "not yet supported"),
    ("backup nowhere/a.db", "there is no such folder"),
    ("backup --restore nowhere.backup", "is running: stop it first"),
    ("status --watch", "terminal"),
    ("status --rotuine_name load", "did you mean '--routine_name'?"),
    ("status --scheduler_name", "--scheduler_name: expected one argument"),
    ("start --mode porduction", "invalid choice: 'porduction'"),
    ("start --log_level LOUD", "invalid choice: 'LOUD'"),
    ("history --limit 0", "'0' is not a whole number from 1 to 10000"),
    ("history --limit many", "'many' is not a whole number"),
    ("logs load --attempt -1", "'-1' is not a whole number"),
    ("completion fish", "invalid choice: 'fish'"),
    ("status load report", "one word too many, 'report'"),
    ("stop load", "one word too many, 'load'"),
    ("status load --routine_name report", "name one task or routine"),
    # Names that nothing has.
    ("status laod", "did you mean 'load'?"),
    ("status --routine_name laod", "did you mean 'load'?"),
    ("list --tag nothing", "no routine has the tag 'nothing'"),
    ("plan laod", "did you mean 'load'?"),
    ("why laod", "did you mean 'load'?"),
    ("history laod", "did you mean 'load'?"),
    ("logs laod", "did you mean 'load'?"),
    ("run laod --config_file {config}", "did you mean 'load'?"),
    ("execute laod", "did you mean 'load'?"),
    ("execute laod.2026-10-01T02:00:00", "did you mean 'load'?"),
    ("cancel laod.2026-10-01T02:00:00", "did you mean 'load'?"),
    ("mark laod.2026-10-01T02:00:00 succeeded", "did you mean 'load'?"),
    ("mark laod --from 2026-10-01 --to 2026-10-02 --as skipped", "did you mean 'load'?"),
    ("status --scheduler_name day", "scheduler 'day' is not running"),
    ("stop --scheduler_name day", "scheduler 'day' is not running"),
    ("execute load --scheduler_name ../night", "cannot name a scheduler"),
    # Ids that are none, or name nothing.
    ("execute --task_name load", "'load' is not a task: write ROUTINE.INSTANT"),
    ("cancel load", "cancel takes a task"),
    ("cancel --task_name load.yesterday", "is not a task"),
    ("execute load.2026-10-01", "names a day: add the time"),
    ("execute load.2026-13-01T02:00:00", "there is no such date or time"),
    ("execute load.2026-10-01T02:00:01", "has no such instant; the nearest are"),
    ("execute byhand.2026-10-01T02:00:01", "runs by hand only"),
    ("cancel load.2026-10-01T03:00:00", "has no such instant"),
    ("mark load.2026-10-01T03:00:00 succeeded", "has no such instant"),
    ("history load.2026-01-01T02:00:00", "there is no record of"),
    ("logs load.2026-01-01T02:00:00", "has not run"),
    (f"logs {TASK} --attempt 7", "has no attempt 7"),
    ("status load.2026-10-01T02:00:00", "status takes a routine, not a task"),
    ("plan load.2026-10-01T02:00:00", "plan takes a routine, not a task"),
    # Wall times that name two instants, or none.
    ("execute load.2026-10-25T02:30:00", "occurs twice in Europe/Paris"),
    (
        "cancel load.2026-10-25T02:30:00",
        "write 2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01",
    ),
    (
        "why load.2026-03-29T02:30:00",
        "does not occur in Europe/Paris: the nearest are 2026-03-29T01",
    ),
    ("mark load.2026-03-29T02:30:00 skipped", "does not occur in Europe/Paris"),
    # Moments and ranges.
    ("plan --from tomorrow", "'tomorrow' is not a moment"),
    ("plan --from 2026-10-02 --to 2026-10-01", "the window is empty"),
    ("plan --from 2026-10-02 --to 2026-10-02", "the window is empty"),
    ("mark load --from 2026-10-02 --to 2026-10-01 --as skipped", "the range is empty"),
    ("mark load --from 2026-10-01T03 --to 2026-10-02 --as skipped", "is not a moment"),
    ("mark load --from 2026-10-01T03:00 --to 2026-10-01T04:00 --as skipped", "no instant in that"),
    ("execute --failed --since whenever", "'whenever' is not a moment"),
    ("run byhand --instant noon --config_file {config}", "'noon' is not a moment"),
    # What does not go together, or is missing.
    ("execute", "execute takes one of"),
    ("execute load --failed", "execute takes one of"),
    ("execute load --since 2026-10-01", "--since goes with --failed only"),
    ("cancel", "name a task or routine"),
    ("why", "name a task or routine"),
    ("logs", "name a task or routine"),
    ("mark", "say as what"),
    (f"mark {TASK}", "say as what"),
    (f"mark {TASK} failed", "say as what"),
    ("mark load succeeded", "a routine is marked with --from and --to"),
    (f"mark {TASK} --from 2026-10-01 --as skipped", "go with a routine"),
    ("logs load --follow --json", "not both"),
    # Requests that make no sense now.
    (f"cancel {TASK}", "succeeded"),
    ("execute --unknown", "nothing is unknown"),
    ("execute --failed", "nothing has failed"),
    ("logs report", "has not run yet"),
    ("logs byhand", "has not run yet"),
    # Files.
    ("check --config_file /nowhere/config.cfg", "/nowhere/config.cfg: no such file"),
    ("plan --registry /nowhere/registry.xml", "/nowhere/registry.xml"),
    ("check --scheduler_name day", "nothing is known of it"),
]


@pytest.mark.parametrize(("typed", "wanted"), MISTAKES)
def test_a_mistake_is_told_in_one_line_and_changes_nothing(
    live: DataFolder, typed: str, wanted: str
) -> None:
    before = state_of(live)
    words = [str(live.config) if word == CONFIG else word for word in typed.split()]
    if typed.startswith(("check --config", "plan --registry")):
        done = live.run(*words)
        assert done.code == 2 and wanted in done.out + done.err and "Traceback" not in done.err
    else:
        assert wanted in live.run(*words).mistake()
    assert state_of(live) == before


@pytest.mark.parametrize(
    "words",
    [
        ("status", ""),
        ("status", "--routine_name", ""),
        ("execute", ""),
        ("execute", "--task_name", ""),
        ("cancel", "--task_name", ""),
        ("why", " "),
        ("status", "--scheduler_name", ""),
        ("plan", "--from", ""),
        ("list", "--tag", ""),
        ("run", "byhand", "--config_file", ""),
        ("check", "--registry", ""),
        ("plan", "--registry", ""),
        ("execute", "x" * 5000),
        ("execute", "x" * 5000 + ".2026-10-01T02:00:00"),
        ("status", "--scheduler_name", "x" * 5000),
        ("history", "\x1b[31mload\nload"),
        ("history", "\udcff"),
        ("execute", "\udcff"),
        ("execute", "load", "--arguments", "'open"),
        ("execute", "load", "--arguments", "{nothing}"),
    ],
)
def test_an_odd_word_is_told_in_one_short_line(live: DataFolder, words: tuple[str, ...]) -> None:
    before = state_of(live)
    done = live.run(*words)
    if done.words[:2] == ("check", "--registry"):
        assert done.code == 2
    else:
        said = done.mistake()
        assert len(said) < 400 and "\x1b" not in said
    assert state_of(live) == before


# -- files that are not what they should be ------------------------------------------------------


def refused(folder: DataFolder) -> str:
    """Return why a start is refused; nothing runs then."""
    done = folder.run(*folder.start_words("--daemon"))
    assert done.code == 2 and done.out == "" and "Traceback" not in done.err, done
    assert done.err.count("\n") <= 3, done.err
    assert folder.is_quiet()
    return done.err


@pytest.fixture
def own(folder: DataFolder) -> DataFolder:
    """Return a folder that is about to be spoilt."""
    folder.write_jobs(JOBS)
    folder.write_script("load.py", "")
    return folder


CONFIGS: list[tuple[bytes, str]] = [
    (b"\x00\x01\x02\xff\xfe", "config.cfg"),
    (b"\x7fELF\x02\x01\x01" + bytes(range(256)), "is not UTF-8"),
    (b"timezone = UTC\n", "begin with [DEFAULT]"),
    (b"[DEFAULT]\nregistri = a.xml\n", "did you mean 'registry'?"),
    (b"[scheduler]\nmax_running = none\n", "config.cfg:2"),
    (b"[scheduler]\nmax_running = 0\n", "config.cfg:2"),
    (b"[scheduler]\ntimezone = Mars/Olympus\n", "config.cfg:2"),
    (b"[DEFAULT]\nroot_directory = /nowhere/at/all\n", "there is no folder"),
    (b"[DEFAULT]\nregistry = %(rot)s/registry.xml\n", "%(rot)s names a setting"),
    (b"[shceduler]\n", "did you mean [scheduler]?"),
    (b"[notify]\nmail = a@b\n", "unknown setting 'mail' in [notify]"),
    (b"[executor]\nname = dask\n", "not yet supported"),
    (b"[DEFAULT]\nregistry = nowhere.xml\n", "nowhere.xml"),
    (b"[DEFAULT]\nregistry = .\n", "is a folder, not a file"),
    (b"[http]\nport = 99999\n", "config.cfg:2"),
]


@pytest.mark.parametrize(("data", "wanted"), CONFIGS)
def test_a_config_that_cannot_be_used_is_refused_with_its_line(
    own: DataFolder, data: bytes, wanted: str
) -> None:
    own.config.write_bytes(data)
    assert wanted in refused(own)
    for verb in ("status", "check"):
        done = own.run(verb, "--config_file", str(own.config))
        assert done.code == 2 and "Traceback" not in done.err, done
    assert own.config.read_bytes() == data


def test_a_config_that_is_a_folder_is_refused(own: DataFolder) -> None:
    own.config.unlink()
    own.config.mkdir()
    assert "directory" in refused(own)


def test_a_start_without_a_name_or_a_folder_asks_for_them(own: DataFolder) -> None:
    assert "--scheduler_name" in own.run("start", "--config_file", str(own.config)).mistake()
    assert "--config_file" in own.run("start", "--scheduler_name", "night").mistake()


@pytest.mark.parametrize(
    "name", ["", "a/b", "../a", "con", "a b", ".a", "x" * 300, "a\n", "é" * 60]
)
def test_a_name_that_cannot_be_a_file_is_refused(own: DataFolder, name: str) -> None:
    done = own.run("start", "--scheduler_name", name, "--config_file", str(own.config), "--daemon")
    assert "name" in done.mistake()


@pytest.mark.parametrize(
    "data",
    [b"this is no database at all, but some text\n" * 100, b"SQLite format 3\0" + b"\xff" * 5000],
)
def test_a_database_that_is_none_is_refused_and_left_alone(own: DataFolder, data: bytes) -> None:
    own.database.write_bytes(data)
    assert "scheduler.db" in refused(own)
    assert own.database.read_bytes() == data
    assert "scheduler.db" in own.run("status", "--config_file", str(own.config)).mistake()


def test_a_database_that_is_a_folder_is_refused(own: DataFolder) -> None:
    own.database.mkdir()
    assert "scheduler.db" in refused(own)


def test_a_database_of_a_newer_version_is_refused(own: DataFolder) -> None:
    own.start()
    own.stop()
    with closing(sqlite3.connect(own.database)) as database, database:
        database.execute("INSERT INTO migration SELECT number + 1000, name FROM migration")
    assert "newer" in refused(own)


def test_a_port_that_is_taken_is_named(own: DataFolder) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        own.config.write_text(f"[http]\nport = {port}\n")
        assert re.search(rf"\b{port}\b", refused(own))


def test_a_folder_that_cannot_be_written_is_named(own: DataFolder) -> None:
    # Not even root can make files below what is a file.
    (own.path / "blocked").write_text("")
    blocked = own.path / "blocked"
    own.write_config(head=f"database = {blocked}/state/scheduler.db")
    assert str(blocked) in refused(own)
    own.write_config(head=f"log_directory = {blocked}/logs")
    assert str(blocked) in refused(own)


def test_an_instance_folder_that_cannot_be_written_is_named(
    own: DataFolder, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    done = own.run(*own.start_words("--daemon"), SCHEDULER_HOME=str(tmp_path / "file"))
    assert "cannot be written: Not a directory" in done.mistake()
    assert "Traceback" not in own.run("status", SCHEDULER_HOME=str(tmp_path / "file")).err


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere"
)
def test_a_read_only_folder_is_named(own: DataFolder) -> None:
    own.path.chmod(0o500)
    try:
        assert str(own.path) in refused(own)
    finally:
        own.path.chmod(0o700)
