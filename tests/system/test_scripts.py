"""Awkward scripts: each gets the right state, the right reason and the right log."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.system.data_folder import DataFolder, a_folder, is_alive, wait_until


@pytest.fixture
def job(folder: DataFolder) -> DataFolder:
    """Return a folder with one routine, by hand, whose script is to be written."""
    folder.write_jobs('<job name="job" script="job.py" grace="2s"/>')
    return folder


AWKWARD = {
    "a megabyte without a newline": (
        "import sys; sys.stdout.write('x' * 1_000_000)",
        ("succeeded", "", b"x" * 1_000_000),
    ),
    "bytes that are no UTF-8": (
        r"import sys; sys.stdout.buffer.write(b'\xff\xfe caf\xe9\n')",
        ("succeeded", "", b"\xff\xfe caf\xe9\n"),
    ),
    "one that reads stdin": (
        "import sys; print(repr(sys.stdin.read()))",
        ("succeeded", "", b"''\n"),
    ),
    "one that asks for a line": (
        "input()",
        ("failed", "exit code 1: EOFError: EOF when reading a line", b"reading a line\n"),
    ),
    "os._exit with a code": (
        "import os; print('out', flush=True); os._exit(7)",
        ("failed", "exit code 7", b"out\n"),
    ),
    "os._exit with success": ("import os; os._exit(0)", ("succeeded", "", b"")),
    "sys.exit with words": (
        "import sys; sys.exit('no rows today')",
        ("failed", "exit code 1: no rows today", b"no rows today\n"),
    ),
    "an uncaught exception": (
        "def load():\n    raise ValueError('no rows')\nload()",
        ("failed", "exit code 1: ValueError: no rows", b"ValueError: no rows\n"),
    ),
    "one that does not compile": (
        "print('a'\n",
        (
            "failed",
            "exit code 1: SyntaxError: '(' was never closed (job8.py, line 1)",
            b"never closed\n",
        ),
    ),
    "killed by SIGKILL": (
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        ("failed", "killed by SIGKILL", b""),
    ),
    "a crash of the interpreter": (
        "import os; os.abort()",
        ("failed", "killed by SIGABRT", b""),
    ),
    "an exit code of 256": ("import sys; sys.exit(256)", ("succeeded", "", b"")),
    "logging that was never set up": (
        "import logging; logging.info('heard')",
        ("succeeded", "", b"INFO root heard\n"),
    ),
    "no text at all": ("", ("succeeded", "", b"")),
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DataFolder, dict[str, Any]]]:
    """Run all awkward scripts in one scheduler; return the records of their tasks."""
    names = {name: f"job{number}" for number, name in enumerate(AWKWARD)}
    with a_folder(tmp_path_factory.mktemp("awkward")) as folder:
        folder.write_jobs(
            "".join(f'<job name="{job}" script="{job}.py"/>' for job in names.values())
        )
        for name, job in names.items():
            folder.write_script(f"{job}.py", AWKWARD[name][0])
        folder.start()
        tasks = {name: folder.execute(job) for name, job in names.items()}
        yield folder, {name: folder.wait_for(task) for name, task in tasks.items()}


@pytest.mark.parametrize("name", AWKWARD)
def test_an_awkward_script_has_the_right_state_reason_and_log(
    ran: tuple[DataFolder, dict[str, Any]], name: str
) -> None:
    folder, fates = ran
    _, (state, reason, written) = AWKWARD[name]
    fate, log = fates[name], folder.log_of(fates[name]["task"])
    assert (fate["state"], fate["reason"]) == (state, reason), log
    assert log.endswith(written), log
    assert b"child.py" not in log and b"as_python" not in log
    assert folder.run("logs", fate["task"]).ok().code == 0


def test_multiprocessing_works_with_every_way_to_start(job: DataFolder) -> None:
    job.write_script(
        "job.py",
        "import multiprocessing, os\n"
        # A forkserver listens at a path in there, which must be short.
        "os.environ.pop('TMPDIR', None)\n"
        "class Row:\n"
        "    def __init__(self, n): self.n = n\n"
        "def double(row): return Row(row.n * 2)\n"
        "if __name__ == '__main__':\n"
        "    for kind in ('spawn', 'fork', 'forkserver'):\n"
        "        with multiprocessing.get_context(kind).Pool(2) as pool:\n"
        "            print(kind, [row.n for row in pool.map(double, map(Row, range(3)))])\n",
    )
    job.start()
    fate = job.executed("job")
    log = job.log_of(fate["task"]).decode()
    assert fate["state"] == "succeeded", log
    assert log.split("\n")[:3] == [f"{kind} [0, 2, 4]" for kind in ("spawn", "fork", "forkserver")]


FORKS = """\
import os, subprocess, sys, time
def child(**how):
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], **how)
def stubborn():
    subprocess.Popen([sys.executable, "-c", "import signal, time;"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True);"
        "time.sleep(600)"])
