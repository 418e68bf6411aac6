"""APScheduler as a user would set it up for scripts: in a process, with a subprocess a task.

python with_apscheduler.py chain|burst|instants|idle FOLDER COUNT AT_ONCE
"""

import math
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

from apscheduler.events import EVENT_JOB_EXECUTED, EVENT_SCHEDULER_STARTED
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.blocking import BlockingScheduler


def main() -> None:
    """Run one of the modes until it is killed."""
    _, mode, folder, count, at_once = sys.argv
    scheduler = BlockingScheduler(
        executors={"default": ThreadPoolExecutor(int(at_once))},
        # However late, each runs.
        job_defaults={"misfire_grace_time": None},
        timezone=UTC,
    )
    scheduler.add_listener(lambda event: print("serves", flush=True), EVENT_SCHEDULER_STARTED)

    def run(name: str) -> None:
        subprocess.run([sys.executable, f"{folder}/script.py", name], check=True)

    if mode == "chain":

        def run_next(event: object) -> None:
            number = len(ended)
            ended.append(event)
            if number + 1 < int(count):
                scheduler.add_job(run, args=[f"link{number + 1}"])

        ended: list[object] = []
        scheduler.add_listener(run_next, EVENT_JOB_EXECUTED)
        scheduler.add_job(run, args=["link0"])
    elif mode == "burst":
        instant = datetime.now(UTC) + timedelta(seconds=2)  # noqa: TID251
        for number in range(int(count)):
            scheduler.add_job(run, "date", run_date=instant, args=[f"task{number}"])
    elif mode == "instants":
        first = math.ceil(time.time_ns() / 1e9) + 2
        for second in range(first, first + int(count)):
            instant = datetime.fromtimestamp(second, UTC)
            scheduler.add_job(run, "date", run_date=instant, args=[str(second)])
    else:
        for number in range(int(count)):
            scheduler.add_job(run, "cron", month=1, day=1, hour=0, args=[f"task{number}"])
    scheduler.start()


if __name__ == "__main__":
    main()
