"""One transcript a behaviour: events at the margin, what the engine made of them below.

`pytest --update-transcripts` rewrites `transcripts/*.txt`; the diff is what gets reviewed.
"""

from pathlib import Path

import pytest

from tests.engine.stories import STORIES, Story

FOLDER = Path(__file__).parent / "transcripts"


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_story_goes_as_its_transcript_says(story: Story, update_transcripts: bool) -> None:
    told = f"{story.title}\n\n{story.tell().transcript()}\n"
    file = FOLDER / f"{story.name}.txt"
    if update_transcripts:
        file.write_text(told, encoding="utf-8", newline="\n")
    assert told == file.read_text(encoding="utf-8")


def test_each_transcript_has_its_story() -> None:
    assert {file.stem for file in FOLDER.glob("*.txt")} == {story.name for story in STORIES}
