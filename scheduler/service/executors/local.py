"""Runs attempts as processes of this machine.

Two processes an attempt: the script, in a session of its own, and its supervisor, which sees how it
ends; both outlive the scheduler (ADR 21).  One thread here waits for the end.  Started warm, the
script is a fork of an interpreter that supervises all its forks (ADR 23).  An attempt ends when its
script's process does: what that has left running in the background goes on, as under cron.  Only a
kill takes the whole tree.
"""

import contextlib
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from scheduler.registry.masking import without
from scheduler.service.executors.log_limit import LimitedLog, LogLimiter
from scheduler.service.executors.process_tree import SHORTEST_PAUSE, KillRequest, Marker, end_tree
from scheduler.service.executors.processes import is_running, patiently, process_of, wait_for_end
from scheduler.service.executors.protocol import (
    Adoption,
    Exit,
    Found,
    Launch,
    LaunchError,
    Report,
)
from scheduler.service.executors.records import (
    Generation,
    Record,
    RecordsFolder,
    name_of,
    read_record,
)
from scheduler.service.executors.restoring import put_back
from scheduler.service.executors.supervisor import NO_PROCESS, NOT_RECORDED, SHUT_OUT
from scheduler.service.executors.warm_pool import WarmPool
from scheduler.service.executors.warm_server import NO_DIRECTORY
from scheduler.service.log_files import make_folder, open_log

log = logging.getLogger(__name__)

CHILD = str(Path(__file__).with_name("child.py"))
#: Seconds until processes are looked at again that could not be.
_LOOK_AGAIN = 1.0
#: Seconds that an interpreter may take to begin before whoever kills the attempt waits no longer.
_LONGEST_BEGINNING = 5.0


#: What the exit code of an attempt says that is not on record.
_REFUSALS = {
    SHUT_OUT: "its record could not be written: its folder was deleted",
    NOT_RECORDED: "its record could not be written: the end of its log says why",
    NO_PROCESS: "the system has no process left for it: the end of its log says more",
    NO_DIRECTORY: "its directory cannot be entered: the end of its log says why",
}


@dataclass(slots=True, kw_only=True)
class _Running:
    """One attempt under way: of ours, or of an earlier scheduler."""

    task: str
    attempt: int
    record: Path
    marker: Marker
    grace: float
    log: LimitedLog | None
    secrets: tuple[str, ...]  # values that are not to be told
    process: "subprocess.Popen[bytes] | None"  # its supervisor, where that is a child of ours
    warm: WarmPool | None = None  # what forks it, as long as that sees its end
    request: KillRequest | None = None
    killer: threading.Thread | None = None
    has_ended: bool = False


