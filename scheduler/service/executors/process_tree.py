"""The process tree of an attempt: which processes belong to it, and how they are ended.

A process belongs to an attempt if it is its main process, lives in that one's session, bears the
attempt's marker in its environment, or descends from one that does.  No single sign finds all: a
child may make a session of its own, clear its environment, or outlive its parent.  What was forked
from a warm interpreter bears its environment, and is known by the log that it writes to.
"""

import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import psutil

from scheduler.service.executors.protocol import Adoption

log = logging.getLogger(__name__)

#: Seconds between two looks at a tree that is about to end; while it does not, they grow.
SHORTEST_PAUSE = 0.02
LONGEST_PAUSE = 1.0
#: How often a process is looked at whose environment is empty.
_LOOKS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """What the environment of an attempt's processes says."""

    # Two schedulers may well run tasks of one id, and two users name theirs the same.
    scheduler: str
    task: str
    attempt: int
    database: str = ""  # of the scheduler; an attempt that is not recorded has none
    supervisor: int | None = None  # a pid: it bears the marker too, and is to see the end
    #: Of a fork of a warm interpreter, which bears no mark of its own: where it writes.
    log: str | None = None

    def is_in(self, environment: Mapping[str, str]) -> bool:
        """Tell whether a process with this environment belongs to the attempt."""
        return (
            environment.get("SCHEDULER_TASK") == self.task
            and environment.get("SCHEDULER_ATTEMPT") == str(self.attempt)
            and environment.get("SCHEDULER_NAME", "") == self.scheduler
            and environment.get("SCHEDULER_DATABASE", "") == self.database
        )


class KillRequest:
    """That a tree is to end: shared by who asks and who does it, so that it can turn hard."""

    def __init__(self, *, hard: bool = False) -> None:
        self._news = threading.Event()
        self.is_hard = hard

    def harden(self) -> None:
        """Have the rest killed at once, whatever is left of the grace."""
        self.is_hard = True
        self._news.set()

    def look_again(self) -> None:
        """Say that a process has ended, which may have been the last."""
        self._news.set()

    def pause(self, seconds: float) -> None:
        """Wait, but not past any news."""
        self._news.wait(seconds)
        self._news.clear()


def main_process(pid: int) -> psutil.Process | None:
    """Return the process that has this pid."""
    try:
        return psutil.Process(pid)
    except psutil.Error:
        return None


def tree_of(
    main: psutil.Process | None, marker: Marker, known: Iterable[psutil.Process] = ()
) -> list[psutil.Process]:
    """Return the processes of an attempt that were alive when looked at, the main one first.

    ``known`` are processes seen before: what they have started since belongs to the tree, even
    when no other sign is left.  Processes that may not be looked at are left out.
    """
    found: dict[psutil.Process, None] = {}
    for root in (*([main] if main else []), *known, *_bearers(main, marker)):
        if root not in found and is_alive(root):
            # It counts even if it ends right now: it may have moved on to another pid.
            found[root] = None
            with contextlib.suppress(psutil.Error):
                children = root.children(recursive=True)
                found.update((child, None) for child in children if is_alive(child))
    return [process for process in found if process.pid not in (os.getpid(), marker.supervisor)]


def _bearers(main: psutil.Process | None, marker: Marker) -> Iterator[psutil.Process]:
    """Yield the processes of the main one's session and those that bear the marker."""
    seen: set[int] = set()
    looks: Counter[int] = Counter()
    # Again for what has come up meanwhile: a process may move on to another pid as we look.
    while new := set(psutil.pids()) - seen:
        seen |= new
        for pid in sorted(new):
            # Processes end while they are looked at, and those of other users may not be.
            with contextlib.suppress(psutil.Error, OSError):
                process = psutil.Process(pid)
                if main and _session_of(pid) == main.pid:
                    yield process
                    continue
                environment = process.environ()
                if marker.is_in(environment) or (marker.log and _writes_to(pid, marker.log)):
                    yield process
                elif not environment and looks[pid] < _LOOKS:
                    # It may be about to become another program, and has none as it does.
                    looks[pid] += 1
                    seen.discard(pid)


