"""The one thread that decides: take what waits, `handle` it, store once, carry out.

The only caller of `Engine.handle`.  What it decides is stored before anything is started or killed
(write first, act second).  No SQL, no HTTP and no decisions here.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NoReturn, Protocol

from scheduler.engine.commands import (
    Command,
    KillAttempt,
    Notice,
    Record,
    RecordTask,
    StartAttempt,
    WakeAt,
)
from scheduler.engine.engine import Engine
from scheduler.engine.events import (
    AnyEvent,
    AttemptExited,
    AttemptLost,
    AttemptRefused,
    ExecuteAsked,
    MachineWoke,
    RegistryReloaded,
    SchedulerStarted,
    StopAsked,
    TimePassed,
)
from scheduler.engine.states import TaskState
from scheduler.engine.task import TaskId
from scheduler.errors import SchedulerError, StoreError
from scheduler.service.clock import Clock
from scheduler.service.executors.protocol import Executor, Exit, LaunchError
from scheduler.service.inbox import Answer, Ask, Inbox
from scheduler.service.launches import Launcher
from scheduler.service.recovery import TakenUp, end_of, restored
from scheduler.service.reloading import Reloading
from scheduler.service.replies import Replies
from scheduler.service.requests import covered_downstreams, events_of
from scheduler.service.store.protocol import RegistryText, Store

log = logging.getLogger(__name__)

# Time that goes by on the wall and not in the machine: it slept, or its clock was set forward.
_ASLEEP = timedelta(seconds=10)
_RETRY = timedelta(seconds=1)  # until the store is tried again
_SAY_AGAIN = timedelta(minutes=5)  # that it cannot be written


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnded:
    """An executor's report."""

    task: str
    attempt: int
    exit: Exit


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSignal:
    """The system, or a key, asked the scheduler to stop; the second time it means at once."""

    within: timedelta | None = None  # what runs by then is killed


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteToKeep:
    """What the service wants to find again after a restart; only the loop writes to the store."""

    key: str
    value: str


Item = Ask | AttemptEnded | StopSignal | NoteToKeep


@dataclass(slots=True, kw_only=True)
class Outage:
    """A time in which the store cannot be written, and nothing starts."""

    since: datetime
    error: str = ""
    said_at: datetime | None = None
    has_signal: bool = False
    end_by: datetime | None = None  # a stop's patience

    @property
    def notice(self) -> str:
        """Return what a person must know while it lasts."""
        return f"NOTHING STARTS since {self.since:%Y-%m-%dT%H:%M:%SZ}: {self.error}"

    def is_news(self, error: str, now: datetime) -> bool:
        """Take note of an error; return whether the log is to say it, again too now and then."""
        is_other, self.error = error != self.error, error
        if is_other or self.said_at is None or now - self.said_at >= _SAY_AGAIN:
            self.said_at = now
            return True
        return False

    def over(self, now: datetime) -> str:
        """Return what the log says at its end."""
        return f"the database can be written again, after {now - self.since}"

    def stop(self, by: datetime | None) -> None:
        """Have it end by then, if that is not to be earlier."""
        moments = [moment for moment in (self.end_by, by) if moment is not None]
        self.end_by = min(moments, default=None)


class Watch(Protocol):
    """Is shown what was decided, once it is stored."""

    def see(self, commands: Sequence[Command]) -> None:
        """Take note of it, without waiting for anything."""
        ...

    def close(self) -> None:
        """End; what is to be kept is in the inbox when this returns."""
        ...


