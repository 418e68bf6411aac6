"""Which tasks come to exist by an instant, and what a backlog keeps (SPEC 4).

A routine that keeps all gets a task for each of its instants.  For one that keeps the latest,
an unstarted task is *covered* by the newest due one that waits for nothing it does not wait for
itself, a blocked one by any newer due one.  After an outage that may be true of thousands of
instants at once: those are skipped in one record.
"""

from bisect import bisect_left
from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from scheduler.engine.board import Board, Entry
from scheduler.engine.commands import Command, Reply
from scheduler.engine.events import Recorded
from scheduler.engine.readiness import bind, decide, look, needs_of
from scheduler.engine.states import Cause, TaskState
from scheduler.engine.task import Origin, SkippedRun, Task, TaskId
from scheduler.engine.timers import arm, arm_due_by
from scheduler.registry.routine import Backlog
from scheduler.zones import to_instant, to_utc


def due_instants(board: Board, name: str, after: datetime, at: datetime) -> list[datetime]:
    """Return the routine's instants, after < instant <= at."""
    found = board.registry.triggers.between(name, to_instant(after) + 1, to_instant(at) + 1)
    return [to_utc(instant) for instant in found]


def plan(board: Board, name: str, after: datetime, until: datetime, at: datetime) -> None:
    """Give each instant of a routine, after < instant <= until, a task or a fate."""
    routine = board.registry[name]
    instants = due_instants(board, name, after, until)
    fresh: list[datetime] = []
    for instant in instants:
        id = TaskId(name, instant, routine.zone)
        if board.drop_ahead(id) and routine.enabled:
            _plan_cancelled(board, id, at)
        elif not board.is_recorded(id):  # a person may have had it run before its time
            fresh.append(instant)
    if not routine.enabled:
        skip(board, name, fresh, instants, Cause.DISABLED, "disabled", at)
    elif routine.backlog is Backlog.ALL:
        for instant in fresh:
            _plan_one(board, TaskId(name, instant, routine.zone), at)
    elif fresh:
        _plan_latest(board, name, fresh, instants, at)


def _plan_cancelled(board: Board, id: TaskId, at: datetime) -> None:
    entry = board.add(_new_task(board, id, at))
    arm_due_by(board, entry.task)
    board.move(entry, Cause.CANCELLED, "cancelled by hand before its time", at)


def _new_task(board: Board, id: TaskId, at: datetime) -> Task:
    return Task(
        id=id,
        state=TaskState.WAITING,
        cause=Cause.PLANNED,
        reason="",
        origin=board.origin_of(id.routine),
        planned_at=at,
        changed_at=at,
        place=id.instant,
    )


def _plan_one(board: Board, id: TaskId, at: datetime) -> Entry:
    entry = board.add(_new_task(board, id, at))
    bind(board, entry, needs_of(board.registry, id), at)
    arm(board, entry)
    board.touch(id)  # what waits for a task to come sees it now
    board.soil(id)
    return entry


def _plan_latest(
    board: Board, name: str, fresh: Sequence[datetime], instants: Sequence[datetime], at: datetime
) -> None:
    zone = board.registry[name].zone
    newest = _plan_one(board, TaskId(name, fresh[-1], zone), at)
    covered: list[datetime] = []
    for instant in fresh[-2::-1]:
        if newest.outstanding:
            entry = _plan_one(board, TaskId(name, instant, zone), at)
            is_blocked = entry.is_stuck and not entry.is_moot
            if not is_blocked and not entry.outstanding >= newest.outstanding:
                continue
            board.withdraw(entry)
        covered.append(instant)
    if covered:
        covered.reverse()
        reason = f"covered by {newest.task.id}"
        skip(board, name, covered, instants, Cause.COVERED, reason, at, cover=newest.task.id)
        board.give_place(newest, covered[0])


def skip(
    board: Board,
    name: str,
    skipped: Sequence[datetime],
    instants: Iterable[datetime],
    cause: Cause,
    reason: str,
    at: datetime,
    *,
    cover: TaskId | None = None,
) -> None:
    """Record those of a routine's instants as skipped: neighbouring ones in one run."""
    zone = board.registry[name].zone
    for part in _unbroken(skipped, instants):
        run = SkippedRun(
            routine=name,
            first=part[0],
            last=part[-1],
            count=len(part),
            cause=cause,
            reason=reason,
            at=at,
            cover=cover,
            zone=zone,
        )
        board.skip_run(run)


def _unbroken(
    skipped: Sequence[datetime], instants: Iterable[datetime]
) -> Iterator[list[datetime]]:
    """Yield the skipped ones of the instants in pieces that no other instant breaks."""
    part: list[datetime] = []
    index = 0
    for instant in instants:
        if index < len(skipped) and skipped[index] == instant:
            part.append(instant)
            index += 1
        elif part:
            yield part
            part = []
    if part:
        yield part


def cover(board: Board, name: str, changed: Collection[TaskId], at: datetime) -> None:
    """Apply the backlog rule of a routine that keeps the latest to what changed."""
    for id in sorted(changed, key=lambda one: one.instant, reverse=True):
        entry = board.live.get(id)
        if entry is None or not entry.keeps_its_turn:
            continue
        newer = _cover_of(board, entry)
        if newer is not None:
            _give_way(board, entry, newer, at)
        else:
            for older in list(_covered_by(board, entry, changed)):
                _give_way(board, older, entry, at)


