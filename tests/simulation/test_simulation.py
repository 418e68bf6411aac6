"""The production loop, engine, recovery and store keep their promises, whatever a seed decides.

A failure prints the story, as short as it can be made.  ``make simulate SEEDS=10000`` lives
through more of them.  What once went wrong stays in stories/.
"""

from pathlib import Path

import pytest

from tests.simulation import world
from tests.simulation.fragile import Killed
from tests.simulation.shrink import shrunk
from tests.simulation.story import Story, story_of
from tests.simulation.telling import read_story, story_text, told
from tests.simulation.world import live_through

STORIES = sorted((Path(__file__).parent / "stories").glob("*.txt"))


def keeps_every_promise(story: Story) -> None:
    if live_through(story).broken is not None:
        short = shrunk(story)
        pytest.fail(told(short, live_through(short)), pytrace=False)


@pytest.mark.parametrize("first", range(0, 64, 8))
def test_every_promise_is_kept_whatever_happens(first: int) -> None:
    for seed in range(first, first + 8):
        keeps_every_promise(story_of(seed))


@pytest.mark.parametrize("file", STORIES, ids=lambda file: file.stem)
def test_what_went_wrong_once_does_not_again(file: Path) -> None:
    keeps_every_promise(read_story(file.read_text()))


@pytest.mark.parametrize("seed", (3, 7))
def test_a_story_goes_the_same_each_time_also_when_it_is_read(seed: int) -> None:
    story = story_of(seed)
    first = live_through(story)
    assert live_through(story).lines == first.lines
    assert live_through(read_story(story_text(story))).lines == first.lines


class KilledAtItsFirstSteps(world.World):
    """Two schedulers are killed before they could make a note of the boot."""

    kills = 2

    def point(self, name: str) -> None:
        if name == "before keep_note" and self.kills:
            self.kills -= 1
            raise Killed
        super().point(name)


@pytest.mark.parametrize("seed", (11, 33))
def test_starts_that_are_killed_before_their_first_note_cost_no_attempt(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world, "World", KilledAtItsFirstSteps)
    outcome = live_through(story_of(seed))
    assert outcome.broken is None
    assert outcome.crashes >= 2


@pytest.mark.parametrize("seed", (3, 7, 11, 33))
def test_a_registry_is_kept_with_the_first_records_that_follow_from_it(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: dict[tuple[int, bytes], None] = {}  # by scheduler, and its registry's text

    class Watched(world.World):
        def point(self, name: str) -> None:
            if name in ("after apply", "before start"):
                self._look_at_what_is_kept(name)
            super().point(name)

        def _look_at_what_is_kept(self, name: str) -> None:
            assert self._room is not None
            reloading = self._room.reloading
            decides_by = self._room.loop._engine.registry
            loaded = (reloading.current, *reloading._taken)
            sources = next(one.sources for one in loaded if one.registry is decides_by)
            assert self._store.sources() == sources, f"{name} another registry is kept"
            looks[self.machine.generation, sources[0].data] = None

    monkeypatch.setattr(world, "World", Watched)
    assert live_through(story_of(seed)).broken is None
    assert len(looks) > 1
