"""What does an attempt cost while it runs: its script, its supervisor, and their beginning?

So many attempts of a script that sleeps are started by the executor itself.  Shared pages are
counted once, by the share of each who has them (PSS); private ones are what a process adds.

    python -m benchmarks.supervisors [--attempts 20]
"""

import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil

from scheduler.service.executors.local import LocalExecutor
from scheduler.service.executors.protocol import Launch
from scheduler.service.executors.records import RecordsFolder

# Imports, and has the collector touch what it shares with its supervisor.
SCRIPT = "import csv, gc, json, logging, sqlite3, time; gc.collect(); time.sleep(600)"
SLEEPS = "import time; time.sleep(600)"
SECONDS = 5.0  # for which the processor is watched

_PRIVATE = "supervisor: private memory"


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attempts", type=int, default=20)
    count: int = parser.parse_args().attempts
    with tempfile.TemporaryDirectory(prefix="supervisors ") as folder:
        rows = measured(Path(folder), count, SCRIPT)
    with tempfile.TemporaryDirectory(prefix="supervisors ") as folder:
        least = measured(Path(folder), count, SLEEPS)[_PRIVATE]
    print(f"Python {platform.python_version()}, {count} attempts, {platform.system()}\n")
    print("| of one attempt | median |\n|---|---|")
    for what, value in rows.items():
        print(f"| {what} | {value} |")
    print(f"\nOf a script that only sleeps, {least} of its supervisor are private.")


def measured(folder: Path, count: int, body: str) -> dict[str, str]:
    """Return what each process of such scripts takes, in words."""
    script = folder / "sleeps.py"
    script.write_text(body)
    records = RecordsFolder(folder / "attempts")
    executor = LocalExecutor(lambda task, attempt, exit_: None, records, "1")
    for number in range(1, count + 1):
        executor.start(_launch(folder, script, number))
    while len(found := list(records.found())) < count:
        time.sleep(0.05)
    time.sleep(2)
    supervisors = [psutil.Process(one.supervisor.pid) for one in found]
    scripts = [psutil.Process(one.script.pid) for one in found]
    before = [_ticks(one) for one in supervisors]
    time.sleep(SECONDS)
    used = [_ticks(one) - ticks for one, ticks in zip(supervisors, before, strict=True)]
    rows = {
        _PRIVATE: _kib([_memory(one)[0] for one in supervisors]),
        "supervisor: its share of all memory (PSS)": _kib([_memory(one)[1] for one in supervisors]),
        "script: private memory": _kib([_memory(one)[0] for one in scripts]),
        "script: its share of all memory (PSS)": _kib([_memory(one)[1] for one in scripts]),
        "supervisor: processor, from its start": f"{statistics.median(before):.0f} ms",
        f"supervisor: processor, in {SECONDS:.0f} s of its script": f"{sum(used):.0f} ms",
        "supervisor: descriptors": f"{statistics.median(one.num_fds() for one in supervisors)}",
    }
    for number in range(1, count + 1):
        executor.kill(f"load.{number}", 1, hard=True)
    executor.close()
    return rows


def _launch(folder: Path, script: Path, number: int) -> Launch:
    task = f"load.{number}"
    return Launch(
        task=task,
        attempt=1,
        python=sys.executable,
        script=str(script),
        module=None,
        arguments=(),
        directory=str(folder),
        environment={**os.environ, "SCHEDULER_TASK": task, "SCHEDULER_ATTEMPT": "1"},
        log=folder / f"{number}.log",
        log_limit=1_000_000,
        grace=1.0,
    )


def _memory(process: psutil.Process) -> tuple[int, int]:
    """Return private bytes and those of its share."""
    info = process.memory_full_info()
    return info.uss, info.pss


def _ticks(process: psutil.Process) -> float:
    times = process.cpu_times()
    return (times.user + times.system) * 1000


def _kib(values: list[int]) -> str:
    return f"{statistics.median(values) / 1024:,.0f} KiB"


if __name__ == "__main__":
    main()
