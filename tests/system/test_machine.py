"""The machine's troubles: memory, processes, descriptors, disks and clocks; said, and survived."""

import contextlib
import errno
import os
import pwd
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.system.data_folder import UNTIL_LET_GO, DataFolder, wait_until
from tests.system.test_ordinary_user import IS_ROOT, as_user, folder_of
from tests.system.timed_scheduler import TimedScheduler

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and mounts of Linux")

RAN = "import os\nprint(os.environ['SCHEDULER_TASK'], file=open('ran', 'a'))\n"


#: Why an attempt has not begun where no process is left for it.
WHYS = (
    "could not be started: [Errno 11] Resource temporarily unavailable",
    "the system has no thread left to watch it",
    "the system has no process left for it",
)


def ran(folder: DataFolder) -> list[str]:
    """Return the tasks whose script has begun."""
    file = folder.path / "ran"
    return file.read_text().split() if file.exists() else []


@pytest.fixture
def live(folder: DataFolder) -> DataFolder:
    """Return a folder whose scheduler runs."""
    folder.write_jobs(
        '<job name="job" script="job.py"/><job name="slow" script="slow.py" warm="no"/>'
    )
    folder.write_script("job.py", RAN)
    folder.write_script("slow.py", UNTIL_LET_GO)
    folder.start()
    return folder


# -- Memory --------------------------------------------------------------------------------------


def test_a_script_that_the_system_kills_for_its_memory_says_so(live: DataFolder) -> None:
    task = live.execute("slow")
    wait_until(lambda: b"begun" in live.log_of(task), "the script")
    (script,) = (one for one in live.processes() if leads(one) and is_of(one, task))
    script.kill()  # as the kernel does when memory runs out
    fate = live.wait_for(task)
    assert (fate["state"], fate["reason"]) == ("failed", "killed by SIGKILL")
    assert live.executed("job")["state"] == "succeeded"


def test_a_script_that_gets_no_memory_ends_with_its_error(live: DataFolder) -> None:
    live.write_script(
        "job.py",
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**28, 2**28))\n"
        "bytearray(2**30)\n",
    )
    fate = live.executed("job")
    assert (fate["state"], fate["reason"]) == ("failed", "exit code 1: MemoryError")


def leads(process: psutil.Process) -> bool:
    """Return whether a process is the script, of the two of an attempt."""
    parent = process.parent()
    return parent is not None and parent.cmdline() == process.cmdline()


def is_of(process: psutil.Process, task: str) -> bool:
    """Return whether a process belongs to a task, and is still there."""
    try:
        return process.environ().get("SCHEDULER_TASK") == task
    except psutil.NoSuchProcess:
        return False


# -- Descriptors and processes -------------------------------------------------------------------


def test_without_descriptors_attempts_are_refused_and_later_ones_go_on(live: DataFolder) -> None:
    live.executed("job")
    scheduler = psutil.Process(live.pid())
    before = resource.prlimit(scheduler.pid, resource.RLIMIT_NOFILE)
    reasons: list[str] = []
    # One for whoever asks; the rest do not do for a log and the pipes to a new process.
    for spare in (1, 2, 3, 4):
        limit = scheduler.num_fds() + spare
        resource.prlimit(scheduler.pid, resource.RLIMIT_NOFILE, (limit, before[1]))
        fate = live.executed("job")
        reasons += [fate["reason"]] if fate["state"] == "failed" else []
    assert reasons and all("Too many open files" in reason for reason in reasons), reasons
    resource.prlimit(scheduler.pid, resource.RLIMIT_NOFILE, before)
    assert live.executed("job")["state"] == "succeeded"
    assert len(ran(live)) == 1 + 4 - len(reasons) + 1


#: Not the one of other tests, which may run at the same time: a limit holds for all of a user's.
USER = "games"


@pytest.fixture
def theirs() -> Iterator[DataFolder]:
    """Return a data folder that is that user's own."""
    yield from folder_of(USER)


@pytest.mark.skipif(not IS_ROOT, reason="no limit of processes holds for root; needs another user")
def test_without_processes_attempts_are_refused_and_later_ones_go_on(theirs: DataFolder) -> None:
    theirs.write_jobs('<job name="who" script="who.py" warm="no"/>')
    theirs.write_script("who.py", RAN)
    as_user(theirs, *theirs.start_words("--daemon"), user=USER)
    as_user(theirs, "execute", "who", "--wait", user=USER)
    pid = theirs.pid()
    before, _ = resource.getrlimit(resource.RLIMIT_NPROC)  # which it has inherited
    # None for its supervisor, none for the thread that watches it, none for its script: which of
    # them lacks depends on threads that come and go.
    unanswered = 0
    for spare in range(4):
        limit_of_user(pid, threads_of_user() + spare)
        told = as_user(theirs, "execute", "who", "--wait", code=None, user=USER)
        # It may lack the very thread that is to answer, and do what it was asked once it has that.
        unanswered += "does not answer" in told
        assert any(why in told for why in (*WHYS, "does not answer")), (spare, told)
    limit_of_user(pid, before)
    as_user(theirs, "execute", "who", "--wait", user=USER)
    assert 2 <= len(ran(theirs)) <= 2 + unanswered


def limit_of_user(pid: int, limit: int) -> None:
    """Set the limit of processes for a process of the ordinary user, as that one may."""
    words = ["prlimit", f"--nproc={limit}:", "--pid", str(pid)]
    group = pwd.getpwnam(USER).pw_gid
    subprocess.run(words, user=USER, group=group, extra_groups=[], check=True)


