"""What becomes of other tasks while thousands fall due in one minute?

At one instant 10,000 routines fall due, of which one at a time runs; meanwhile a chain of short
scripts hands on from one to the next, from half a minute before that on.  Told are its hand-offs,
from the last statement of a script to the first of the next one, usually and in the ten seconds
from the instant on; and when the last of the 10,000 was stored.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

from benchmarks.data_folder import DataFolder, element, job, monotonic_from_utc
from benchmarks.figures import OURS, Figure
from benchmarks.setting import Setting
from benchmarks.stamps import Stamps

_LINK = """\
from time import monotonic_ns, sleep
first = monotonic_ns()
import os, sys
sleep(0.02)
file = os.open(os.environ["STAMPS"], os.O_WRONLY | os.O_APPEND)
line = f"{sys.argv[1]} {os.getpid()} {first}"
os.write(file, f"{line} {monotonic_ns()}\\n".encode())
"""
_LINKS = 2_500  # more than run in that time
_START = 12  # seconds until the chain begins: a scheduler has to serve by then
_USUALLY = 30  # seconds
_MEANWHILE = 10  # seconds
_PATIENCE = 60  # seconds
_SECOND = 1_000_000_000  # nanoseconds


def measure(setting: Setting) -> Iterator[Figure]:
    """Yield the figures of one round."""
    tasks = setting.either(10_000, 500)
    usually, meanwhile = setting.either(_USUALLY, 4), setting.either(_MEANWHILE, 3)
    room = setting.room("burst")
    stamps = Stamps(room)
    folder = DataFolder(room, stamps.environment)
    (room / "link.py").write_text(_LINK)
    (room / "sleeps.py").write_text(f"import time; time.sleep({_PATIENCE})")
    instant = time.time_ns() // _SECOND + _START + usually
    folder.write(_jobs(folder, tasks, instant, usually))
    due = instant * _SECOND - monotonic_from_utc()  # by the clock of the stamps
    with folder.scheduler():
        stored = _when_stored(folder.database, tasks, instant)
        time.sleep(meanwhile)
    yield Figure(
        what=f"{tasks:,} due at once: until the last is planned and stored",
        who=OURS,
        unit="s",
        samples=(stored,),
    )
    yield from _hand_offs(tasks, stamps, due, meanwhile)


def _hand_offs(tasks: int, stamps: Stamps, due: int, meanwhile: int) -> Iterator[Figure]:
    """Yield the hand-offs before that moment, and those of some seconds from it on."""
    gaps = [
        (after.first - due, (after.first - before.last) / 1e6)
        for before, after in pairwise(stamps.read())
    ]
    what = f"{tasks:,} due at once: hand-off of others"
    for who, samples in (
        (OURS, tuple(gap for at, gap in gaps if at < 0)),
        (f"{OURS}, meanwhile", tuple(gap for at, gap in gaps if 0 <= at < meanwhile * _SECOND)),
    ):
        if not samples:
            raise RuntimeError("the chain beside the crowd did not run")
        yield Figure(what=what, who=who, unit="ms", samples=samples)
        yield Figure(what=f"{what}, the longest", who=who, unit="ms", samples=(max(samples),))


def _jobs(folder: DataFolder, tasks: int, instant: int, usually: int) -> list[str]:
    """Return the crowd that is due at that second, and the chain that begins before."""
    at, before = (folder.zones.shifted_by(second) for second in (instant, instant - usually))
    pool = element("pool", {"name": "crowd", "slots": "1"})
    chain = [job("link0", script="link.py", schedule="* * * * *", timezone=before)]
    chain += [
        job(f"link{number}", script="link.py", depends_on=f"link{number - 1}", timezone=before)
        for number in range(1, _LINKS)
    ]
    crowd = [
        job(f"r{number}", script="sleeps.py", schedule="* * * * *", timezone=at, pool="crowd")
        for number in range(tasks)
    ]
    return [pool, *chain, *crowd]


def _when_stored(path: Path, tasks: int, instant: int) -> float:
    """Return how many seconds after that one so many tasks of it are in the database."""
    due = instant * _SECOND
    time.sleep(max(due - time.time_ns(), 0) / _SECOND)
    found = 0
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        while found < tasks:
            if time.time_ns() > due + _PATIENCE * _SECOND:
                raise RuntimeError(f"{found} of {tasks} tasks were stored in {_PATIENCE} s")
            time.sleep(0.01)
            (found,) = database.execute(
                "SELECT count(*) FROM task WHERE instant = ? AND routine LIKE 'r%'", (instant,)
            ).fetchone()
    return (time.time_ns() - due) / _SECOND
