"""Note in sample_data/alarms.txt that the cellar's sensor could not be calibrated."""

import os

from station import FOLDER


def main() -> None:
    """Add one line an alarm."""
    # The scheduler tells each script what it runs for; see docs/running.md.
    line = f"{os.environ['SCHEDULER_INSTANT']}  the cellar's sensor waits for somebody"
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / "alarms.txt").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    print(line)


if __name__ == "__main__":
    main()
