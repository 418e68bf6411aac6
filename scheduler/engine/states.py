"""Every state of a task, every cause of a change, and the one table of transitions.

Nothing but the table: when a cause arises is decided in `readiness`, `planning` and `admission`.
"""

from enum import StrEnum


class TaskState(StrEnum):
    """Where a task stands."""

    WAITING = "waiting"  #: for tasks that it depends on, for a retry, or for resume
    BLOCKED = "blocked"  #: what it waits for will not come by itself
    READY = "ready"  #: waits for a slot only
    RUNNING = "running"  #: has a process
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"

    @property
    def is_end(self) -> bool:
        """Return whether nothing more becomes of the task by itself."""
        return self in ENDS


UNSTARTED = frozenset({TaskState.WAITING, TaskState.BLOCKED, TaskState.READY})
ENDS = frozenset({TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELLED, TaskState.SKIPPED})


class Cause(StrEnum):
    """Why a task is in its state."""

    PLANNED = "planned"  #: its instant has come
    ASKED = "asked"  #: a person asked for it to run
    NEEDS_MET = "needs met"  #: all that it waits for has ended as asked
    NEEDS_OPEN = "needs open"  #: something that it waits for is still to come
    NEEDS_LOST = "needs lost"  #: something that it waits for will not come by itself
    NOT_NEEDED = "not needed"  #: it asks for a failure, and there was none
    COVERED = "covered"  #: a newer task of the routine runs in its place
    PAUSED = "paused"  #: its routine is not to start tasks
    TOO_LATE = "too late"  #: had not started by its start_by
    GAVE_UP = "gave up"  #: waited until a dependency's wait_until, with otherwise="skip"
    WAITED_IN_VAIN = "waited in vain"  #: the same with otherwise="fail"
    STARTED = "started"  #: got its slot
    RETRY = "retry"  #: an attempt failed, another one follows
    RETRY_DUE = "retry due"  #: the wait before it is over
    EXITED_WELL = "exited well"  #: exit code 0
    NOTHING_TO_DO = "nothing to do"  #: exit code of the routine's skip_exit
    EXITED_BADLY = "exited badly"  #: any other code, a signal, or it could not be started
    TIMED_OUT = "timed out"  #: killed because of its routine's timeout
    LOST = "lost"  #: its process is gone, and nobody saw how it ended
    STOPPED = "stopped"  #: killed by a stop of the scheduler
    CANCELLED = "cancelled"  #: by hand
    MARKED_SUCCEEDED = "marked succeeded"  #: by hand
    MARKED_SKIPPED = "marked skipped"  #: by hand
    DISABLED = "disabled"  #: its routine is
    SCHEDULE_CHANGED = "schedule changed"  #: an instant of a trigger that is no more
    FRESH_START = "fresh start"  #: the scheduler was started with --fresh
    REMOVED = "removed"  #: its routine is not in the registry any more


def _table() -> dict[tuple[TaskState | None, Cause], TaskState]:
    waiting, blocked, ready = TaskState.WAITING, TaskState.BLOCKED, TaskState.READY
    running, skipped = TaskState.RUNNING, TaskState.SKIPPED
    succeeded, failed, cancelled = TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELLED
    unstarted = (waiting, blocked, ready)
    ends = (succeeded, failed, cancelled, skipped)
    rows: list[tuple[tuple[TaskState | None, ...], Cause, TaskState]] = [
        ((None, *ends), Cause.PLANNED, waiting),  # of ended ones: planned again by a backfill
        ((None, *unstarted, *ends), Cause.ASKED, ready),
        ((waiting, blocked), Cause.NEEDS_MET, ready),
        ((waiting, blocked, ready), Cause.NEEDS_OPEN, waiting),
        ((waiting, blocked, ready), Cause.NEEDS_LOST, blocked),
        (unstarted, Cause.NOT_NEEDED, skipped),
        (unstarted, Cause.COVERED, skipped),
        ((ready,), Cause.STARTED, running),
        ((running,), Cause.EXITED_WELL, succeeded),
        ((running,), Cause.NOTHING_TO_DO, skipped),
        ((running,), Cause.EXITED_BADLY, failed),
        ((running,), Cause.TIMED_OUT, failed),
        ((running,), Cause.RETRY, waiting),
        ((waiting,), Cause.RETRY_DUE, ready),
        (unstarted, Cause.PAUSED, waiting),
        (unstarted, Cause.TOO_LATE, skipped),
        (unstarted, Cause.GAVE_UP, skipped),
        (unstarted, Cause.WAITED_IN_VAIN, failed),
        ((running,), Cause.LOST, failed),
        ((running,), Cause.STOPPED, failed),
        ((None, *unstarted, running), Cause.CANCELLED, cancelled),
        ((None, *unstarted, *ends), Cause.MARKED_SUCCEEDED, succeeded),
        ((None, *unstarted, *ends), Cause.MARKED_SKIPPED, skipped),
        (unstarted, Cause.DISABLED, skipped),
        (unstarted, Cause.SCHEDULE_CHANGED, skipped),
        (unstarted, Cause.FRESH_START, skipped),
        (unstarted, Cause.REMOVED, skipped),
    ]
    return {(state, cause): after for states, cause, after in rows for state in states}


#: (state, cause) -> state; None is a task that is not there yet.  What is missing cannot happen.
TRANSITIONS = _table()

#: the causes for which a run of instants may be skipped in one record
RUN_CAUSES = frozenset({Cause.COVERED, Cause.DISABLED, Cause.SCHEDULE_CHANGED, Cause.FRESH_START})
