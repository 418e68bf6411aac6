"""Measure the scheduler, its peers and the floors of this machine, all in one run.

    python -m benchmarks [--only NAME] [--quick] [--rounds 5] [--write]

Prints a table for each question.  With --write the tables and their plots go to
docs/performance.md.  What is not there (cron, a peer) is left out, and the table says why.
"""

import argparse
import contextlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.catalogue import BENCHMARKS, Benchmark, chosen
from benchmarks.figures import Figure, Summary, summarised
from benchmarks.goals import goals_table
from benchmarks.machine import described
from benchmarks.page import machine_part, part_of, with_part
from benchmarks.setting import Setting
from benchmarks.tables import tables

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "performance.md"
PLOTS = PAGE.with_suffix("")


def main() -> int:
    """Measure, and print or write."""
    options = _options()
    if options.list:
        print("\n".join(f"{one.name:12} {one.question}" for one in BENCHMARKS))
        return 0
    if not hasattr(os, "fork"):
        print("the floors that all is held against are forks, which this system does not have")
        return 0
    machine = dict(described())
    print("\n".join(f"{what}: {value}" for what, value in machine.items()), flush=True)
    rounds = 1 if options.quick else options.rounds
    failed = False
    measured_parts: list[str] = []
    with _workplace() as place:
        for benchmark in chosen(options.only):
            measured, error = _measured(benchmark, rounds, place, is_quick=options.quick)
            failed = failed or error
            summaries = summarised(measured)
            measured_parts.append(part_of(summaries, plot=None, source=""))
            print(f"\n{benchmark.name}: {benchmark.question}")
            for what, table in tables(summaries):
                print(f"\n{what}\n\n{table}", flush=True)
            if options.write and not error:
                _put(benchmark.name, _part(benchmark, summaries, machine))
    if not options.only:
        goals = goals_table("\n\n".join(measured_parts))
        print(f"\nwhat was to be reached\n\n{goals}")
    if options.write:
        _put("machine", machine_part(machine.items()))
        _put("goals", goals_table(PAGE.read_text(encoding="utf-8")))
    return int(failed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [one.name for one in BENCHMARKS]
    parser.add_argument(
        "--only", action="append", default=[], choices=names, metavar="NAME", help=", ".join(names)
    )
    parser.add_argument("--rounds", type=int, default=5, help="of which the median counts")
    parser.add_argument("--quick", action="store_true", help="see that it works, in three minutes")
    parser.add_argument("--write", action="store_true", help="the results to docs/performance.md")
    parser.add_argument("--list", action="store_true", help="the benchmarks there are")
    options = parser.parse_args()
    if options.write and options.quick:
        parser.error("figures of --quick are not worth a page: leave --write out")
    if options.write and importlib.util.find_spec("matplotlib") is None:
        parser.error("plots need matplotlib, which make benchmarks OPTIONS=--write installs")
    return options


@contextlib.contextmanager
def _workplace() -> Iterator[Path]:
    """Give a folder to measure in, which is deleted after all has been measured.

    Not among the files for temporary things: that may be no disk.  And not one for each round: a
    file system may make new files slowly where many have just been deleted, as ext4 does for
    minutes.
    """
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(
        dir=build, prefix="benchmark ", ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


def _measured(
    benchmark: Benchmark, rounds: int, place: Path, *, is_quick: bool
) -> tuple[list[list[Figure]], bool]:
    """Return the figures of each round, and whether something went wrong."""
    measured: list[list[Figure]] = []
    count = min(rounds, benchmark.most_rounds or rounds)
    for number in range(1, count + 1):
        print(f"{benchmark.name}: round {number} of {count}", file=sys.stderr)
        folder = place / f"{benchmark.name} {number}"
        folder.mkdir()
        measured.append([])
        try:
            for figure in benchmark.measure(Setting(folder=folder, is_quick=is_quick)):
                measured[-1].append(figure)
        except (OSError, RuntimeError) as error:
            print(f"{benchmark.name}: {error}", file=sys.stderr)
            return measured, True
    return measured, False


def _put(name: str, part: str) -> None:
    """Put a part on the page, at once: what comes later may fail."""
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(with_part(text, name, part), encoding="utf-8")


def _part(benchmark: Benchmark, summaries: Sequence[Summary], machine: dict[str, str]) -> str:
    """Draw the plots of a benchmark, and return its part of the page."""
    from benchmarks.plots import draw

    plot = PLOTS / f"{benchmark.name}.svg"
    draw(summaries, plot)
    rounds = max((one.rounds for one in summaries), default=0)
    source = (
        f"`python -m benchmarks --only {benchmark.name}`, {machine['date']},"
        f" scheduler {machine['scheduler']}: {rounds} rounds."
    )
    return part_of(summaries, plot=f"{PLOTS.name}/{plot.name}", source=source)


if __name__ == "__main__":
    sys.exit(main())
