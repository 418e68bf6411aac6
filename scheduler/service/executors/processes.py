"""Whether a process is still there, and waiting for its end, also if it is nobody's child of ours.

A pid alone proves nothing: another process may have it by now.  On Linux a pidfd is taken first and
the start of the process compared then, so that what is waited for is that very one.
"""

import errno
import os
import select
import sys
import time
from collections.abc import Callable
from typing import TypeVar

import psutil

from scheduler.service.executors.records import ProcessId
from scheduler.service.executors.supervisor import start_of

Found = TypeVar("Found")

#: Seconds between two looks where the system cannot tell of the end of a process.
LOOK_EVERY = 0.5
#: Seconds by which two readings of a start may differ where it is told by the wall clock.
TOLERANCE = 5.0


def process_of(id: ProcessId) -> psutil.Process | None:
    """Return a process if it is still there; one that only waits to be reaped is not."""
    return patiently(lambda: _look_for(id))


def _look_for(id: ProcessId) -> psutil.Process | None:
    try:
        process = psutil.Process(id.pid)
        if process.status() == psutil.STATUS_ZOMBIE or not _is_that(process, id):
            return None
    except psutil.NoSuchProcess:
        return None
    return process


def patiently(look: Callable[[], Found]) -> Found:
    """Return what a look finds, once there is a descriptor for it: to see nothing proves nothing.

    Raises:
        OSError: it fails for another reason.
    """
    while True:
        try:
            return look()
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
            time.sleep(LOOK_EVERY)


def is_running(id: ProcessId) -> bool:
    """Return whether a process is still there."""
    return process_of(id) is not None


def _is_that(process: psutil.Process, id: ProcessId) -> bool:
    if not id.start.startswith("~"):
        return start_of(id.pid) == id.start
    return abs(process.create_time() - float(id.start[1:])) <= TOLERANCE


def wait_for_end(id: ProcessId) -> None:
    """Return once a process is gone."""
    opened = _pidfd(id)
    if opened is None:
        while process_of(id) is not None:
            time.sleep(LOOK_EVERY)
        return
    try:
        # After the descriptor: what it stands for has been there then, and is still.
        if process_of(id) is not None:
            _wait(opened)
    finally:
        os.close(opened)


def _wait(pidfd: int) -> None:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    poll.poll()


def _pidfd(id: ProcessId) -> int | None:
    """Return a descriptor that becomes readable at the end of a process; None without any."""
    # A Python that was built for older kernels has no such call.
    if sys.platform != "linux" or not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(id.pid)
    except OSError:
        return None  # it is gone, or the kernel is older than 5.3, or there is no descriptor left


def boot_id() -> str:
    """Return what is different after each boot of the machine, and on another machine."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        # Full minutes: the moment of boot moves a little when the clock is corrected.
        return f"booted {round(psutil.boot_time() / 60)}"
