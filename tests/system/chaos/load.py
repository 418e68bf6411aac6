"""What runs in the storm: routines with backlogs, dependencies and retries, and others by hand.

Each script leaves a line in the ledger when it begins and one when it ends, whole and in order
(O_APPEND), and holds a lock that no two attempts of one routine can hold at once.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path

from tests.system.data_folder import DataFolder
from tests.system.timed_scheduler import TimedScheduler

#: Routines that run by hand only.
HANDS = tuple(f"hand{number:02}" for number in range(40))
MAX_RUNNING = 8
#: Of what runs by hand a third is started cold; what has a schedule is started warm.
WARM = ("auto", "no", "auto")

_SCRIPT = """\
import fcntl, os, random, subprocess, sys, time

task, attempt = os.environ["SCHEDULER_TASK"], os.environ["SCHEDULER_ATTEMPT"]
ledger = os.open("ledger", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def note(what, word):
    os.write(ledger, f"{what} {task} {attempt} {word}\\n".encode())

note("begin", os.getppid())
lock = open(os.environ["SCHEDULER_ROUTINE"] + ".lock", "w")
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    note("overlap", os.getpid())
draw = random.random()
if draw < 0.02:
    time.sleep(60)  # beyond its timeout, if it has one
elif draw < 0.07:
    subprocess.Popen(["sleep", "0.3"])  # left running
elif draw < 0.12:
    time.sleep(random.uniform(0, 2))
elif draw < 0.5:
    time.sleep(random.uniform(0, 0.3))
code = 3 if random.random() < 0.1 else 0
note("end", code)
sys.exit(code)
"""

_JOBS = """\
<defaults retry_delay="0s" timeout="4s" grace="0s"/>
<job name="load" script="script.py" schedule="* * * * *" backlog="all" retries="2"/>
<job name="report" script="script.py" schedule="* * * * *" backlog="all">
  <dependency name="load" on="done"/>
</job>
<job name="digest" script="script.py" schedule="*/5 * * * *" retries="1">
  <dependency name="report" on="done"/>
</job>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What the scripts say themselves."""

    begun: Counter[tuple[str, int]]  # how often an attempt began
    parents: dict[tuple[str, int], int]  # the pid of its supervisor, or of whoever has inherited it
    ended: dict[tuple[str, int], int]  # and with which exit code it was about to end
    overlaps: tuple[tuple[str, int], ...]


def prepare(folder: DataFolder, timed: TimedScheduler, backlog: timedelta) -> datetime:
    """Write the data folder, and have a scheduler know it that ended so long ago.

    Return that moment: each instant from then on has a fate.
    """
    hands = "".join(
        f'<job name="{name}" script="script.py" retries="{number % 2}" warm="{warm}"/>\n'
        for number, (name, warm) in enumerate(zip(HANDS, cycle(WARM), strict=False))
    )
    folder.write_config(f"max_running = {MAX_RUNNING}")
    folder.write_script("script.py", _SCRIPT)
    folder.write_jobs(_JOBS + hands)
    since = datetime.fromtimestamp(folder.config.stat().st_mtime, UTC) - backlog
    with timed.running(since.replace(tzinfo=None).isoformat()):
        pass  # it now knows the routines
    return since


def read_ledger(folder: Path) -> Ledger:
    """Return what the ledger says."""
    begun: Counter[tuple[str, int]] = Counter()
    parents: dict[tuple[str, int], int] = {}
    ended: dict[tuple[str, int], int] = {}
    overlaps: list[tuple[str, int]] = []
    file = folder / "ledger"
    for line in file.read_text().splitlines() if file.exists() else ():
        what, task, number, word = line.split()
        key = (task, int(number))
        if what == "begin":
            begun[key] += 1
            parents[key] = int(word)
        elif what == "end":
            assert key not in ended, f"{key} ended twice"
            ended[key] = int(word)
        else:
            overlaps.append(key)
    return Ledger(begun=begun, parents=parents, ended=ended, overlaps=tuple(overlaps))
