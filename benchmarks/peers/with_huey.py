"""Huey as a user would set it up for scripts: its SQLite queue, and a subprocess a task.

The consumer is as it comes, with its own pauses between looks at the queue.

python with_huey.py chain|burst|instants|idle FOLDER COUNT AT_ONCE
"""

import math
import subprocess
import sys
import time
from datetime import UTC, datetime

from huey import SqliteHuey, crontab
from huey.signals import SIGNAL_COMPLETE


def main() -> None:
    """Run one of the modes until it is killed."""
    _, mode, folder, count, at_once = sys.argv
    huey = SqliteHuey(filename=f"{folder}/huey.db", utc=True)

    @huey.task()
    def run(name: str) -> None:
        subprocess.run([sys.executable, f"{folder}/script.py", name], check=True)

    @huey.on_startup()
    def tell() -> None:
        if not told:
            told.append(None)
            print("serves", flush=True)

    told: list[None] = []
    if mode == "chain":

        @huey.signal(SIGNAL_COMPLETE)
        def run_next(signal: object, task: object) -> None:
            ended.append(task)
            if len(ended) < int(count):
                run(f"link{len(ended)}")

        ended: list[object] = []
        run("link0")
    elif mode == "burst":
        for number in range(int(count)):
            run(f"task{number}")
    elif mode == "instants":
        first = math.ceil(time.time_ns() / 1e9) + 2
        for second in range(first, first + int(count)):
            run.schedule(args=(str(second),), eta=datetime.fromtimestamp(second, UTC))
    else:
        for number in range(int(count)):
            huey.periodic_task(
                crontab(month="1", day="1", hour="0", minute="0"), name=f"task{number}"
            )(lambda: None)
    huey.create_consumer(workers=int(at_once)).run()


if __name__ == "__main__":
    main()
