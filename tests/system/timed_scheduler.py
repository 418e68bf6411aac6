"""A scheduler whose clock a test moves: the real loop, database and processes, in this process."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scheduler.engine.states import TaskState
from scheduler.engine.task import TaskId
from scheduler.registry.registry import Registry
from scheduler.service.config import read_config
from scheduler.service.explain import Explainer
from scheduler.service.inbox import Ask
from scheduler.service.requests import named_task
from scheduler.service.store.protocol import BOOT_NOTE
from scheduler.service.store.sqlite import SqliteStore
from scheduler.service.wiring import EngineRoom, StartOptions, built, load
from tests.support.fake_clock import FakeClock
from tests.system.data_folder import DataFolder

# Each run leaves one line: its task, and what it was told of the time.
_SCRIPT = """\
import os, pathlib, sys, time
task = os.environ["SCHEDULER_TASK"]
routine = os.environ["SCHEDULER_ROUTINE"]
with open("starts", "a") as starts:
    print(task, file=starts)
while pathlib.Path(routine + ".hold").exists():
    time.sleep(0.01)
if pathlib.Path(routine + ".fail").exists():
    sys.exit("told to fail")
"""


class TimedScheduler:
    """A data folder, and a scheduler over it that lives while a test says so."""

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder
        self._room: EngineRoom | None = None
        self._store: SqliteStore | None = None
        self._registry: Registry | None = None
        self._has_crashed = False
        self.clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC), self._is_busy)

    @property
    def room(self) -> EngineRoom:
        """Return what runs."""
        assert self._room is not None, "start it first"
        return self._room

    @property
    def store(self) -> SqliteStore:
        """Return its database."""
        assert self._store is not None, "start it first"
        return self._store

    @property
    def registry(self) -> Registry:
        """Return its registry."""
        assert self._registry is not None, "start it first"
        return self._registry

    def write_jobs(self, jobs: str) -> None:
        """Write its registry; ``{}`` stands for the script that all of them run."""
        self._folder.write_script("script.py", _SCRIPT)
        self._folder.write_jobs(jobs.replace("{}", 'script="script.py"'))

    @contextmanager
    def running(
        self, at: str, *, fresh: bool = False, assume_done: bool = False
    ) -> Iterator["TimedScheduler"]:
        """Run the scheduler from this moment (UTC) on, and stop it at the end."""
        settings = read_config(self._folder.config)
        self.clock.set(_moment(at))
        options = StartOptions(name=self._folder.name, fresh=fresh, assume_done=assume_done)
        with ExitStack() as stack:
            stack.enter_context(self._folder.at_home())
            self._store = store = stack.enter_context(closing(SqliteStore(settings.database)))
            loaded = load(settings, store, is_attended=True)
            self._registry = loaded.registry
            self._room = room = built(settings, options, store, loaded, self.clock)
            stack.enter_context(closing(room.inbox))
            stack.enter_context(closing(room.executor))
            stack.callback(self.release)
            room.begin()
            self.settle()
            yield self
            if self._has_crashed:
                self._has_crashed = False
            else:
                self.ask("stop")
                self.release()
                room.loop.run()
        self._store = self._room = None

    def run_until(self, moment: str) -> None:
        """Let time pass up to this moment (UTC)."""
        self.clock.limit = _moment(moment)
        self.settle()

    def sleep_until(self, moment: str) -> None:
        """Have the machine sleep until this moment (UTC)."""
        self.clock.set(_moment(moment))
        self.settle()

    def set_clock(self, moment: str) -> None:
        """Have somebody set the machine's clock to this moment (UTC)."""
        self.clock.set(_moment(moment))

    def ask(self, verb: str, **parameters: object) -> Any:
        """Ask for something, and return the answer once what follows from it has happened."""
        ask = Ask(verb=verb, parameters=parameters)
        self.room.inbox.put(ask)
        self.settle()
        return ask.reply.result(timeout=0)

    def crash(self) -> None:
        """Have the machine go down: the scheduler, and all that it runs, is gone at once.

        Nothing more may be asked of it; `running` starts the next one.
        """
        self._has_crashed = True
        self.store.keep_note(BOOT_NOTE, "an earlier boot")
        left = self._folder.processes()
        for process in left:
            process.suspend()  # all at once: none sees how another ends
        for process in left:
            process.kill()

    def hold(self, routine: str) -> None:
        """Have the runs of a routine go on until `release`; time passes meanwhile."""
        self._hold_of(routine).touch()

    def release(self) -> None:
        """Let go of all runs."""
        for hold in self._folder.path.glob("*.hold"):
            hold.unlink()

    def fail(self, routine: str, *, ever_again: bool = True) -> None:
        """Have the runs of a routine fail, or no more."""
        file = self._folder.path / f"{routine}.fail"
        if ever_again:
            file.touch()
        else:
            file.unlink()

    def starts(self) -> list[str]:
        """Return the tasks that ran so far, in the order of their starts."""
        file = self._folder.path / "starts"
        return file.read_text().splitlines() if file.exists() else []

    def task(self, text: str) -> TaskId:
        """Return the task that a person names so."""
        return named_task(self.registry, self.store, text)

    def state(self, task: str) -> str:
        """Return the state of a task and, unless it succeeded, its reason."""
        id = self.task(task)
        record = self.store.task(id) or self.store.run_of(id)
        if record is None:
            return "none"
        state = getattr(record, "state", TaskState.SKIPPED)
        return f"{state}: {record.reason}" if record.reason else str(state)

    def why(self, task: str) -> tuple[str, tuple[str, ...]]:
        """Return the last reason of a task, and the commands that mend it."""
        explainer = Explainer(
            registry=self.registry, store=self.store, now=self.clock.now(), max_running=8
        )
        found = explainer.explain(self.task(task))
        return found.links[-1].sentence, found.commands

    def _is_busy(self) -> bool:
        """Return whether something runs that is not held: its end is waited for."""
        live = () if self._store is None else self._store.live()
        running = (task for task in live if task.state is TaskState.RUNNING)
        return any(not self._hold_of(task.routine).exists() for task in running)

    def _hold_of(self, routine: str) -> Path:
        return self._folder.path / f"{routine}.hold"

    def settle(self) -> None:
        """Have the loop do all that there is to do up to the clock's limit."""
        self.clock.is_at_limit = False
        while not (self.clock.is_at_limit or self._has_ended()):
            self.room.loop.step()

    def _has_ended(self) -> bool:
        return self.room.loop.is_stopping and not self._is_busy()


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
