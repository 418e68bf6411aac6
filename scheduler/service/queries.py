"""Read-only answers for command line, API and pages: what is, what was, what comes.

They work the same over a live scheduler's store and over that of one that is down.  Each answer
is plain data, as `views` makes it.  Writes nothing, decides nothing.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice

from scheduler.engine.pauses import pause_over
from scheduler.engine.states import TaskState
from scheduler.engine.task import Pause, RoutineState, Task, TaskId
from scheduler.errors import SchedulerError, as_word, quoted
from scheduler.registry.registry import Registry
from scheduler.registry.routine import Routine
from scheduler.registry.task_id import parse_moment, split_task_id
from scheduler.service.explain import Explainer
from scheduler.service.forecast import conditions_of, expected_views, limits_of
from scheduler.service.grid import DEFAULT_COLUMNS, DEFAULT_ROWS, grid_view
from scheduler.service.log_files import size_of
from scheduler.service.mending import mending_commands
from scheduler.service.outlook import Outlook
from scheduler.service.planned import planned
from scheduler.service.requests import backfill_of, executed, named_task
from scheduler.service.reruns import Staleness, extent_of, is_done
from scheduler.service.store.protocol import Fate, Reader
from scheduler.service.views import (
    LogOf,
    View,
    pause_view,
    planned_view,
    routine_view,
    run_view,
    task_view,
)
from scheduler.zones import to_instant, to_utc

Parameters = Mapping[str, str]

_NEXT = 10  # tasks to come that status shows
_NEXT_OF_ONE = 5  # of one routine
_RECENT = 10  # ended attempts that it shows
_DAY = timedelta(days=1)
_NEXT_WORD = "next "  # before a routine, where one is asked why
_FILTERS = ("state", "since", "until")  # of history


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which scheduler answers, as its user knows it."""

    name: str
    pid: int | None  # None: it is down
    address: str | None
    started_at: str | None
    mode: str
    config: str
    registry: str
    database: str
    max_running: int
    notices: tuple[str, ...] = ()  # what its user must know, first of all


