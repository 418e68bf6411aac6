"""The one place that builds everything: which store, which executor, and what hangs on what.

No loops and no rules.  What only some need is imported only then.
"""

import gc
import logging
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from time import time_ns
from typing import TYPE_CHECKING

from scheduler.engine.events import SchedulerStarted
from scheduler.engine.states import Cause, TaskState
from scheduler.engine.task import Task, TaskId
from scheduler.errors import RegistryError, SchedulerError, StoreError, as_word
from scheduler.registry.registry import Registry
from scheduler.service.config import Settings, read_config
from scheduler.service.executors.processes import boot_id
from scheduler.service.executors.protocol import Adoption, Executor, Report
from scheduler.service.exposure import exposures, make_database
from scheduler.service.instance import Claim, Instance, claim
from scheduler.service.launches import Launcher
from scheduler.service.queries import Answers, Identity
from scheduler.service.recovery import TakenUp, last_registry, restored, take_up
from scheduler.service.registry_files import CheckReport, check_registry
from scheduler.service.reloading import Loaded, Reloading, ReloadOnChange
from scheduler.service.safekeeping import notice_of_missing, offering_backup
from scheduler.service.store.protocol import BOOT_NOTE, Reader, Source, Store

if TYPE_CHECKING:
    from scheduler.service.clock import Clock
    from scheduler.service.inbox import Inbox
    from scheduler.service.loop import Item, Loop
    from scheduler.service.notify import Notifier

log = logging.getLogger(__name__)

_CHORES_EVERY = timedelta(hours=6)
_ALL_SHOWN = 10  # tasks that a start names one by one


@dataclass(frozen=True, slots=True, kw_only=True)
class StartOptions:
    """How a scheduler is to be started."""

    name: str
    mode: str = "prod"
    fresh: bool = False
    assume_done: bool = False
    is_attended: bool = True  # somebody sees what is printed, and can mend a broken registry


