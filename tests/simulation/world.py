"""Lives through a story: production loop, engine, recovery and store over a simulated machine."""

import logging
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from scheduler.engine.commands import Record
from scheduler.engine.states import TaskState
from scheduler.engine.task import TaskId
from scheduler.errors import RegistryError, SchedulerError, StoreError
from scheduler.registry.registry import Registry
from scheduler.registry.routine import Routine
from scheduler.service.clock import Wakeable
from scheduler.service.config import Settings
from scheduler.service.executors.protocol import Adoption, Report
from scheduler.service.inbox import Ask
from scheduler.service.loop import StopSignal
from scheduler.service.wiring import EngineRoom, Machine, StartOptions, built, load
from scheduler.zones import to_utc
from tests.simulation.fragile import (
    Disk,
    FragileMemoryStore,
    FragileSqliteStore,
    FragileStore,
    Killed,
)
from tests.simulation.ledger import Broken, Ledger, compare, keep
from tests.simulation.machine import MachineExecutor, Observer, Process, SimulatedMachine
from tests.simulation.registry_text import SCRIPT, registry_text
from tests.simulation.story import ENDINGS, Act, Kind, Story, edited, registry_of

_MOST_POINTS = 60_000
_QUIET = timedelta(hours=8)  # after all that happens from outside
_DOWN_FOR = (0, 0, 5, 60, 5400, 90_000)  # seconds without a scheduler
_SLEEPS = (8, 1800, 10_800, 108_000)
_STEPS = (1, 2, 3, 4, 6, 8, 11, 15, 22, 40, 80)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a story."""

    broken: Broken | None
    lines: tuple[str, ...]
    simulated: timedelta
    crashes: int
    points: int
    attempts: int

    def without_lines(self) -> "Outcome":
        """Return it without what happened."""
        return replace(self, lines=())


class _Errors(logging.Handler):
    """Takes what the loop catches at its outer edge: no event may make it fail."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            self.found.append(record.exc_info[1])


@contextmanager
def _listening() -> Iterator[_Errors]:
    """Hear what the scheduler logs as an error with a traceback, and let nothing be printed."""
    root, errors = logging.getLogger("scheduler"), _Errors()
    before, propagates = root.level, root.propagate
    root.setLevel(logging.ERROR)
    root.propagate = False
    root.addHandler(errors)
    try:
        yield errors
    finally:
        root.removeHandler(errors)
        root.setLevel(before)
        root.propagate = propagates


def live_through(story: Story) -> Outcome:
    """Live through a story, up to the first promise that is broken."""
    with TemporaryDirectory(prefix="simulation-", dir=_folder()) as folder, _listening() as errors:
        world = World(story, Path(folder), errors)
        broken: Broken | None = None
        try:
            # One that is killed while it comes to its feet closes nothing.
            with warnings.catch_warnings(action="ignore", category=ResourceWarning):
                world.live()
        except Broken as error:
            broken = error
        except Exception as error:
            place = _place(error)
            broken = Broken(f"nothing raises {type(error).__name__}", f"{error} {place}")
        finally:
            world.close()
        return Outcome(
            broken=broken,
            lines=tuple(world.lines),
            simulated=world.machine.now - story.start,
            crashes=world.crashes,
            points=world.points,
            attempts=len(world.ledger.begun),
        )


def _folder() -> str | None:
    """Return where files cost little: what is written is not to survive."""
    return "/dev/shm" if os.path.isdir("/dev/shm") else None


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    code = trace.tb_frame.f_code
    return f"({Path(code.co_filename).name}, {code.co_name}, line {trace.tb_lineno})"


