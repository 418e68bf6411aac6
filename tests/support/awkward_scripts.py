"""All awkward scripts, by what is awkward about them."""

from collections.abc import Mapping

from tests.support.awkward import Awkward
from tests.support.awkward_ends import ENDS
from tests.support.awkward_processes import PROCESSES
from tests.support.awkward_starts import STARTS
from tests.support.awkward_streams import STREAMS

_WRITTEN = (STARTS, STREAMS, PROCESSES, ENDS)

AWKWARD: Mapping[str, Awkward] = {
    name: script if isinstance(script, Awkward) else Awkward(body=script)
    for scripts in _WRITTEN
    for name, script in scripts.items()
}

assert len(AWKWARD) == sum(map(len, _WRITTEN)), "two scripts of one name"
