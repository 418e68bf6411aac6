"""What happens at a moment that is no instant: retries, limits, deadlines, the end of a pause.

A timer is set when its reason arises and looked at again when it goes off: by then it may be
pointless, and then nothing happens.  None is stored: a start sets them anew from the tasks.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from heapq import heappop
from typing import assert_never

from scheduler.engine.board import Board, Entry, Timer, TimerKind
from scheduler.engine.commands import Command, KillAttempt, Notice
from scheduler.engine.moments import due_by_of, has_passed, start_by_of, wait_until_of
from scheduler.engine.pauses import resume
from scheduler.engine.readiness import WAITS_FOR_SLOT, decide, look
from scheduler.engine.states import Cause, TaskState
from scheduler.engine.task import Origin, Task, TaskId


def arm(board: Board, entry: Entry) -> None:
    """Set the timers of a task that is not ended, but for that of its attempt."""
    task = entry.task
    if task.retry_at is not None:
        board.set_timer(task.retry_at, Timer(kind=TimerKind.RETRY, task=task.id))
    arm_due_by(board, task)
    if task.origin is Origin.BACKFILL or not entry.heeds_needs:
        return  # of a backfill the deadlines passed long ago
    at = start_by_of(board, task)
    if at is not None:
        board.set_timer(at, Timer(kind=TimerKind.START_BY, task=task.id))
    for number in range(len(entry.needs)):
        at = wait_until_of(board, entry, number)
        if at is not None:
            timer = Timer(kind=TimerKind.WAIT_UNTIL, task=task.id, number=number)
            board.set_timer(at, timer)


def arm_timeout(board: Board, entry: Entry) -> None:
    """Set the timer of a running attempt: it ends as it began, whatever is edited meanwhile."""
    task = entry.task
    routine = board.registry.get(task.routine)
    if task.state is TaskState.RUNNING and routine is not None and routine.timeout is not None:
        last = task.attempts[-1]
        timer = Timer(kind=TimerKind.TIMEOUT, task=task.id, number=last.number)
        board.set_timer(last.started_at + routine.timeout, timer)


def arm_due_by(board: Board, task: Task) -> None:
    """Set the timer of a task's due_by; also one that failed may still succeed by then."""
    at = due_by_of(board, task)
    if at is None or task.is_overdue:
        return
    # One that a person runs again may have succeeded in time.
    if at > board.planned_until or not (task.by_hand or task.state.is_end):
        board.set_timer(at, Timer(kind=TimerKind.DUE_BY, task=task.id))


def stop_waiting(board: Board, at: datetime) -> None:
    """Let tasks whose wait_until has passed wait no longer, as the dependency says."""
    while board.waits and board.waits[0][0] <= at:
        timer = heappop(board.waits)[-1]
        assert timer.task is not None
        entry = board.live.get(timer.task)
        if entry is not None and entry.heeds_needs:
            _stop_waiting(board, entry, timer.number, at)


def go_off(board: Board, at: datetime) -> Iterator[Command]:
    """Do what the other timers up to now are for; put off those of what may be covered yet."""
    while board.timers and board.timers[0][0] <= at:
        item = heappop(board.timers)
        moment, _, _, timer = item
        if timer.kind is TimerKind.RESUME:
            assert timer.pause is not None
            _resume(board, timer, at)
            continue
        assert timer.task is not None
        entry = board.live.get(timer.task)
        if entry is not None and entry.keeps_its_turn and timer.task.routine in board.withheld:
            board.put_off.setdefault(timer.task, []).append(item)
            continue
        match timer.kind:
            case TimerKind.RETRY:
                if entry is not None and _is_due_retry(entry.task, at):
                    board.move(entry, Cause.RETRY_DUE, WAITS_FOR_SLOT, at, retry_at=None)
            case TimerKind.TIMEOUT:
                yield from _time_out(board, entry, timer.number)
            case TimerKind.START_BY:
                if entry is not None and _is_too_late(board, entry, at):
                    board.move(entry, Cause.TOO_LATE, "had not started by its start_by", at)
            case TimerKind.DUE_BY:
                yield from _overdue(board, timer.task, moment)
            case TimerKind.WAIT_UNTIL:
                raise AssertionError("those stand in a heap of their own")
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


def _is_too_late(board: Board, entry: Entry, at: datetime) -> bool:
    if not entry.heeds_needs or entry.task.origin is Origin.BACKFILL:
        return False
    return has_passed(start_by_of(board, entry.task), at)


def _overdue(board: Board, id: TaskId, moment: datetime) -> Iterator[Command]:
    """Note that a task has not succeeded by its due_by, also when it never started."""
    task = board.task(id)
    if task is None or task.is_overdue or task.state in (TaskState.SUCCEEDED, TaskState.SKIPPED):
        return
    if due_by_of(board, task) != moment:
        return  # an edit has moved it
    board.put(replace(task, is_overdue=True))
    yield Notice(task=id, kind="overdue")


def _stop_waiting(board: Board, entry: Entry, number: int, at: datetime) -> None:
    """Let what a dependency's ``otherwise`` says hold from its ``wait_until`` on."""
    moment, start_by = wait_until_of(board, entry, number), start_by_of(board, entry.task)
    if entry.task.origin is Origin.BACKFILL or not has_passed(moment, at):
        return
    if start_by is None or moment is None or moment < start_by:
        entry.expired[number] = None
        board.soil(entry.task.id)[number] = None
        look(board, entry, (number,))
        decide(board, entry, at)
