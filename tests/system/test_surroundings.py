"""What is around a scheduler vanishes, piles up or runs out: said, survived, nothing lost."""

import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.system.data_folder import PROGRAM, DataFolder, is_alive, wait_until

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")


@pytest.fixture
def live(folder: DataFolder) -> DataFolder:
    """Return a folder whose scheduler runs."""
    folder.write_jobs('<job name="job" script="job.py"/>')
    folder.write_script("job.py", "print('ran')")
    folder.start()
    return folder


# -- the registry, while it runs -----------------------------------------------------------------


def test_a_registry_that_vanishes_while_it_runs_changes_nothing(live: DataFolder) -> None:
    (live.path / "registry.xml").unlink()
    assert live.executed("job")["state"] == "succeeded"
    refused = live.run("reload", "--yes")
    assert (
        refused.code == 2 and "there is no file" in refused.err and "Traceback" not in refused.err
    )
    assert live.executed("job")["state"] == "succeeded"
    assert "job" in live.run("list").ok().out
    live.stop()
    # Down, it still answers; and a daemon goes on with what is in the database.
    assert "CANNOT BE LOADED" in live.run("status").out
    assert "CANNOT BE LOADED" in live.start()
    assert live.executed("job")["state"] == "succeeded"


def test_a_script_that_vanishes_fails_its_tasks_only(live: DataFolder) -> None:
    (live.path / "job.py").unlink()
    fate = live.executed("job")
    assert fate["state"] == "failed" and "job.py does not exist" in fate["reason"]
    live.write_script("job.py", "")
    assert live.executed("job")["state"] == "succeeded"


# -- the interpreter -----------------------------------------------------------------------------


def test_a_virtual_environment_that_vanishes_is_named_and_no_other_taken(
    live: DataFolder,
) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", live.path / ".venv"], check=True)
    live.write_script("job.py", "import sys; print(sys.prefix)")
    live.stop()
    live.start()
    task = live.executed("job")["task"]
    assert live.log_of(task).decode().strip() == str(live.path / ".venv")
    shutil.move(live.path / ".venv", live.path / "away")
    for _ in range(2):
        fate = live.executed("job")
        assert fate["state"] == "failed"
        assert re.search(r"interpreter .*\.venv.* does not exist", fate["reason"])
    shutil.move(live.path / "away", live.path / ".venv")
    assert live.executed("job")["state"] == "succeeded"
    # Moved to a folder above it is the script's own as well.
    shutil.move(live.path / ".venv", live.path.parent / ".venv")
    assert live.executed("job")["state"] == "succeeded"


# -- what has piled up ---------------------------------------------------------------------------


def a_pile(logs: Path) -> None:
    """Leave ten thousand folders of routines that are no more, and ten thousand old logs of one."""
    start = datetime(2020, 1, 1, tzinfo=UTC)
    old = start.timestamp()
    (logs / "job").mkdir(parents=True)
    for number in range(10_000):
        folder = logs / f"gone{number}"
        folder.mkdir()
        (folder / "2020-01-01T00-00-00.1.log").touch()
        instant = start + timedelta(minutes=number)
        log = logs / "job" / f"{instant:%Y-%m-%dT%H-%M-%S}.1.log"
        log.touch()
        os.utime(log, (old, old))


def test_ten_thousand_left_over_logs_and_folders_hold_nothing_up(folder: DataFolder) -> None:
    folder.write_jobs('<job name="job" script="job.py"/>')
    folder.write_script("job.py", "")
    begun = time.monotonic()
    folder.start()
    without = time.monotonic() - begun
    folder.stop()
    a_pile(folder.path / "logs")
    begun = time.monotonic()
    folder.start()
    assert time.monotonic() - begun < 5 * without + 2
    # While it prunes, it goes on with what is asked for.
    assert folder.executed("job")["state"] == "succeeded"
    wait_until(lambda: len(list((folder.path / "logs" / "job").iterdir())) <= 101, "the pruning")
    assert folder.executed("job")["state"] == "succeeded"


# -- no more files may be opened -----------------------------------------------------------------


def start_with_limit(folder: DataFolder, limit: int) -> None:
    """Start a daemon that may have so many files open."""
    words = [*PROGRAM, *folder.start_words("--daemon")]
    started = subprocess.run(
        ["sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh", *words],
        cwd=folder.elsewhere,
        env=folder.environment,
        capture_output=True,
        timeout=60,
    )
    assert started.returncode == 0, started


