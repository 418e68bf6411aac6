"""What this machine could do at best: the least work that starts a script, in small programs.

The *bare* floor is the fork of a warm, minimal interpreter to the first statement of a script, or
the start of a cold one, and one committed transaction.  The *promised* floor does, besides, what
every task is promised: a session of its own, its output in a log of its own, and a record of its
outcome that outlives who started it: a line "begun" in a draft that is renamed into place before
the script begins, a line "ended" after its end.

No scheduler can be much faster than the bare floor; none that keeps the promises is than the
promised one.  Where they commit, one process forks and commits: it carries SQLite, which makes its
fork a tenth slower, and needs no word to another.

Each program runs in a process of its own that has imported next to nothing:

    python -I -S floors.py latency|chain|throughput|forks|commits bare|promised|cold FOLDER \
        COUNT AT_ONCE

FOLDER holds script.py, whose stamps tell the times; `latency` prints the instants that they count
from, in nanoseconds, and `commits` how long each took.
"""

import gc
import os
import sys
import time

TYPE_CHECKING = False  # as typing has it, which would have to be imported
if TYPE_CHECKING:
    from collections.abc import Callable

PAUSE = 0.25  # seconds until caches and cores have gone to other things


# -- one start, in three ways -------------------------------------------------------------------


def fork_bare(number: int) -> int:
    """Fork this warm interpreter, run the script in the child, and return its pid."""
    child = os.fork()
    if child == 0:
        run_script(number)
    return child


def fork_promised(number: int) -> int:
    """Do the same with a session, a log and a record of its own."""
    child = os.fork()
    if child == 0:
        os.setsid()
        log = os.open(f"logs/{number}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        append(f"records/draft.{number}", f"begun {os.getpid()}\n")
        os.rename(f"records/draft.{number}", f"records/{number}")
        run_script(number)
    return child


def spawn_cold(number: int) -> int:
    """Start a new interpreter, as one does at the command line; return its pid."""
    words = [sys.executable, "script.py", str(number)]
    return os.posix_spawn(sys.executable, words, os.environ)


def run_script(number: int) -> None:
    """Run the script and end, with nothing of what an interpreter does at its end."""
    sys.argv = ["script.py", str(number)]
    with open("script.py", "rb") as file:
        code = compile(file.read(), "script.py", "exec")
    # By hand: runpy imports more, each time.
    exec(code, {"__name__": "__main__", "__file__": "script.py"})
    os._exit(0)


def keep_nothing(number: int, status: int) -> None:
    """Keep no record of an end."""


def keep_end(number: int, status: int) -> None:
    """Put an end on record."""
    append(f"records/{number}", f"ended {time.time_ns()} {status}\n")


def append(path: str, line: str) -> None:
    """Append a line to a file in one stroke."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(file, line.encode())
    os.close(file)


WAYS = {
    "bare": (fork_bare, keep_nothing),
    "promised": (fork_promised, keep_end),
    "cold": (spawn_cold, keep_nothing),
}


# -- the programs -------------------------------------------------------------------------------


def latency(way: str, count: int, at_once: int) -> None:
    """Start one after the other, with the machine idle in between; print the instants."""
    start, keep = WAYS[way]
    for number in range(count):
        time.sleep(PAUSE)
        instant = time.monotonic_ns()
        _, status = os.waitpid(start(number), 0)
        keep(number, status)
        print(instant, flush=True)


def chain(way: str, count: int, at_once: int) -> None:
    """Start the next one as soon as the one before has ended, and that is committed."""
    start, keep = WAYS[way]
    commit = committer()
    for number in range(count):
        _, status = os.waitpid(start(number), 0)
        keep(number, status)
        commit(number)


def throughput(way: str, count: int, at_once: int) -> None:
    """Keep so many running, and commit the end of each."""
    run_at_once(way, count, at_once, committer())


def forks(way: str, count: int, at_once: int) -> None:
    """Keep so many running, and commit nothing."""
    run_at_once(way, count, at_once, lambda number: None)


def commits(way: str, count: int, at_once: int) -> None:
    """Print how long each durable transaction takes."""
    commit = committer()
    for number in range(count):
        begun = time.monotonic_ns()
        commit(number)
        print(time.monotonic_ns() - begun)


def run_at_once(way: str, count: int, at_once: int, commit: "Callable[[int], None]") -> None:
    """Run all, so many at a time."""
    start, keep = WAYS[way]
    running: dict[int, int] = {}
    for number in range(count):
        if len(running) == at_once:
            wait_for_one(running, keep, commit)
        running[start(number)] = number
    while running:
        wait_for_one(running, keep, commit)


def wait_for_one(
    running: "dict[int, int]",
    keep: "Callable[[int, int], None]",
    commit: "Callable[[int], None]",
) -> None:
    """Wait until one of those has ended, and commit that."""
    child, status = os.wait()
    number = running.pop(child)
    keep(number, status)
    commit(number)


def committer() -> "Callable[[int], None]":
    """Return what commits one row, so that it is on the disk when that returns."""
    import sqlite3

    database = sqlite3.connect("floor.db", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE IF NOT EXISTS ended (number INTEGER)")

    def commit(number: int) -> None:
        database.execute("BEGIN IMMEDIATE")
        database.execute("INSERT INTO ended VALUES (?)", (number,))
        database.execute("COMMIT")

    return commit


PROGRAMS = {each.__name__: each for each in (latency, chain, throughput, forks, commits)}


def main() -> None:
    """Run one program in its folder."""
    _, program, way, folder, count, at_once = sys.argv
    os.chdir(folder)
    for name in ("logs", "records"):
        os.makedirs(name, exist_ok=True)
    gc.freeze()  # or the children would touch, and so copy, what they only look through
    PROGRAMS[program](way, int(count), int(at_once))


if __name__ == "__main__":
    main()
