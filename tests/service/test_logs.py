"""Where logs lie, and which of them may go."""

import logging
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scheduler.service.logs import (
    LogLimits,
    attempt_logs,
    log_path,
    own_log_path,
    prune_logs,
    set_up_own_log,
)

NOW = datetime(2026, 11, 1, tzinfo=UTC)
ROOMY = LogLimits(longest=timedelta(days=90), tasks=1, total=10**9)


def a_log(
    folder: Path, routine: str, instant: str, *, attempt: int = 1, days: float = 0, size: int = 10
) -> Path:
    """Write a log that was last written to so many days ago."""
    path = log_path(folder, routine, instant, attempt)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    changed = (NOW - timedelta(days=days)).timestamp()
    os.utime(path, (changed, changed))
    return path


def pruned(folder: Path, limits: LogLimits, *kept: Path) -> list[str]:
    """Prune and return what was deleted, as paths in the folder."""
    steps = prune_logs(folder, NOW, limits, kept.__contains__)
    return [path.relative_to(folder).as_posix() for step in steps for path in step]


@pytest.mark.parametrize(
    ("instant", "attempt", "name"),
    [
        ("2026-10-01T02:00:00", 1, "2026-10-01T02-00-00.1.log"),
        ("2026-10-25T02:30:00+02:00", 12, "2026-10-25T02-30-00+0200.12.log"),
        ("2026-11-01T01:30:00-05:00", 1, "2026-11-01T01-30-00-0500.1.log"),
        ("2026-10-01T02:00:00Z", 1, "2026-10-01T02-00-00Z.1.log"),
        ("1911-03-11T00:00:00+00:09:21", 1, "1911-03-11T00-00-00+000921.1.log"),
    ],
)
def test_the_path_of_a_log_says_which_attempt_it_is_of(
    tmp_path: Path, instant: str, attempt: int, name: str
) -> None:
    path = a_log(tmp_path, "load it", instant, attempt=attempt)
    assert path == tmp_path / "load it" / name
    (log,) = attempt_logs(tmp_path, "load it")
    assert (log.path, log.instant, log.attempt) == (path, instant, attempt)


def test_logs_are_listed_in_the_order_of_their_instants_and_attempts(tmp_path: Path) -> None:
    in_order = [
        a_log(tmp_path, "load", instant, attempt=attempt)
        for instant, attempt in [
            ("2026-10-25T01:30:00", 1),
            ("2026-10-25T02:30:00+02:00", 2),
            ("2026-10-25T02:30:00+02:00", 10),
            ("2026-10-25T02:30:00+01:00", 1),
            ("2026-10-25T03:30:00", 1),
        ]
    ]
    assert [log.path for log in attempt_logs(tmp_path, "load")] == in_order


def test_only_logs_of_attempts_are_listed(tmp_path: Path) -> None:
    real = a_log(tmp_path, "load", "2026-10-01T02:00:00")
    for name in ("notes.txt", "2026-10-01T02-00-00.log", "2026-10-01T02-00-00.0.log"):
        (real.parent / name).write_text("")
    (real.parent / "2026-10-02T02-00-00.1.log").mkdir()
    (real.parent / "2026-10-03T02-00-00.1.log").symlink_to(real)
    assert [log.path for log in attempt_logs(tmp_path, "load")] == [real]
    assert attempt_logs(tmp_path, "unheard of") == []


def test_logs_beyond_the_age_go_but_those_of_the_newest_tasks(tmp_path: Path) -> None:
    for day in (1, 2, 3):
        for attempt in (1, 2):
            a_log(tmp_path, "rare", f"2026-01-0{day}T00:00:00", attempt=attempt, days=300)
    a_log(tmp_path, "often", "2026-10-01T00:00:00", days=91)
    a_log(tmp_path, "often", "2026-10-02T00:00:00", days=89)
    a_log(tmp_path, "often", "2026-10-03T00:00:00", days=1)
    assert pruned(tmp_path, LogLimits(longest=timedelta(days=90), tasks=2, total=10**9)) == [
        "often/2026-10-01T00-00-00.1.log",
        "rare/2026-01-01T00-00-00.1.log",
        "rare/2026-01-01T00-00-00.2.log",
    ]


