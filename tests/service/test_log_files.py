"""Links in the log folder: nothing is read, written or deleted through one."""

import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import FileIO
from pathlib import Path

import pytest

from scheduler.cli.following import _read
from scheduler.errors import SchedulerError
from scheduler.service.executors.local import ForegroundExecutor
from scheduler.service.executors.log_limit import LimitedLog
from scheduler.service.executors.protocol import Exit, Launch, LaunchError
from scheduler.service.log_files import open_log, size_of
from scheduler.service.logs import (
    LogLimits,
    attempt_logs,
    log_path,
    own_log_path,
    prune_logs,
    set_up_own_log,
)
from scheduler.service.notify import last_lines

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links are for administrators")

NAME = "2026-01-01T02-00-00.1.log"
NOW = datetime(2026, 11, 1, tzinfo=UTC)


@dataclass
class Trap:
    """A log of `load` that leads outside the log folder, and what is there."""

    logs: Path
    log: Path
    outside: Path

    def is_untouched(self) -> bool:
        return (
            self.outside.read_text() == "outside" and len(list(self.outside.parent.iterdir())) == 1
        )


@pytest.fixture(params=["the folder", "the log", "the folder, dangling", "a pipe"])
def trap(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Trap]:
    """Set each trap that there is."""
    logs, elsewhere = tmp_path / "logs", tmp_path / "elsewhere"
    elsewhere.mkdir()
    outside = elsewhere / NAME
    outside.write_text("outside")
    os.utime(outside, (0, 0))
    logs.mkdir()
    log = logs / "load" / NAME
    if request.param == "the folder":
        log.parent.symlink_to(elsewhere)
    elif request.param == "the folder, dangling":
        log.parent.symlink_to(tmp_path / "to be made")
    elif request.param == "the log":
        log.parent.mkdir()
        log.symlink_to(outside)
    else:
        log.parent.mkdir()
        os.mkfifo(log)
    trap = Trap(logs=logs, log=log, outside=outside)
    yield trap
    assert trap.is_untouched()
    assert not (tmp_path / "to be made").exists()


def a_launch(log: Path) -> Launch:
    return Launch(
        task="load.2026-01-01T02:00:00",
        attempt=1,
        python=sys.executable,
        script=__file__,
        module=None,
        arguments=(),
        directory="/",
        environment={},
        log=log,
        log_limit=1000,
        grace=1.0,
    )


def test_no_attempt_writes_through_it(trap: Trap) -> None:
    def report(task: str, attempt: int, exit_: Exit) -> None:
        raise AssertionError("it never started")

    executor = ForegroundExecutor(report)
    with pytest.raises(LaunchError, match="links in the log folder are not followed"):
        executor.start(a_launch(trap.log))
    executor.close()


def test_it_is_not_cut_to_the_limit(trap: Trap) -> None:
    LimitedLog(path=trap.log, limit=1).cut()


def test_it_is_not_read(trap: Trap) -> None:
    with pytest.raises(OSError):
        open_log(trap.log, os.O_RDONLY)
    assert size_of(trap.log) == 0
    assert last_lines(trap.log) == ()
    with pytest.raises(SchedulerError, match="links in the log folder are not followed"):
        _read(trap.log, 0)


def test_nothing_is_pruned_through_it(trap: Trap) -> None:
    assert attempt_logs(trap.logs, "load") == []
    limits = LogLimits(longest=timedelta(days=1), tasks=0, total=0)
    assert [
        path for step in prune_logs(trap.logs, NOW, limits, lambda path: False) for path in step
    ] == []


def test_nothing_is_pruned_through_a_folder_that_becomes_a_link_meanwhile(tmp_path: Path) -> None:
    logs, elsewhere = tmp_path / "logs", tmp_path / "elsewhere"
    for routine in ("a", "b"):
        for folder in (logs / routine, elsewhere):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / NAME).write_text("outside")
            os.utime(folder / NAME, (0, 0))
    steps = prune_logs(logs, NOW, LogLimits(longest=timedelta(days=1), tasks=0), lambda path: False)
    assert next(steps) == [logs / "a" / NAME]
    (logs / "b" / NAME).unlink()
    (logs / "b").rmdir()
    (logs / "b").symlink_to(elsewhere)
    assert not any(steps)
    assert (elsewhere / NAME).exists()


def test_the_log_directory_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "logs").symlink_to(tmp_path / "disk")
    log = tmp_path / "logs" / "load" / NAME
    log.parent.mkdir()
    with FileIO(open_log(log, os.O_WRONLY | os.O_CREAT), "w") as file:
        file.write(b"text")
    assert (tmp_path / "disk" / "load" / NAME).read_text() == "text"
    assert size_of(log) == 4
    assert [one.path for one in attempt_logs(tmp_path / "logs", "load")] == [log]


@pytest.mark.usefixtures("fresh_logging")
def test_the_own_log_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    outside = tmp_path / "outside"
    outside.write_text("outside")
    own_log_path(tmp_path / "logs", "prod").symlink_to(outside)
    with pytest.raises(OSError, match="links in the log folder are not followed"):
        set_up_own_log(tmp_path / "logs", "prod", "INFO", console=False)
    assert outside.read_text() == "outside"


@pytest.mark.parametrize("routine", ["", ".", "..", "../x", "a/b", "/etc", "a\\b", "C:x", "a\0"])
def test_no_path_is_taken_for_a_routine(tmp_path: Path, routine: str) -> None:
    with pytest.raises(SchedulerError, match="is a path, not the name of a routine"):
        log_path(tmp_path, routine, "2026-01-01T02:00:00", 1)


@pytest.mark.usefixtures("fresh_logging")
def test_logs_are_for_their_user_and_group_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        own = set_up_own_log(tmp_path / "logs", "prod", "INFO", console=False)
        log = tmp_path / "logs" / "load" / NAME
        ended: list[Exit] = []
        executor = ForegroundExecutor(lambda task, attempt, exit_: ended.append(exit_))
        executor.start(a_launch(log))
        executor.close()
    finally:
        os.umask(before)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (own, log, own.parent, log.parent)}
    assert modes == {own: 0o640, log: 0o640, own.parent: 0o750, log.parent: 0o750}