@dataclass(slots=True, kw_only=True)
class Answers:
    """The answers of one scheduler."""

    identity: Identity
    registry: Registry
    store: Reader
    log_of: LogOf
    now: Callable[[], datetime]
    is_stopping: Callable[[], bool] = lambda: False
    notices: Callable[[], tuple[str, ...]] = lambda: ()  # those that come and go
    _outlook: Outlook = field(init=False)
    _staleness: Staleness = field(init=False)

    def __post_init__(self) -> None:
        self._outlook, self._staleness = Outlook(self.registry), Staleness(self.registry)

    def adopt(self, registry: Registry, notices: tuple[str, ...]) -> None:
        """Answer from another registry from now on."""
        self.registry = registry
        self._outlook, self._staleness = Outlook(registry), Staleness(registry)
        self.identity = replace(self.identity, notices=notices)

    def by_verb(self) -> dict[str, Callable[[Parameters], object]]:
        """Return what answers each verb that reads."""
        return {
            "ping": self.ping,
            "status": self.status,
            "list": self.routines,
            "why": self.why,
            "history": self.history,
            "plan": self.plan,
            "execute": self.rerun,
            "backfill": self.backfill,
            "grid": self.grid,
            "logs": self.logs,
        }

    def ping(self, parameters: Parameters) -> View:
        """Return who answers."""
        from scheduler.version import __version__

        return {
            "name": self.identity.name,
            "pid": self.identity.pid,
            "version": __version__,
            "is_stopping": self.is_stopping(),
        }

    def status(self, parameters: Parameters) -> View:
        """Return what runs, is blocked, failed, waits and comes next; all, or of one routine."""
        name = parameters.get("routine")
        routine = self._known(name) if name else None
        all_live = self.store.live()
        live = [task for task in all_live if name in (None, task.routine)]
        view: View = {"scheduler": self._scheduler_view()}
        for state in (TaskState.RUNNING, TaskState.BLOCKED, TaskState.READY, TaskState.WAITING):
            tasks = [task for task in live if task.state is state]
            if state is TaskState.BLOCKED:
                tasks.sort(key=lambda task: task.root is not None and task.root != task.id)
            view[state.value] = self._views(tasks)
        stale = self._staleness.tasks(self.store, self.now())
        failed = self.store.failed()
        view["failed"] = self._views(task for task in failed if name in (None, task.routine))
        in_trouble = view["blocked"] or view["failed"]
        commands = mending_commands(self.registry, self.store, live=all_live, failed=failed)
        view["commands"] = list(commands) if in_trouble else []
        view["next"] = self._next(name)
        recent = self.store.recent_ends(_RECENT if name is None else 1000)
        # An attempt has ended: its task may run again, or wait for a retry.
        ended = dict.fromkeys(
            task for task, _ in recent if task.state.is_end and name in (None, task.routine)
        )
        view["recent"] = self._views(list(ended)[:_RECENT], stale)
        view["stale"] = self._stale_views(stale, name)
        view["pauses"] = [
            pause_view(pause, self.registry.timezone)
            for pause in self.store.pauses()
            if routine is None or pause_over([pause], routine) is not None
        ]
        view["unknown"] = [
            str(id) for id in self._outlook.unknown(self.store, live, to_instant(self.now()))
        ]
        view["counts"] = {state.value: count for state, count in self.store.counts().items()}
        if routine is not None:
            last = self.store.last_ended(routine.name)
            view["routine"] = self._routine_view(
                routine, last, self.store.pauses(), self.store.routine(routine.name)
            )
        return view

    def routines(self, parameters: Parameters) -> View:
        """Return the routines, all or those with a tag."""
        tag = parameters.get("tag")
        routines = [one for one in self.registry.values() if tag is None or tag in one.tags]
        if tag is not None and not routines:
            raise SchedulerError(f"no routine has the tag {tag!r}")
        lasts = self.store.last_ended_of_all()
        pauses = self.store.pauses()
        states = {state.name: state for state in self.store.routines()}
        views = (
            self._routine_view(one, lasts.get(one.name), pauses, states.get(one.name))
            for one in routines
        )
        return {"routines": list(views)}

    def why(self, parameters: Parameters) -> View:
        """Return why a task is in its state; of a routine, the task that matters most."""
        id = self._task_or_routine(parameters["task"])
        explainer = Explainer(
            registry=self.registry,
            store=self.store,
            now=self.now(),
            max_running=self.identity.max_running,
            start=self._start_command(),
            is_stopping=self.is_stopping(),
        )
        found = explainer.explain(id)
        return {
            "task": str(id),
            "state": found.links[0].state,
            "sentences": [link.sentence for link in found.links],
            "chain": [
                {"task": str(link.task), "state": link.state, "sentence": link.sentence}
                for link in found.links
            ],
            "root": None if found.root is None else str(found.root),
            "commands": list(found.commands),
        }

    def history(self, parameters: Parameters) -> View:
        """Return past tasks, newest first; all, of a routine, or one task."""
        if "task" in parameters:
            if filters := [name for name in _FILTERS if name in parameters]:
                raise SchedulerError(f"{filters[0]} does not go with one task")
            id = named_task(self.registry, self.store, parameters["task"])
            task, run = self.store.task(id), self.store.run_of(id)
            if task is None and run is None:
                raise SchedulerError(f"there is no record of {id}")
            if task is not None:
                stale = self._staleness.tasks(self.store, self.now())
                return {"fates": [task_view(task, self.log_of, stale=stale.get(id))]}
            return {"fates": [run_view(run)] if run is not None else []}
        name = parameters.get("routine")
        if name:
            self._known(name)
        fates = self.store.history(
            routine=name,
            state=_state(parameters.get("state")),
            since=self._moment(parameters, "since"),
            until=self._moment(parameters, "until"),
            limit=int(parameters.get("limit", "50")),
        )
        stale = self._staleness.tasks(self.store, self.now())
        return {"fates": [self._fate_view(fate, stale) for fate in fates]}

    def _fate_view(self, fate: Fate, stale: Mapping[TaskId, TaskId]) -> View:
        if fate.task is not None:
            return task_view(fate.task, self.log_of, stale=stale.get(fate.task.id))
        assert fate.run is not None
        return run_view(fate.run)

    def plan(self, parameters: Parameters) -> list[View]:
        """Return each task to come in a window: by default a day from now."""
        now = self.now()
        start = self._moment(parameters, "from") or now
        end = self._moment(parameters, "to") or start + _DAY
        if end <= start:
            raise SchedulerError("the window is empty: --from must be before --to")
        names = [self.registry[parameters["routine"]].name] if "routine" in parameters else None
        ids = list(planned(self.registry, start, end, names))
        pauses = self.store.pauses()
        views = [self._planned_view(id, pauses) for id in ids]
        if "if" in parameters or "expected" in parameters:
            limits = limits_of(self.identity.max_running)
            expected = expected_views(
                self.registry,
                ids,
                (start, end),
                parameters.get("if"),
                lambda part: conditions_of(self.store, part, limits),
                parameters.get("routine"),
            )
            views = [{**view, **more} for view, more in zip(views, expected, strict=True)]
        return views

    def rerun(self, parameters: Parameters) -> View:
        """Return the recorded tasks that a request to execute would have run, in their order."""
        unknown = tuple(self.unknown()) if "unknown" in parameters else ()
        ids = executed(parameters, self.now(), self.registry, self.store, unknown)
        return {"tasks": [str(id) for id in ids]}

    def backfill(self, parameters: Parameters) -> View:
        """Return how far a backfill is, and the tasks that it would plan, in their order."""
        now = self.now()
        wanted = backfill_of(parameters, now, self.registry)
        extent = extent_of(self.registry, self.store, wanted, now)
        tasks = set(extent.tasks)
        live = [task for task in self.store.live() if task.id in tasks]
        blocked = next((task for task in live if task.state is TaskState.BLOCKED), None)
        return {
            "count": len(extent.tasks),
            "done": sum(is_done(self.store, id) for id in tasks),
            "missing": [str(id) for id in extent.missing],
            "live": Counter(task.state.value for task in live),
            "blocked": None if blocked is None else str(blocked.id),
        }

    def grid(self, parameters: Parameters) -> View:
        """Return what became of each routine's tasks, period by period."""
        name = parameters.get("routine")
        if name:
            self._known(name)
        view = grid_view(
            self.registry,
            self.store,
            self.now(),
            period=parameters.get("by"),
            columns=int(parameters.get("columns", DEFAULT_COLUMNS)),
            limit=int(parameters.get("limit", DEFAULT_ROWS)),
            routine=name,
        )
        return {"scheduler": self._scheduler_view(), **view}

    def logs(self, parameters: Parameters) -> View:
        """Return where the log of an attempt is: by default a task's latest."""
        task = self._logged_task(parameters)
        numbers = [attempt.number for attempt in task.attempts]
        attempt = int(parameters.get("attempt", numbers[-1]))
        if attempt not in numbers:
            raise SchedulerError(f"{task.id} has no attempt {attempt}, only 1 to {numbers[-1]}")
        path = self.log_of(task.id, attempt)
        is_running = task.state is TaskState.RUNNING and attempt == numbers[-1]
        return {
            "task": str(task.id),
            "attempt": attempt,
            "attempts": numbers,
            "path": str(path),
            "size": size_of(path),
            "is_running": is_running,
        }

    # -- parts -----------------------------------------------------------------------------

    def _start_command(self) -> str | None:
        """Return the command that starts the scheduler; None where it runs."""
        identity = self.identity
        if identity.pid is not None:
            return None
        name = f" --scheduler_name {as_word(identity.name)}" if identity.name else ""
        config = f" --config_file {as_word(identity.config)}" if identity.config else ""
        return f"scheduler start{name}{config} --daemon"

    def _scheduler_view(self) -> View:
        identity = self.identity
        return {
            "name": identity.name,
            "is_live": identity.pid is not None,
            "pid": identity.pid,
            "address": identity.address,
            "started_at": identity.started_at,
            "mode": identity.mode,
            "config": identity.config,
            "registry": identity.registry,
            "database": identity.database,
            "timezone": self.registry.timezone,
            "is_stopping": self.is_stopping(),
            "notices": [*identity.notices, *self.notices()],
        }

    def _views(
        self, tasks: Iterable[Task], stale: Mapping[TaskId, TaskId] | None = None
    ) -> list[View]:
        redone = stale or {}
        return [task_view(task, self.log_of, stale=redone.get(task.id)) for task in tasks]

    def _stale_views(self, stale: Mapping[TaskId, TaskId], name: str | None) -> list[View]:
        ids = [id for id in stale if name in (None, id.routine)]
        tasks = (self.store.task(id) for id in ids)
        return self._views((task for task in tasks if task is not None), stale)

    def _planned_view(self, id: TaskId, pauses: Iterable[Pause]) -> View:
        pause = pause_over(pauses, self.registry[id.routine])
        if pause is not None and pause.until is not None and pause.until <= id.instant:
            pause = None
        return planned_view(self.registry, id, pause)

    def _routine_view(
        self,
        routine: Routine,
        last: Task | None,
        pauses: Iterable[Pause],
        state: RoutineState | None,
    ) -> View:
        following = self._following(routine)
        return routine_view(
            routine,
            following=None if following is None else following.instant,
            last=None if last is None else task_view(last, self.log_of),
            known_since=None if state is None else state.known_since,
            pause=pause_over(pauses, routine),
        )

    def _next(self, name: str | None) -> list[View]:
        """Return the next tasks to come: of each routine one, or several of one routine."""
        now = self.now()
        # What a person had run, or cancelled, before its time does not come any more.
        gone = {*self.store.ahead(), *(task.id for task in self.store.early(now))}
        pauses = self.store.pauses()
        at = to_instant(now)
        if name is None:
            coming = self._outlook.coming(at, gone, _NEXT)
        else:
            coming = list(islice(self._coming(name, at, gone), _NEXT_OF_ONE))
        return [
            self._planned_view(TaskId(one, to_utc(at), self.registry[one].zone), pauses)
            for at, one in coming
        ]

    def _coming(self, name: str, after: int, gone: Collection[TaskId]) -> Iterator[tuple[int, str]]:
        if name not in self.registry or not self.registry[name].enabled:
            return
        following = self.registry.triggers.next(name, after)
        while following is not None:
            if not gone or TaskId(name, to_utc(following)) not in gone:
                yield following, name
            following = self.registry.triggers.next(name, following)

    def unknown(self) -> list[TaskId]:
        """Return the unknown tasks that something waits for."""
        return self._outlook.unknown(self.store, self.store.live(), to_instant(self.now()))

    def _known(self, name: str) -> Routine | None:
        """Return a routine; None if it has left the registry but has a history."""
        if name not in self.registry and self.store.routine(name) is not None:
            return None
        return self.registry[name]

    def _moment(self, parameters: Parameters, key: str) -> datetime | None:
        text = parameters.get(key)
        return parse_moment(text, self.registry.timezone) if text else None

    def _task_or_routine(self, text: str) -> TaskId:
        if text not in self.registry:
            if text.startswith(_NEXT_WORD):
                return self._next_of(text.removeprefix(_NEXT_WORD))
            try:
                split_task_id(text)
            except SchedulerError:
                self._known(text)  # raises with a suggestion, unless it is history only
            else:
                return named_task(self.registry, self.store, text)
        return self._foremost(text)

    def _next_of(self, name: str) -> TaskId:
        """Return the routine's next task to come, whatever becomes of those before it."""
        following = self._following(self.registry[name])
        if following is None:
            raise SchedulerError(f"routine {name!r} has no task to come (scheduler list)")
        return following

    def _following(self, routine: Routine) -> TaskId | None:
        at = self.registry.triggers.next(routine.name, to_instant(self.now()))
        return None if at is None else TaskId(routine.name, to_utc(at), routine.zone)

    def _foremost(self, name: str) -> TaskId:
        """Return the routine's task that a person most likely asks about."""
        live = [task for task in self.store.live() if task.routine == name]
        order = (TaskState.BLOCKED, TaskState.WAITING, TaskState.READY, TaskState.RUNNING)
        for state in order:
            for task in live:
                if task.state is state:
                    return task.id
        last = self.store.last_ended(name)
        if last is not None and last.state is TaskState.FAILED:
            return last.id
        routine = self.registry.get(name)
        following = None if routine is None else self._following(routine)
        if following is not None:
            return following
        if last is not None:
            return last.id
        if routine is None:
            raise SchedulerError(f"routine {name!r} has left the registry, and has never run")
        raise SchedulerError(
            f"routine {name!r} runs by hand only and never has: scheduler execute {as_word(name)}"
        )

    def _logged_task(self, parameters: Parameters) -> Task:
        if "task" in parameters:
            id = named_task(self.registry, self.store, parameters["task"])
            task = self.store.task(id)
            if task is None or not task.attempts:
                raise SchedulerError(f"{id} has not run: there is no log of it")
            return task
        name = parameters["routine"]
        self._known(name)
        running = [one for one in self.store.live() if one.routine == name and one.attempts]
        task = running[-1] if running else self.store.last_ended(name)
        if task is None:
            raise SchedulerError(f"routine {name!r} has not run yet: there is no log of it")
        return task


def _state(text: str | None) -> TaskState | None:
    if text is None:
        return None
    try:
        return TaskState(text)
    except ValueError:
        states = ", ".join(TaskState)
        raise SchedulerError(f"there is no state {quoted(text)} (there are {states})") from None
