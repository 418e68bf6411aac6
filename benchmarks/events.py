"""What does an event cost when many tasks are about?

In the real loop over a real database, without processes: thousands that fall due at one moment,
with slots for each, behind one pool, in a chain, and all in front of one; and a backlog after an
outage.  Told is how long it takes until all are stored, and what the end of a task takes then.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from benchmarks.data_folder import DataFolder, element, job
from benchmarks.figures import OURS, Figure
from benchmarks.setting import Setting
from benchmarks.stamps import Stamps
from scheduler.engine.admission import PLANNED_AT_ONCE
from scheduler.service.clock import Wakeable
from scheduler.service.config import read_config
from scheduler.service.executors.protocol import Adoption, Exit, Found, Launch
from scheduler.service.loop import AttemptEnded
from scheduler.service.store.sqlite import SqliteStore
from scheduler.service.wiring import EngineRoom, Machine, StartOptions, built, load

TASKS = (1_000, 10_000)
_BACKLOG = "a backlog"
_START = datetime(2026, 3, 3, 12, 0, 30, tzinfo=UTC)
_IN_BACKLOG = 100  # routines
_ENDS = 200  # of which the cost is measured


def measure(setting: Setting) -> Iterator[Figure]:
    """Yield the figures of one round."""
    for count in TASKS[: setting.either(len(TASKS), 1)]:
        for shape in SHAPES:
            yield from _of_shape(setting, shape, count)
    yield from _of_backlog(setting, setting.either(100_000, 1_000))


def _of_shape(setting: Setting, shape: Callable[[int], list[str]], count: int) -> Iterator[Figure]:
    """Yield what it takes when so many tasks fall due at one moment, and then to end some."""
    name = shape.__name__.replace("_", " ")
    begun = _Scheduler.begun(_folder(setting, f"{count} {name}", shape(count)), _START)
    begun.clock.moment += timedelta(seconds=30)
    stored = _timed(begun.plan_all)
    yield from _figures(name, count, stored, begun.ends())
    begun.room.store.close()


def _of_backlog(setting: Setting, count: int) -> Iterator[Figure]:
    """Yield what it takes to start after an outage in which so many tasks fell due."""
    jobs = [job(f"r{number}", schedule="* * * * *", backlog="all") for number in range(_IN_BACKLOG)]
    folder = _folder(setting, _BACKLOG, jobs)
    _Scheduler.begun(folder, _START).room.store.close()
    begun = _Scheduler.begun(folder, _START + timedelta(minutes=count // _IN_BACKLOG))
    yield from _figures(_BACKLOG, count, begun.seconds, begun.ends())
    begun.room.store.close()


def _figures(shape: str, count: int, stored: float, ends: list[float]) -> Iterator[Figure]:
    who = f"{OURS}, {shape}"
    for what, unit, samples in (
        ("until all are stored", "s", [stored]),
        ("the end of a task, in the loop", "ms", ends),
        (f"the slowest of {_ENDS} ends", "ms", [max(ends)]),
    ):
        yield Figure(
            what=f"{what}, by tasks", who=who, unit=unit, size=count, samples=tuple(samples)
        )


def _folder(setting: Setting, name: str, jobs: list[str]) -> DataFolder:
    room = setting.room(name)
    folder = DataFolder(room, Stamps(room).environment)
    folder.write(jobs)
    return folder


# -- the shapes ----------------------------------------------------------------------------------


_DUE = "1 * * * *"


def with_free_slots(count: int) -> list[str]:
    """Return routines that are all due at one moment."""
    return [job(f"r{number}", schedule=_DUE) for number in range(count)]


def in_one_pool(count: int) -> list[str]:
    """Return routines that are all due at one moment, and of which one may run."""
    pool = element("pool", {"name": "p", "slots": "1"})
    return [pool, *(job(f"r{number}", schedule=_DUE, pool="p") for number in range(count))]


def in_a_chain(count: int) -> list[str]:
    """Return routines of which each waits for the one before."""
    others = (job(f"r{number}", depends_on=f"r{number - 1}") for number in range(1, count))
    return [job("r0", schedule=_DUE), *others]


def in_a_fan(count: int) -> list[str]:
    """Return routines that one waits for."""
    names = ", ".join(f"r{number}" for number in range(count))
    return [*with_free_slots(count), job("top", depends_on=names)]


SHAPES: tuple[Callable[[int], list[str]], ...] = (
    with_free_slots,
    in_one_pool,
    in_a_chain,
    in_a_fan,
)


# -- the scheduler -------------------------------------------------------------------------------


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
    seconds: float  # that its start took

    @classmethod
    def begun(cls, data: DataFolder, now: datetime) -> "_Scheduler":
        """Return one that serves."""
        settings = read_config(data.config)
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
        seconds = time.perf_counter() - begun
        return cls(room=room, clock=clock, executor=executor, seconds=seconds)

    def plan_all(self) -> None:
        """Let the loop plan all that has fallen due, which takes many passes."""
        while (until := self.room.store.planned_until()) is None or until < self.clock.moment:
            self.room.loop.step()

    def ends(self) -> list[float]:
        """Let tasks end one after the other; return what each takes, in milliseconds."""
        times: list[float] = []
        while self.executor.started and len(times) < _ENDS:
            task, attempt = self.executor.started.pop(0)
            self.room.inbox.put(AttemptEnded(task=task, attempt=attempt, exit=Exit(code=0)))
            self.clock.moment += timedelta(milliseconds=1)
            times.append(_timed(self.room.loop.step) * 1e3)
        return times


def _timed(act: Callable[[], object]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun
