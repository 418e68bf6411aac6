"""Runs attempts as processes of this machine.

One process an attempt, in a session of its own, and one thread that waits for its end.  An attempt
ends when its main process does: what that has left running in the background goes on, as under
cron.  Only a kill takes the whole tree.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from scheduler.registry.masking import without
from scheduler.service.executors.cost import UNKNOWN, Cost, largest_so_far, reap
from scheduler.service.executors.log_limit import LimitedLog, LogLimiter
from scheduler.service.executors.process_tree import (
    KillRequest,
    Marker,
    end_tree,
    main_process,
    start_of,
)
from scheduler.service.executors.protocol import Exit, Launch, LaunchError, Report, Started
from scheduler.service.log_files import make_folder, open_log

CHILD = str(Path(__file__).with_name("child.py"))


@dataclass(slots=True, kw_only=True)
class _Running:
    """One attempt under way."""

    launch: Launch
    process: subprocess.Popen[bytes]
    report_file: str
    log: LimitedLog | None
    floor: int  # bytes: no peak of memory up to here can be told from ours
    cost: Cost = UNKNOWN
    request: KillRequest | None = None
    killer: threading.Thread | None = None
    has_ended: bool = False


class LocalExecutor:
    """Starts, kills and reports processes of this machine."""

    def __init__(self, report: Report) -> None:
        """``report`` is called once an attempt, from the thread that watched it."""
        self._report = report
        self._lock = threading.Lock()
        self._running: dict[tuple[str, int], _Running] = {}
        self._threads: set[threading.Thread] = set()
        self._limiter = LogLimiter()
        self._numbers = count(1)
        # Not beside the logs: what a crash leaves here, the system tidies up.
        self._reports = tempfile.mkdtemp(prefix="scheduler-")
        _keep_exit_codes()

    def start(self, launch: Launch) -> Started:
        """Start the attempt and return its process; raise `LaunchError` if that is impossible.

        A short attempt may be reported before this returns.
        """
        _check(launch)
        report_file = self._new_report_file()
        process = _spawn(launch, report_file)
        process_start = start_of(process.pid)
        log = None if launch.log is None else self._limiter.watch(launch.log, launch.log_limit)
        attempt = _Running(
            launch=launch,
            process=process,
            report_file=report_file,
            log=log,
            floor=largest_so_far(),
        )
        watcher = threading.Thread(target=self._watch, args=(attempt,), daemon=True)
        with self._lock:
            self._running[launch.task, launch.attempt] = attempt
            self._threads.add(watcher)
        try:
            watcher.start()
        except RuntimeError as error:
            process.kill()
            self._clear(attempt)
            self._threads.discard(watcher)
            raise LaunchError(f"the system has no thread left to watch it: {error}") from error
        return Started(pid=process.pid, process_start=process_start)

    def kill(self, task: str, attempt: int, *, hard: bool = False) -> None:
        """End the attempt's whole tree: polite, grace, hard; or hard at once.

        Asked with ``hard`` while a polite one is under way, it turns hard.
        """
        with self._lock:
            running = self._running.get((task, attempt))
            if running is None or (running.has_ended and running.request is None):
                return
            if running.request is not None:
                if hard:
                    running.request.harden()
                return
            running.request = KillRequest(hard=hard)
            running.killer = threading.Thread(target=_end, args=(running,), daemon=True)
            running.killer.start()

    def close(self) -> None:
        """Wait for the threads that watch; call it after the last attempt has been reported."""
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join()
        self._limiter.close()
        shutil.rmtree(self._reports, ignore_errors=True)

    def _new_report_file(self) -> str:
        if not os.path.isdir(self._reports):  # tidied up, while we ran for weeks
            self._reports = tempfile.mkdtemp(prefix="scheduler-")
        return os.path.join(self._reports, str(next(self._numbers)))

    def _watch(self, running: _Running) -> None:
        """Wait for the end of an attempt, tree included if it is killed, and report it."""
        _wait(running)
        with self._lock:
            running.has_ended = True
            request, killer = running.request, running.killer
        if request is not None and killer is not None:
            request.look_again()
            killer.join()
        exit_ = self._clear(running)
        self._report(running.launch.task, running.launch.attempt, exit_)
        with self._lock:
            self._threads.discard(threading.current_thread())

    def _clear(self, running: _Running) -> Exit:
        """Take the exit code of an attempt that has ended, and drop all that was held for it."""
        _reap(running)
        if running.log is not None:
            self._limiter.finish(running.log)
        peak, error = _take(running.report_file)
        with self._lock:
            del self._running[running.launch.task, running.launch.attempt]
        return _exit_of(running, peak, error)


def _check(launch: Launch) -> None:
    """Raise `LaunchError` for what a person would want to be told in plain words."""
    if not os.path.isfile(launch.python):
        raise LaunchError(f"interpreter {launch.python} does not exist")
    if not os.access(launch.python, os.X_OK):
        raise LaunchError(f"interpreter {launch.python} is not executable")
    if not os.path.isdir(launch.directory):
        raise LaunchError(f"directory {launch.directory} does not exist")
    if launch.script is not None:
        if not os.path.exists(launch.script):
            raise LaunchError(f"script {launch.script} does not exist")
        if not os.access(launch.script, os.R_OK):
            raise LaunchError(f"script {launch.script} may not be read")


def _spawn(launch: Launch, report_file: str) -> subprocess.Popen[bytes]:
    """Start the process, in a session of its own so that no terminal's Ctrl-C reaches it."""
    log = None if launch.log is None else _open_log(launch.log)
    try:
        return subprocess.Popen(
            [launch.python, "-u", CHILD, report_file, *_target(launch), *launch.arguments],
            cwd=launch.directory,
            env=launch.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            creationflags=_creation_flags(launch),
        )
    except (OSError, ValueError) as error:  # ValueError: a null character among the words
        raise LaunchError(f"{launch.python} could not be started: {error}") from error
    finally:
        if log is not None:
            os.close(log)


