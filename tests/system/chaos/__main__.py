"""A real scheduler under load, killed at random moments with all that it runs, for minutes.

make chaos KILLS=300
python -m tests.system.chaos --kills 300 [--seed 7]
"""

import argparse
import os
import random
import tempfile
import time
from pathlib import Path

from tests.system.chaos.run import weathered
from tests.system.data_folder import a_folder


def main() -> None:
    """Run it, and print figures; what is wrong is an AssertionError."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300, help="processes to kill")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chaos ") as place:
        os.environ.setdefault("SCHEDULER_HOME", place)
        with a_folder(Path(place)) as folder:
            storm, figures = weathered(folder, kills=asked.kills, seed=asked.seed)
    print("\n| what | count |\n|---|---|")
    for what, count in (
        *((f"killed: {kind}", count) for kind, count in sorted(storm.kills.items())),
        ("ended by stop --detach", storm.detached),
        ("tasks", figures.tasks),
        ("attempts recorded", figures.attempts),
        ("attempts begun, by the ledger", figures.begun),
        *((f"attempts {kind}", count) for kind, count in sorted(figures.outcomes.items())),
    ):
        print(f"| {what} | {count} |")
    print(f"\nNone ran twice, none is missing, nothing is left: {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