class Scheduler:
    """One scheduler, from its claim on name and database to its end."""

    def __init__(self, settings: Settings, options: StartOptions) -> None:
        """Take the name and the database.

        Raises:
            SchedulerError: another scheduler has one of them, or the database is not usable.
        """
        self._settings = settings
        self._options = options
        self._claim: Claim = claim(
            options.name, config=settings.config, database=settings.database, mode=options.mode
        )
        try:
            self._store, self._notices = _opened(settings, options.name)
        except BaseException:
            self._claim.release()
            raise

    def serve(self, told: Callable[[list[str]], None]) -> None:
        """Run until it is stopped; ``told`` gets the lines of the start, once it serves.

        Raises:
            SchedulerError: the registry cannot be loaded and there is none to go on with, or the
                address is taken.
        """
        for notice in self._notices:
            log.warning("%s", notice)
        try:
            # A database may be too large to be looked through at once: damage is found later.
            settings = self._settings
            config = settings.config
            with offering_backup(settings.database, name=self._options.name, config=config):
                self._serve(told)
        finally:
            self._store.close()
            self._claim.release()

    def _serve(self, told: Callable[[list[str]], None]) -> None:
        from scheduler.service.clock import SystemClock
        from scheduler.service.signals import on_signals
        from scheduler.service.store.sqlite import SqliteReader
        from scheduler.service.web.api import make_app
        from scheduler.service.web.server import ControlServer

        settings, options, store = self._settings, self._options, self._store
        clock = SystemClock()
        now = clock.now()
        loaded = load(settings, store, is_attended=options.is_attended)
        exposed = exposures(settings)
        for one in exposed:
            log.warning("%s", one)
        room = built(settings, options, store, loaded, clock)
        loop, inbox = room.loop, room.inbox
        token = secrets.token_urlsafe(32)
        reader = SqliteReader(settings.database)
        answers = Answers(
            identity=Identity(
                name=options.name,
                pid=os.getpid(),
                address=None,
                started_at=now.isoformat(),
                mode=options.mode,
                config=str(settings.config or ""),
                registry=str(settings.registry),
                database=str(settings.database),
                max_running=settings.max_running,
                notices=(*exposed, *loaded.notices),
            ),
            registry=loaded.registry,
            store=reader,
            log_of=room.launcher.log_of,
            now=clock.now,
            is_stopping=lambda: loop.is_stopping,
        )
        notifier = _notifier(settings, options, answers, inbox)
        answers.notices = lambda: (
            *self._notices,
            *loop.notices,
            *(notifier.notices if notifier is not None else ()),
        )
        reloading = room.reloading
        reloading.tell(lambda now, notices: answers.adopt(now.registry, (*exposed, *notices)))
        on_change = ReloadOnChange(reloading, inbox.put) if settings.reload_on_change else None
        app = make_app(
            token=token,
            inbox=inbox,
            answers={
                **answers.by_verb(),
                "reload": lambda _: reloading.preview(answers.store, clock.now()),
            },
            version=_version(),
            host=settings.http_host,
        )
        server = ControlServer(app, settings.http_host, settings.http_port)
        port = server.start()
        instance = self._claim.publish(host=settings.http_host, port=port, token=token, at=now)
        answers.identity = replace(answers.identity, address=f"http://{settings.http_host}:{port}")
        try:
            with on_signals(inbox, settings.stop_timeout):
                if notifier is not None:
                    loop.show_to(notifier)
                room.begin()
                # What is here by now stays: to look through a large registry for garbage again and
                # again would hold up the loop for tenths of a second.
                gc.collect()
                gc.freeze()
                if notifier is not None:
                    notifier.start()
                if on_change is not None:
                    on_change.start()
                told(self._banner(instance, loaded, answers, room.taken_up))
                loop.run()
        finally:
            if on_change is not None:
                on_change.stop()
            if notifier is not None:
                notifier.close()
            room.executor.close(leaves_running=loop.leaves_running)
            server.stop()
            reader.close()  # the last to let go empties the log beside the database
            inbox.close()
            clock.close()

    # -- what is told ----------------------------------------------------------------------

    def _banner(
        self, instance: Instance, loaded: "Loaded", answers: Answers, taken_up: TakenUp
    ) -> list[str]:
        count = len(loaded.registry)
        lines = [
            f"scheduler {instance.name!r} is running: pid {instance.pid},"
            f" http://{instance.host}:{instance.port}",
            f"{count} routine{'s' * (count != 1)}, times in {loaded.registry.timezone}"
            f" ({self._settings.registry})",
        ]
        if self._options.mode == "test":
            lines.append(f"test mode: state and logs are in {self._settings.database.parent}")
        lines.extend(f"warning: {notice}" for notice in (*self._notices, *answers.identity.notices))
        lines.extend(self._late_lines(instance.started_at))
        lines.extend(_told_taken_up(taken_up))
        lines.extend(_told_unfinished(taken_up.lost, self._store))
        lines.extend(_told_unknown(answers.unknown()))
        return lines

    def _late_lines(self, started_at: str) -> Iterator[str]:
        start = datetime.fromisoformat(started_at)
        live = (task for task in self._store.live() if task.instant < start)
        # What ran all the time is told of by itself.
        late = [task for task in live if not _ran_before(task, start)]
        for state, words in (
            (TaskState.RUNNING, "was late and starts now"),
            (TaskState.READY, "is late and runs at the next free slot"),
            (TaskState.WAITING, "is late"),
            (TaskState.BLOCKED, "is blocked"),
        ):
            tasks = [task for task in late if task.state is state]
            for task in tasks[:_ALL_SHOWN]:
                reason = f": {task.reason}" if state.value in ("waiting", "blocked") else ""
                yield f"{task.id} {words}{reason}"
            if len(tasks) > _ALL_SHOWN:
                yield f"… and {len(tasks) - _ALL_SHOWN} more that are {state}"
        for name in dict.fromkeys(task.routine for task in late):
            for run in self._store.runs_since(name, start - timedelta(days=3660)):
                if run.at >= start and run.cover is not None:
                    yield f"{run.count} older of {name} are skipped: {run.cover} runs instead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a scheduler is given to run attempts with."""

    executor: Callable[[Report], Executor]
    end_unrecorded: Callable[[Adoption], None]  # what an older version of the program began
    boot_id: str  # another one after each boot
    cores: int
    planned_at_once: int  # see the engine's `Limits`