class World:
    """One story as it goes."""

    def __init__(self, story: Story, folder: Path, errors: _Errors) -> None:
        self.story = story
        self.lines: list[str] = []
        self.crashes = 0
        self.points = 0
        self._errors = errors
        self._folder = folder
        self._routines: tuple[Routine, ...] = story.routines
        self._acts = list(story.acts)
        self._act_at = timedelta()
        self._countdown: int | None = None
        self._room: EngineRoom | None = None
        self._executor: MachineExecutor | None = None
        self._has_mail = False
        self._asked: list[tuple[str, Ask]] = []
        self._down = Random(story.seed)  # decides on how the next start goes
        self._is_last_look = False
        self._is_over = False
        self._idles = 0
        self.machine = SimulatedMachine(
            zero=story.start,
            script_of=story.script_of,
            observer=Observer(
                begins=self._begins,
                ends=self._ends,
                starting=lambda launch: self.ledger.starting(launch),
                spawned=lambda process: self.ledger.spawned(process),
                killing=self._killing,
                forgetting=lambda task, attempt: self.ledger.forgetting(task, attempt),
                point=self.point,
            ),
            chance=Random(story.seed + 1),
        )
        self.ledger = Ledger(machine=self.machine, slots=story.slots, cores=story.cores)
        self._disk = Disk(point=self.point, written=self._written)
        self.settings = Settings(
            root_directory=folder,
            registry=folder / "registry.xml",
            database=folder / "scheduler.db",
            log_directory=folder / "logs",
            timezone="UTC",
            python=sys.executable,
            max_running=story.slots,
        )
        self._store = self._opened()
        (folder / SCRIPT).touch()
        self._write(self._routines)
        self._plan_next()
        first = Random(f"first start of {story.seed}")
        if first.random() < 0.1:
            self._countdown = first.choice(_STEPS)

    def close(self) -> None:
        """Let go of what is outside of the simulation."""
        if self._room is not None:
            self._room.inbox.close()
        self._store.close()

    # -- lives -----------------------------------------------------------------------------

    def live(self) -> None:
        """Live through it, scheduler after scheduler."""
        options = StartOptions(name="it", assume_done=self.story.assume_done)
        while True:
            self._live_once(options)
            if self._is_over:
                return
            options = self._be_down()

    def _live_once(self, options: StartOptions) -> None:
        try:
            loaded = load(self.settings, self._store, is_attended=True)
            self._note(f"start{' --fresh' if options.fresh else ''}")
            room = built(self.settings, options, self._store, loaded, self, self._given())
            self._room = room
            keep(not room.taken_up.strays, "no process is an orphan", room.taken_up.strays)
            room.reloading.tell(lambda adopted, _: self.ledger.adopt(adopted.registry))
            self.ledger.adopt(loaded.registry)
            self.ledger.begin(room.started.at)
            room.begin()
            if options.fresh:
                self.ledger.check_fresh()
            self.ledger.note_is_old = False
            self.ledger.doubtful.clear()
            room.loop.run()
            self._check_end(room)
            room.executor.close(leaves_running=room.loop.leaves_running)
            self._note("it has ended")
        except Killed:
            self.crashes += 1
            self._note("it is gone")
        except StoreError as error:
            self._note(f"it does not start: {error}")
        finally:
            self._die()

    def _given(self) -> Machine:
        return Machine(
            executor=self._executor_of,
            end_unrecorded=self._end_unrecorded,
            boot_id=self.machine.boot_id,
            cores=self.story.cores,
            planned_at_once=self.story.planned_at_once,
        )

    def _executor_of(self, report: Report) -> MachineExecutor:
        def reported(*said: object) -> None:
            self._has_mail = True
            report(*said)  # type: ignore[arg-type]  # handed on as it came

        self._executor = MachineExecutor(self.machine, reported)
        return self._executor

    def _end_unrecorded(self, adoption: Adoption) -> None:
        for process in self.machine.running():
            is_it = (process.task, process.attempt) == (adoption.task, adoption.attempt)
            keep(not is_it, "what is on record and runs goes on", process)

    def _check_end(self, room: EngineRoom) -> None:
        self._check_answers()
        if not room.loop.leaves_running:
            left = [str(process) for process in self.machine.running()]
            keep(not left, "a stop waits for what runs", left)

    def _die(self) -> None:
        self._countdown = None
        self._disk.full_for = 0
        self._disk.is_out = False
        self._asked.clear()
        self.ledger.is_serving = False
        if self._executor is not None:
            self._executor.die()
        if self._room is not None:
            self._room.inbox.close()
        self._room = self._executor = None
        if self._errors.found:
            error = self._errors.found[0]
            name = type(error).__name__
            raise Broken(f"nothing raises {name}", f"{error} {_place(error)}")
        compare(self._store, self.ledger.mirror, self.ledger.live)
        if self.story.in_sqlite:
            self._store.close()
            self._store = self._opened()

    def _be_down(self) -> StartOptions:
        """Let time pass without a scheduler; return how it is started again."""
        chance = self._down
        if chance.random() < 0.3:
            self._edit(chance)
        self.machine.pass_time(self.machine.awake + timedelta(seconds=chance.choice(_DOWN_FOR)))
        for id, task in self.ledger.live.items():
            if task.state is TaskState.RUNNING and self.ledger.note_is_old:
                self.ledger.doubtful[str(id), task.attempts[-1].number] = None
        if chance.random() < 0.25:  # the next one does not even get to its feet
            self._countdown = chance.choice(_STEPS)
        return StartOptions(
            name="it", fresh=chance.random() < 0.06, assume_done=chance.random() < 0.1
        )

    def _opened(self) -> FragileStore:
        store: FragileStore
        if self.story.in_sqlite:
            store = FragileSqliteStore(self.settings.database)
        else:
            store = FragileMemoryStore()
        store.disk = self._disk
        return store

    # -- the registry ----------------------------------------------------------------------

    def _write(self, routines: Sequence[Routine]) -> None:
        self._routines = tuple(routines)
        text = registry_text(registry_of(routines))
        if not self.settings.registry.exists() or self.settings.registry.read_bytes() != text:
            self.settings.registry.write_bytes(text)

    def _edit(self, chance: Random) -> None:
        """Have somebody work on the registry; what would be refused is taken back."""
        before = self._routines
        try:
            self._write(edited(self._routines, chance))
            load(self.settings, self._store, is_attended=True)
        except (SchedulerError, RegistryError, AssertionError):
            self._write(before)
        else:
            self._note("the registry is edited")

    # -- the clock -------------------------------------------------------------------------

    def now(self) -> datetime:
        """Return what the clock shows."""
        self.point("now")
        now = self.machine.now
        self.ledger.latest = max(now, self.ledger.latest or now)
        return now

    def since_boot(self) -> timedelta:
        """Return how long the machine has been awake."""
        return self.machine.awake

    def wait(self, inbox: Wakeable, until: datetime | None) -> None:
        """Let time pass until something has come, or the moment has."""
        self.point("wait")
        room = self._room
        assert room is not None and inbox is room.inbox
        if not self._disk.is_out:  # else the write is tried again in a second
            self._check_idle(room)
            self.ledger.check_wake(until)
        while not self._has_mail:
            end = None if until is None else self.machine.awake + (until - self.machine.now)
            if end is not None and end <= self.machine.awake:
                return
            moments = [self._act_at] if end is None else [self._act_at, end]
            self.machine.pass_one(min(moments))
            if self.machine.awake >= self._act_at and self._do_next():
                break
        self._has_mail = False

    def _check_idle(self, room: EngineRoom) -> None:
        if self._errors.found:
            error = self._errors.found[0]
            name = type(error).__name__
            raise Broken(f"nothing raises {name}", f"{error} {_place(error)}")
        self._idles += 1
        self._check_answers()
        self.ledger.idle(is_thorough=self._idles % 16 == 0 or self._is_last_look)
        if self._is_last_look and not self._is_over:
            self._is_over = True
            self.ledger.check_fates(self.story.start)
            if not self.ledger.is_stopping:
                self.ledger.is_stopping = True
                self._ask("stop")

    def _check_answers(self) -> None:
        for words, ask in self._asked:
            keep(ask.reply.done(), "every request is answered", words)
            error = ask.reply.exception()
            is_said = error is None or isinstance(error, SchedulerError)
            keep(is_said, "a refusal is in words", f"{words}: {error!r}")
        self._asked.clear()

    def point(self, name: str) -> None:
        """Pass a point at which the scheduler may be killed."""
        self.points += 1
        keep(self.points < _MOST_POINTS, "it comes to an end", name)
        if self._countdown is not None:
            self._countdown -= 1
            if self._countdown <= 0:
                self._countdown = None
                self._note(f"kill -9 {name}")
                raise Killed

    # -- what happens from outside ---------------------------------------------------------

    def _plan_next(self) -> None:
        after = timedelta(seconds=self._acts[0].after) if self._acts else _QUIET
        self._act_at = self.machine.awake + after

    def _do_next(self) -> bool:
        """Do what is next; return whether the clock was set by it."""
        room = self._room
        assert room is not None
        if self._is_over:
            self._act_at += _QUIET
            return False
        if not self._acts:
            self._is_last_look = True
            return True
        act = self._acts.pop(0)
        self._plan_next()
        is_refused = self.ledger.is_stopping and act.kind not in ENDINGS
        if is_refused or (act.kind is Kind.STOP_DETACH and self.ledger.is_stopping):
            return False
        if not self._acts:
            self._ask("resume", all=True)  # for the quiet that follows
        return self._do(act, act.chance)

    def _do(self, act: Act, chance: Random) -> bool:
        if act.kind in ENDINGS:
            self._down = chance
        match act.kind:
            case Kind.CRASH:
                self._note("kill -9")
                raise Killed
            case Kind.CRASH_SOON:
                self._countdown = chance.choice(_STEPS)
            case Kind.REBOOT:
                self._note("the machine goes down")
                self.machine.reboot()
                self.ledger.note_is_old = True
                raise Killed
            case Kind.SLEEP | Kind.SET_BACK:
                by = timedelta(seconds=chance.choice(_SLEEPS))
                by = by if act.kind is Kind.SLEEP else -min(by, timedelta(hours=1))
                self.machine.set_clock(by)
                if by >= timedelta(seconds=10):
                    self.ledger.since = self.machine.now
                self._note(f"the clock jumped by {by}")
                return True
            case Kind.FULL_DISK:
                self._disk.full_for = chance.choice((1, 2, 5))
                self._note("the disk is full")
            case Kind.LOSE_SUPERVISOR:
                running = list(self.machine.running())
                if running:
                    process = chance.choice(running)
                    self._note(f"the supervisor of {process} is killed")
                    self.machine.kill_supervisor(process)
            case Kind.RELOAD:
                self._reload(chance)
            case Kind.SIGNAL:
                self._note("SIGTERM")
                self.ledger.is_stopping = True
                self._put(StopSignal(within=timedelta(seconds=60)))
            case Kind.STOP | Kind.STOP_NOW | Kind.STOP_DETACH:
                self.ledger.is_stopping = True
                self._ask(
                    "stop",
                    now=act.kind is Kind.STOP_NOW,
                    detach=act.kind is Kind.STOP_DETACH,
                )
            case _:
                self._ask_for(act.kind, chance)
        return False

    def _reload(self, chance: Random) -> None:
        room = self._room
        assert room is not None
        self._edit(chance)
        loaded = room.reloading.read()
        if chance.random() < 0.1:
            self._edit(chance)  # in between: it must be refused
        ask = self._ask("reload", revision=loaded.revision)

        def adopted(_: object) -> None:
            if ask.reply.exception() is None:
                self._note("reloaded")

        ask.reply.add_done_callback(adopted)

    def _ask_for(self, kind: Kind, chance: Random) -> None:
        match kind:
            case Kind.EXECUTE | Kind.EXECUTE_DOWNSTREAM:
                downstream = kind is Kind.EXECUTE_DOWNSTREAM
                self._ask("execute", task=str(self._some_task(chance)), downstream=downstream)
            case Kind.EXECUTE_ROUTINE:
                self._ask("execute", routine=self._some_routine(chance))
            case Kind.EXECUTE_FAILED:
                self._ask("execute", failed=True)
            case Kind.EXECUTE_UNKNOWN:
                self._ask("execute", unknown=True)
            case Kind.CANCEL | Kind.CANCEL_DOWNSTREAM:
                downstream = kind is Kind.CANCEL_DOWNSTREAM
                self._ask("cancel", task=str(self._some_task(chance)), downstream=downstream)
            case Kind.MARK_SUCCEEDED | Kind.MARK_SKIPPED:
                word = "succeeded" if kind is Kind.MARK_SUCCEEDED else "skipped"
                self._ask("mark", task=str(self._some_task(chance)), **{"as": word})
            case Kind.MARK_UNKNOWN:
                self._ask("mark", unknown=True, **{"as": "succeeded"})
            case Kind.PAUSE | Kind.RESUME:
                verb = "pause" if kind is Kind.PAUSE else "resume"
                scopes: tuple[dict[str, object], ...] = (
                    {"all": True},
                    {"tag": "night"},
                    {"routine": self._some_routine(chance)},
                )
                until = chance.choice((None, "+1h", "+1d")) if verb == "pause" else None
                self._ask(verb, **chance.choice(scopes), until=until)
            case Kind.BACKFILL:
                end = self.machine.now - timedelta(hours=chance.choice((0, 3, 30)))
                start = end - timedelta(hours=chance.choice((1, 8, 20)))
                self._ask(
                    "backfill",
                    routine=self._some_routine(chance),
                    **{"from": f"{start:%Y-%m-%dT%H:%M}", "to": f"{end:%Y-%m-%dT%H:%M}"},
                    all=chance.random() < 0.5,
                    downstream=chance.random() < 0.1,
                )
            case _:
                raise AssertionError(kind)

    def _ask(self, verb: str, **parameters: object) -> Ask:
        # Of a reload we are told only once what follows from it has been written.
        self.ledger.is_reloading |= verb == "reload"
        self.ledger.is_mixed = self._has_mail or len(self._asked) > 0
        words = " ".join(
            f"{key}={value}" for key, value in parameters.items() if value and key != "revision"
        )
        self._note(f"{verb} {words}".rstrip())
        ask = Ask(verb=verb, parameters=parameters)
        self._asked.append((f"{verb} {words}", ask))
        self._put(ask)
        return ask

    def _put(self, item: Ask | StopSignal) -> None:
        assert self._room is not None
        self._room.inbox.put(item)
        self._has_mail = True

    def _some_routine(self, chance: Random) -> str:
        names: list[str] = list(self.ledger.registry)
        return chance.choice(names)

    def _some_task(self, chance: Random) -> TaskId:
        """Return a task of the past, the present or the time to come."""
        live = sorted(self.ledger.live, key=str)
        if live and chance.random() < 0.6:
            return chance.choice(live)
        registry: Registry = self.ledger.registry
        name = chance.choice([*registry])
        moment = self.machine.now + timedelta(hours=chance.uniform(-40, 12))
        found = registry.triggers.previous(name, int(moment.timestamp()))
        at = moment.replace(microsecond=0)
        if found is not None:
            at = to_utc(found)
        return TaskId(name, at, registry[name].zone)

    # -- what is told ----------------------------------------------------------------------

    def _written(self, records: Sequence[Record]) -> None:
        self._tell(records)
        self.ledger.wrote(records)

    def _tell(self, records: Sequence[Record]) -> None:
        for record in records:
            task = getattr(record, "task", None)
            run = getattr(record, "run", None)
            if task is not None and hasattr(task, "state"):
                ending = f", to be {task.ending}" if task.ending else ""
                because = f": {task.reason}" if task.reason else ""
                self.lines.append(f"             {task.state} {task.id}{because}{ending}")
            elif run is not None:
                first = TaskId(run.routine, run.first, run.zone)
                self.lines.append(f"             skipped {run.count} from {first}: {run.reason}")

    def _begins(self, process: Process) -> None:
        self.lines.append(f"{self._stamp()}  begins {process}")
        self.ledger.begins(process)

    def _ends(self, process: Process) -> None:
        how = process.signal or f"code {process.code}"
        self.lines.append(f"{self._stamp()}  ends {process}: {how}")
        self.ledger.ends(process)

    def _killing(self, task: str, attempt: int) -> None:
        if not self._disk.is_out:  # a stop that cannot be written down kills all the same
            self.ledger.killing(task, attempt)

    def _note(self, words: str) -> None:
        self.lines.append(f"{self._stamp()}  {words}")

    def _stamp(self) -> str:
        return f"{self.machine.now:%a %H:%M:%S}"