def open_files(pid: int) -> int:
    """Return how many files a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


@contextlib.contextmanager
def crowded(folder: DataFolder, limit: int) -> Iterator[http.client.HTTPConnection]:
    """Take all the descriptors of a scheduler; give a connection that was there before."""
    instance = folder.live()
    address = (instance.host, instance.port)
    with ExitStack() as stack:
        own = http.client.HTTPConnection(*address, timeout=60)
        stack.callback(own.close)
        own.connect()
        before = open_files(instance.pid)
        wait_until(lambda: open_files(instance.pid) >= before, "its connection")
        while open_files(instance.pid) < limit:
            taken = open_files(instance.pid)
            stack.enter_context(closing(socket.create_connection(address)))
            wait_until(
                lambda taken=taken: open_files(instance.pid) > taken,  # type: ignore[misc]
                "the connection to be taken",
            )
        yield own


def post(
    connection: http.client.HTTPConnection, folder: DataFolder, verb: str, **parameters: object
) -> Mapping[str, Any]:
    """Ask over a connection that is open already."""
    headers = {
        "Authorization": f"Bearer {folder.live().token}",
        "Content-Type": "application/json",
    }
    connection.request("POST", f"/api/{verb}", json.dumps(parameters), headers)
    answer: Mapping[str, Any] = json.loads(connection.getresponse().read())
    return answer


def stored(folder: DataFolder, task: str) -> tuple[str, str]:
    """Return state and reason of a task, as the database has them."""
    with closing(sqlite3.connect(f"file:{folder.database}?mode=ro", uri=True)) as database:
        found = database.execute(
            "SELECT state, reason FROM tasks WHERE routine || '.' || instant = ?", (f"{task}Z",)
        ).fetchone()
    return found or ("none", "")


@on_linux
def test_without_a_free_descriptor_attempts_fail_with_the_reason_and_later_go_on(
    folder: DataFolder,
) -> None:
    folder.write_jobs('<job name="job" script="job.py"/>')
    folder.write_script("job.py", "print('ran')")
    start_with_limit(folder, 64)
    folder.executed("job")
    with crowded(folder, 64) as connection:
        task = post(connection, folder, "execute", routine="job")["tasks"][0]
        wait_until(lambda: stored(folder, task)[0] == "failed", "the refusal")
        assert "Too many open files" in stored(folder, task)[1]
    assert folder.executed("job")["state"] == "succeeded"
    assert "scheduler night is running" in folder.run("status").ok().out
    again = folder.run("execute", task, "--wait")
    assert again.code == 0 and "ran" in again.out
    folder.stop()


@on_linux
def test_the_end_of_a_script_is_told_without_a_free_descriptor_too(folder: DataFolder) -> None:
    folder.write_jobs(
        '<job name="job" script="job.py"/><job name="again" script="job.py" retries="9"'
        ' retry_delay="1s" retry_backoff="1"/>'
    )
    folder.write_script(
        "job.py",
        "import pathlib, time\n"
        "while not pathlib.Path('go').exists():\n    time.sleep(0.01)\n"
        "raise SystemExit(pathlib.Path('go').read_text().strip() or 0)\n",
    )
    start_with_limit(folder, 64)
    task = folder.execute("job")
    folder.wait_for(task, "running")
    with crowded(folder, 64) as connection:
        retried = post(connection, folder, "execute", routine="again")["tasks"][0]
        wait_until(lambda: stored(folder, retried)[0] == "waiting", "the wait for a retry")
        folder.let_go()
        wait_until(lambda: stored(folder, task)[0] == "succeeded", "the end")
    assert folder.wait_for(retried)["state"] == "succeeded"


@on_linux
def test_a_kill_does_not_give_up_without_a_free_descriptor(folder: DataFolder) -> None:
    folder.write_jobs('<job name="job" script="job.py" grace="1s"/>')
    folder.write_script("job.py", "import time; time.sleep(600)")
    start_with_limit(folder, 64)
    task = folder.execute("job")
    folder.wait_for(task, "running")
    with crowded(folder, 64) as connection:
        post(connection, folder, "cancel", task=task)
    # At the latest once there is one again.
    assert folder.wait_for(task)["state"] == "cancelled"
    assert [one.pid for one in folder.working()] == [folder.pid()]


# -- several at once -----------------------------------------------------------------------------


@pytest.mark.parametrize("race", ["name", "database"])
def test_of_six_started_at_once_exactly_one_wins(folder: DataFolder, race: str) -> None:
    folder.write_jobs('<job name="job" script="job.py"/>')
    folder.write_script("job.py", "")
    places: list[DataFolder] = [folder]
    if race == "name":
        for number in range(5):
            path = folder.path.parent / f"data {number}"
            shutil.copytree(folder.path, path)
            places.append(DataFolder(path=path, home=folder.home, elsewhere=folder.elsewhere))
    names = ["night"] * 6 if race == "name" else [f"night{number}" for number in range(6)]
    places = places if race == "name" else [folder] * 6
    starts = [
        subprocess.Popen(
            [*PROGRAM, *place.start_words("--daemon", name=name)],
            cwd=folder.elsewhere,
            env=folder.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for place, name in zip(places, names, strict=True)
    ]
    told = [start.communicate(timeout=60) for start in starts]
    codes = [start.returncode for start in starts]
    assert sorted(codes) == [0, 2, 2, 2, 2, 2], told
    winner = codes.index(0)
    folder.name = names[winner]
    pid = folder.pid()
    for (out, err), code in zip(told, codes, strict=True):
        if code:
            assert out == "" and err.count("\n") == 1, err
            assert ("already running" if race == "name" else "is in use by") in err
            assert f"(pid {pid}" in err, err
    # The scheduler that won is the only one, and was not disturbed.
    assert len([one for one in folder.processes() if is_alive(one)]) == 1
    assert folder.executed("job")["state"] == "succeeded"
