"""Where does the time of the hot path go?

Runs a real scheduler in this process, over a chain or a burst of tasks, and profiles the thread
that decides: from an exit to the next start.  What other threads and processes do is not in it,
and the profiler itself slows down what is called often: the shares count, not the times.

    python -m benchmarks.profile [--burst] [--tasks 200] [--max_running 2] [--lines 40]
"""

import argparse
import cProfile
import os
import pstats
import signal
import tempfile
import threading
import zoneinfo
from pathlib import Path

from benchmarks.data_folder import NAME, ROOT, DataFolder
from benchmarks.handoff import chain_of
from benchmarks.measuring import ours
from benchmarks.stamps import Stamps
from benchmarks.throughput import burst_of
from scheduler.service.config import read_config
from scheduler.service.logs import set_up_own_log
from scheduler.service.loop import Loop
from scheduler.service.wiring import Scheduler, StartOptions

_WITHIN = 300.0  # seconds


def main() -> None:
    """Profile, and print by what is called and by time alone."""
    options = _options()
    jobs = burst_of(options.tasks) if options.burst else chain_of(options.tasks)
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build, prefix="profile ") as name:
        folder = Path(name).resolve()
        stamps = Stamps(folder)
        data = DataFolder(folder, stamps.environment)
        os.environ.update(data.environment)
        zoneinfo.reset_tzpath()  # which was read before
        data.write(jobs(data), who=options.who, max_running=options.max_running)
        found = profiled(folder, stamps, options.tasks)
    for order, what in (("cumulative", "with all that it calls"), ("tottime", "alone")):
        print(f"\nBy the time of each function {what}:\n")
        pstats.Stats(found).strip_dirs().sort_stats(order).print_stats(options.lines)


def profiled(folder: Path, stamps: Stamps, tasks: int) -> cProfile.Profile:
    """Run a scheduler until so many scripts have run, and return the profile of its loop."""
    profile = cProfile.Profile()
    decide = Loop.step
    settings = read_config(folder / "config.cfg")
    set_up_own_log(settings.log_directory, NAME, settings.log_level, console=False)

    def stop_after_the_last() -> None:
        try:
            stamps.wait_for(tasks, within=_WITHIN, is_over=lambda: False)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    def step(self: Loop) -> None:
        profile.runcall(decide, self)

    Loop.step = step  # type: ignore[method-assign] # what is profiled, and nothing before or after
    stopper = threading.Thread(target=stop_after_the_last, daemon=True)
    Scheduler(settings, StartOptions(name=NAME)).serve(lambda lines: stopper.start())
    return profile


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.profile",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--burst", action="store_true", help="tasks that fall due together")
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--max_running", type=int, default=2)
    parser.add_argument("--lines", type=int, default=40, help="of each table")
    parser.add_argument("--who", choices=ours(), default=ours()[0], help="how scripts start")
    return parser.parse_args()


if __name__ == "__main__":
    main()
