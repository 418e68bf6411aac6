"""What another registry means for what is recorded: at start, and when it is reloaded (SPEC 4).

A routine that is new, or whose trigger changed, begins now.  Only unchanged ones have a backlog.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from hashlib import blake2b

from scheduler.cron import Schedule
from scheduler.engine.board import Board
from scheduler.engine.planning import due_instants, skip
from scheduler.engine.readiness import bind, needs_of
from scheduler.engine.states import Cause, TaskState
from scheduler.engine.task import RoutineState, TaskId
from scheduler.engine.timers import arm, arm_due_by
from scheduler.registry.registry import Registry
from scheduler.zones import to_instant

_GOOD_SKIPS = (Cause.NOTHING_TO_DO, Cause.MARKED_SKIPPED)


def trigger_texts(registry: Registry) -> Mapping[str, str]:
    """Return, for each routine, a text that changes exactly when its instants do."""
    texts: dict[str, str] = {}
    for name in registry.order:
        routine = registry[name]
        source = registry.triggers.source(name)
        if source is None:
            texts[name] = "by hand"
        elif isinstance(source, Schedule):
            texts[name] = source.text
        elif source.name != name:
            texts[name] = texts[source.name]
        else:
            below = "\n".join(sorted({texts[upstream] for upstream in routine.upstreams}))
            digest = blake2b(below.encode(), digest_size=12).hexdigest()
            texts[name] = f"rounds {digest} {routine.zone}"
    return texts


def reconcile(board: Board, registry: Registry, at: datetime) -> None:
    """Go on with a registry: skip what the old one alone asked for, begin what is new."""
    texts = trigger_texts(registry)
    old = texts if board.registry is registry else trigger_texts(board.registry)
    _remove(board, registry, at)
    for name, state in list(board.routines.items()):
        if name not in registry:
            continue
        # A scheduler that was killed as it took another registry ran with one that was not kept:
        # what its trigger has missed since nobody knows.
        is_known = old.get(name) == state.trigger
        if not state.enabled:  # up to now; what a person asked for still runs
            _settle_missed(board, state, Cause.DISABLED, "disabled", at, is_known=is_known)
        elif state.trigger != texts[name]:
            cause, reason = Cause.SCHEDULE_CHANGED, "schedule changed"
            _settle_missed(board, state, cause, reason, at, is_known=is_known)
        elif not registry[name].enabled:
            _settle_missed(board, state, Cause.DISABLED, "disabled", at, is_known=is_known)
    board.adopt_registry(registry)
    for id in list(board.ahead):
        if not registry.triggers.is_instant(id.routine, to_instant(id.instant)):
            board.drop_ahead(id)
    for name, routine in registry.items():
        _know(board, name, texts[name], routine.enabled, routine.zone, at)
    _bind_anew(board, at)


def _remove(board: Board, registry: Registry, at: datetime) -> None:
    """Skip what is left of routines that are no more; what a person asked for cannot run either."""
    for id, entry in list(board.live.items()):
        if id.routine not in registry and entry.is_unstarted:
            board.move(entry, Cause.REMOVED, "its routine was removed", at)
    for id in list(board.ahead):
        if id.routine not in registry:
            board.drop_ahead(id)
    for name, state in list(board.routines.items()):
        if name not in registry and state.trigger:
            # Should it come back, it begins anew, with whatever trigger.
            board.set_routine(replace(state, trigger=""))


def _settle_missed(
    board: Board,
    state: RoutineState,
    cause: Cause,
    reason: str,
    at: datetime,
    *,
    is_known: bool = True,
) -> None:
    """Skip what was not started, and what was missed while no scheduler was running.

    ``is_known``: the registry has the trigger that the routine had then.
    """
    name = state.name
    for instant in list(board.unstarted.get(name, ())):
        board.move(board.live[TaskId(name, instant)], cause, reason, at)
    if name in board.registry and is_known:
        instants = due_instants(board, name, max(board.planned_until, state.known_since), at)
        missed = [one for one in instants if not board.is_recorded(TaskId(name, one))]
        for instant in missed:
            board.drop_ahead(TaskId(name, instant))
        skip(board, name, missed, instants, cause, reason, at)


def _know(board: Board, name: str, text: str, enabled: bool, zone: str, at: datetime) -> None:
    state = board.routines.get(name)
    # A clock that was set back: the next instant is planned after all that were before it.
    since = max(at, board.planned_until)
    if state is None:
        state = RoutineState(name=name, known_since=since, trigger=text, enabled=enabled, zone=zone)
        board.set_routine(state)
    elif state.trigger != text:
        assumed = Cause.MARKED_SUCCEEDED if _last_one_succeeded(board, name) else None
        state = replace(state, known_since=since, trigger=text, assumed=assumed)
        board.set_routine(replace(state, enabled=enabled, zone=zone))
        board.touch_routine(name)
    elif (state.enabled, state.zone) != (enabled, zone):
        board.set_routine(replace(state, enabled=enabled, zone=zone))


def _last_one_succeeded(board: Board, name: str) -> bool:
    """Return whether the routine's newest task that ran, or should have, did succeed."""
    if name in board.running:
        return False
    ended = board.ended.get(name, {})
    ran = [
        task
        for task in ended.values()
        if task.cause not in (Cause.SCHEDULE_CHANGED, Cause.DISABLED, Cause.COVERED)
    ]
    if not ran:
        state = board.routines[name]
        return state.last_success is not None or state.assumed is not None
    newest = max(ran, key=lambda task: task.instant)
    return newest.state is TaskState.SUCCEEDED or newest.cause in _GOOD_SKIPS


def _bind_anew(board: Board, at: datetime) -> None:
    for id in list(board.live):
        entry = board.live[id]
        if entry.heeds_needs and id.routine in board.registry:
            bind(board, entry, needs_of(board.registry, id), at)
            board.soil(id)
        arm(board, entry)
        if entry.task.state is TaskState.READY:
            board.made_ready[id] = None  # its priority, its pool or its turn may have changed
    for name, ended in board.ended.items():
        if name in board.registry and board.registry[name].due_by is not None:
            for task in ended.values():
                if task.state not in (TaskState.SUCCEEDED, TaskState.SKIPPED):
                    arm_due_by(board, task)


def start_afresh(board: Board, at: datetime) -> None:
    """Skip all that is due: tasks that have not started, and instants that were missed."""
    for state in list(board.routines.values()):
        if state.name in board.registry and board.registry[state.name].enabled:
            _settle_missed(board, state, Cause.FRESH_START, "fresh start", at)
    for id in [id for id, entry in board.live.items() if entry.is_unstarted]:
        board.move(board.live[id], Cause.FRESH_START, "fresh start", at)
