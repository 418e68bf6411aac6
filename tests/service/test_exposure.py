"""What others may read or change is what they should: files, folders, the address."""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scheduler.errors import SchedulerError
from scheduler.service.config import Settings
from scheduler.service.exposure import exposures, is_loopback, make_database
from scheduler.service.instance import claim, find, instances_folder
from scheduler.service.store.sqlite import SqliteStore

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes")

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCHEDULER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def generous_umask() -> Iterator[None]:
    """Let files be for everyone unless somebody says otherwise."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("generous_umask")
def test_what_a_scheduler_writes_is_for_its_user_only(tmp_path: Path) -> None:
    database = tmp_path / "data" / "scheduler.db"
    with claim("prod", config=None, database=database) as held:
        held.publish(host="127.0.0.1", port=4711, token="secret", at=AT)
        make_database(database, tmp_path / "registry.xml")
        with closing(SqliteStore(database)) as store:
            store.keep_note("a", "b")
            folder = instances_folder()
            files = [*folder.iterdir(), *database.parent.iterdir()]
            assert {file.name for file in files} == {
                "prod.lock",
                "prod.json",
                "prod.known",
                "scheduler.db",
                "scheduler.db.lock",
                "scheduler.db-wal",
                "scheduler.db-shm",
            }
            assert {file.name: mode_of(file) for file in files} == dict.fromkeys(
                (file.name for file in files), 0o600
            )
            assert mode_of(folder) == 0o700
            assert mode_of(database.parent) == 0o700


@pytest.mark.usefixtures("generous_umask")
@pytest.mark.parametrize(
    ("registry", "expected"), [(0o600, 0o600), (0o640, 0o640), (0o644, 0o644), (0o666, 0o644)]
)
def test_the_database_is_for_those_who_may_read_the_registry_that_it_copies(
    tmp_path: Path, registry: int, expected: int
) -> None:
    file, database = tmp_path / "registry.xml", tmp_path / "scheduler.db"
    file.touch()
    file.chmod(registry)
    make_database(database, file)
    with closing(SqliteStore(database)) as store:
        store.keep_note("a", "b")
        for suffix in ("", "-wal", "-shm"):
            assert mode_of(database.with_name(f"scheduler.db{suffix}")) == expected
    database.chmod(0o600)
    make_database(database, file)  # what its user has changed stays
    assert mode_of(database) == 0o600


def test_a_database_that_shows_more_than_the_registry_is_told_of(tmp_path: Path) -> None:
    settings = Settings(registry=tmp_path / "registry.xml", database=tmp_path / "scheduler.db")
    settings.registry.touch(0o600)
    settings.database.touch(0o644)
    (line,) = exposures(settings)
    assert line.endswith(f": chmod go-r {settings.database}")
    settings.database.chmod(0o600)
    assert exposures(settings) == ()


def test_a_folder_of_instances_that_is_open_is_closed(tmp_path: Path) -> None:
    instances_folder().mkdir(parents=True)
    instances_folder().chmod(0o777)
    with claim("prod", config=None, database=tmp_path / "scheduler.db"):
        assert mode_of(instances_folder()) == 0o700


def test_no_other_user_can_pass_for_a_scheduler_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with claim("prod", config=None, database=tmp_path / "scheduler.db") as held:
        held.publish(host="127.0.0.1", port=4711, token="secret", at=AT)
        assert find("prod").port == 4711
        own = os.stat(instances_folder()).st_uid
        monkeypatch.setattr(os, "geteuid", lambda: own + 1000)
        if own != 0:  # root may be trusted
            with pytest.raises(SchedulerError, match="belongs to another user"):
                find("prod")
    if own == 0:
        os.chown(instances_folder(), 4242, -1)
    with pytest.raises(SchedulerError, match="belongs to another user"):
        claim("prod", config=None, database=tmp_path / "scheduler.db")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("LocalHost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.7.7", False),
        ("example.org", False),
    ],
)
def test_an_address_that_others_reach_is_told_of(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
    told = exposures(Settings(http_host=host))
    assert [line.startswith(f"[http] host = {host} ") for line in told] == [True] * (not expected)


@pytest.mark.parametrize("name", ["registry.xml", "config.cfg", "scheduler.db", "."])
def test_what_every_user_may_change_is_told_of(tmp_path: Path, name: str) -> None:
    settings = Settings(
        config=tmp_path / "config.cfg",
        registry=tmp_path / "registry.xml",
        database=tmp_path / "scheduler.db",
    )
    for path in ("registry.xml", "config.cfg", "scheduler.db"):
        (tmp_path / path).touch(0o664)
    assert exposures(settings) == ()
    changed = tmp_path / name
    changed.chmod(mode_of(changed) | 0o002)
    (line,) = exposures(settings)
    assert line.startswith(f"every user of this machine may write to {changed},")
    changed.chmod(mode_of(changed) | stat.S_ISVTX)
    assert exposures(settings) == ()
