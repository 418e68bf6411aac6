"""How long from one task's end to the next one's start, and how long `status` takes.

A real scheduler runs a chain of tasks, each waiting for the one before; every script notes the
time of its first and of its last statement.  In the same run the floor is measured: the start of
a cold interpreter to a script's first statement, and one durable commit.

    python -m benchmarks.handoff [--links 40]
"""

import argparse
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

SCRIPT = """\
import os, sys, time
begun = time.time()
with open(os.environ["MARKS"], "a") as marks:
    marks.write(f"{os.environ['SCHEDULER_ROUTINE']} {begun!r} {time.time()!r}\\n")
"""
REPEATS = 21


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--links", type=int, default=40, help="tasks of the chain")
    links: int = parser.parse_args().links
    with tempfile.TemporaryDirectory(prefix="handoff ") as folder:
        rows = measured(Path(folder), links)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}\n")
    print("| what | median ms | worst ms |\n|---|---|---|")
    for what, times in rows.items():
        print(f"| {what} | {statistics.median(times) * 1e3:.1f} | {max(times) * 1e3:.1f} |")
    floor = statistics.median(rows["floor: start of a cold interpreter"])
    floor += statistics.median(rows["floor: one durable commit"])
    ratio = statistics.median(rows["end of a task to first statement of the next"]) / floor
    print(f"\nThe hand-off takes {ratio:.1f} times the floor (interpreter and commit).")


def measured(folder: Path, links: int) -> dict[str, list[float]]:
    """Return the times in seconds, by what they measure."""
    marks = folder / "marks.txt"
    (folder / "link.py").write_text(SCRIPT)
    (folder / "config.cfg").write_text("")
    jobs = ['<job name="link0" script="link.py" schedule="* * * * *"/>']
    jobs += [
        f'<job name="link{number}" script="link.py" depends_on="link{number - 1}"/>'
        for number in range(1, links)
    ]
    (folder / "registry.xml").write_text(f"<registry>{''.join(jobs)}</registry>")
    environment = {**os.environ, "SCHEDULER_HOME": str(folder), "MARKS": str(marks)}
    verb = [sys.executable, "-m", "scheduler"]
    name = ["--scheduler_name", "handoff"]
    config = ["--config_file", str(folder / "config.cfg")]
    subprocess.run([*verb, "start", *name, *config, "--daemon"], env=environment, check=True)
    try:
        status = [_timed([*verb, "status", *name], environment) for _ in range(REPEATS)]
        _wait_for_lines(marks, 2 * links)
    finally:
        subprocess.run([*verb, "stop", *name], env=environment, check=True)
    return {
        "end of a task to first statement of the next": _gaps(marks, links),
        "`status`, the whole command": status,
        "floor: start of a cold interpreter": [_cold_start(folder) for _ in range(REPEATS)],
        "floor: one durable commit": _commits(folder),
        "floor: bare `python -c pass`, the whole command": [
            _timed([sys.executable, "-c", "pass"], environment) for _ in range(REPEATS)
        ],
    }


def _timed(command: list[str], environment: dict[str, str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def _wait_for_lines(marks: Path, count: int) -> None:
    deadline = time.monotonic() + 200
    while not marks.exists() or marks.read_text().count("\n") < count:
        if time.monotonic() > deadline:
            raise SystemExit("the chain did not run twice within 200 seconds")
        time.sleep(0.2)


def _gaps(marks: Path, links: int) -> list[float]:
    lines = [line.split() for line in marks.read_text().splitlines()]
    gaps: list[float] = []
    for before, after in pairwise(lines):
        if after[0] != "link0" and before[0] != f"link{links - 1}":
            gaps.append(float(after[1]) - float(before[2]))
    return gaps


def _cold_start(folder: Path) -> float:
    script = folder / "floor.py"
    script.write_text("import time; print(repr(time.time()))")
    begun = time.time()  # noqa: TID251
    told = subprocess.run([sys.executable, str(script)], capture_output=True, check=True)
    return float(told.stdout) - begun


def _commits(folder: Path) -> list[float]:
    database = sqlite3.connect(folder / "floor.db", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE t (n INTEGER)")
    times: list[float] = []
    for number in range(200):
        begun = time.perf_counter()
        database.execute("BEGIN IMMEDIATE")
        database.execute("INSERT INTO t VALUES (?)", (number,))
        database.execute("COMMIT")
        times.append(time.perf_counter() - begun)
    database.close()
    return times


if __name__ == "__main__":
    main()
