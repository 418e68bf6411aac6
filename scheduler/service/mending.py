"""The commands that let things go on."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from scheduler.engine.states import TaskState
from scheduler.engine.task import Pause, PauseScope, Task
from scheduler.errors import as_word
from scheduler.registry.registry import Registry
from scheduler.service.reruns import late_tasks
from scheduler.service.store.protocol import Reader

_MOST_NAMED = 10  # tasks of which each has a command of its own


def resume_command(pause: Pause) -> str:
    """Return the command that ends a pause."""
    scope = {PauseScope.ALL: "--all", PauseScope.TAG: f"--tag {as_word(pause.name)}"}
    return f"scheduler resume {scope.get(pause.scope, as_word(pause.name))}"


def mending_commands(
    registry: Registry, store: Reader, *, live: Sequence[Task], failed: Iterable[Task]
) -> Iterator[str]:
    """Yield the commands that let all go on that has failed or is blocked, the first one first.

    ``live`` and ``failed`` are the store's tasks, the failed ones those that matter.  What is
    unknown has two commands of its own, of which a person has to choose.
    """
    known = {task.id for task in failed if task.routine in registry}
    late = late_tasks(registry, store, live)
    if known:
        yield "scheduler execute --failed"
    if late:
        yield "scheduler execute --late"
    mended = known.union(late)
    roots = (task.root for task in live if task.state is TaskState.BLOCKED)
    others = (
        root
        for root in dict.fromkeys(roots)
        if root is not None and root.routine in registry and root not in mended
    )
    recorded = (root for root in others if store.task(root) or store.run_of(root))
    yield from (f"scheduler execute {as_word(root)}" for root in islice(recorded, _MOST_NAMED))
