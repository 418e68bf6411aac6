"""How long until a scheduler serves, and until a verb has answered?

Cold: each is a new process, as at a prompt, held against an interpreter that does nothing.  A
hundred routines; the peers set up as many in memory.
"""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from benchmarks.figures import BARE, OURS, Figure
from benchmarks.measuring import PEERS, of_peer, peer_at_rest
from benchmarks.resting import ROUTINES, resting_folder
from benchmarks.setting import Setting

SERVES = "cold start, until it serves"
NOTHING = (sys.executable, "-c", "pass")


def measure(setting: Setting) -> Iterator[Figure]:
    """Yield the figures of one round."""
    folder = resting_folder(setting, ROUTINES)
    starts, verbs = setting.either(5, 1), setting.either(20, 2)
    nothing = [_nothing(folder.environment) for _ in range(verbs)]
    yield _figure(SERVES, BARE, nothing)
    served: list[float] = []
    for _ in range(starts):
        with folder.serving() as serving:
            served.append(serving.seconds)
    yield _figure(SERVES, OURS, served)
    for name in PEERS:
        yield from of_peer(SERVES, name, "ms", partial(_of_peer, setting, name, starts))
    with folder.scheduler():
        for verb, words in (
            ("status", ()),
            ("check", ("--registry", str(folder.registry))),
            ("plan", ()),
        ):
            what = f"{verb}, the whole command"
            yield _figure(what, BARE, nothing)
            yield _figure(what, OURS, [folder.seconds(verb, *words) for _ in range(verbs)])


def _of_peer(setting: Setting, who: str, starts: int) -> Iterator[Figure]:
    served: list[float] = []
    for _ in range(starts):
        with peer_at_rest(setting, who, ROUTINES) as serving:
            served.append(serving.seconds)
    yield _figure(SERVES, who, served)


def _nothing(environment: Mapping[str, str]) -> float:
    """Return how long an interpreter takes that does nothing."""
    begun = time.monotonic_ns()
    subprocess.run(NOTHING, env=environment, check=True, stdout=subprocess.DEVNULL)
    return (time.monotonic_ns() - begun) / 1e9


def _figure(what: str, who: str, seconds: Sequence[float]) -> Figure:
    return Figure(what=what, who=who, unit="ms", samples=tuple(one * 1e3 for one in seconds))