class LocalExecutor:
    """Starts, kills and reports processes of this machine."""

    def __init__(self, report: Report, records: RecordsFolder, generation: str) -> None:
        """Shut out what an earlier scheduler over these records has not begun yet.

        ``report`` is called once an attempt, from the thread that watched it.  ``generation`` names
        this scheduler's own folder among the records: no other ever has the same.

        Raises:
            OSError: the folder of the records cannot be read or written.
        """
        self._report = report
        self._lock = threading.Lock()
        self._running: dict[tuple[str, int], _Running] = {}
        self._threads: set[threading.Thread] = set()
        self._limiter = LogLimiter()
        self._records = records
        records.shut_out()
        self._are_complete = records.are_there()
        # By name: what is on record under it is the one attempt that ever began.
        self._found = {record.path.name: record for record in records.found()}
        self._asked: dict[str, None] = {}
        self._were_deleted = False
        self._generation: Generation = records.opened(generation)
        self._warm = WarmPool(CHILD, self)
        _keep_exit_codes()

    @property
    def warm_starts(self) -> int:
        """Return how many attempts were forks of a warm interpreter, and have ended."""
        return self._warm.starts

    # -- attempts of earlier schedulers ----------------------------------------------------

    def find(self, task: str, attempt: int) -> Found | None:
        """Return what has become of an attempt of an earlier scheduler.

        None: it has not begun, and never will.
        """
        name = name_of(task, attempt)
        if not self._are_complete:
            self._restore()
        record = self._found.get(name)
        if record is None:
            return Found(is_running=False, exit=Exit(is_lost=True)) if self._were_deleted else None
        self._asked[name] = None
        # In this order: its end may be put on record while we look.
        is_seen = is_running(record.supervisor)
        if is_running(record.script):
            return Found(is_running=True)
        record = _read(record.path) or record
        if is_seen and (record.ended is None or not record.is_warm):
            return Found(is_running=True)  # its supervisor is about to write
        return Found(is_running=False, exit=_exit_of(record))

    def _restore(self) -> None:
        """Find out what is known though somebody has deleted the records: what still runs."""
        log.error(
            "the records of attempts in %s were deleted: what does not run any more is lost",
            self._records.folder,
        )
        self._are_complete = self._were_deleted = True
        for record in put_back(CHILD, self._records.folder, also_single=True):
            self._found[record.path.name] = record

    def strays(self) -> tuple[str, ...]:
        """Return, in words, what still runs of earlier schedulers and nobody has asked for."""
        lines: list[str] = []
        for name, record in list(self._found.items()):
            if name in self._asked:
                continue
            if is_running(record.script):
                lines.append(
                    f"attempt {name} of an earlier run, of which the database knows nothing, still"
                    f" runs: pid {record.script.pid}"
                )
            elif record.is_warm or not is_running(record.supervisor):
                del self._found[name]
                _remove(record.path)
        self._records.tidy()
        return tuple(lines)

    def adopt(self, adoption: Adoption) -> None:
        """Look after an attempt that was found running: its end is reported, it can be killed."""
        record = self._found[name_of(adoption.task, adoption.attempt)]
        marker = Marker(
            scheduler=adoption.scheduler,
            task=adoption.task,
            attempt=adoption.attempt,
            database=adoption.database,
        )
        self._look_after(
            _Running(
                task=adoption.task,
                attempt=adoption.attempt,
                record=record.path,
                marker=marker,
                grace=adoption.grace,
                log=_limited(adoption.log, adoption.log_limit),
                secrets=adoption.secrets,
                process=None,
            )
        )

    # -- attempts of ours ------------------------------------------------------------------

    def start(self, launch: Launch) -> None:
        """Start the attempt; raise `LaunchError` if that is impossible.

        A short attempt may be reported before this returns.
        """
        _check(launch)
        try:
            if not self._generation.is_open():  # somebody has deleted it
                put_back(CHILD, self._records.folder, also_single=False)
                self._generation.make()
                self._warm.retire()  # whose doors are gone too
        except OSError as error:
            raise LaunchError(_no_record(error)) from error
        if not self._start_warm(launch):
            self._start_cold(launch)

    def _running_of(self, launch: Launch) -> _Running:
        marker = Marker(
            scheduler=launch.environment.get("SCHEDULER_NAME", ""),
            task=launch.task,
            attempt=launch.attempt,
            database=launch.environment.get("SCHEDULER_DATABASE", ""),
        )
        return _Running(
            task=launch.task,
            attempt=launch.attempt,
            record=self._generation.path_of(launch.task, launch.attempt),
            marker=marker,
            grace=launch.grace,
            log=_limited(launch.log, launch.log_limit),
            secrets=launch.secrets,
            process=None,
        )

    def _start_cold(self, launch: Launch) -> None:
        running = self._running_of(launch)
        running.process = _spawn(launch, str(running.record))
        try:
            self._look_after(running)
        except RuntimeError as error:
            # It may have begun: it is ended like any other, and its end is not awaited in vain.
            running.request = KillRequest(hard=True)
            _end(running)
            self._clear(running)
            raise LaunchError(f"the system has no thread left to watch it: {error}") from error

    # -- attempts that are started warm --------------------------------------------------------

    def _start_warm(self, launch: Launch) -> bool:
        if not launch.warm or launch.log is None:
            return False
        running = self._running_of(launch)
        running.warm = self._warm
        with self._lock:
            self._running[launch.task, launch.attempt] = running
        log_path, is_begun = launch.log, False
        try:
            is_begun = self._warm.start(launch, running.record, lambda: _open_log(log_path))
        finally:
            if not is_begun:
                with self._lock:
                    del self._running[launch.task, launch.attempt]
        if is_begun and running.log is not None:
            self._limiter.watch(running.log)
        return is_begun

    def has_ended(self, launch: Launch, kind: str, code: int, peak: int, cpu: float) -> None:
        """Take the end of a fork; from the thread that reads what its warm interpreter says."""
        running = self._running[launch.task, launch.attempt]
        exit_ = _exit_of_fork(running.record, kind, code, peak, cpu)
        if not self._has_ended(running):
            self._tell(running, exit_)
            return
        # Others are not to wait for the rest of its tree, if that can be helped.
        _aside(self._tell, running, exit_)

    def is_refused(self, launch: Launch) -> None:
        """Start an attempt cold that no warm interpreter has begun."""
        self._start_again(launch, self._start_cold)

    def is_to_begin_again(self, launch: Launch) -> None:
        """Start an attempt in whichever way that its warm interpreter has not begun."""
        self._start_again(launch, self.start)

    def _start_again(self, launch: Launch, start: Callable[[Launch], None]) -> None:
        key = (launch.task, launch.attempt)
        with self._lock:
            running = self._running.pop(key)
        if running.log is not None:
            self._limiter.finish(running.log)
        if running.request is not None:
            # It was to end before it had begun.
            number = signal.SIGKILL if running.request.is_hard else signal.SIGTERM
            self._report(*key, Exit(signal=_name_of(number), killed=True))
            return
        try:
            start(launch)
        except LaunchError as error:
            self._report(*key, Exit(refused=str(error)))

    def has_lost(self, launch: Launch, *, may_begin: bool) -> None:
        """Look after an attempt whose warm interpreter is gone."""
        running = self._running[launch.task, launch.attempt]
        running.warm = None
        if may_begin or _read(running.record) is not None:
            _aside(self._watch, running)
        else:
            self.is_refused(launch)

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
            killer = threading.Thread(target=_end, args=(running,), daemon=True)
            try:
                killer.start()
                running.killer = killer
                return
            except RuntimeError as error:
                log.error("killed at once, with no thread left to ask task=%s: %s", task, error)
                running.request.harden()
        _end(running)

    def forget(self, task: str, attempt: int) -> None:
        """Drop what is kept of an attempt that has ended, now that its end has been stored."""
        old = self._found.pop(name_of(task, attempt), None)
        _remove(self._generation.path_of(task, attempt) if old is None else old.path)

    def close(self, *, leaves_running: bool = False) -> None:
        """Wait for the threads that watch; call it after the last attempt has been reported.

        With ``leaves_running`` it waits for nothing: the next scheduler finds what still runs, and
        what has not begun yet still may, until then.
        """
        self._warm.close(leaves_running=leaves_running)
        with self._lock:
            threads = list(self._threads)
        for thread in threads if not leaves_running else ():
            thread.join()
        self._limiter.close()
        if not leaves_running:
            self._generation.close()
            self._records.tidy()

    def _look_after(self, running: _Running) -> None:
        watcher = threading.Thread(target=self._watch, args=(running,), daemon=True)
        with self._lock:
            self._running[running.task, running.attempt] = running
            self._threads.add(watcher)
        try:
            watcher.start()
        except RuntimeError:
            self._threads.discard(watcher)
            raise
        if running.log is not None:
            self._limiter.watch(running.log)

    def _watch(self, running: _Running) -> None:
        """Wait for the end of an attempt, tree included if it is killed, and report it."""
        _wait(running)
        self._has_ended(running)
        self._tell(running, None)
        with self._lock:
            self._threads.discard(threading.current_thread())

    def _has_ended(self, running: _Running) -> bool:
        """Take note that a script has ended; return whether its tree is being killed."""
        with self._lock:
            running.has_ended = True
            request = running.request
        if request is not None:
            request.look_again()
        return request is not None

    def _tell(self, running: _Running, exit_: Exit | None) -> None:
        """Report an attempt that has ended, once its tree is gone if it was killed."""
        if running.killer is not None:
            running.killer.join()
        self._report(running.task, running.attempt, self._clear(running, exit_))

    def _clear(self, running: _Running, exit_: Exit | None = None) -> Exit:
        """Return how an attempt has ended, and drop all that was held for it."""
        if running.log is not None:
            self._limiter.finish(running.log)
        with self._lock:
            del self._running[running.task, running.attempt]
        exit_ = exit_ or _how_it_ended(running)
        error = without(exit_.error, running.secrets) if exit_.error else None
        return replace(exit_, error=error, killed=running.request is not None, ended_at=None)


