"""The one table of transitions, cell by cell."""

from datetime import UTC, datetime
from itertools import product

import pytest

from scheduler.engine.board import Board
from scheduler.engine.states import ENDS, RUN_CAUSES, TRANSITIONS, UNSTARTED, Cause, TaskState
from scheduler.engine.task import Origin, Task, TaskId
from tests.support.world import a_registry, a_routine

NOW = datetime(2026, 11, 2, 2, tzinfo=UTC)

# cause: states in which it can come -> state that follows
TABLE = """
planned: none succeeded failed cancelled skipped -> waiting
asked: none waiting blocked ready succeeded failed cancelled skipped -> ready
needs met: waiting blocked -> ready
needs open: waiting blocked ready -> waiting
needs lost: waiting blocked ready -> blocked
not needed: waiting blocked ready -> skipped
covered: waiting blocked ready -> skipped
started: ready -> running
paused: waiting blocked ready -> waiting
too late: waiting blocked ready -> skipped
gave up: waiting blocked ready -> skipped
waited in vain: waiting blocked ready -> failed
retry: running -> waiting
retry due: waiting -> ready
timed out: running -> failed
exited well: running -> succeeded
nothing to do: running -> skipped
exited badly: running -> failed
lost: running -> failed
stopped: running -> failed
cancelled: none waiting blocked ready running -> cancelled
marked succeeded: none waiting blocked ready succeeded failed cancelled skipped -> succeeded
marked skipped: none waiting blocked ready succeeded failed cancelled skipped -> skipped
disabled: waiting blocked ready -> skipped
schedule changed: waiting blocked ready -> skipped
fresh start: waiting blocked ready -> skipped
removed: waiting blocked ready -> skipped
"""


def cells() -> dict[tuple[TaskState | None, Cause], TaskState]:
    """Return the table above as data."""
    found: dict[tuple[TaskState | None, Cause], TaskState] = {}
    for line in TABLE.strip().splitlines():
        cause, _, rest = line.partition(": ")
        before, _, after = rest.partition(" -> ")
        for word in before.split():
            state = None if word == "none" else TaskState(word)
            found[state, Cause(cause)] = TaskState(after)
    return found


def test_the_table_is_the_one_written_here() -> None:
    assert TRANSITIONS == cells()


def test_every_cause_and_every_state_is_in_the_table() -> None:
    assert {cause for _, cause in TRANSITIONS} == set(Cause)
    assert {state for state, _ in TRANSITIONS} == {None, *TaskState}
    assert set(TRANSITIONS.values()) == set(TaskState)


def test_a_state_is_unstarted_or_running_or_an_end() -> None:
    assert UNSTARTED | {TaskState.RUNNING} | ENDS == set(TaskState)
    assert not UNSTARTED & ENDS
    assert [state for state in TaskState if state.is_end] == [
        state for state in TaskState if state in ENDS
    ]


def test_a_run_of_instants_is_skipped_for_causes_that_skip() -> None:
    for cause in RUN_CAUSES:
        assert TRANSITIONS[TaskState.WAITING, cause] is TaskState.SKIPPED


def a_board(state: TaskState) -> Board:
    """Return a board with one task in a state."""
    board = Board(a_registry(a_routine("load", "0 * * * *")), NOW)
    id = TaskId("load", NOW)
    task = Task(
        id=id,
        state=state,
        cause=Cause.PLANNED,
        reason="",
        origin=Origin.SCHEDULED,
        planned_at=NOW,
        changed_at=NOW,
        place=NOW,
    )
    board.add(task)
    return board


@pytest.mark.parametrize(
    ("state", "cause"), [*product(TaskState, Cause)], ids=lambda word: word.replace(" ", "_")
)
def test_a_task_moves_as_the_table_says_and_not_otherwise(state: TaskState, cause: Cause) -> None:
    board = a_board(state)
    entry = board.live[TaskId("load", NOW)]
    after = TRANSITIONS.get((state, cause))
    if after is None:
        with pytest.raises(KeyError):
            board.move(entry, cause, "because", NOW)
        assert entry.task.state is state
        return
    board.move(entry, cause, "because", NOW)
    assert (entry.task.state, entry.task.cause, entry.task.reason) == (after, cause, "because")
    assert (entry.task.id in board.live) is (after not in ENDS)
    assert board.running_count == (after is TaskState.RUNNING)
