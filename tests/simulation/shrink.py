"""A story that breaks a promise, made as short as it can be and still break it."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from scheduler.errors import SchedulerError
from scheduler.registry.routine import Backlog, Otherwise, Overlap, Routine
from tests.simulation.story import Story, registry_of
from tests.simulation.world import Outcome, live_through

_MOST_TRIES = 400
_PLAIN: tuple[dict[str, object], ...] = (
    {"retries": 0},
    {"timeout": None},
    {"pool": None, "pool_slots": 1},
    {"start_by": None},
    {"due_by": None},
    {"priority": 0},
    {"require_any": False},
    {"tags": ()},
    {"overlap": Overlap.NO},
    {"backlog": Backlog.LATEST},
    {"skip_exit": None},
    {"zone": "UTC"},
)


def shrunk(story: Story, lives: Callable[[Story], Outcome] = live_through) -> Story:
    """Return a shorter story that breaks the same promise; greedy, and the same each time."""
    broken = lives(story).broken
    assert broken is not None, "this story breaks nothing"
    tries = 0
    has_changed = True
    while has_changed:
        has_changed = False
        for candidate in _shorter(story):
            if tries >= _MOST_TRIES:
                return story
            tries += 1
            found = lives(candidate).broken
            if found is not None and found.promise == broken.promise:
                story, has_changed = candidate, True
                break
    return story


def _shorter(story: Story) -> Iterator[Story]:
    """Yield stories that lack something of this one, the boldest first."""
    size = len(story.acts)
    while size:
        for start in range(0, len(story.acts), size):
            rest = story.acts[:start] + story.acts[start + size :]
            yield replace(story, acts=rest)
        size //= 2
    for routine in reversed(story.routines):
        yield from _sound(story, _without(story.routines, routine.name))
    if story.in_sqlite:
        yield replace(story, in_sqlite=False)
    for number, routine in enumerate(story.routines):
        for plainer in _plainer(routine):
            routines = (*story.routines[:number], plainer, *story.routines[number + 1 :])
            yield from _sound(story, routines)
    for slots in (100, 1):
        if story.slots not in (slots, 1):
            yield replace(story, slots=slots)


def _sound(story: Story, routines: tuple[Routine, ...]) -> Iterator[Story]:
    try:
        registry_of(routines)
    except (SchedulerError, AssertionError):
        return
    if routines and routines != story.routines:
        yield replace(story, routines=routines)


def _without(routines: tuple[Routine, ...], name: str) -> tuple[Routine, ...]:
    return tuple(
        replace(one, dependencies=tuple(each for each in one.dependencies if each.name != name))
        for one in routines
        if one.name != name
    )


def _plainer(routine: Routine) -> Iterator[Routine]:
    for number in range(len(routine.dependencies)):
        rest = routine.dependencies[:number] + routine.dependencies[number + 1 :]
        yield replace(routine, dependencies=rest)
    for changes in _PLAIN:
        if any(getattr(routine, name) != value for name, value in changes.items()):
            if "zone" in changes and routine.schedule is not None:
                continue  # the schedule speaks it
            yield replace(routine, **changes)  # type: ignore[arg-type]  # mypy: no ** of objects
    for number, one in enumerate(routine.dependencies):
        if one.wait_until is not None:
            plain = replace(one, wait_until=None, otherwise=Otherwise.RUN)
            others = list(routine.dependencies)
            others[number] = plain
            yield replace(routine, dependencies=tuple(others))
