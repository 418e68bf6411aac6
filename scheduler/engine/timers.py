"""What happens at a moment that is no instant: retries, limits, deadlines, the end of a pause.

A timer is set when its reason arises and looked at again when it goes off: by then it may be
pointless, and then nothing happens.  None is stored: a start sets them anew from the tasks.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from heapq import heappop
from typing import assert_never

from scheduler.engine.board import LOST, MET, OPEN, Board, Entry, Timer, TimerKind
from scheduler.engine.commands import Command, KillAttempt, Notice
from scheduler.engine.pauses import resume
from scheduler.engine.readiness import WAITS_FOR_SLOT
from scheduler.engine.states import Cause, TaskState
from scheduler.engine.task import Origin, Task, TaskId
from scheduler.registry.deadlines import Deadline
from scheduler.registry.routine import Otherwise, Routine
from scheduler.zones import to_instant, to_utc, zone_named


def deadline_at(deadline: Deadline, routine: Routine, instant: datetime) -> datetime:
    """Return when a deadline of a routine passes for the task at ``instant``."""
    return to_utc(deadline.after(to_instant(instant), zone_named(routine.zone)))


def arm(board: Board, entry: Entry) -> None:
    """Set the timers of a task that is not ended."""
    task = entry.task
    routine = board.registry.get(task.routine)
    if task.retry_at is not None:
        board.set_timer(task.retry_at, Timer(kind=TimerKind.RETRY, task=task.id))
    if routine is None:
        return
    if task.state is TaskState.RUNNING and routine.timeout is not None:
        last = task.attempts[-1]
        timer = Timer(kind=TimerKind.TIMEOUT, task=task.id, number=last.number)
        board.set_timer(last.started_at + routine.timeout, timer)
    if task.origin is Origin.BACKFILL:
        return  # its deadlines passed long ago
    if routine.due_by is not None and not task.is_overdue:
        at = deadline_at(routine.due_by, routine, task.instant)
        board.set_timer(at, Timer(kind=TimerKind.DUE_BY, task=task.id))
    if entry.heeds_needs:
        _arm_waits(board, entry, routine)


def _arm_waits(board: Board, entry: Entry, routine: Routine) -> None:
    task = entry.task
    if routine.start_by is not None:
        at = deadline_at(routine.start_by, routine, task.instant)
        board.set_timer(at, Timer(kind=TimerKind.START_BY, task=task.id))
    for number, need in enumerate(entry.needs):
        if need.wait_until is not None:
            at = deadline_at(need.wait_until, routine, task.instant)
            timer = Timer(kind=TimerKind.WAIT_UNTIL, task=task.id, number=number)
            board.set_timer(at, timer)


def go_off(board: Board, at: datetime) -> Iterator[Command]:
    """Do what the timers up to now are for."""
    while board.timers and board.timers[0][0] <= at:
        _, _, timer = heappop(board.timers)
        if timer.kind is TimerKind.RESUME:
            assert timer.pause is not None
            _resume(board, timer, at)
            continue
        assert timer.task is not None
        entry = board.live.get(timer.task)
        match timer.kind:
            case TimerKind.RETRY:
                if entry is not None and _is_due_retry(entry.task, at):
                    board.move(entry, Cause.RETRY_DUE, WAITS_FOR_SLOT, at, retry_at=None)
            case TimerKind.TIMEOUT:
                yield from _time_out(board, entry, timer.number)
            case TimerKind.START_BY:
                if entry is not None and entry.heeds_needs:
                    board.move(entry, Cause.TOO_LATE, "had not started by its start_by", at)
            case TimerKind.DUE_BY:
                yield from _overdue(board, timer.task)
            case TimerKind.WAIT_UNTIL:
                if entry is not None and entry.heeds_needs:
                    _stop_waiting(board, entry, timer.number, at)
            case _:
                assert_never(timer.kind)


def _is_due_retry(task: Task, at: datetime) -> bool:
    return task.retry_at is not None and task.retry_at <= at


def _resume(board: Board, timer: Timer, at: datetime) -> None:
    assert timer.pause is not None
    pause = board.pauses.get(timer.pause)
    if pause is not None and pause.until is not None and pause.until <= at:
        resume(board, *timer.pause)


def _time_out(board: Board, entry: Entry | None, number: int) -> Iterator[Command]:
    if entry is None or entry.task.state is not TaskState.RUNNING:
        return
    if entry.task.attempts[-1].number == number and entry.task.ending is None:
        board.put(replace(entry.task, ending=Cause.TIMED_OUT))
        yield KillAttempt(task=entry.task.id, attempt=number)


def _overdue(board: Board, id: TaskId) -> Iterator[Command]:
    """Note that a task has not succeeded by its due_by, also when it never started."""
    task = board.task(id)
    if task is None or task.is_overdue or task.state in (TaskState.SUCCEEDED, TaskState.SKIPPED):
        return
    board.put(replace(task, is_overdue=True))
    yield Notice(task=id, kind="overdue")


def _stop_waiting(board: Board, entry: Entry, number: int, at: datetime) -> None:
    """Do what a dependency's ``otherwise`` says once its ``wait_until`` has passed."""
    if number >= len(entry.standings):
        return
    standing, need = entry.standings[number], entry.needs[number]
    if standing.kind not in (OPEN, LOST):
        return
    waited = f"waited in vain for {standing.target}"
    match need.otherwise:
        case Otherwise.RUN:
            entry.waived[number] = None
            board.stand(entry, number, replace(standing, kind=MET, root=None))
            board.soil(entry.task.id)
        case Otherwise.SKIP:
            board.move(entry, Cause.GAVE_UP, waited, at)
        case Otherwise.FAIL:
            board.move(entry, Cause.WAITED_IN_VAIN, waited, at)
        case _:
            assert_never(need.otherwise)
