"""What a program takes: how long until it serves, and then processor time, wake-ups and memory."""

import contextlib
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_MIB = 2**20
_PATIENCE = 60.0  # seconds, with one that was asked to end


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """A program that serves."""

    pid: int
    seconds: float  # from the command to its first line


@contextlib.contextmanager
def serving(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Serving]:
    """Have a program run whose first line says that it serves.

    Raises:
        RuntimeError: it ended without a line.
    """
    begun = time.monotonic_ns()
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            if not process.stdout.readline():
                raise RuntimeError("it ended before it served")
            yield Serving(pid=process.pid, seconds=(time.monotonic_ns() - begun) / 1e9)
        finally:
            process.terminate()
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


def tree(pid: int) -> tuple[psutil.Process, ...]:
    """Return a process and all below it."""
    process = psutil.Process(pid)
    return (process, *process.children(recursive=True))


def spent(processes: Sequence[psutil.Process]) -> tuple[float, float]:
    """Return milliseconds of processor time, and how often a thread has woken up."""
    threads = [thread for one in processes for thread in Path(f"/proc/{one.pid}/task").glob("*")]
    if not threads:  # not Linux: processor time only, in ticks
        return 1e3 * sum(sum(one.cpu_times()[:2]) for one in processes), 0.0
    nanoseconds = sum(int((one / "schedstat").read_text().split()[0]) for one in threads)
    switches = sum(_switches((one / "status").read_text()) for one in threads)
    return nanoseconds / 1e6, switches


def resident(processes: Sequence[psutil.Process]) -> float:
    """Return all memory that they use, in MiB."""
    return sum(float(one.memory_info().rss) for one in processes) / _MIB


def private(processes: Sequence[psutil.Process]) -> float:
    """Return the memory that they share with nobody, in MiB."""
    return sum(float(one.memory_full_info().uss) for one in processes) / _MIB


def _switches(status: str) -> int:
    return next(
        int(line.split()[1])
        for line in status.splitlines()
        if line.startswith("voluntary_ctxt_switches")
    )