def _target(launch: Launch) -> tuple[str, str]:
    if launch.script is not None:
        return "--script", launch.script
    assert launch.module is not None, f"{launch.task} has neither script nor module"
    return "--module", launch.module


def _creation_flags(launch: Launch) -> int:
    if sys.platform != "win32":
        return 0
    window = 0 if launch.log is None else subprocess.CREATE_NO_WINDOW
    return subprocess.CREATE_NEW_PROCESS_GROUP | window


def _open_log(path: Path) -> int:
    """Open a log to append to."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    try:
        try:
            return open_log(path, flags)
        except FileNotFoundError:
            make_folder(path.parent)
            return open_log(path, flags)
    except OSError as error:
        raise LaunchError(f"log {path} could not be opened: {error.strerror}") from error


def _end(running: _Running) -> None:
    """End the whole tree of an attempt."""
    launch, request = running.launch, running.request
    assert request is not None
    marker = Marker(
        scheduler=launch.environment.get("SCHEDULER_NAME", ""),
        task=launch.task,
        attempt=launch.attempt,
        database=launch.environment.get("SCHEDULER_DATABASE", ""),
    )
    end_tree(main_process(running.process.pid), marker, launch.grace, request)


def _wait(running: _Running) -> None:
    """Wait for the process to end, where possible without taking its exit code.

    Until that is taken the pid, and the process group's id, cannot become another's.
    """
    if sys.platform == "linux":
        os.waitid(os.P_PID, running.process.pid, os.WEXITED | os.WNOWAIT)
    else:
        _reap(running)


def _reap(running: _Running) -> None:
    if running.process.returncode is None:
        running.cost = reap(running.process, running.floor)


def _take(report_file: str) -> tuple[int | None, str | None]:
    """Return the peak of memory and the line that the child left, if it did; remove its file."""
    try:
        with open(report_file, encoding="utf-8", errors="replace") as file:
            peak, _, line = file.read().partition("\n")
        os.unlink(report_file)
    except FileNotFoundError:
        return None, None
    return int(peak) if peak.isdecimal() else None, line or None


def _exit_of(running: _Running, peak: int | None, error: str | None) -> Exit:
    code = running.process.returncode
    is_signal = code < 0 and sys.platform != "win32"
    return Exit(
        code=None if is_signal else code,
        signal=_name_of(-code) if is_signal else None,
        error=without(error, running.launch.secrets) if code and error else None,
        killed=running.request is not None,
        peak_memory=running.cost.peak_memory or peak,
        cpu_time=running.cost.cpu_time,
    )


def _name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # one of the real-time signals, most of which have no name
        return f"signal {number}"


def _keep_exit_codes() -> None:
    """See to it that exit codes reach us.

    Where SIGCHLD is ignored, which a process inherits from whoever started it, the system throws
    them away and every attempt would seem to have exited 0.
    """
    if sys.platform != "win32" and signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