class ForegroundExecutor(LocalExecutor):
    """Runs attempts that nobody records: what it keeps of them is gone with it."""

    def __init__(self, report: Report) -> None:
        # Not beside the logs: what a crash leaves here, the system tidies up.
        self._folder = tempfile.mkdtemp(prefix="scheduler-")
        super().__init__(report, RecordsFolder(Path(self._folder)), "run")

    def close(self, *, leaves_running: bool = False) -> None:
        """Wait for the threads that watch, and take the records away."""
        super().close(leaves_running=leaves_running)
        shutil.rmtree(self._folder, ignore_errors=True)


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


def _spawn(launch: Launch, record: str) -> subprocess.Popen[bytes]:
    """Start the supervisor, in a session of its own so that no terminal's Ctrl-C reaches it."""
    log = None if launch.log is None else _open_log(launch.log)
    try:
        return subprocess.Popen(
            [launch.python, "-u", CHILD, record, *_target(launch), *launch.arguments],
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


def _aside(work: Callable[..., None], *arguments: object) -> None:
    """Do something in a thread of its own; or here, if the system has none left."""
    try:
        threading.Thread(target=work, args=arguments, daemon=True).start()
    except RuntimeError:
        work(*arguments)


def _limited(path: Path | None, limit: int) -> LimitedLog | None:
    return None if path is None else LimitedLog(path=path, limit=limit)


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
    assert running.request is not None
    while True:
        try:
            record = _begun(running, running.request)
            if record is not None:
                # Where there is no fork they are one; a warm interpreter is no part of the tree.
                has_own = record.supervisor != record.script and not record.is_warm
                supervisor = record.supervisor.pid if has_own else None
                log_path = None
                if record.is_warm and running.log is not None:
                    log_path = os.path.realpath(running.log.path)
                marker = replace(running.marker, supervisor=supervisor, log=log_path)
                end_tree(process_of(record.script), marker, running.grace, running.request)
            return  # without a record it never began, and never will
        except OSError as error:
            # No file may be opened, so that neither record nor processes can be looked at: that
            # passes, and a kill that gave up would leave the attempt running for good.
            log.warning("attempt cannot be ended yet task=%s: %s", running.task, error)
            running.request.pause(_LOOK_AGAIN)


def _begun(running: _Running, request: KillRequest) -> Record | None:
    """Return the record of an attempt that is to be ended, once it has begun; None if it has not.

    What is not on record yet has no process but its supervisor to be.

    Raises:
        OSError: the record is there, but cannot be read.
    """
    process, waited = running.process, 0.0
    while (record := read_record(running.record)) is None and not _is_over(running):
        if request.is_hard or waited >= _LONGEST_BEGINNING:
            if process is not None:
                _kill_group(process)
                process.wait()
            elif running.warm is not None:
                running.warm.kill(running.task, running.attempt)
        request.pause(SHORTEST_PAUSE)
        waited += SHORTEST_PAUSE
    return record


def _is_over(running: _Running) -> bool:
    """Tell whether an attempt that is not on record yet never will be."""
    if running.process is not None:
        return running.process.poll() is not None
    return running.has_ended or running.warm is None


def _kill_group(process: "subprocess.Popen[bytes]") -> None:
    """Kill an interpreter that has not begun, and what it may have started to come to that."""
    if sys.platform == "win32":
        process.kill()
        return
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)


