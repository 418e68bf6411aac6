"""The simulation is tested itself: each planted fault breaks a promise, and is found.

`found.txt` names a seed that finds it; ``make simulate-faults`` looks anew, and writes it.
"""

import pytest

from tests.simulation.faults import FAULTS
from tests.simulation.hunting import find, found_before
from tests.simulation.shrink import shrunk
from tests.simulation.story import story_of
from tests.simulation.world import live_through

_FOUND = found_before()
LIVED_THROUGH = range(64)  # by test_simulation, without a fault
_MORE = 150  # seeds that are tried where what is drawn has changed since


def test_there_are_faults_enough_and_each_has_been_found() -> None:
    assert len(FAULTS) >= 40
    assert sorted(_FOUND) == sorted(FAULTS)


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name: str) -> None:
    found = find(name, (_FOUND[name], *range(_MORE)))
    assert found.seed is not None, f"{name} ({FAULTS[name].rule}) goes unnoticed"
    if found.seed not in LIVED_THROUGH:
        assert live_through(story_of(found.seed)).broken is None, "without the fault, too"


def test_a_story_is_made_short_and_still_breaks_the_same_promise() -> None:
    name = "what-was-late-floods-the-machine"
    with FAULTS[name].plant():
        story = story_of(_FOUND[name])
        broken = live_through(story).broken
        short = shrunk(story)
        again = live_through(short).broken
    assert broken is not None and again is not None
    assert again.promise == broken.promise
    assert len(short.acts) < len(story.acts)
    assert len(short.routines) <= len(story.routines)