def test_beyond_the_total_the_oldest_go_whichever_they_are(tmp_path: Path) -> None:
    a_log(tmp_path, "a", "2026-10-01T00:00:00", days=5, size=100)
    a_log(tmp_path, "b", "2026-10-01T00:00:00", days=4, size=100)
    a_log(tmp_path, "a", "2026-10-02T00:00:00", days=3, size=100)
    a_log(tmp_path, "b", "2026-10-02T00:00:00", days=2, size=100)
    limits = LogLimits(tasks=100, total=250)
    assert pruned(tmp_path, limits) == [
        "a/2026-10-01T00-00-00.1.log",
        "b/2026-10-01T00-00-00.1.log",
    ]
    assert pruned(tmp_path, limits) == []


def test_of_one_hour_no_more_go_than_must(tmp_path: Path) -> None:
    for minute in range(10, 20):
        a_log(tmp_path, "a", f"2026-10-01T00:{minute}:00", days=1, size=100)
    assert len(pruned(tmp_path, LogLimits(total=650))) == 4


def test_logs_that_are_to_be_kept_stay_and_others_do_not_go_for_them(tmp_path: Path) -> None:
    kept = a_log(tmp_path, "a", "2026-10-01T00:00:00", days=300, size=100)
    a_log(tmp_path, "a", "2026-10-02T00:00:00", days=1, size=100)
    limits = LogLimits(longest=timedelta(days=90), tasks=0, total=150)
    assert pruned(tmp_path, limits, kept) == []
    assert pruned(tmp_path, limits) == ["a/2026-10-01T00-00-00.1.log"]


def test_what_is_not_an_attempts_log_is_not_touched(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    outside = a_log(elsewhere, "load", "2026-01-01T00:00:00", days=300)
    a_log(elsewhere, "load", "2026-01-02T00:00:00", days=300)
    logs = tmp_path / "logs"
    real = a_log(logs, "real", "2026-01-02T00:00:00", days=300)
    (logs / "linked").symlink_to(outside.parent)
    (real.parent / "2026-01-01T00-00-00.1.log").symlink_to(outside)
    own = own_log_path(logs, "prod")
    own.write_text("own")
    assert pruned(logs, ROOMY) == []
    assert pruned(logs, LogLimits(total=0)) == ["real/2026-01-02T00-00-00.1.log"]
    assert outside.exists() and own.exists()


def test_files_that_vanish_meanwhile_disturb_nobody(tmp_path: Path) -> None:
    for routine in ("a", "b"):
        for day in (1, 2, 3):
            a_log(tmp_path, routine, f"2026-01-0{day}T00:00:00", days=300)
    steps = prune_logs(tmp_path, NOW, ROOMY, lambda path: False)
    assert len(next(steps)) == 2
    for log in attempt_logs(tmp_path, "b"):
        log.path.unlink()
    (tmp_path / "b").rmdir()
    assert not any(steps)
    assert pruned(tmp_path / "nowhere", ROOMY) == []


@pytest.mark.usefixtures("fresh_logging")
def test_the_own_log_takes_what_the_package_says(tmp_path: Path) -> None:
    set_up_own_log(tmp_path / "logs", "prod", "DEBUG", console=False)
    path = set_up_own_log(tmp_path / "logs", "prod", "INFO", console=False)  # in its place
    logging.getLogger("scheduler.service.loop").info("attempt started task=%s", "lo\udcffad")
    logging.getLogger("scheduler.service.loop").debug("not this")
    logging.getLogger("uvicorn").info("nor this")
    logging.getLogger("uvicorn").error("but this")
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == [
        "INFO scheduler.service.loop attempt started task=lo\\udcffad",
        "ERROR uvicorn but this",
    ]
    assert datetime.fromisoformat(lines[0].split(" ")[0]).utcoffset() is not None


@pytest.mark.usefixtures("fresh_logging")
def test_the_terminal_shows_the_own_log_if_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = set_up_own_log(tmp_path, "prod", "INFO", console=True)
    logging.getLogger("scheduler").info("started")
    assert capsys.readouterr().err == path.read_text(encoding="utf-8")


def test_no_routine_can_bear_the_name_of_the_own_log(tmp_path: Path) -> None:
    assert own_log_path(tmp_path, "prod") == tmp_path / "~scheduler.prod.log"