def _writes_to(pid: int, log: str) -> bool:
    """Tell whether a process has a log as its standard output or error."""
    for number in (1, 2):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{pid}/fd/{number}").removesuffix(" (deleted)") == log:
                return True
    return False


def _session_of(pid: int) -> int | None:
    return None if sys.platform == "win32" else os.getsid(pid)


def is_alive(process: psutil.Process) -> bool:
    """Tell whether a process still runs; one that only waits to be reaped does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.AccessDenied:
        return True
    except psutil.Error:
        return False


def end_tree(
    main: psutil.Process | None, marker: Marker, grace: float, request: KillRequest
) -> None:
    """End an attempt's whole tree: politely, after the grace hard, until nothing is left."""
    tree = tree_of(main, marker)
    asked: set[psutil.Process] = set()
    deadline = time.monotonic() + grace
    while tree and not request.is_hard and time.monotonic() < deadline:
        # Each is asked once: to some programs a second SIGTERM means to drop everything.
        _signal([process for process in tree if process not in asked], main, hard=False)
        asked.update(tree)
        request.pause(SHORTEST_PAUSE)
        tree = [process for process in tree if is_alive(process)] or tree_of(main, marker, asked)
    _kill_until_gone(main, marker, asked.union(tree), request)


def _kill_until_gone(
    main: psutil.Process | None, marker: Marker, known: set[psutil.Process], request: KillRequest
) -> None:
    out_of_reach: set[psutil.Process] = set()
    pause = SHORTEST_PAUSE
    # What is killed may have forked just before, and what moves from pid to pid may be missed: only
    # two looks that find nothing end this.
    looks = 0
    while looks < 2:
        tree = [one for one in tree_of(main, marker, known) if one not in out_of_reach]
        looks = 0 if tree else looks + 1
        if not tree:
            continue
        out_of_reach |= _signal(tree, main, hard=True)
        known.update(tree)
        if pause == LONGEST_PAUSE:
            pids = ", ".join(str(process.pid) for process in tree)
            log.warning("processes do not end task=%s pids=%s", marker.task, pids)
        request.pause(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


def _signal(
    tree: list[psutil.Process], main: psutil.Process | None, *, hard: bool
) -> set[psutil.Process]:
    """Signal each process of a tree once; return those that we have no right to signal."""
    group = _signal_group(main, hard=hard) if main in tree else None
    denied: set[psutil.Process] = set()
    for process in tree:
        try:
            if group is None or _group_of(process.pid) != group:
                process.kill() if hard else process.terminate()
        except psutil.AccessDenied:
            log.warning("process may not be killed pid=%d: it runs as another user", process.pid)
            denied.add(process)
        except (psutil.NoSuchProcess, ProcessLookupError):
            continue
    return denied


def _signal_group(main: psutil.Process | None, *, hard: bool) -> int | None:
    """Signal the main process's group in one stroke, so that none of it can fork in between.

    Return the group's id; None if there is none, or it cannot be told from one of a later process.
    """
    if sys.platform == "win32" or main is None or not main.is_running():
        return None
    try:
        os.killpg(main.pid, signal.SIGKILL if hard else signal.SIGTERM)
    except OSError:
        return None
    return main.pid


def _group_of(pid: int) -> int | None:
    return None if sys.platform == "win32" else os.getpgid(pid)


def end_unrecorded(adoption: Adoption) -> None:
    """End what an attempt of an older version has left, which kept no record of its processes.

    Returns when all of it is gone.
    """
    marker = Marker(
        scheduler=adoption.scheduler,
        task=adoption.task,
        attempt=adoption.attempt,
        database=adoption.database,
    )
    end_tree(None, marker, adoption.grace, KillRequest())
