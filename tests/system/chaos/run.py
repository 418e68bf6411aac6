"""One storm from its beginning to the proof."""

import random
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

from tests.system.chaos.load import prepare
from tests.system.chaos.proof import Figures, prove
from tests.system.chaos.storm import Storm
from tests.system.data_folder import DataFolder, wait_until
from tests.system.timed_scheduler import TimedScheduler

#: Of a minutely routine, so many tasks a kill are late when it begins.
BACKLOG = timedelta(minutes=1)


def weathered(folder: DataFolder, *, kills: int, seed: int) -> tuple[Storm, Figures]:
    """Kill so many processes, let all come to its end, and prove that all held."""
    since = prepare(folder, TimedScheduler(folder), BACKLOG * kills)
    storm = Storm(folder, random.Random(seed))
    storm.start()
    while storm.kills.total() < kills:
        storm.blow()
    until = _now(folder)
    storm.serve()
    wait_until(lambda: not _left(folder, until), "all that is due to end", seconds=600)
    storm.stop()
    wait_until(folder.is_quiet, "what scripts have left running to end")
    return storm, prove(folder, storm, since, until)


def _left(folder: DataFolder, until: datetime) -> int:
    with closing(sqlite3.connect(folder.database)) as database:
        (count,) = database.execute(
            "SELECT count(*) FROM task WHERE state IN ('waiting', 'ready', 'running', 'blocked')"
            " AND instant < ?",
            (until.timestamp(),),
        ).fetchone()
    return int(count)


def _now(folder: DataFolder) -> datetime:
    mark = folder.elsewhere / "now"
    mark.touch()
    return datetime.fromtimestamp(mark.stat().st_mtime, UTC)