def this_machine(database: Path) -> Machine:
    """Return the machine that we are on, as the scheduler over a database uses it."""
    from scheduler.engine.admission import PLANNED_AT_ONCE
    from scheduler.service.executors.process_tree import end_unrecorded

    return Machine(
        executor=lambda report: local_executor(report, database),
        end_unrecorded=end_unrecorded,
        boot_id=boot_id(),
        cores=os.cpu_count() or 1,
        planned_at_once=PLANNED_AT_ONCE,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRoom:
    """The loop and all that it drives: a scheduler but for its doors to the outside."""

    loop: "Loop"
    inbox: "Inbox[Item]"
    executor: Executor
    launcher: Launcher
    reloading: Reloading
    store: Store
    boot_id: str
    taken_up: TakenUp  # what ran when the last scheduler ended
    started: SchedulerStarted

    def begin(self) -> None:
        """Tell the engine what became of what was running, and that it serves."""
        nothing_ran = not self.taken_up.events and not self.taken_up.running
        if nothing_ran:  # what begins from here on is known to be of this boot
            self.store.keep_note(BOOT_NOTE, self.boot_id)
        self.loop.start(self.taken_up, self.started)
        if not nothing_ran:
            # Only once that is stored: a crash before must not hide that the machine went down.
            self.store.keep_note(BOOT_NOTE, self.boot_id)


def load(settings: Settings, store: Store, *, is_attended: bool) -> Loaded:
    """Return the registry to run: the file's, or where nobody can mend it, the last one.

    Raises:
        RegistryError: it cannot be loaded, and there is none to go on with.
    """
    report = check_registry(
        settings.registry, settings.timezone, with_files=True, python=settings.python
    )
    if report.registry is not None:
        notices = tuple(str(problem) for problem in (*report.errors, *report.warnings))
        sources = tuple(Source(path=path, data=data) for path, data in report.sources)
        return Loaded(registry=report.registry, sources=sources, notices=notices)
    last = None if is_attended else last_registry(store)
    if last is None:
        raise RegistryError(report.errors, report.names)
    return Loaded(registry=last, sources=store.sources(), notices=_going_on(settings, report))


def built(
    settings: Settings,
    options: StartOptions,
    store: Store,
    loaded: Loaded,
    clock: "Clock",
    machine: Machine | None = None,
) -> EngineRoom:
    """Build a scheduler that goes on where the last one over this store ended.

    What that one has left running is looked after from here on.  ``machine`` is this one if none
    is given.

    Raises:
        SchedulerError: the folder for the records of attempts cannot be used.
    """
    from scheduler.engine.admission import Limits
    from scheduler.engine.engine import Engine
    from scheduler.service.inbox import Inbox
    from scheduler.service.loop import AttemptEnded, Item, Loop

    machine = machine or this_machine(settings.database)
    now, inbox = clock.now(), Inbox[Item]()
    old = _old_registry(store, loaded)
    launcher = Launcher(name=options.name, settings=settings)
    executor = machine.executor(
        lambda task, attempt, exit_: inbox.put(AttemptEnded(task=task, attempt=attempt, exit=exit_))
    )
    boot = store.note(BOOT_NOTE)
    if boot is None:
        _end_unrecorded(store, launcher, executor, machine)
    taken_up = take_up(
        store,
        executor,
        lambda id, attempt: launcher.adoption(old.get(id.routine), id, attempt),
        now,
        is_same_boot=boot == machine.boot_id,
    )
    snapshot = restored(store, old, loaded.registry, now)
    limits = Limits(
        max_running=settings.max_running,
        late=machine.cores,
        planned_at_once=machine.planned_at_once,
    )
    reloading = Reloading(settings, loaded)
    # A venv may have come or gone with the change.
    reloading.tell(lambda loaded, notices: launcher.venvs.clear())
    loop = Loop(
        engine=Engine(old, snapshot, limits),
        store=store,
        executor=executor,
        launcher=launcher,
        clock=clock,
        inbox=inbox,
        chores=Chores(settings, store).due,
        reloading=reloading,
    )
    return EngineRoom(
        loop=loop,
        inbox=inbox,
        executor=executor,
        launcher=launcher,
        reloading=reloading,
        store=store,
        boot_id=machine.boot_id,
        taken_up=taken_up,
        started=SchedulerStarted(
            at=max(now, clock.now()),
            registry=loaded.registry,
            fresh=options.fresh,
            assume_done=options.assume_done,
        ),
    )


def _opened(settings: Settings, name: str) -> tuple[Store, tuple[str, ...]]:
    """Return the database, ready for use, and what its user must know of that.

    Raises:
        SchedulerError: it cannot be used.
    """
    from scheduler.service.logs import own_log_path
    from scheduler.service.store.sqlite import SqliteStore

    database, config = settings.database, settings.config
    own_log = own_log_path(settings.log_directory, name)
    missing = notice_of_missing(database, name=name, config=config, log=own_log)
    make_database(database, settings.registry)
    with offering_backup(database, name=name, config=config):
        store = SqliteStore(database)
    return store, (*(() if missing is None else (missing,)), *store.notices)


def _notifier(
    settings: Settings, options: StartOptions, answers: Answers, inbox: "Inbox[Item]"
) -> "Notifier | None":
    """Return what tells of incidents; None where nobody wants to be told, and in test mode."""
    if not settings.notify_command or options.mode == "test":
        return None
    from scheduler.service.loop import NoteToKeep
    from scheduler.service.notify import INCIDENTS_NOTE, Notifier, Teller

    return Notifier(
        Teller(settings.notify_command, scheduler=options.name, directory=settings.root_directory),
        scheduler=options.name,
        store=answers.store,
        registry=lambda: answers.registry,
        log_of=answers.log_of,
        now=answers.now,
        keep=lambda text: inbox.put(NoteToKeep(key=INCIDENTS_NOTE, value=text)),
    )


def local_executor(report: Report, database: Path) -> Executor:
    """Return what runs attempts as processes of this machine, for the scheduler over a database.

    Raises:
        SchedulerError: the folder for the records of attempts cannot be used.
    """
    from scheduler.service.executors.local import LocalExecutor
    from scheduler.service.executors.records import RecordsFolder

    folder = Path(f"{os.path.realpath(database)}-attempts")
    # No other has had it: the locks let in one at a time, and ids of processes come round slowly.
    generation = f"{time_ns()}-{os.getpid()}"
    try:
        return LocalExecutor(report, RecordsFolder(folder), generation)
    except OSError as error:
        raise SchedulerError(
            f"{error.filename or folder}: {error.strerror or error}: the records of attempts"
            " cannot be kept there"
        ) from error


def foreground_executor(report: Report) -> Executor:
    """Return what runs attempts that nobody records."""
    from scheduler.service.executors.local import ForegroundExecutor

    return ForegroundExecutor(report)


def _end_unrecorded(store: Store, launcher: Launcher, executor: Executor, machine: Machine) -> None:
    """End what an older version of the program has left running, which kept no records of it."""
    for task in store.live():
        number = task.attempts[-1].number if task.attempts else 0
        # What is on record was begun by this version, which was killed before it made a note.
        if task.state is TaskState.RUNNING and executor.find(str(task.id), number) is None:
            machine.end_unrecorded(launcher.adoption(None, task.id, number))


def _old_registry(store: Store, loaded: Loaded) -> Registry:
    """Return the registry that the last scheduler over this store ran."""
    if store.sources() == loaded.sources:
        return loaded.registry
    return last_registry(store) or Registry(timezone=loaded.registry.timezone)


@dataclass(slots=True)
class Chores:
    """Keeps history and logs within their limits, a step at a time."""

    settings: Settings
    store: Store
    done_at: datetime | None = None

    def due(self, now: datetime) -> Iterator[None]:
        """Do what is due; yield after each step."""
        if self.done_at is not None and now - self.done_at < _CHORES_EVERY:
            return
        from scheduler.service.logs import LogLimits, prune_logs

        self.done_at = now
        settings = self.settings
        age = timedelta(days=settings.history_days)
        for _ in self.store.prune(now - age, settings.history_tasks_per_routine):
            yield
        limits = LogLimits(
            longest=age, tasks=settings.history_tasks_per_routine, total=settings.log_size
        )
        running = {
            str(Launcher(name="", settings=settings).log_of(task.id, attempt.number))
            for task in self.store.live()
            for attempt in task.attempts
        }
        for _ in prune_logs(settings.log_directory, now, limits, lambda path: str(path) in running):
            yield


def offline_answers(
    config: Path | None, name: str | None, database: Path | None = None
) -> Mapping[str, Callable[[Mapping[str, str]], object]]:
    """Return the answers of a scheduler that is down, from its data folder.

    Raises:
        SchedulerError: config, registry or database cannot be read.
    """
    from scheduler.service.clock import SystemClock

    settings = read_config(config) if config is not None else Settings()
    path = database or settings.database
    with offering_backup(path, name=name or "", config=config):
        store = reader_of(path)
    report = check_registry(settings.registry, settings.timezone)
    notices: tuple[str, ...] = ()
    registry = report.registry
    if registry is None:
        registry = last_registry(store)
        if registry is None:
            raise RegistryError(report.errors, report.names)
        notices = _going_on(settings, report)
    notices += tuple(_told_missing(settings, path, name))
    answers = Answers(
        identity=Identity(
            name=name or "",
            pid=None,
            address=None,
            started_at=None,
            mode="prod",
            config=str(config or ""),
            registry=str(settings.registry),
            database=str(path),
            max_running=settings.max_running,
            notices=notices,
        ),
        registry=registry,
        store=store,
        log_of=Launcher(name=name or "", settings=settings).log_of,
        now=SystemClock(with_timer=False).now,
    )
    return answers.by_verb()


def _told_missing(settings: Settings, database: Path, name: str | None) -> Iterator[str]:
    from scheduler.service.logs import own_log_path

    if name is None or database.is_file():
        return
    own_log = own_log_path(settings.log_directory, name)
    try:
        notice = notice_of_missing(database, name=name, config=settings.config, log=own_log)
    except StoreError as error:  # a start would refuse; a plan, for one, can be made all the same
        notice = str(error)
    if notice is not None:
        yield notice


def reader_of(database: Path) -> Reader:
    """Return what reads a database, of a live scheduler too; one that is not there is empty.

    Raises:
        SchedulerError: it is of another version, or cannot be read.
    """
    from scheduler.service.store.memory import MemoryStore
    from scheduler.service.store.sqlite import SqliteReader

    return SqliteReader(database) if database.is_file() else MemoryStore()


def is_ancestors(database: Path) -> bool:
    """Return whether a database was written by the program's ancestor."""
    from scheduler.service.store.sqlite import has_ancestor_state

    return database.is_file() and has_ancestor_state(database)


def _going_on(settings: Settings, report: CheckReport) -> tuple[str, ...]:
    first = str(report.errors[0]) if report.errors else "it cannot be read"
    more = f" (and {len(report.errors) - 1} more problems)" if len(report.errors) > 1 else ""
    return (
        f"{settings.registry} CANNOT BE LOADED: the last registry that could be is used instead;"
        f" {first}{more}",
    )


def _ran_before(task: Task, moment: datetime) -> bool:
    return task.state is TaskState.RUNNING and task.attempts[-1].started_at < moment


def _told_taken_up(taken_up: TakenUp) -> Iterator[str]:
    """Yield a line for each attempt that went on without a scheduler, and its end."""
    yield from _some(
        [id for id, _ in taken_up.running], "still runs, as the last scheduler left it"
    )
    yield from _some(taken_up.ended, "ended while no scheduler was running")
    yield from (f"warning: {line}" for line in taken_up.strays)


def _some(ids: Sequence[TaskId], words: str) -> Iterator[str]:
    yield from (f"{id} {words}" for id in ids[:_ALL_SHOWN])
    if len(ids) > _ALL_SHOWN:
        yield f"… and {len(ids) - _ALL_SHOWN} more"


def _told_unfinished(lost: Sequence[TaskId], store: Reader) -> Iterator[str]:
    """Yield a line for each task that an end of the scheduler broke off, and that still matters."""
    found = [task for task in map(store.task, lost) if task is not None]
    yield from _some(
        [task.id for task in found if not task.state.is_end],
        "lost an attempt that may have run; it runs again, as its retries say",
    )
    broken = {task.id: "lost, may have run" for task in found if task.state is TaskState.FAILED}
    for task in store.failed():
        if task.cause in (Cause.LOST, Cause.STOPPED):
            broken.setdefault(task.id, task.reason)
    for id, reason in list(broken.items())[:_ALL_SHOWN]:
        yield f"{id} is failed: {reason}; to run it again: scheduler execute {as_word(id)}"
    if len(broken) > _ALL_SHOWN:
        yield f"… and {len(broken) - _ALL_SHOWN} more; to run all again: scheduler execute --failed"


def _told_unknown(unknown: list[TaskId]) -> Iterator[str]:
    if not unknown:
        return
    shown = ", ".join(str(id) for id in unknown[:_ALL_SHOWN])
    more = f" and {len(unknown) - _ALL_SHOWN} more" if len(unknown) > _ALL_SHOWN else ""
    yield f"unknown, older than the first start: {shown}{more}"
    yield "what waits for these is blocked until you say one of:"
    yield "  scheduler mark --unknown succeeded"
    yield "  scheduler execute --unknown"


def _version() -> str:
    from scheduler.version import __version__

    return __version__
