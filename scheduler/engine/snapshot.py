"""The engine's state as plain values: what a store gives back, and what a replay compares."""

from dataclasses import dataclass
from datetime import datetime

from scheduler.engine.board import Board
from scheduler.engine.states import TaskState
from scheduler.engine.task import Pause, RoutineState, SkippedRun, Task, TaskId
from scheduler.registry.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All that the engine must be given back to go on exactly where it stopped."""

    planned_until: datetime
    routines: tuple[RoutineState, ...] = ()
    live: tuple[Task, ...] = ()
    ended: tuple[Task, ...] = ()  # those that something may still wait for
    runs: tuple[SkippedRun, ...] = ()
    ahead: tuple[TaskId, ...] = ()
    pauses: tuple[Pause, ...] = ()


def board_of(snapshot: Snapshot, registry: Registry) -> Board:
    """Return the board that a snapshot describes; the needs of tasks are bound by `reconcile`."""
    board = Board(registry, snapshot.planned_until)
    for state in snapshot.routines:
        board.set_routine(state)
    for task in snapshot.ended:
        board.keep_ended(task)
    for run in sorted(snapshot.runs, key=lambda one: (one.routine, one.first)):
        board.runs.setdefault(run.routine, []).append(run)
    for task in snapshot.live:
        board.add(task)
    board.ahead.update(dict.fromkeys(snapshot.ahead))
    board.pauses.update({(pause.scope, pause.name): pause for pause in snapshot.pauses})
    board.changed_tasks.clear()
    board.changed_routines.clear()
    return board


def snapshot_of(board: Board) -> Snapshot:
    """Return the state of a board in an order that does not depend on its history."""

    def key(task: Task) -> tuple[str, datetime]:
        return task.routine, task.instant

    ended = (task for tasks in board.ended.values() for task in tasks.values())
    return Snapshot(
        planned_until=board.planned_until,
        routines=tuple(sorted(board.routines.values(), key=lambda state: state.name)),
        live=tuple(sorted((entry.task for entry in board.live.values()), key=key)),
        ended=tuple(sorted(ended, key=key)),
        runs=tuple(
            sorted(
                (run for runs in board.runs.values() for run in runs),
                key=lambda run: (run.routine, run.first),
            )
        ),
        pauses=tuple(sorted(board.pauses.values(), key=lambda one: (one.scope, one.name))),
        ahead=tuple(sorted(board.ahead, key=lambda id: (id.routine, id.instant))),
    )


def running_tasks(snapshot: Snapshot) -> tuple[Task, ...]:
    """Return the tasks that were running when the snapshot was taken."""
    return tuple(task for task in snapshot.live if task.state is TaskState.RUNNING)