def threads_of_user() -> int:
    """Return how much of its limit of processes the ordinary user has used up."""
    uid, count = pwd.getpwnam(USER).pw_uid, 0
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.uids().real == uid:
                count += process.num_threads()
    return count


# -- Interpreters --------------------------------------------------------------------------------


def test_an_interpreter_that_vanishes_between_two_runs_is_named(live: DataFolder) -> None:
    python = live.path / "own_python"
    python.symlink_to(sys.executable)
    live.stop()
    live.write_jobs('<job name="job" script="job.py" python="own_python"/>')
    live.start()
    assert live.executed("job")["state"] == "succeeded"
    python.unlink()
    fate = live.executed("job")
    assert (fate["state"], fate["reason"]) == ("failed", f"interpreter {python} does not exist")
    python.symlink_to(sys.executable)
    assert live.executed("job")["state"] == "succeeded"
    assert len(ran(live)) == 2


# -- Disks ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def a_disk(path: Path) -> Iterator[Path]:
    """Have a small disk of its own at a path."""
    path.mkdir(exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(path)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a disk")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def fill(disk: Path) -> None:
    """Leave no space on a disk."""
    with open(disk / "filling", "wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 4096):
            pass


@pytest.fixture
def disk(live: DataFolder) -> Iterator[Path]:
    """Return the folder of a live scheduler's records, on a disk of its own."""
    live.stop()
    with a_disk(Path(f"{live.database}-attempts")) as disk:
        live.start()
        yield disk
        live.close()


def test_a_full_disk_of_records_lets_nothing_run_unrecorded(live: DataFolder, disk: Path) -> None:
    fill(disk)
    fate = live.executed("job")
    assert fate["state"] == "failed" and "its record could not be written" in fate["reason"]
    assert b"No space left on device" in live.log_of(fate["task"])
    assert ran(live) == []
    (disk / "filling").unlink()
    assert live.executed("job")["state"] == "succeeded"


def test_a_disk_of_records_that_fills_while_a_script_runs_costs_no_outcome(
    live: DataFolder, disk: Path
) -> None:
    task = live.execute("slow")
    wait_until(lambda: b"begun" in live.log_of(task), "the script")
    fill(disk)
    live.let_go()
    assert live.wait_for(task)["state"] == "succeeded"


def test_records_that_cannot_be_written_any_more_let_nothing_run(
    live: DataFolder, disk: Path
) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    fate = live.executed("job")
    assert fate["state"] == "failed" and "its record could not be written" in fate["reason"]
    assert ran(live) == []
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    assert live.executed("job")["state"] == "succeeded"


def test_a_start_over_records_that_cannot_be_written_is_refused(
    live: DataFolder, disk: Path
) -> None:
    live.stop()
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    told = live.run(*live.start_words("--daemon")).mistake()
    assert str(disk) in told and os.strerror(errno.EROFS) in told


def test_a_full_disk_of_logs_fails_what_writes_and_later_ones_go_on(live: DataFolder) -> None:
    live.write_script("job.py", RAN + "print('x' * 100_000, flush=True)\n")
    with a_disk(live.path / "logs") as logs:
        (logs / "job").mkdir()
        fill(logs)
        fate = live.executed("job")
        assert fate["state"] == "failed" and "No space left on device" in fate["reason"]
        (logs / "filling").unlink()
        live.write_script("job.py", RAN)
        assert live.executed("job")["state"] == "succeeded"


# -- Clocks and sleep ----------------------------------------------------------------------------

HOURLY = '<job name="hourly" {} schedule="@hourly" backlog="all"/>'


def test_a_clock_that_steps_back_an_hour_and_forward_a_day_gives_each_instant_one_fate(
    timed: TimedScheduler,
) -> None:
    timed.write_jobs(HOURLY)
    with timed.running("2026-11-23T01:30"):
        timed.run_until("2026-11-23T03:10")
        timed.set_clock("2026-11-23T02:10")
        timed.run_until("2026-11-23T03:30")
        assert timed.starts() == [f"hourly.2026-11-23T0{hour}:00:00" for hour in (2, 3)]
        timed.set_clock("2026-11-24T03:30")
        timed.run_until("2026-11-24T03:40")
    assert len(timed.starts()) == 2 + 24
    assert len(set(timed.starts())) == 2 + 24


def test_after_sleep_what_was_missed_is_late_and_starts_gently(timed: TimedScheduler) -> None:
    count = 3 * (os.cpu_count() or 1)
    timed.write_jobs(
        "".join(f'<job name="job{number:02}" {{}} schedule="@hourly"/>' for number in range(count))
    )
    with timed.running("2026-11-23T01:30"):
        for number in range(count):
            timed.hold(f"job{number:02}")
        timed.sleep_until("2026-11-23T02:30")
        states = [timed.state(f"job{number:02}.2026-11-23T02:00:00") for number in range(count)]
        assert sum(state.startswith("running") for state in states) == (os.cpu_count() or 1)
        assert not any(state.startswith(("skipped", "none")) for state in states)
        timed.release()
        timed.run_until("2026-11-23T02:40")
    assert len(timed.starts()) == count


def test_a_scheduler_that_is_suspended_goes_on_where_it_was(live: DataFolder) -> None:
    task = live.execute("slow")
    wait_until(lambda: b"begun" in live.log_of(task), "the script")
    scheduler = psutil.Process(live.pid())
    scheduler.send_signal(signal.SIGSTOP)
    live.let_go()
    wait_until(lambda: not [one for one in live.processes() if is_of(one, task)], "its end")
    scheduler.send_signal(signal.SIGCONT)
    assert live.wait_for(task)["state"] == "succeeded"
    assert live.executed("job")["state"] == "succeeded"