class Loop:
    """Runs one scheduler from its start to its stop."""

    def __init__(
        self,
        *,
        engine: Engine,
        store: Store,
        executor: Executor,
        launcher: Launcher,
        clock: Clock,
        inbox: Inbox[Item],
        chores: Callable[[datetime], Iterator[None]],
        reloading: Reloading | None = None,
    ) -> None:
        """``chores`` are done in small steps while nothing else is to do."""
        self._engine = engine
        self._store = store
        self._executor = executor
        self._launcher = launcher
        self._clock = clock
        self._inbox = inbox
        self._chores = chores
        self._reloading = reloading
        self._chore: Iterator[None] | None = None
        self._wake_at: datetime | None = None
        self._is_wake_put_off = False
        self._kill_at: datetime | None = None  # after a signal: when patience ends
        self._attempts: dict[tuple[str, int], TaskId] = {}
        self._refused: list[AnyEvent] = []
        self._stops = 0
        self._leaves_running = False
        self._watch: Watch | None = None
        self._held: list[Item] = []  # what came in while the store could not be written
        self._lines: list[str] = []  # for the log, once nothing waits for it
        self._outage: Outage | None = None
        self._offset = clock.now() - clock.since_boot()

    @property
    def is_stopping(self) -> bool:
        """Return whether it has been asked to stop."""
        return self._stops > 0

    @property
    def notices(self) -> tuple[str, ...]:
        """Return what keeps it from going on, in words; from any thread."""
        outage = self._outage
        return () if outage is None else (outage.notice,)

    def show_to(self, watch: Watch) -> None:
        """Show it from now on what is decided."""
        self._watch = watch

    @property
    def leaves_running(self) -> bool:
        """Return whether it was asked to end without what runs."""
        return self._leaves_running

    def start(self, taken_up: TakenUp, started: SchedulerStarted) -> None:
        """Tell the engine what became of what was running, and that it serves."""
        for id, number in taken_up.running:
            self._attempts[str(id), number] = id
        events: list[AnyEvent] = [*taken_up.events, started]
        self._pass([(event, None) for event in events])

    def run(self) -> None:
        """Decide until it has been asked to stop and nothing runs any more, or all is left."""
        while not (self.is_stopping and (self._engine.is_idle or self._leaves_running)):
            self.step()
        if self._watch is not None:
            self._watch.close()
        for item in self._inbox.take():
            if isinstance(item, NoteToKeep):
                self._keep_note(item)
            elif isinstance(item, Ask):
                item.reply.set_exception(SchedulerError("the scheduler has ended"))

    def step(self) -> None:
        """Handle all that waits; if there is nothing, do a chore or sleep."""
        now = self._clock.now()
        asked: list[tuple[AnyEvent, Ask | None]] = [(event, None) for event in self._refused]
        self._refused = []
        # Ends count before what falls due, and before what people ask for.
        taken, self._held = [*self._held, *self._inbox.take()], []
        items = sorted(taken, key=lambda item: not isinstance(item, AttemptEnded))
        for item in items:
            ask = item if isinstance(item, Ask) else None
            asked.extend((event, ask) for event in self._events_of(item, now))
        if self._has_slept(now):
            # First: whatever else is told now, what fell due meanwhile is late.
            woke = MachineWoke(at=now, is_followed=bool(asked))
            asked.insert(0, (woke, None))
        if self._kill_at is not None and now >= self._kill_at:
            self._kill_at = None
            asked.append((StopAsked(at=now, now=True), None))
        if self._wake_at is not None and now >= self._wake_at:
            # What falls due is planned along with whatever else happens; if that is much, an end
            # is not to wait for more of it, and the rest not for ever.
            self._is_wake_put_off = bool(asked) and not self._is_wake_put_off
            if not self._is_wake_put_off:
                asked.append((TimePassed(at=now), None))
        if asked:
            self._pass(asked)
        elif not self._did_chore(now):
            self._clock.wait(self._inbox, self._next_wake())

    def _next_wake(self) -> datetime | None:
        moments = [at for at in (self._wake_at, self._kill_at) if at is not None]
        return min(moments, default=None)

    def _has_slept(self, now: datetime) -> bool:
        offset = now - self._clock.since_boot()
        jump, self._offset = offset - self._offset, offset
        if abs(jump) >= _ASLEEP:
            log.warning("the clock jumped by %s, or the machine slept", jump)
        return jump >= _ASLEEP

    def _did_chore(self, now: datetime) -> bool:
        if self._chore is None:
            self._chore = self._chores(now)
        try:
            next(self._chore)
        except StopIteration:
            self._chore = None
            return False
        except (SchedulerError, OSError) as error:
            log.error("keeping history and logs within their limits failed: %s", error)
            self._chore = None
            return False
        return True

    # -- what came in ----------------------------------------------------------------------

    def _events_of(self, item: Item, now: datetime) -> Sequence[AnyEvent]:
        match item:
            case AttemptEnded():
                return self._end_of(item, now)
            case StopSignal():
                return (self._stop(now, at_once=self._stops > 0, within=item.within),)
            case NoteToKeep():
                self._keep_note(item)
                return ()
            case Ask(verb="stop"):
                at_once = bool(item.parameters.get("now"))
                self._leaves_running = bool(item.parameters.get("detach"))
                item.reply.set_result(self._stop_answer(at_once=at_once))
                return (self._stop(now, at_once=at_once, within=None),)
            case Ask():
                return self._asked(item, now)

    def _end_of(self, ended: AttemptEnded, now: datetime) -> Sequence[AnyEvent]:
        id = self._attempts.pop((ended.task, ended.attempt), None)
        if id is None:
            return ()
        self._lines.append(f"attempt ended task={id} n={ended.attempt} {_in_words(ended.exit)}")
        return (end_of(id, ended.attempt, ended.exit, now),)

    def _stop(self, now: datetime, *, at_once: bool, within: timedelta | None) -> StopAsked:
        self._stops += 1
        log.info("stop asked now=%s running=%d", at_once, len(self._attempts))
        if at_once:
            self._kill_at = None
        elif within is not None:
            self._kill_at = now + within
        return StopAsked(at=now, now=at_once)

    def _stop_answer(self, *, at_once: bool) -> Answer:
        names = ", ".join(str(id) for id in self._attempts.values())
        if not names:
            return {"messages": ["nothing is running: the scheduler ends now"]}
        if self._leaves_running:
            return {"messages": [f"the scheduler ends, and leaves running: {names}"]}
        verb = "kills" if at_once else "waits for"
        return {"messages": [f"the scheduler {verb} what is running: {names}"]}

    def _asked(self, ask: Ask, now: datetime) -> Sequence[AnyEvent]:
        try:
            if self.is_stopping:
                raise SchedulerError("the scheduler is stopping: it takes no more requests")
            if ask.verb == "reload":
                return (self._reload(str(ask.parameters.get("revision")), now),)
            return events_of(
                ask.verb,
                ask.parameters,
                at=now,
                registry=self._engine.registry,
                store=self._store,
                unknown=self._engine.unknown() if ask.parameters.get("unknown") else (),
            )
        except SchedulerError as error:
            ask.reply.set_exception(error)
            return ()

    def _reload(self, revision: str, now: datetime) -> RegistryReloaded:
        if self._reloading is None:
            raise SchedulerError("this scheduler has no registry file to reload")
        registry = self._reloading.taken(revision).registry
        # The new one may ask for the fates of older tasks than the old one did.
        found = restored(self._store, self._engine.registry, registry, now)
        return RegistryReloaded(at=now, registry=registry, records=(*found.ended, *found.runs))

    # -- what the engine decides -----------------------------------------------------------

    def _pass(self, events: list[tuple[AnyEvent, Ask | None]]) -> None:
        """Handle events, store all that was decided in one transaction, then carry it out."""
        commands: list[Command] = []
        replies = Replies()
        for event, ask in events:
            if replies.has_failed(ask):
                continue
            try:
                hints = self._what_was_covered(event) if isinstance(event, ExecuteAsked) else ()
                decided = self._engine.handle(event)
            except Exception as error:  # an outer edge: the scheduler must not die of one event
                log.exception("handling %r failed", event)
                replies.fail(ask, error)
                continue
            commands.extend(decided)
            replies.take(ask, decided)
            replies.add(ask, hints)
        records = [command for command in commands if isinstance(command, Record)]
        self._keep(records, self._new_registry(events, replies))
        for event, ask in events:
            if isinstance(event, RegistryReloaded) and not replies.has_failed(ask):
                replies.add(ask, [self._adopt(event)])
        for command in commands:
            self._carry_out(command)
        # What follows keeps no attempt waiting.
        for event, _ in events:
            if isinstance(event, AttemptExited | AttemptRefused | AttemptLost):
                self._executor.forget(str(event.task), event.attempt)
        # In their order: what starts is told after the end that it has waited for.
        for line in self._lines:
            log.info("%s", line)
        self._lines.clear()
        if self._watch is not None:
            self._watch.see(commands)
        replies.send()

    def _what_was_covered(self, event: ExecuteAsked) -> tuple[str, ...]:
        registry, executed = self._engine.registry, {recorded.id for recorded in event.tasks}
        return tuple(
            sentence
            for recorded in event.tasks
            for sentence in covered_downstreams(registry, self._store, recorded.id, executed)
        )

    def _new_registry(
        self, events: list[tuple[AnyEvent, Ask | None]], replies: Replies
    ) -> RegistryText | None:
        """Return the text of the registry that the last of these events brought, if one did."""
        text: RegistryText | None = None
        for event, ask in events:
            if not isinstance(event, SchedulerStarted | RegistryReloaded):
                continue
            if self._reloading is not None and not replies.has_failed(ask):
                text = self._reloading.text_of(event.registry)
        return text

    def _keep(self, records: list[Record], registry: RegistryText | None) -> None:
        """Store the decisions; nothing is done until that has worked.

        With them, as one, the registry that they follow from: what runs takes the slots that it
        says, and a start after a crash knows that from its files alone.

        Raises:
            StoreError: it has not, and the scheduler is to end at once.
        """
        while records or registry is not None:
            try:
                self._store.apply(records, registry)
                break
            except StoreError as error:
                self._wait_for_store(error)
        if self._outage is not None:
            log.warning("%s", self._outage.over(self._clock.now()))
            self._outage = None

    def _wait_for_store(self, error: StoreError) -> None:
        now = self._clock.now()
        outage = self._outage = self._outage or Outage(since=now)
        if outage.is_news(str(error), now):
            log.error("%s: nothing starts until it can be written", error)
        self._clock.wait(self._inbox, now + _RETRY)
        for item in self._inbox.take():
            is_asked = isinstance(item, Ask) and item.verb == "stop"
            if is_asked or isinstance(item, StopSignal):
                item = self._asked_to_stop(item, outage)
            self._held.append(item)
        if outage.end_by is not None and self._clock.now() >= outage.end_by:
            self._give_up(error)

    def _asked_to_stop(self, item: Item, outage: Outage) -> Item:
        """Answer at once, and return what is to be done when the store can be written again."""
        log.warning("stop waits for the database; a second Ctrl-C, or stop --now, does not")
        now = self._clock.now()
        if not isinstance(item, Ask):
            within = item.within if isinstance(item, StopSignal) else None
            patience = None if within is None else now + within
            outage.stop(now if outage.has_signal else patience)
            outage.has_signal = True
            return item
        if item.parameters.get("now"):
            outage.stop(now)
            words = "it kills what runs and ends without a record of that; the next start tells"
        else:
            words = "it ends once that can be written (stop --now ends it at once)"
        item.reply.set_result({"messages": [f"{outage.error}: {words}"]})
        return Ask(verb=item.verb, parameters=item.parameters)

    def _give_up(self, error: StoreError) -> NoReturn:
        """Kill what runs and end: what was decided meanwhile is lost, as in a crash."""
        for task, number in self._attempts:
            self._executor.kill(task, number, hard=True)
        for item in self._held:
            if isinstance(item, Ask) and not item.reply.done():
                item.reply.set_exception(SchedulerError("the scheduler has ended"))
        log.error("%s: it ends without a record of what ran since", error)
        raise StoreError(f"{error}: it ended without a record of what ran since")

    def _adopt(self, event: RegistryReloaded) -> str:
        assert self._reloading is not None, "nobody else reloads"
        return self._reloading.adopt(event.registry)

    def _carry_out(self, command: Command) -> None:
        match command:
            case StartAttempt():
                self._start_attempt(command)
            case KillAttempt(task=id, attempt=number, hard=hard):
                log.info("kill task=%s n=%d", id, number)
                self._executor.kill(str(id), number, hard=hard or self._stops > 1)
            case WakeAt(at=at):
                self._wake_at = at
            case RecordTask(task=task):
                if task.state in (TaskState.BLOCKED, TaskState.FAILED):
                    log.warning("task %s %s: %s", task.state, task.id, task.reason)
            case Notice(task=id, kind=kind):
                log.warning("task %s %s", kind, id)
            case _:
                pass  # what is merely recorded, or answered

    def _start_attempt(self, start: StartAttempt) -> None:
        id, number = start.task, start.attempt
        key = (str(id), number)
        # Before the start: a short attempt may be reported before it returns.
        self._attempts[key] = id
        try:
            routine = self._engine.registry.get(id.routine)
            if routine is None:
                raise LaunchError("its routine is not in the registry any more")
            launch = self._launcher.launch(routine, start, log=self._launcher.log_of(id, number))
            self._executor.start(launch)
        except (LaunchError, OSError) as error:  # OSError: a file of its environment, or a library
            del self._attempts[key]
            log.error("attempt not started task=%s n=%d: %s", id, number, error)
            self._refused.append(
                AttemptRefused(at=self._clock.now(), task=id, attempt=number, error=str(error))
            )
            return
        self._lines.append(f"attempt started task={id} n={number}")

    def _keep_note(self, note: NoteToKeep) -> None:
        try:
            self._store.keep_note(note.key, note.value)
        except StoreError as error:
            log.error("the note of %s was not kept: %s", note.key, error)


def _in_words(end: Exit) -> str:
    if end.is_lost or end.refused is not None:
        return "lost" if end.is_lost else f"never began: {end.refused}"
    how = f"signal={end.signal}" if end.signal else f"code={end.code}"
    return f"{how} {'killed' if end.killed else end.error or ''}".rstrip()
