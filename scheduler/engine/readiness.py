"""What a task waits for, and what an end, a block or a success means for it (SPEC 4).

A task keeps its needs as the registry binds them.  How each stands is looked up again whenever
the task it names changes; the sum of the standings decides between waiting, blocked, ready, and
skipped as not needed.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from scheduler.engine.board import LOST, MET, MOOT, OPEN, Board, Entry, Need, Standing
from scheduler.engine.moments import has_passed, wait_until_of
from scheduler.engine.pauses import in_words
from scheduler.engine.states import Cause, TaskState
from scheduler.engine.task import Origin, SkippedRun, Task, TaskId
from scheduler.registry.registry import Registry
from scheduler.registry.routine import Backlog, Dependency, InstantKind, On, Otherwise
from scheduler.zones import to_instant, to_utc

WAITS_FOR_SLOT = "waits for a slot"

_GIVEN_UP = {Otherwise.SKIP: Cause.GAVE_UP, Otherwise.FAIL: Cause.WAITED_IN_VAIN}
_GOOD_SKIPS = (Cause.NOTHING_TO_DO, Cause.MARKED_SKIPPED)


def needs_of(registry: Registry, id: TaskId) -> tuple[Need, ...]:
    """Return what the task waits for by the registry, in the order of the dependencies."""
    routine = registry[id.routine]
    instant = to_instant(id.instant)
    keeps_latest = routine.backlog is Backlog.LATEST
    found = (
        Need(
            task=TaskId(dependency.name, to_utc(bound), registry[dependency.name].zone),
            on=dependency.on,
            takes_stand_in=keeps_latest
            and dependency.instant is InstantKind.LATEST
            and dependency.on is On.SUCCESS,
            is_own=dependency.name == id.routine,
            wait_until=dependency.wait_until,
            otherwise=dependency.otherwise,
        )
        for dependency in routine.dependencies
        for bound in registry.triggers.bound(routine, dependency, instant)
    )
    return tuple(dict.fromkeys(found))


def look(board: Board, entry: Entry, numbers: Iterable[int]) -> None:
    """Look up how these needs of a task stand."""
    for number in sorted(numbers):
        need = entry.needs[number]
        is_bound = number < len(entry.standings)
        # From where the last look came to: a chain of covers may be long.
        start = entry.standings[number].target if is_bound else need.task
        standing = standing_of(board, need, start)
        if need.is_own and standing.target.instant >= entry.task.instant:
            # What covers the older one is this task, or comes after it: none is left to wait for.
            standing = Standing(kind=MET, target=standing.target)
        if number in entry.expired and need.otherwise is Otherwise.RUN:
            if standing.kind in (OPEN, LOST):
                standing = replace(standing, kind=MET, root=None)
        if not is_bound or entry.standings[number] != standing:
            board.stand(entry, number, standing)


def bind(board: Board, entry: Entry, needs: tuple[Need, ...], at: datetime) -> None:
    """Give a task its needs, and look up how each stands."""
    board.set_needs(entry, needs)
    entry.expired.clear()
    if entry.task.origin is not Origin.BACKFILL:
        # What is not waited for any more must not look for a moment as if it were; what becomes
        # of a task that waited in vain is left to its timers, which go off in their order.
        for number, need in enumerate(needs):
            is_over = need.wait_until and has_passed(wait_until_of(board, entry, number), at)
            if is_over and need.otherwise is Otherwise.RUN:
                entry.expired[number] = None
    entry.takes_any = board.registry[entry.task.routine].require_any
    look(board, entry, range(len(needs)))


def standing_of(board: Board, need: Need, target: TaskId) -> Standing:
    """Return how a need stands, with covers followed from ``target`` and stand-ins accepted."""
    standing = _own_standing(board, need, target)
    if standing.kind != LOST or not need.takes_stand_in:
        return standing
    # A newer success serves as well where only the latest is kept.
    state = board.routines.get(need.task.routine)
    if state is None or state.last_success is None or state.last_success <= standing.target.instant:
        return standing
    stand_in = TaskId(need.task.routine, state.last_success, need.task.zone)
    return Standing(kind=MET, target=standing.target, stand_in=stand_in)


def _own_standing(board: Board, need: Need, target: TaskId) -> Standing:
    while (cover := board.cover_of(target)) is not None:
        target = cover
    fate = _fate(board, target)
    if fate is None:
        return _standing_on_nothing(board, need, target)
    if isinstance(fate, Task):
        return _standing_on_task(need, fate)
    return _standing_on_run(need, target, fate)


def _fate(board: Board, id: TaskId) -> Task | SkippedRun | None:
    fate = board.task(id) or board.run_of(id)
    # What an older trigger left behind says nothing about the instants of the new one.
    return None if fate is not None and fate.cause is Cause.SCHEDULE_CHANGED else fate


def _standing_on_task(need: Need, task: Task) -> Standing:
    id = task.id
    match task.state:
        case TaskState.WAITING | TaskState.READY | TaskState.RUNNING:
            return Standing(kind=OPEN, target=id, why=f"{id}, which is {task.state}")
        case TaskState.BLOCKED:
            root = task.root or id
            return Standing(kind=LOST, target=id, why=f"{id}, which is blocked", root=root)
        case TaskState.SUCCEEDED:
            kind = MOOT if need.on is On.FAILURE else MET
        case TaskState.FAILED:
            kind = LOST if need.on is On.SUCCESS else MET
        case TaskState.CANCELLED:
            kind = {On.SUCCESS: LOST, On.FAILURE: MOOT, On.DONE: MET}[need.on]
        case TaskState.SKIPPED:
            kind = _kind_of_skip(need.on, task.cause)
    why = f"{id}, which {ended_in_words(task.state, task.reason)}"
    return Standing(kind=kind, target=id, why=why, root=id if kind == LOST else None)


def _kind_of_skip(on: On, cause: Cause) -> str:
    if on is On.DONE:
        return MET
    if cause is Cause.NOT_NEEDED:
        return MOOT
    if cause is Cause.DISABLED:
        return LOST
    if on is On.FAILURE:
        return MOOT
    return MET if cause in _GOOD_SKIPS else LOST


def _standing_on_run(need: Need, target: TaskId, run: SkippedRun) -> Standing:
    kind = _kind_of_skip(need.on, run.cause)
    why = f"{target}, which was skipped: {run.reason}"
    return Standing(kind=kind, target=target, why=why, root=target if kind == LOST else None)


def _standing_on_nothing(board: Board, need: Need, target: TaskId) -> Standing:
    state = board.routines.get(target.routine)
    planned_until = board.planned_until_of(target.routine)
    # At a start, what is new is known already when the missed instants are not planned yet.
    if state is not None and target.instant > max(planned_until, state.known_since):
        return Standing(kind=OPEN, target=target, why=f"{target}, whose time has not come")
    if need.is_own:
        # The first task of a routine waits for nothing of itself.
        return Standing(kind=MET, target=target)
    if state is not None and state.assumed is not None:
        return Standing(kind=MOOT if need.on is On.FAILURE else MET, target=target)
    why = f"{target}, which is unknown: it is older than the first start"
    return Standing(kind=LOST, target=target, why=why, root=target)


def ended_in_words(state: TaskState, reason: str) -> str:
    """Return how a task ended, to follow "which": ``failed: exit code 3``."""
    verb = {TaskState.CANCELLED: "was cancelled", TaskState.SKIPPED: "was skipped"}
    return f"{verb.get(state, state.value)}{': ' if reason else ''}{reason}"


def decide(board: Board, entry: Entry, at: datetime) -> None:
    """Bring an unstarted task to the state that its needs give it."""
    task = entry.task
    if not entry.heeds_needs:
        return
    if entry.is_moot:
        standing = entry.standings[entry.moots.lowest()]
        board.move(entry, Cause.NOT_NEEDED, f"not needed: it asks about {standing.why}", at)
    elif (number := entry.given_up) is not None:
        cause = _GIVEN_UP[entry.needs[number].otherwise]
        board.move(entry, cause, f"waited in vain for {entry.standings[number].target}", at)
    elif entry.is_stuck:
        standing = entry.standings[entry.losts.lowest()]
        reason = f"waits for {standing.why}"
        if standing.root != standing.target:
            reason += f" by {standing.root}"
        if (task.state, task.reason, task.root) != (TaskState.BLOCKED, reason, standing.root):
            board.move(entry, Cause.NEEDS_LOST, reason, at, root=standing.root)
    elif entry.outstanding:
        standing = entry.standings[entry.opens.lowest()]
        word = "one of" if entry.takes_any and len(entry.needs) > 1 else ""
        more = f" and {len(entry.opens) - 1} more" if len(entry.opens) > 1 else ""
        reason = f"waits for {word} {standing.target}{more}".replace("  ", " ")
        if (task.state, task.reason) != (TaskState.WAITING, reason):
            board.move(entry, Cause.NEEDS_OPEN, reason, at)
    elif (pause := board.pause_of(task.routine)) is not None:
        reason = f"is {in_words(board.registry, pause)}"
        if (task.cause, task.reason) != (Cause.PAUSED, reason):
            board.move(entry, Cause.PAUSED, reason, at)
    elif task.state is not TaskState.READY:
        stand_ins = tuple(
            (need.task, standing.stand_in)
            for need, standing in zip(entry.needs, entry.standings, strict=True)
            if standing.stand_in is not None
        )
        board.move(entry, Cause.NEEDS_MET, WAITS_FOR_SLOT, at, stand_ins=stand_ins)


def unknown_tasks(board: Board) -> tuple[TaskId, ...]:
    """Return the unknown tasks that a task waits for, now or at its routine's next instant."""
    found: dict[TaskId, None] = {}
    for entry in board.live.values():
        for standing in entry.standings if entry.losts else ():
            if standing.kind == LOST and _fate(board, standing.target) is None:
                found[standing.target] = None
    firsts: dict[str, int | None] = {}
    for name, routine in board.registry.items():
        after = to_instant(board.planned_until_of(name))
        if not routine.enabled or all(
            _is_settled(board, dependency, after, firsts) for dependency in routine.dependencies
        ):
            continue
        following = board.registry.triggers.next(name, after)
        if following is None:
            continue
        for need in needs_of(board.registry, TaskId(name, to_utc(following), routine.zone)):
            if _is_unknown(board, need):
                found[need.task] = None
    return tuple(found)


def _is_settled(
    board: Board, dependency: Dependency, after: int, firsts: dict[str, int | None]
) -> bool:
    """Return whether nothing that is still to come waits for an unknown task by a dependency.

    Once the upstream has triggered there is a newer one to wait for; but `all` reaches back.
    """
    name = dependency.name
    state = board.routines.get(name)
    if state is None or dependency.instant is InstantKind.ALL:
        return state is None
    if name not in firsts:
        firsts[name] = board.registry.triggers.next(name, to_instant(state.known_since))
    first = firsts[name]
    return first is not None and first <= after


def _is_unknown(board: Board, need: Need) -> bool:
    state = board.routines.get(need.task.routine)
    if state is None or need.task.instant > state.known_since:
        return False
    if _fate(board, need.task) is not None:
        return False
    return standing_of(board, need, need.task).kind == LOST
