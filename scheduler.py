"""Run the scheduler from a checkout: ``python scheduler.py VERB``."""

from scheduler.__main__ import run

if __name__ == "__main__":
    run()
