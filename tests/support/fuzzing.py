"""How much is tried: a little in each run of the tests, as much as one likes with `make fuzz`."""

import os
from collections import Counter

from hypothesis import settings

#: `make fuzz TIMES=100` tries a hundred times as many inputs as the tests do
TIMES = int(os.environ.get("FUZZ_TIMES", "1"))

#: how many inputs have been tried, by what they were given to
tried: Counter[str] = Counter()
#: how many of those were requests that got what they asked for
answered: Counter[str] = Counter()


def inputs(count: int) -> settings:
    """Return Hypothesis's settings for so many inputs in a run of the tests."""
    return settings(max_examples=count * TIMES, deadline=None)