def _wait(running: _Running) -> None:
    """Wait until the script of an attempt has ended, and its end is on record if anybody saw it."""
    record = _read(running.record)
    if running.process is not None:
        running.process.wait()
    elif record is not None and not record.is_warm:
        wait_for_end(record.supervisor)
    record = _read(running.record)
    if record is not None and (record.ended is None or record.is_warm):
        wait_for_end(record.script)  # nobody waits for it, or its supervisor for others too
    pause = SHORTEST_PAUSE
    while record is not None and record.is_warm and record.ended is None:
        is_seen = is_running(record.supervisor)
        record = _read(running.record)
        if not is_seen:
            break
        # It is about to write.
        time.sleep(pause)
        pause = min(2 * pause, _LOOK_AGAIN)


def _how_it_ended(running: _Running) -> Exit:
    record = _read(running.record)
    code = None if running.process is None else running.process.returncode
    if record is not None and (record.ended is not None or code is None or code < 0):
        return _exit_of(record)
    # The supervisor could not write to the record, or somebody has deleted it: it ends as the
    # script did.  One that was killed has seen nothing.
    if record is None and code in _REFUSALS:
        return Exit(refused=_REFUSALS[code])
    if code is None or code < 0:
        began = record is not None or running.process is None
        return Exit(is_lost=True) if began else Exit(signal=_name_of(-(code or 0)))
    return Exit(code=code, error=record.error if record is not None and code else None)


def _exit_of_fork(path: Path, kind: str, code: int, peak: int, cpu: float) -> Exit:
    if kind == "signal":
        record = _read(path)
        if record is None:
            return Exit(signal=_name_of(code))
        error = record.error
        return Exit(signal=_name_of(code), error=error, peak_memory=peak, cpu_time=cpu)
    record = _read(path) if code else None
    if code in _REFUSALS and record is None:
        return Exit(refused=_REFUSALS[code])
    error = None if record is None else record.error
    return Exit(code=code, error=error, peak_memory=peak, cpu_time=cpu)


def _exit_of(record: Record) -> Exit:
    """Return how an attempt ended that is gone, by its record."""
    ended = record.ended
    if ended is None:
        return Exit(is_lost=True)
    return Exit(
        code=ended.code,
        signal=None if ended.signal is None else _name_of(ended.signal),
        error=record.error if ended.code != 0 else None,
        peak_memory=ended.peak_memory,
        cpu_time=ended.cpu_time,
        ended_at=ended.at,
    )


def _read(path: Path) -> Record | None:
    try:
        return patiently(lambda: read_record(path))
    except OSError as error:
        log.error("record %s cannot be read: %s", path, error)
        return None


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("record %s could not be removed: %s", path, error)


def _no_record(error: OSError) -> str:
    return f"its record could not be written: {error.strerror or error}"


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
