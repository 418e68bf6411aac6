"""What a process has cost: its processor time, and the most memory it used at once.

As the system counts it when the process is reaped; nothing is measured while it runs.
"""

import os
import subprocess
import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a process that has ended used; None is unknown."""

    peak_memory: int | None = None  # bytes
    cpu_time: float | None = None  # seconds


UNKNOWN = Cost()


def largest_so_far() -> int:
    """Return a size in bytes below which the peak of a process started by now is not to be told.

    On Linux a process begins its count with the peak of the one that it was started by.
    """
    if sys.platform != "linux":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return peak + peak // 10  # the kernel counts roughly


def reap(process: "subprocess.Popen[bytes]", floor: int) -> Cost:
    """Wait for a process, take its exit code, and return what it cost.

    That covers the process and each one below it that was waited for, as `subprocess.run` and
    `multiprocessing` do: the processor time of all, and the memory of the one that used most.
    What is left running, or was left to the system to reap, is not in it.  A peak that is not
    above ``floor`` is unknown, and on Windows all of it is.
    """
    if sys.platform == "win32":
        process.wait()
        return UNKNOWN
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except ChildProcessError:  # another part of the program has reaped it
        process.wait()
        return UNKNOWN
    process.returncode = os.waitstatus_to_exitcode(status)
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Cost(
        peak_memory=peak if peak > floor else None, cpu_time=usage.ru_utime + usage.ru_stime
    )
