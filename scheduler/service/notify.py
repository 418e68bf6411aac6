"""Telling somebody: runs the command of ``[notify]`` for each incident, and when it is over.

In a thread of its own, fed by the loop, so that nothing waits for it; never more than one process
at a time.  What is an incident is for `incidents`.
"""

import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO

from scheduler.engine.commands import Command, Notice, RecordTask
from scheduler.engine.states import TaskState
from scheduler.engine.task import Task, TaskId
from scheduler.errors import SchedulerError
from scheduler.registry.registry import Registry
from scheduler.service.executors.process_tree import KillRequest, Marker, end_tree, main_process
from scheduler.service.incidents import (
    LAST_LINES,
    Incident,
    Situation,
    began,
    ended,
    from_note,
    judge,
    to_note,
)
from scheduler.service.log_files import open_log
from scheduler.service.store.protocol import Reader
from scheduler.service.views import LogOf, View

log = logging.getLogger(__name__)

#: the note that keeps which incidents have been told and are not over
INCIDENTS_NOTE = "incidents"
#: seconds that the command may take
LONGEST = 30.0
#: seconds that it may still take when the scheduler ends
LONGEST_AT_END = 5.0

_LOOK_EVERY = 0.1  # seconds between two looks at a command that runs
_TAIL = 64 * 1024  # bytes of a log in which its last lines are looked for
_LONGEST_LINE = 2_000  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How the command ended."""

    code: int | None  # None: it was killed, or did not start
    seconds: float
    output: str = ""
    error: str | None = None  # what went wrong, in words

    @property
    def is_ok(self) -> bool:
        """Return whether the message can be taken as told."""
        return self.error is None


class Teller:
    """Runs the command with a message on its stdin."""

    def __init__(self, command: Sequence[str], *, scheduler: str, directory: Path) -> None:
        self._command = list(command)
        self._scheduler = scheduler
        self._directory = directory
        self._ends_at: float | None = None  # of a scheduler that is about to end

    def tell(self, message: View, *, longest: float = LONGEST) -> Told:
        """Run the command to its end, or kill it and all that it started when the time is up."""
        begun = time.monotonic()
        # Files, not pipes: a command may leave its input unread and its output open.
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
            given.write(json.dumps(message, ensure_ascii=False, indent=2).encode(errors="replace"))
            given.seek(0)
            try:
                process = self._start(given, said)
            except (OSError, ValueError) as error:
                reason = f"{self._command[0]} could not be started: {error}"
                return Told(code=None, seconds=time.monotonic() - begun, error=reason)
            code = self._wait(process, begun + longest)
            seconds = time.monotonic() - begun
            output = _tail(said).decode(errors="replace").strip()
        return Told(code=code, seconds=seconds, output=output, error=_wrong(code, seconds, output))

    def hurry(self) -> None:
        """Give a command that runs a few more seconds only."""
        self._ends_at = time.monotonic() + LONGEST_AT_END

    def _start(self, given: IO[bytes], said: IO[bytes]) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            self._command,
            cwd=self._directory,
            env={**os.environ, "SCHEDULER_NAME": self._scheduler},
            stdin=given,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=sys.platform != "win32",
            creationflags=_creation_flags(),
        )

    def _wait(self, process: "subprocess.Popen[bytes]", until: float) -> int | None:
        while time.monotonic() < min(until, self._ends_at or until):
            try:
                return process.wait(_LOOK_EVERY)
            except subprocess.TimeoutExpired:
                continue
        # It bears no task's mark: it is found by its session and its descent.
        marker = Marker(scheduler=self._scheduler, task="", attempt=0)
        end_tree(main_process(process.pid), marker, 0.0, KillRequest(hard=True))
        process.wait()
        return None


def _creation_flags() -> int:
    if sys.platform == "win32":
        return subprocess.CREATE_NO_WINDOW
    return 0


def _wrong(code: int | None, seconds: float, output: str) -> str | None:
    if code == 0:
        return None
    how = f"killed after {seconds:.0f} s" if code is None else f"exit code {code}"
    last = output.splitlines()[-1][:200] if output else ""
    return f"{how}: {last}" if last else how


class Notifier:
    """Tells the incidents of one scheduler: each once when it begins, and once when it is over."""

    def __init__(
        self,
        teller: Teller,
        *,
        scheduler: str,
        store: Reader,
        registry: Callable[[], Registry],
        log_of: LogOf,
        now: Callable[[], datetime],
        keep: Callable[[str], None],
    ) -> None:
        """``keep`` is given the note to be kept as `INCIDENTS_NOTE`, in this one's thread."""
        self._teller = teller
        self._scheduler = scheduler
        self._store = store
        self._registry = registry
        self._log_of = log_of
        self._now = now
        self._keep = keep
        self._told: dict[str, Incident] = {}
        self._news: SimpleQueue[bool] = SimpleQueue()  # whether something may have begun
        self._is_closing = False
        self._failure: str | None = None
        self._thread = threading.Thread(target=self._run, name="notify", daemon=True)

    @property
    def notices(self) -> tuple[str, ...]:
        """Return what the user has to know: that the command failed when it was last run."""
        return () if self._failure is None else (self._failure,)

    def start(self) -> None:
        """Begin, with what has happened while nobody watched."""
        try:
            self._told = from_note(self._store.note(INCIDENTS_NOTE))
        except (ValueError, LookupError, TypeError) as error:
            # Of another version, or written by hand: to tell something twice is the lesser evil.
            log.warning("what has been told is not known any more: %s", error)
        self._news.put(True)
        self._thread.start()

    def see(self, commands: Iterable[Command]) -> None:
        """Take note of what was decided and stored; from the loop's thread."""
        tasks = [one.task for one in commands if isinstance(one, RecordTask | Notice)]
        if not tasks:
            return
        states = [one.state for one in tasks if isinstance(one, Task)]
        may_begin = len(states) < len(tasks) or TaskState.FAILED in states
        if may_begin or any(state.is_end for state in states):
            self._news.put(may_begin)

    def close(self) -> None:
        """End: a command that runs has a few more seconds; what was not told is at the next start.

        All that is to be kept has been given to ``keep`` when this returns.
        """
        self._is_closing = True
        self._teller.hurry()
        self._news.put(False)
        if self._thread.ident is not None:
            self._thread.join()

    # -- in its own thread -----------------------------------------------------------------

    def _run(self) -> None:
        while not self._is_closing:
            may_begin = _all_of(self._news)
            if self._is_closing or not (may_begin or self._told):
                continue
            try:
                while not self._is_closing and self._tell_next():
                    pass
            except SchedulerError as error:
                self._note_failure(str(error))
            except Exception:  # an outer edge: whoever is to be told must not miss the rest
                log.exception("telling about incidents failed")
                self._note_failure("see the scheduler's log")

    def _tell_next(self) -> bool:
        """Tell what is to be told first; return whether there was anything.

        Each time the records are read anew: the one before may have taken half a minute.
        """
        situation = self._situation()
        verdict = judge(self._told, situation)
        for incident in verdict.over[:1]:
            del self._told[incident.routine]
            self._tell(self._end_of(incident, situation))
            return True
        for incident in verdict.begun[:1]:
            self._told[incident.routine] = incident
            self._tell(self._beginning_of(incident, situation))
            return True
        return False

    def _tell(self, message: View) -> None:
        told = self._teller.tell(message)
        if not told.is_ok and self._is_closing and told.code is None:
            log.warning("not told, the scheduler ends: %s", message["summary"])
            return  # the note does not say so either: the next start tells it again
        self._keep(to_note(self._told.values()))
        if told.is_ok:
            self._failure = None
            log.info("told in %.1f s: %s", told.seconds, message["summary"])
        else:
            self._note_failure(f"{told.error} ({message['summary']})")

    def _note_failure(self, reason: str) -> None:
        log.error("the notify command failed: %s", reason)
        at = self._now().astimezone()
        self._failure = f"the notify command failed at {at:%Y-%m-%d %H:%M}: {reason}"

    # -- what is told ----------------------------------------------------------------------

    def _situation(self) -> Situation:
        live, failed = self._store.live(), {task.id: task for task in self._store.failed()}
        # A newer success makes an older failure forgotten, but not where something waits for it.
        for root in dict.fromkeys(task.root for task in live if task.root is not None):
            task = self._store.task(root)
            if task is not None and task.state is TaskState.FAILED:
                failed[root] = task
        oldest_first = sorted(failed.values(), key=lambda task: (task.instant, task.routine))
        return Situation(at=self._now(), registry=self._registry(), failed=oldest_first, live=live)

    def _beginning_of(self, incident: Incident, situation: Situation) -> View:
        task = self._store.task(incident.task)
        path = None
        if task is not None and task.attempts:
            path = self._log_of(task.id, task.attempts[-1].number)
        return began(
            incident,
            situation,
            scheduler=self._scheduler,
            log=None if path is None else str(path),
            last_lines=() if path is None else last_lines(path),
        )

    def _end_of(self, incident: Incident, situation: Situation) -> View:
        state = self._store.routine(incident.routine)
        success = None
        if state is not None and state.last_success is not None:
            success = TaskId(incident.routine, state.last_success, state.zone)
        return ended(
            incident,
            situation.at,
            scheduler=self._scheduler,
            task=self._store.task(incident.task),
            success=success,
        )


def _all_of(news: "SimpleQueue[bool]") -> bool:
    """Wait for news, take all that there are, and return whether something may have begun."""
    may_begin = news.get()
    while True:
        try:
            may_begin |= news.get_nowait()
        except Empty:
            return may_begin


def last_lines(path: Path) -> tuple[str, ...]:
    """Return the last lines of a log, each cut where it is too long; none if it cannot be read."""
    try:
        with open(open_log(path, os.O_RDONLY), "rb") as file:
            text = _tail(file).decode(errors="replace")
    except OSError:
        return ()
    lines = deque(text.splitlines(), maxlen=LAST_LINES)
    return tuple(line[:_LONGEST_LINE] for line in lines)


def _tail(file: IO[bytes]) -> bytes:
    file.seek(max(file.seek(0, os.SEEK_END) - _TAIL, 0))
    return file.read()