pids = [child().pid, child(start_new_session=True).pid, child(env={}).pid]
middle = os.fork()
if middle == 0:
    os.setsid()
    if os.fork():
        os._exit(0)       # its own child is nobody's child any more
    time.sleep(600)
stubborn()
print("pids", *pids, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sessions and fork are POSIX")
@pytest.mark.parametrize("warm", ["auto", "no"])
def test_cancelling_a_script_leaves_none_of_its_children(job: DataFolder, warm: str) -> None:
    job.write_jobs(f'<job name="job" script="job.py" grace="1s" warm="{warm}"/>')
    job.write_script("job.py", FORKS)
    job.start()
    scheduler = job.pid()
    task = job.execute("job")
    job.wait_for(task, "running")
    wait_until(lambda: b"pids" in job.log_of(task) and b"deaf" in job.log_of(task), "its children")
    line = next(one for one in job.log_of(task).decode().splitlines() if one.startswith("pids"))
    bare = [psutil.Process(int(pid)) for pid in line.split()[1:]]

    job.run("cancel", task).ok()
    assert job.wait_for(task)["state"] == "cancelled"
    assert [one.pid for one in job.working()] == [scheduler]
    assert not any(map(is_alive, bare))


def test_a_script_that_is_missing_costs_its_own_routine_only(job: DataFolder) -> None:
    job.write_jobs('<job name="job" script="job.py"/><job name="lost" script="lost.py"/>')
    job.write_script("job.py", "print('here')")
    begun = job.start()
    assert "warning: " in begun and "lost.py" in begun
    fate = job.executed("lost")
    assert (fate["state"], fate["reason"]) == (
        "failed",
        f"script {job.path / 'lost.py'} does not exist",
    )
    assert job.executed("job")["state"] == "succeeded"
    assert job.run("check").code == 2
    # Once it is there it runs, without a new start.
    job.write_script("lost.py", "print('found')")
    assert job.executed("lost")["state"] == "succeeded"


def test_an_interpreter_that_is_missing_costs_its_own_routine_only(job: DataFolder) -> None:
    job.write_jobs(
        '<job name="job" script="job.py"/><job name="old" script="job.py" python="py/bin/python"/>'
    )
    job.write_script("job.py", "")
    assert "py/bin/python" in job.start()
    fate = job.executed("old")
    assert (fate["state"], fate["reason"]) == (
        "failed",
        f"interpreter {job.path / 'py/bin/python'} does not exist",
    )
    assert job.executed("job")["state"] == "succeeded"


def test_skip_exit_means_there_was_nothing_to_do(job: DataFolder) -> None:
    job.write_jobs('<job name="job" script="job.py" skip_exit="99"/>')
    job.write_script("job.py", "import sys; sys.exit(99)")
    job.start()
    fate = job.executed("job")
    assert (fate["state"], fate["reason"]) == ("skipped", "nothing to do (exit code 99)")


def test_a_script_sees_its_arguments_folder_and_environment(job: DataFolder) -> None:
    job.write_jobs(
        '<job name="job" script="scripts/job.py" timezone="Europe/Paris"'
        " arguments=\"--day {instant:%Y-%m-%d} 'two words' c:\\temp {{x}} {attempt}\">"
        '<environment name="MODE" value="daily"/></job>'
    )
    job.write_script(
        "scripts/job.py",
        "import os, sys\n"
        "print(sys.argv[1:])\n"
        "print(os.getcwd(), sys.path[0])\n"
        "names = [one for one in os.environ if one == 'MODE' or one.startswith('SCHEDULER_')]\n"
        "print({one: os.environ[one] for one in sorted(names) if one != 'SCHEDULER_HOME'})\n",
    )
    job.start()
    task = job.execute("job")
    assert job.wait_for(task)["state"] == "succeeded"
    argv, folders, variables = job.log_of(task).decode().splitlines()
    instant = task.removeprefix("job.")
    scripts = str(job.path / "scripts")
    assert argv == repr(["--day", instant[:10], "two words", r"c:\temp", "{x}", "1"])
    assert folders == f"{scripts} {scripts}"
    assert variables == repr(
        {
            "MODE": "daily",
            "SCHEDULER_ATTEMPT": "1",
            "SCHEDULER_DATABASE": str(job.database),
            "SCHEDULER_INSTANT": f"{instant}+01:00",
            "SCHEDULER_NAME": "night",
            "SCHEDULER_PREVIOUS_INSTANT": "",
            "SCHEDULER_ROUTINE": "job",
            "SCHEDULER_SINCE": "",
            "SCHEDULER_TASK": task,
        }
    )


def test_the_second_run_knows_when_the_first_succeeded(job: DataFolder) -> None:
    job.write_script("job.py", "import os; print(os.environ['SCHEDULER_SINCE'])")
    job.start()
    first = job.executed("job")
    second = job.executed("job")
    assert job.log_of(second["task"]).decode().strip() == first["instant"]


def test_the_values_of_an_environment_file_are_shown_nowhere(job: DataFolder) -> None:
    job.write_jobs('<job name="job" script="job.py"><environment file=".env"/></job>')
    (job.path / ".env").write_text("PASSWORD=hunter2\nexport USER_NAME='ada'\n")
    job.write_script(
        "job.py", "import os; print(len(os.environ['PASSWORD']), os.environ['USER_NAME'])"
    )
    told = job.start()
    task = job.executed("job")["task"]
    assert job.log_of(task) == b"7 ada\n"
    for verb in ("status", "list", "history", "check", "plan"):
        for words in ((verb,), (verb, "--json")):
            done = job.run(*words).ok()
            told += done.out + done.err
    told += job.run("why", task, "--json").ok().out
    job.stop()
    assert "hunter2" not in told
    assert b"hunter2" not in job.database.read_bytes()
    for log in (job.path / "logs").rglob("*.log"):
        assert b"hunter2" not in log.read_bytes()


def test_an_environment_file_that_is_missing_costs_its_own_routine_only(job: DataFolder) -> None:
    job.write_jobs('<job name="job" script="job.py"><environment file=".env"/></job>')
    job.write_script("job.py", "")
    job.start()
    fate = job.executed("job")
    assert fate["state"] == "failed" and ".env does not exist" in fate["reason"]


def test_a_routine_runs_with_the_virtual_environment_beside_its_script(job: DataFolder) -> None:
    job.write_jobs('<job name="job" script="scripts/deep/job.py"/>')
    python = job.path / "scripts/.venv/bin/python"
    python.parent.mkdir(parents=True)
    # All that makes a virtual environment: a link to the interpreter, and this file above it.
    python.symlink_to(Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}")
    (job.path / "scripts/.venv/pyvenv.cfg").write_text(f"home = {sys.base_prefix}/bin\n")
    job.write_script("scripts/deep/job.py", "import sys; print(sys.prefix)")
    job.start()
    task = job.executed("job")["task"]
    assert job.log_of(task).decode().strip() == str(job.path / "scripts/.venv")


def test_output_is_logged_as_it_comes(job: DataFolder) -> None:
    job.write_script(
        "job.py",
        "import pathlib, time\nprint('half', end='')\n"
        "while not pathlib.Path('go').exists():\n    time.sleep(0.01)\nprint(' and whole')\n",
    )
    job.start()
    task = job.execute("job")
    job.wait_for(task, "running")
    wait_until(lambda: job.log_of(task) == b"half", "the first half")
    job.let_go()
    job.wait_for(task)
    assert job.log_of(task) == b"half and whole\n"


def test_what_a_script_leaves_running_does_not_hold_its_task(job: DataFolder) -> None:
    job.write_script(
        "job.py",
        "import subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n",
    )
    job.start()
    assert job.executed("job")["state"] == "succeeded"
    job.stop()


def test_a_script_may_change_its_own_folder_and_signals(job: DataFolder) -> None:
    job.write_script(
        "job.py",
        "import os, signal\n"
        "def polite(*_):\n"
        "    print('asked politely', flush=True)\n"
        "    os._exit(3)\n"
        "signal.signal(signal.SIGTERM, polite)\n"
        "os.chdir('/')\nprint('ready', flush=True)\nsignal.pause()\n",
    )
    job.start()
    task = job.execute("job")
    job.wait_for(task, "running")
    wait_until(lambda: b"ready" in job.log_of(task), "the script")
    job.run("cancel", task).ok()
    assert job.wait_for(task)["state"] == "cancelled"
    assert b"asked politely" in job.log_of(task)


def test_the_log_is_for_its_user_and_group_only(job: DataFolder) -> None:
    job.write_script("job.py", "print('secret')")
    job.start()
    task = job.executed("job")
    path = task["attempts"][0]["log"]
    assert os.stat(path).st_mode & 0o007 == 0
