"""Stories as text: for people, and to keep what once went wrong as a regression."""

import re
from datetime import datetime, timedelta

from tests.simulation.registry_text import registry_text, routines_in
from tests.simulation.story import Act, Kind, Story, registry_of
from tests.simulation.world import Outcome

_SHOWN = 30  # lines of what happened last

_HEAD = re.compile(
    r"seed (?P<seed>\d+), from (?P<start>\S+), (?P<slots>\d+) slots, (?P<cores>\d+) cores"
    r"(?P<sqlite>, in a database)?(?P<assume>, --assume_done)?"
)
_ACT = re.compile(r"\+(?P<after>\d+)s (?P<kind>.+) \((?P<number>\d+)\)")


def story_text(story: Story) -> str:
    """Return a story as text, from which `read_story` makes it again."""
    more = ", in a database" if story.in_sqlite else ""
    more += ", --assume_done" if story.assume_done else ""
    head = (
        f"seed {story.seed}, from {story.start.isoformat()}, {story.slots} slots,"
        f" {story.cores} cores{more}"
    )
    acts = [f"+{act.after}s {act.kind} ({act.number})" for act in story.acts]
    registry = registry_text(registry_of(story.routines)).decode()
    return "\n".join((head, *acts, registry))


def read_story(text: str) -> Story:
    """Return the story that a text tells; lines before its head are comments."""
    before, _, after = text.partition("<registry")
    head = _HEAD.search(before)
    assert head is not None, "a story has no head"
    return Story(
        seed=int(head["seed"]),
        routines=routines_in(f"<registry{after}".encode()),
        start=datetime.fromisoformat(head["start"]),
        slots=int(head["slots"]),
        cores=int(head["cores"]),
        in_sqlite=head["sqlite"] is not None,
        assume_done=head["assume"] is not None,
        acts=tuple(
            Act(after=int(act["after"]), kind=Kind(act["kind"]), number=int(act["number"]))
            for act in _ACT.finditer(before)
        ),
    )


def told(story: Story, outcome: Outcome) -> str:
    """Return what a person has to know of a story that went wrong."""
    lines = [story_text(story), "What happened:"]
    if len(outcome.lines) > _SHOWN:
        lines.append("             …")
    lines += outcome.lines[-_SHOWN:]
    lines += ["", f"Broken: {outcome.broken}"]
    return "\n".join(lines)


def in_words(simulated: timedelta) -> str:
    """Return a long time in words."""
    weeks = simulated / timedelta(weeks=1)
    return f"{weeks:,.0f} weeks" if weeks >= 10 else f"{weeks:.1f} weeks"
