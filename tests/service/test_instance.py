"""One live scheduler a name and a database; what a crash leaves behind is not in the way."""

import json
import os
import signal
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from scheduler.errors import SchedulerError
from scheduler.service.instance import (
    Claim,
    NotRunningError,
    all_remembered,
    checked_name,
    claim,
    find,
    has_ended,
    instances_folder,
    live_instances,
    remembered,
)

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)

# Another scheduler: it claims, publishes, says so, and lives until its standard input ends.
OTHER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from scheduler.service.instance import claim
name, config, database = sys.argv[1:]
held = claim(name, config=Path(config), database=Path(database))
held.publish(host="127.0.0.1", port=4711, token="secret", at=datetime(2026, 1, 1, tzinfo=UTC))
print("ready", flush=True)
sys.stdin.read()
held.release()
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCHEDULER_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "instance"


def a_claim(folder: Path, name: str = "prod", database: str = "scheduler.db") -> Claim:
    return claim(name, config=folder / "config.cfg", database=folder / database)


def a_published_claim(folder: Path, name: str = "prod", database: str = "scheduler.db") -> Claim:
    held = a_claim(folder, name, database)
    held.publish(host="127.0.0.1", port=4711, token="secret", at=AT)
    return held


def another_process(folder: Path, name: str = "prod") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", OTHER, name, str(folder / "config.cfg"), str(folder / "x.db")]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ.copy()
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def ended(process: subprocess.Popen[str]) -> None:
    process.communicate(timeout=30)


def test_the_folder_follows_scheduler_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert instances_folder() == home
    monkeypatch.delenv("SCHEDULER_HOME")
    assert instances_folder().parts[-2:] == ("scheduler", "instance")


def test_a_published_scheduler_is_found(tmp_path: Path) -> None:
    with a_published_claim(tmp_path):
        (instance,) = live_instances()
        assert instance == find("prod") == find(None)
        assert (instance.name, instance.pid, instance.mode) == ("prod", os.getpid(), "prod")
        assert (instance.host, instance.port, instance.token) == ("127.0.0.1", 4711, "secret")
        assert instance.config == str(tmp_path / "config.cfg")
        assert instance.database == str(tmp_path / "scheduler.db")
        assert instance.started_at == "2026-11-23T02:00:00+00:00"
        assert instance.process_start == psutil.Process().create_time()


def test_the_instance_file_is_for_its_user_only(tmp_path: Path, home: Path) -> None:
    with a_published_claim(tmp_path):
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        for file in home.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert "secret" not in (home / "prod.known").read_text(encoding="utf-8")


def test_looking_does_not_disturb(tmp_path: Path) -> None:
    with a_published_claim(tmp_path):
        for _ in range(3):
            assert find("prod").port == 4711
        with pytest.raises(SchedulerError):
            a_claim(tmp_path)


def test_one_that_ended_is_not_found_but_remembered(tmp_path: Path, home: Path) -> None:
    with a_published_claim(tmp_path):
        pass
    assert live_instances() == []
    assert not (home / "prod.json").exists()
    with pytest.raises(NotRunningError, match=r"^scheduler 'prod' is not running$"):
        find("prod")
    with pytest.raises(NotRunningError, match="no scheduler is running"):
        find(None)
    found = remembered("prod")
    assert found is not None and found == remembered(None)
    assert (found.name, found.config) == ("prod", str(tmp_path / "config.cfg"))
    assert (found.database, found.mode) == (str(tmp_path / "scheduler.db"), "prod")


def test_nothing_is_remembered_of_one_that_never_was() -> None:
    assert remembered("prod") is None
    assert remembered(None) is None
    assert all_remembered() == []


def test_a_second_one_of_the_name_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    with a_claim(tmp_path), pytest.raises(SchedulerError) as caught:
        a_claim(tmp_path, database="another.db")
    assert str(caught.value) == (
        f"scheduler 'prod' is already running (pid {os.getpid()}, config {tmp_path / 'config.cfg'})"
    )


def test_a_second_one_over_the_database_is_refused_with_the_name_of_the_first(
    tmp_path: Path,
) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "scheduler.db")
    for database in ("scheduler.db", "link.db", "../" + tmp_path.name + "/scheduler.db"):
        with a_claim(tmp_path), pytest.raises(SchedulerError) as caught:
            a_claim(tmp_path, "test", database)
        assert f"is in use by scheduler 'prod' (pid {os.getpid()}, " in str(caught.value)
    # The refused name is free again.
    a_claim(tmp_path, "test").release()


def test_a_name_can_be_claimed_again_once_released(tmp_path: Path) -> None:
    for _ in range(3):
        with a_published_claim(tmp_path):
            assert find("prod")


def test_one_has_ended_once_its_locks_are_free_or_anothers(tmp_path: Path) -> None:
    with a_published_claim(tmp_path):
        first = find("prod")
        assert not has_ended(first)
    assert has_ended(first)
    with a_claim(tmp_path) as held:
        held.publish(host="127.0.0.1", port=4712, token="secret", at=AT + timedelta(seconds=1))
        assert has_ended(first)
        assert not has_ended(find("prod"))


def test_several_live_ones_are_named(tmp_path: Path) -> None:
    with a_published_claim(tmp_path, "b", "b.db"), a_published_claim(tmp_path, "a", "a.db"):
        assert [instance.name for instance in live_instances()] == ["a", "b"]
        assert find("a").name == "a"
        with pytest.raises(SchedulerError, match="several schedulers are running: a, b "):
            find(None)
    assert [found.name for found in all_remembered()] == ["a", "b"]
    assert remembered(None) is None


def test_one_that_does_not_serve_yet_is_said_to_start(tmp_path: Path) -> None:
    with a_claim(tmp_path), pytest.raises(SchedulerError, match="starting or ending"):
        find("prod")


def test_another_process_holds_its_name_until_it_ends(tmp_path: Path) -> None:
    process = another_process(tmp_path)
    assert find("prod").pid == process.pid
    with pytest.raises(SchedulerError, match=rf"already running \(pid {process.pid}, "):
        a_claim(tmp_path)
    ended(process)
    assert live_instances() == []
    a_claim(tmp_path).release()


def test_a_crash_leaves_nothing_to_clean_up(tmp_path: Path, home: Path) -> None:
    process = another_process(tmp_path)
    process.send_signal(signal.SIGKILL)
    ended(process)
    assert (home / "prod.json").exists()
    assert live_instances() == []
    with pytest.raises(NotRunningError):
        find("prod")
    assert remembered("prod") is not None
    with a_claim(tmp_path, database="x.db"):
        # What the crash left must not lead anybody to the old port.
        assert live_instances() == []


def test_a_process_that_a_scheduler_starts_does_not_keep_its_locks(tmp_path: Path) -> None:
    held = a_published_claim(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False
    ) as child:
        held.release()
        assert live_instances() == []
        a_claim(tmp_path).release()
        child.communicate(b"\n", timeout=30)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe"])
def test_a_damaged_left_over_is_no_live_scheduler(home: Path, content: bytes) -> None:
    home.mkdir(parents=True)
    for suffix in ("json", "known", "lock"):
        (home / f"prod.{suffix}").write_bytes(content)
    assert live_instances() == []
    assert all_remembered() == []


def test_an_instance_file_of_another_version_is_said_to_be_one(tmp_path: Path, home: Path) -> None:
    with a_published_claim(tmp_path):
        (home / "prod.json").write_text(json.dumps({"name": "prod"}), encoding="utf-8")
        with pytest.raises(SchedulerError, match="written by another version"):
            find("prod")


@pytest.mark.parametrize("name", ["prod", "p", "a.b", "nightly-2", "é_1+x@y", "-x", "x" * 100])
def test_a_name_may_be_what_every_system_takes_for_a_file(name: str) -> None:
    assert checked_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", ".a", "a.", "a/b", "a\\b", "a b", "a\n", "a\0", "*"),
        *("con", "NUL.x", "lpt1", "x" * 101, "é" * 51, "x" * 100_000),
    ],
)
def test_other_names_are_refused_in_one_line(name: str) -> None:
    with pytest.raises(SchedulerError) as caught:
        checked_name(name)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 250


def test_one_name_has_one_unicode_form() -> None:
    assert checked_name("e\u0301te\u0301") == "\u00e9t\u00e9"


def test_a_folder_that_cannot_be_made_is_a_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(SchedulerError, match=r"the lock of the database .* cannot be written"):
        claim("prod", config=None, database=tmp_path / "file" / "x.db")
    a_claim(tmp_path).release()