def _give_way(board: Board, entry: Entry, newer: Entry, at: datetime) -> None:
    board.give_place(newer, entry.task.place)
    cover_id = newer.task.id
    board.move(entry, Cause.COVERED, f"covered by {cover_id}", at, cover=cover_id)


def _cover_of(board: Board, entry: Entry) -> Entry | None:
    """Return the newest due task that may run in place of this one."""
    name, instant = entry.task.routine, entry.task.instant
    newest_id = board.newest_unstarted(name)
    assert newest_id is not None
    newest = board.live[newest_id]
    if newest is entry:
        return None
    if entry.is_stuck or newest.outstanding <= entry.outstanding:
        return newest
    found: Entry | None = None
    # One that waits for less than this one, but for something, shares a need with it.
    for target in entry.outstanding:
        for other in board.sharing(entry, target):
            if (
                other.keeps_its_turn
                and other.task.instant > (found.task.instant if found else instant)
                and other.outstanding <= entry.outstanding
            ):
                found = other
    return found


def _covered_by(board: Board, entry: Entry, changed: Container[TaskId]) -> Iterator[Entry]:
    """Yield the older unstarted tasks that this one may run in place of."""
    name, instant = entry.task.routine, entry.task.instant
    if not entry.outstanding:
        for older in board.unstarted[name]:
            if older >= instant:
                break
            yield board.live[TaskId(name, older)]
        return
    found = {
        other.task.instant: other
        for other in board.sharing(entry, next(iter(entry.outstanding)))
        if other.keeps_its_turn
        and other.task.instant < instant
        and other.outstanding >= entry.outstanding
    }
    if board.unstarted[name][-1] == instant:
        found.update(_blocked_behind(board, name, changed))
    for older in sorted(found):
        yield found[older]


def _blocked_behind(
    board: Board, name: str, changed: Container[TaskId]
) -> Iterator[tuple[datetime, Entry]]:
    """Yield the blocked tasks behind the newest unstarted one of a routine.

    Before what changed now only the newest could be one, for it would have covered any other: so
    there is none behind the first that has not changed.
    """
    instants = board.unstarted[name]
    for index in range(len(instants) - 2, -1, -1):
        entry = board.live[TaskId(name, instants[index])]
        if entry.is_stuck:
            yield instants[index], entry
        elif entry.task.id not in changed:
            return


def settle_routine(board: Board, name: str, at: datetime) -> None:
    """Bring the changed tasks of a routine to the states that their needs and its backlog give."""
    changed: dict[TaskId, None] = {}
    while name in board.dirty:
        # A task may wait for an older one of its own routine: oldest first.
        soiled = board.dirty.pop(name)
        for id in sorted(soiled, key=lambda one: one.instant):
            entry = board.live.get(id)
            if entry is None:
                continue
            changed[id] = None
            look(board, entry, soiled[id])
            decide(board, entry, at)
    routine = board.registry[name] if name in board.registry else None
    if routine is not None and routine.backlog is Backlog.LATEST and changed:
        if len(board.unstarted.get(name, ())) > 1:
            cover(board, name, changed, at)


def take_from_run(board: Board, recorded: Recorded) -> None:
    """Take the task's instant out of the run of skipped ones that it lies in, if it does."""
    id = recorded.id
    run = board.run_of(id) or recorded.run
    if run is None or id.routine not in board.registry:
        return
    held = board.registry.triggers.between(
        id.routine, to_instant(run.first), to_instant(run.last) + 1
    )
    instants = [to_utc(instant) for instant in held]
    index = bisect_left(instants, id.instant)
    is_held = index < len(instants) and instants[index] == id.instant
    if not is_held or len(instants) != run.count:
        return  # instants of an older trigger: that they were skipped stays true
    parts: list[SkippedRun] = []
    for part in (instants[:index], instants[index + 1 :]):
        if part:
            parts.append(replace(run, first=part[0], last=part[-1], count=len(part)))
    board.take_from_run(run, tuple(parts))


def backfill(
    board: Board,
    tasks: Sequence[Recorded],
    records: Sequence[Task | SkippedRun],
    at: datetime,
) -> list[Command]:
    """Plan past tasks because a person asked for a range; they wait as always, behind all else."""
    for record in records:
        board.recall(record)
    planned: list[TaskId] = []
    for recorded in tasks:
        id = recorded.id
        if id in board.live:
            continue  # it is on its way
        take_from_run(board, recorded)
        before = board.task(id) or recorded.task
        if before is None or before.cause is Cause.COVERED:
            board.touch_routine(id.routine)  # what waited for its cover may wait for it again
        task = replace(_new_task(board, id, at), origin=Origin.BACKFILL)
        if before is not None:
            task = replace(task, attempts=before.attempts)
        entry = board.add(task)
        bind(board, entry, needs_of(board.registry, id), at)
        board.touch(id)
        board.soil(id)
        planned.append(id)
    words = f"{len(planned)} task{'s' * (len(planned) != 1)} planned, behind all that is due"
    return [Reply(messages=(words,), tasks=tuple(planned))]
