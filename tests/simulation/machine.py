"""A simulated machine: processes that outlive the scheduler, their records, and a clock.

Nothing here knows what a task is for, or what the scheduler thinks.  What the machine says of a
process is the truth that the scheduler's records are held against.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush
from random import Random

from scheduler.service.executors.protocol import (
    Adoption,
    Exit,
    Found,
    Launch,
    LaunchError,
    Report,
)

_SECOND = timedelta(seconds=1)
_LONGEST_BEGINNING = timedelta(seconds=5)  # before who kills an attempt waits no longer


@dataclass(frozen=True, slots=True)
class Script:
    """How one attempt goes, if nobody ends it."""

    begins_after: timedelta = timedelta()  # the interpreter takes so long
    lasts: timedelta = timedelta()
    code: int = 0
    dies_after: timedelta = timedelta()  # a polite signal; more than its grace: it takes a hard one
    code_when_told: int | None = None  # exit code after a polite signal, if it catches it
    refused: bool = False  # it cannot be started at all


@dataclass(slots=True, eq=False)
class Process:
    """One attempt as the machine knows it: a script and its supervisor."""

    task: str
    attempt: int
    generation: int  # of the scheduler that spawned it
    script: Script
    grace: timedelta
    spawned_at: datetime
    begun_at: datetime | None = None
    ended_at: datetime | None = None  # of the script, or of what never became one
    code: int | None = None
    signal: str | None = None
    has_supervisor: bool = True
    was_shut_out: bool = False  # it found its door shut
    is_recorded: bool = False  # its end is on record
    has_record: bool = False
    is_synced: bool = False  # its record would survive the machine
    told_to_end: bool = False  # a signal of ours has reached it
    is_asked_to_end: bool = False  # its scheduler has asked for that
    watcher: "MachineExecutor | None" = None

    @property
    def runs(self) -> bool:
        """Return whether its script runs."""
        return self.begun_at is not None and self.ended_at is None

    @property
    def may_begin(self) -> bool:
        """Return whether it is still to begin."""
        return self.begun_at is None and self.ended_at is None

    def __str__(self) -> str:
        return f"{self.task} #{self.attempt}"


@dataclass
class Observer:
    """Who is told of what really happens."""

    begins: Callable[[Process], None]
    ends: Callable[[Process], None]
    starting: Callable[[Launch], None]
    spawned: Callable[[Process], None]
    killing: Callable[[str, int], None]
    forgetting: Callable[[str, int], None]
    point: Callable[[str], None]


@dataclass
class SimulatedMachine:
    """All that is there whether or not a scheduler runs."""

    zero: datetime  # what the wall clock showed when the machine was first awake
    script_of: Callable[[Launch, int], Script]
    observer: Observer
    chance: Random
    awake: timedelta = timedelta()
    boot: int = 1
    generation: int = 0  # of the scheduler that was started last
    doors: dict[int, None] = field(default_factory=dict[int, None])  # those that are open
    processes: list[Process] = field(default_factory=list[Process])
    records: dict[tuple[str, int], Process] = field(default_factory=dict[tuple[str, int], Process])
    _happenings: list[tuple[timedelta, int, Callable[[], None]]] = field(
        default_factory=list[tuple[timedelta, int, Callable[[], None]]]
    )
    _drawn: int = 0

    # -- time ------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """Return what the wall clock shows."""
        return self.zero + self.awake

    @property
    def boot_id(self) -> str:
        """Return the id of the boot."""
        return f"boot {self.boot}"

    def set_clock(self, by: timedelta) -> None:
        """Move the wall clock; or sleep, which looks the same afterwards."""
        self.zero += by

    def at(self, moment: timedelta, happening: Callable[[], None]) -> None:
        """Have something happen once the machine has been awake so long."""
        self._drawn += 1
        heappush(self._happenings, (max(moment, self.awake), self._drawn, happening))

    @property
    def following(self) -> timedelta | None:
        """Return when something happens next."""
        return self._happenings[0][0] if self._happenings else None

    def pass_time(self, until: timedelta) -> None:
        """Let time pass up to a moment, and all happen that is due by then."""
        while self._happenings and self._happenings[0][0] <= until:
            moment, _, happening = heappop(self._happenings)
            self.awake = max(self.awake, moment)
            happening()
        self.awake = max(self.awake, until)

    def pass_one(self, until: timedelta) -> None:
        """Let time pass until the next thing has happened, or up to a moment."""
        following = self.following
        self.pass_time(until if following is None else min(until, following))

    # -- processes -------------------------------------------------------------------------

    def running(self) -> Iterator[Process]:
        """Yield the processes whose script runs."""
        return (process for process in self.processes if process.runs)

    def spawn(self, launch: Launch, generation: int) -> Process:
        """Have a process that will begin soon."""
        process = Process(
            task=launch.task,
            attempt=launch.attempt,
            generation=generation,
            script=self.script_of(launch, generation),
            grace=timedelta(seconds=launch.grace),
            spawned_at=self.now,
        )
        self.processes.append(process)
        if process.script.begins_after:
            self.at(self.awake + process.script.begins_after, lambda: self._begin(process))
        else:
            self._begin(process)
        return process

    def _begin(self, process: Process) -> None:
        if not process.may_begin:
            return
        if process.generation not in self.doors:
            process.ended_at, process.was_shut_out = self.now, True
            return
        process.begun_at, process.has_record = self.now, True
        self.records[process.task, process.attempt] = process
        self.observer.begins(process)
        self.at(self.awake + process.script.lasts, lambda: self.end(process, process.script.code))

    def end(self, process: Process, code: int | None, signal: str | None = None) -> None:
        """Have a script end, if it still runs."""
        if not process.runs:
            return
        process.ended_at, process.code, process.signal = self.now, code, signal
        process.is_recorded = process.has_supervisor
        process.is_synced = process.watcher is None
        self.observer.ends(process)
        self._report(process)

    def _report(self, process: Process) -> None:
        if process.watcher is not None:
            process.watcher.ended(process)

    def kill_supervisor(self, process: Process) -> None:
        """Have somebody kill a supervisor: nobody will know how the script ends."""
        process.has_supervisor = False

    def give_up(self, process: Process) -> None:
        """Have the supervisor of a process killed before its script has begun."""
        if process.may_begin:
            process.ended_at, process.signal = self.now, "SIGKILL"
            self._report(process)

    def tell_to_end(self, process: Process, watcher: "MachineExecutor") -> None:
        """Send a script the polite signal, and after its grace the hard one."""
        if not process.runs:
            return
        process.told_to_end = True
        script = process.script
        if script.dies_after < process.grace:
            code = script.code_when_told
            signal = "SIGTERM" if code is None else None
            self.at(self.awake + script.dies_after, lambda: self.end(process, code, signal))
        else:
            # It ignores the signal: somebody must still be there to send the other one.
            self.at(self.awake + process.grace, lambda: self._end_hard(process, watcher))

    def _end_hard(self, process: Process, watcher: "MachineExecutor") -> None:
        if watcher.is_alive:
            process.told_to_end = True
            self.end(process, None, "SIGKILL")

    def reboot(self) -> None:
        """Have the machine go down: all is gone, and so are records that were not synced."""
        self.boot += 1
        self._happenings.clear()
        for process in self.processes:
            if process.runs:
                process.ended_at, process.has_supervisor = self.now, False
                self.observer.ends(process)
            elif process.may_begin:
                process.ended_at = self.now
        for key, process in list(self.records.items()):
            if process.is_synced:
                continue
            fate = self.chance.randrange(3)
            if fate == 0:  # nothing of it has reached the disk
                process.has_record = process.is_recorded = False
                del self.records[key]
            elif fate == 1:  # its first line has
                process.is_recorded = False
        self.processes = [one for one in self.processes if one.has_record]


class MachineExecutor:
    """One scheduler's executor over the machine: `Executor` of the service."""

    def __init__(self, machine: SimulatedMachine, report: Report) -> None:
        """Shut out what an earlier scheduler has not begun yet."""
        self._machine = machine
        self._observer = machine.observer
        self._report = report
        self.is_alive = True
        machine.doors.clear()
        machine.generation += 1
        self._generation = machine.generation
        machine.doors[self._generation] = None
        self._found = dict(machine.records)
        self._asked: dict[tuple[str, int], None] = {}
        self._watched: dict[tuple[str, int], Process] = {}
        self._killed: dict[tuple[str, int], None] = {}

    def find(self, task: str, attempt: int) -> Found | None:
        """Return what has become of an attempt of an earlier scheduler."""
        process = self._found.get((task, attempt))
        if process is None:
            return None
        self._asked[task, attempt] = None
        if process.runs:
            return Found(is_running=True)
        return Found(is_running=False, exit=_on_record(process))

    def strays(self) -> tuple[str, ...]:
        """Return what still runs and nobody has asked for."""
        lines: list[str] = []
        for key, process in self._found.items():
            if key in self._asked:
                continue
            if process.runs:
                lines.append(f"{process} still runs")
            else:
                del self._machine.records[key]
        return tuple(lines)

    def adopt(self, adoption: Adoption) -> None:
        """Look after an attempt that was found running."""
        process = self._found[adoption.task, adoption.attempt]
        process.grace = timedelta(seconds=adoption.grace)
        self._watch(process)
        self._observer.point("after adopt")

    def start(self, launch: Launch) -> None:
        """Start the attempt, or die before or after that."""
        self._observer.starting(launch)
        self._observer.point("before start")
        if self._machine.script_of(launch, self._generation).refused:
            raise LaunchError("there is no such script")
        process = self._machine.spawn(launch, self._generation)
        self._observer.spawned(process)
        self._watch(process)
        self._observer.point("after start")

    def _watch(self, process: Process) -> None:
        process.watcher = self
        self._watched[process.task, process.attempt] = process
        if process.ended_at is not None:
            self.ended(process)

    def kill(self, task: str, attempt: int, *, hard: bool = False) -> None:
        """End the attempt: polite, grace, hard; or hard at once."""
        self._observer.killing(task, attempt)
        self._observer.point("before kill")
        process, machine = self._watched.get((task, attempt)), self._machine
        if process is None or process.ended_at is not None:
            return
        is_new = (task, attempt) not in self._killed
        self._killed[task, attempt] = None
        process.is_asked_to_end = True
        if hard:
            process.told_to_end = True
            machine.give_up(process)
            machine.end(process, None, "SIGKILL")
        elif is_new and process.runs:
            machine.tell_to_end(process, self)
        elif is_new:
            wait = min(process.script.begins_after + _SECOND, _LONGEST_BEGINNING)
            machine.at(machine.awake + wait, lambda: self._kill_begun(process))
        self._observer.point("after kill")

    def _kill_begun(self, process: Process) -> None:
        if self.is_alive:
            self._machine.give_up(process)
            self._machine.tell_to_end(process, self)

    def ended(self, process: Process) -> None:
        """Report the end of an attempt, as its watcher does."""
        key = (process.task, process.attempt)
        if not self.is_alive or self._watched.pop(key, None) is None:
            return
        killed = key in self._killed
        if process.begun_at is None:
            end = Exit(signal=process.signal, killed=killed)
        elif process.is_recorded:
            end = Exit(code=process.code, signal=process.signal, killed=killed)
        else:
            end = Exit(is_lost=True, killed=killed)
        self._report(process.task, process.attempt, end)

    def forget(self, task: str, attempt: int) -> None:
        """Drop the record of an attempt that has ended."""
        self._observer.forgetting(task, attempt)
        self._observer.point("before forget")
        self._machine.records.pop((task, attempt), None)

    def close(self, *, leaves_running: bool = False) -> None:
        """Shut the door; what still runs goes on."""
        self._machine.doors.pop(self._generation, None)
        self.die()

    def die(self) -> None:
        """Be gone: nobody watches any more what it began."""
        self.is_alive = False
        for process in self._watched.values():
            process.watcher = None
            process.is_asked_to_end = False


def _on_record(process: Process) -> Exit:
    if not process.is_recorded:
        return Exit(is_lost=True)
    return Exit(code=process.code, signal=process.signal, ended_at=process.ended_at)
