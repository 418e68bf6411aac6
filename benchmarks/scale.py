"""How far does it go: registries of 10 to 100,000 routines, and what an event costs in each shape?

The registries mix minutely to monthly schedules, chains, fans and rounds.  Each is loaded, checked,
planned and run by a real scheduler up to the moment when it serves.  What an event costs is
measured in the real loop over a real database, without processes: thousands that are due at once,
behind one pool, in a chain, all in front of one; and a backlog after an outage.

    python -m benchmarks.scale [--routines 10 1000 100000] [--tasks 1000 10000] [--backlog 100000]
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from tabulate import tabulate

from benchmarks.idle import quiet_registry
from benchmarks.real_scheduler import Folder
from scheduler.engine.admission import PLANNED_AT_ONCE
from scheduler.service.clock import SystemClock, Wakeable
from scheduler.service.config import read_config
from scheduler.service.executors.protocol import Adoption, Exit, Found, Launch
from scheduler.service.loop import AttemptEnded
from scheduler.service.store.sqlite import SqliteStore
from scheduler.service.wiring import EngineRoom, Machine, StartOptions, built, load

SIZES = (10, 100, 1_000, 10_000, 100_000)
TASKS = (1_000, 10_000)
BACKLOG = 100_000
_START = datetime(2026, 3, 3, 12, 0, 30, tzinfo=UTC)
_IN_BACKLOG = 100  # routines
_EVENTS = 200  # of which the cost is measured
_IDLE = 10.0  # seconds
_LOAD = """
import resource, sys, time
from scheduler import load_registry
begun = time.perf_counter()
load_registry(sys.argv[1])
print(time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


class RegistryRow(NamedTuple):
    """What a registry of so many routines takes, in seconds and MiB."""

    routines: int
    load: float  # load_registry
    load_memory: float
    check: float  # the whole command
    plan: float  # of the day of one routine, the whole command
    plan_all: float  # of all routines for ten minutes, the whole command
    start: float  # until it serves
    resident: float  # then
    idle: float  # processor seconds in ten of nothing due


class EventRow(NamedTuple):
    """What one shape of many tasks takes."""

    shape: str
    tasks: int
    planned: float  # seconds until all that is due at one moment is stored
    event: float  # milliseconds that the end of a task takes then: the median
    worst: float


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--routines", type=int, nargs="*", default=SIZES)
    parser.add_argument("--tasks", type=int, nargs="*", default=TASKS)
    parser.add_argument("--backlog", type=int, default=BACKLOG)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".", prefix="benchmark-") as name:
        folder = Path(name)
        rows = [measured_registry(folder, count) for count in arguments.routines]
        if rows:
            headers = ["routines", "load s", "MiB", "check s", "plan ROUTINE s", "plan 10 min s"]
            headers += ["start s", "MiB", "idle: processor s in 10"]
            print(tabulate(rows, headers, "github", floatfmt=".2f"), end="\n\n")
        events = rows_of_events(folder, arguments.tasks)
        events += [measured_backlog(folder, arguments.backlog)] if arguments.backlog else []
        headers = ["shape", "tasks", "all stored after s", "an end ms", "worst ms"]
        print(tabulate(events, headers, "github", floatfmt=".2f"))


# -- registries ------------------------------------------------------------------------------------


def mixed_registry(count: int) -> str:
    """Return a registry of routines of any kind: of a hundred, two minutely and 24 hourly ones."""
    jobs = (f'<job name="r{number}" script="s.py" {_kind(number)}/>' for number in range(count))
    return f'<registry timezone="Europe/Paris">{"".join(jobs)}</registry>'


def _kind(number: int) -> str:
    part, minute, hour = number % 100, number % 60, number // 60 % 24
    before = f'depends_on="r{number - 1}"'
    if part == 0:
        return f'schedule="{number // 100 % 60} {number // 6_000 % 24} * * *"'
    if part < 20:  # a chain, each at its own time
        return f'schedule="{number * 7 % 60} {number % 24} * * *" {before}'
    if part < 40:  # a chain that triggers together
        return before
    if part == 40:  # a fan, by rounds
        return f'depends_on="{", ".join(f"r{other}" for other in range(number - 20, number))}"'
    if part < 43:
        return 'schedule="* * * * *"'
    if part < 60:
        return f'schedule="{minute} * * * *"' + (f" {before}" if part > 55 else "")
    if part < 70:
        return f'schedule="0 0 {number % 28 + 1} * *"'
    return f'schedule="{minute} {hour} * * *"'


def measured_registry(folder: Path, count: int) -> RegistryRow:
    """Return what a registry of so many routines takes."""
    data = Folder.made(folder / f"mixed-{count}", mixed_registry(count))
    registry = str(data.path / "registry.xml")
    loaded = subprocess.run(
        [sys.executable, "-c", _LOAD, registry], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.split()
    now = SystemClock(with_timer=False).now()
    soon = (now + timedelta(minutes=10)).isoformat(timespec="seconds")
    check = data.timed("check", "--registry", registry, "--json")
    plan = data.timed("plan", "r0", "--registry", registry)
    plan_all = data.timed("plan", "--registry", registry, "--json", "--to", soon)
    with data.scheduler() as running:
        start, resident = running.seconds, running.resident
    quiet = Folder.made(folder / f"quiet-{count}", quiet_registry(count, now))
    with quiet.scheduler() as running:
        running.processor_over(5)
        idle = running.processor_over(_IDLE)
    return RegistryRow(
        count, float(loaded[0]), float(loaded[1]), check, plan, plan_all, start, resident, idle
    )


# -- events ----------------------------------------------------------------------------------------


def in_one_pool(count: int) -> str:
    """Return routines that are all due at one moment, and of which one may run."""
    jobs = (f'<job name="r{n}" script="s.py" schedule="1 * * * *" pool="p"/>' for n in range(count))
    return f'<pool name="p" slots="1"/>{"".join(jobs)}'


def with_free_slots(count: int) -> str:
    """Return routines that are all due at one moment."""
    return "".join(f'<job name="r{n}" script="s.py" schedule="1 * * * *"/>' for n in range(count))


def in_a_chain(count: int) -> str:
    """Return routines of which each waits for the one before."""
    jobs = (f'<job name="r{n}" script="s.py" depends_on="r{n - 1}"/>' for n in range(1, count))
    return f'<job name="r0" script="s.py" schedule="1 * * * *"/>{"".join(jobs)}'


def in_a_fan(count: int) -> str:
    """Return routines that one waits for."""
    needs = "".join(f'<dependency name="r{n}"/>' for n in range(count))
    return f'{with_free_slots(count)}<job name="top" script="s.py">{needs}</job>'


SHAPES: tuple[Callable[[int], str], ...] = (with_free_slots, in_one_pool, in_a_chain, in_a_fan)


def measured_events(folder: Path, shape: Callable[[int], str], count: int) -> EventRow:
    """Return what it takes when so many tasks fall due at one moment, and then to end some."""
    begun = _Scheduler.begun(folder / f"{shape.__name__}-{count}", shape(count), _START)
    begun.clock.moment += timedelta(seconds=30)
    planned = _timed(begun.room.loop.step)
    row = EventRow(shape.__name__.replace("_", " "), count, planned, *begun.ends())
    begun.room.store.close()
    return row


def measured_backlog(folder: Path, count: int) -> EventRow:
    """Return what it takes to start after an outage in which so many tasks fell due."""
    jobs = "".join(
        f'<job name="r{number}" script="s.py" schedule="* * * * *" backlog="all"/>'
        for number in range(_IN_BACKLOG)
    )
    path = folder / f"backlog-{count}"
    _Scheduler.begun(path, jobs, _START).room.store.close()
    times: list[float] = []
    after = _START + timedelta(minutes=count // _IN_BACKLOG)
    begun = _Scheduler.begun(path, jobs, after, times)
    row = EventRow("a backlog of", count, times[0], *begun.ends())
    begun.room.store.close()
    return row


@dataclass(kw_only=True)
class _SetClock:
    """A clock that stands."""

    moment: datetime

    def now(self) -> datetime:
        return self.moment

    def since_boot(self) -> timedelta:
        return self.moment - _START

    def wait(self, inbox: Wakeable, until: datetime | None) -> None:
        raise AssertionError("there is always something to do")


@dataclass(kw_only=True)
class _NoProcesses:
    """An executor that starts nothing."""

    started: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])

    def find(self, task: str, attempt: int) -> Found | None:
        return None

    def strays(self) -> tuple[str, ...]:
        return ()

    def adopt(self, adoption: Adoption) -> None: ...

    def start(self, launch: Launch) -> None:
        self.started.append((launch.task, launch.attempt))

    def kill(self, task: str, attempt: int, *, hard: bool = False) -> None: ...

    def forget(self, task: str, attempt: int) -> None: ...

    def close(self, *, leaves_running: bool = False) -> None: ...


@dataclass(kw_only=True)
class _Scheduler:
    """Loop, engine and database of a real scheduler, without its doors and processes."""

    room: EngineRoom
    clock: _SetClock
    executor: _NoProcesses

    @classmethod
    def begun(
        cls, path: Path, jobs: str, now: datetime, times: list[float] | None = None
    ) -> "_Scheduler":
        """Return one that serves; how long its start takes is added to ``times``."""
        data = Folder.made(path, f'<registry timezone="UTC">{jobs}</registry>')
        settings = read_config(data.path / "config.cfg")
        store = SqliteStore(settings.database)
        loaded = load(settings, store, is_attended=True)
        clock, executor = _SetClock(moment=now), _NoProcesses()
        machine = Machine(
            executor=lambda report: executor,
            end_unrecorded=lambda adoption: None,
            boot_id="boot",
            cores=2,
            planned_at_once=PLANNED_AT_ONCE,
        )
        options = StartOptions(name="measured", assume_done=True)
        begun = time.perf_counter()
        room = built(settings, options, store, loaded, clock, machine)
        room.begin()
        if times is not None:
            times.append(time.perf_counter() - begun)
        return cls(room=room, clock=clock, executor=executor)

    def ends(self) -> tuple[float, float]:
        """Let tasks end one after the other; return the median and the worst, in ms."""
        times: list[float] = []
        while self.executor.started and len(times) < _EVENTS:
            task, attempt = self.executor.started.pop(0)
            self.room.inbox.put(AttemptEnded(task=task, attempt=attempt, exit=Exit(code=0)))
            self.clock.moment += timedelta(milliseconds=1)
            times.append(_timed(self.room.loop.step) * 1e3)
        return statistics.median(times), max(times)


def _timed(act: Callable[[], object]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def rows_of_events(folder: Path, tasks: Sequence[int] = TASKS) -> list[EventRow]:
    """Return what each shape takes, for so many tasks each."""
    return [measured_events(folder, shape, count) for count in tasks for shape in SHAPES]


if __name__ == "__main__":
    main()
