"""What a person may ask for: run this, end that, count it as done (SPEC 6).

Each function changes the board and returns what to answer; `Refuse` means that nothing changed.
A task that the engine has forgotten comes with its record from the store.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from scheduler.engine.board import Board, Entry
from scheduler.engine.commands import Command, KillAttempt, Refuse, Reply
from scheduler.engine.events import Recorded
from scheduler.engine.planning import take_from_run
from scheduler.engine.readiness import ended_in_words, unknown_tasks
from scheduler.engine.states import TRANSITIONS, Cause, TaskState
from scheduler.engine.task import Origin, Task, TaskId
from scheduler.engine.timers import arm_due_by
from scheduler.errors import SchedulerError
from scheduler.zones import to_instant

_SECOND = timedelta(seconds=1)


class _Refusal(SchedulerError):
    """Why a request is not carried out."""


def execute(
    board: Board, tasks: Sequence[Recorded], at: datetime, arguments: str | None
) -> list[Command]:
    """Let these tasks run now, again if need be; time and dependencies are waived."""
    try:
        for recorded in tasks:
            _refuse_execute(board, recorded)
    except _Refusal as refusal:
        return [Refuse(message=str(refusal))]
    messages: list[str] = []
    for recorded in tasks:
        entry, waived = _claim(board, recorded, at)
        board.move(
            entry,
            Cause.ASKED,
            "asked for by hand",
            at,
            by_hand=True,
            arguments=arguments,
            tries=0,  # a person gives it fresh retries
            retry_at=None,
            cover=None,
        )
        arm_due_by(board, entry.task)
        messages.append(f"{entry.task.id} runs at the next free slot{waived}")
    return [Reply(messages=tuple(messages), tasks=tuple(one.id for one in tasks))]


def _refuse_execute(board: Board, recorded: Recorded) -> None:
    id = recorded.id
    if id.routine not in board.registry:
        raise _Refusal(f"{id}: routine {id.routine!r} is not in the registry any more")
    entry = board.live.get(id)
    if entry is not None and entry.task.state is TaskState.RUNNING:
        raise _Refusal(f"{id} is running already: cancel it first, or wait for its end")
    if entry is None and recorded.task is None and board.task(id) is None:
        _refuse_no_instant(board, id)


def _refuse_no_instant(board: Board, id: TaskId) -> None:
    instant = to_instant(id.instant)
    if not board.registry.triggers.is_instant(id.routine, instant):
        raise _Refusal(board.registry.not_an_instant(id.routine, instant))


def _claim(board: Board, recorded: Recorded, at: datetime) -> tuple[Entry, str]:
    """Return the task, taken back into the live ones, and what running it now waives."""
    id = recorded.id
    entry = board.live.get(id)
    if entry is not None:
        reason = entry.task.reason
        waives = entry.task.state in (TaskState.WAITING, TaskState.BLOCKED) and reason
        return entry, f"; waived: it {reason}" if waives else ""
    take_from_run(board, recorded)
    task = board.task(id) or recorded.task
    if task is None or task.cause is Cause.COVERED:
        board.touch_routine(id.routine)  # what waited for its cover may wait for it again
    if task is not None:
        return board.add(task), f", again: it {ended_in_words(task.state, task.reason)}"
    board.drop_ahead(id)
    waived = "; waived: its time, which is yet to come" if id.instant > at else ""
    return board.add(_by_hand(id, at)), waived


def _by_hand(id: TaskId, at: datetime) -> Task:
    return Task(
        id=id,
        state=TRANSITIONS[None, Cause.ASKED],
        cause=Cause.ASKED,
        reason="asked for by hand",
        origin=Origin.MANUAL,
        planned_at=at,
        changed_at=at,
        place=id.instant,
        by_hand=True,
    )


def execute_routine(board: Board, name: str, at: datetime, arguments: str | None) -> list[Command]:
    """Let a new task of a routine run, at the first free whole second from now."""
    if name not in board.registry:
        return [Refuse(message=f"there is no routine {name!r} in the registry")]
    state = board.routines[name]
    instant = at if not at.microsecond else at.replace(microsecond=0) + _SECOND
    if state.last_manual is not None:
        instant = max(instant, state.last_manual + _SECOND)
    zone = board.registry[name].zone
    triggers = board.registry.triggers
    while triggers.is_instant(name, to_instant(instant)) or board.is_recorded(
        TaskId(name, instant)
    ):
        instant += _SECOND
    board.set_routine(replace(board.routines[name], last_manual=instant))
    task = replace(_by_hand(TaskId(name, instant, zone), at), arguments=arguments)
    board.add(task)
    return [Reply(messages=(f"{task.id} runs at the next free slot",), tasks=(task.id,))]


def cancel(board: Board, recorded: Recorded, at: datetime, *, downstream: bool) -> list[Command]:
    """End a task, now or when its instant comes, and with ``downstream`` what waits for it."""
    commands: list[Command] = []
    messages: list[str] = []
    cancelled: list[TaskId] = []
    try:
        commands.extend(_cancel_one(board, recorded, at, messages))
    except _Refusal as refusal:
        return [Refuse(message=str(refusal))]
    cancelled.append(recorded.id)
    if downstream:
        for id in list(_downstream(board, recorded.id)):
            entry = board.live.get(id)
            is_to_come = id.instant > board.planned_until and not board.is_recorded(id)
            if (is_to_come and id not in board.ahead) or (entry is not None and entry.is_unstarted):
                commands.extend(_cancel_one(board, Recorded(id=id), at, messages))
                cancelled.append(id)
    return [*commands, Reply(messages=tuple(messages), tasks=tuple(cancelled))]


def _cancel_one(
    board: Board, recorded: Recorded, at: datetime, messages: list[str]
) -> Iterator[Command]:
    id = recorded.id
    entry = board.live.get(id)
    if entry is not None and entry.task.state is TaskState.RUNNING:
        board.put(replace(entry.task, ending=Cause.CANCELLED))
        messages.append(f"{id} is running: its processes are being ended")
        yield KillAttempt(task=id, attempt=entry.task.attempts[-1].number)
        return
    if entry is not None:
        board.move(entry, Cause.CANCELLED, "cancelled by hand", at)
        messages.append(f"{id} is cancelled")
        return
    task = board.task(id) or recorded.task
    run = board.run_of(id) or recorded.run
    if task is not None:
        raise _Refusal(f"{id} has ended already: it {ended_in_words(task.state, task.reason)}")
    if run is not None:
        raise _Refusal(f"{id} has ended already: it was skipped: {run.reason}")
    if id.routine not in board.registry:
        raise _Refusal(f"there is no routine {id.routine!r} in the registry")
    _refuse_no_instant(board, id)
    if id.instant <= board.planned_until:
        raise _Refusal(f"{id} is unknown, older than the first start: there is nothing to cancel")
    if id in board.ahead:
        raise _Refusal(f"{id} is cancelled already, as soon as its instant comes")
    board.ahead[id] = None
    board.changed_ahead[id] = False
    messages.append(f"{id} will be cancelled when its instant comes")


def _downstream(board: Board, start: TaskId) -> Iterator[TaskId]:
    """Yield what waits for a task, directly or through others, by the registry.

    A routine's own later tasks are left out: they wait for each other without an end.
    """
    seen = {start: None}
    reached = [start]
    for id in reached:  # grows while it is walked
        if id.routine not in board.registry:
            continue
        for waiting in board.registry.waiting_for(id.routine, id.instant):
            if waiting not in seen and waiting.routine != id.routine:
                seen[waiting] = None
                reached.append(waiting)
                yield waiting


def mark(board: Board, tasks: Sequence[Recorded], cause: Cause, at: datetime) -> list[Command]:
    """Let these tasks count as succeeded, or as skipped with nothing to do."""
    try:
        for recorded in tasks:
            _refuse_mark(board, recorded, at)
    except _Refusal as refusal:
        return [Refuse(message=str(refusal))]
    for recorded in tasks:
        entry, _ = _claim(board, recorded, at)
        board.move(entry, cause, f"{cause} by hand", at, by_hand=False, cover=None)
    word = "succeeded" if cause is Cause.MARKED_SUCCEEDED else "skipped"
    messages = tuple(f"{recorded.id} is marked {word}" for recorded in tasks)
    return [Reply(messages=messages, tasks=tuple(recorded.id for recorded in tasks))]


def _refuse_mark(board: Board, recorded: Recorded, at: datetime) -> None:
    id = recorded.id
    entry = board.live.get(id)
    if entry is not None and entry.task.state is TaskState.RUNNING:
        raise _Refusal(f"{id} is running: cancel it first")
    if entry is not None or board.task(id) is not None or recorded.task is not None:
        return
    if id.routine not in board.registry:
        raise _Refusal(f"there is no routine {id.routine!r} in the registry")
    _refuse_no_instant(board, id)
    if id.instant > at:
        raise _Refusal(f"{id} is not due yet: only what is due can be marked")


def mark_unknown(board: Board, cause: Cause) -> list[Command]:
    """Let all that is unknown count as succeeded or skipped, once and for all."""
    tasks = unknown_tasks(board)
    for name in dict.fromkeys(id.routine for id in tasks):
        assume(board, name, cause)
    if not tasks:
        return [Reply(messages=("nothing is unknown",))]
    word = "succeeded" if cause is Cause.MARKED_SUCCEEDED else "skipped"
    messages = tuple(f"{id}, and all before it, counts as {word}" for id in tasks)
    return [Reply(messages=messages, tasks=tasks)]


def assume(board: Board, name: str, cause: Cause) -> None:
    """Let the unknown tasks of a routine count as marked."""
    board.set_routine(replace(board.routines[name], assumed=cause))
    board.touch_routine(name)
