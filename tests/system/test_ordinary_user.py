"""An ordinary user, who may write in one folder only: all works as for root."""

import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.system.data_folder import DEADLINE, ROOT, DataFolder, a_folder

USER = "nobody"
IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
VERSION = f"python{sys.version_info[0]}.{sys.version_info[1]}"


@cache
def program() -> tuple[str, ...] | None:
    """Return what runs the command as the ordinary user; None if there is nothing.

    The interpreter of the tests may stand in a folder that is root's alone: then it is another of
    the same version, with our packages.
    """
    ours = ("env", f"PYTHONPATH={sysconfig.get_path('purelib')}")
    interpreters = ((sys.executable,), (*ours, f"/usr/bin/{VERSION}"))
    for interpreter in (*interpreters, (*ours, f"/usr/local/bin/{VERSION}")):
        words = (*interpreter, str(ROOT / "scheduler.py"))
        try:
            shown = subprocess.run(
                [*words, "--version"], user=USER, cwd="/", capture_output=True, check=False
            )
        except (OSError, LookupError):
            continue
        if shown.returncode == 0:
            return words
    return None


pytestmark = pytest.mark.skipif(not IS_ROOT, reason="all tests run as an ordinary user already")


@pytest.fixture
def theirs() -> Iterator[DataFolder]:
    """Return a data folder that is the ordinary user's own."""
    yield from folder_of(USER)


def folder_of(user: str) -> Iterator[DataFolder]:
    """Yield a data folder that is a user's own."""
    if program() is None:
        pytest.skip(f"user {USER} may read neither this checkout nor an interpreter")
    place = Path(tempfile.mkdtemp(prefix="an ordinary user "))
    try:
        with a_folder(place) as folder:
            folder.write_jobs('<job name="who" script="who.py"/>')
            folder.write_script("who.py", "import getpass, os; print(os.getuid(), os.getcwd())")
            for path in (place, *place.rglob("*")):
                shutil.chown(path, user)
            yield folder
    finally:
        shutil.rmtree(place)


def as_user(folder: DataFolder, *words: str, code: int | None = 0, user: str = USER) -> str:
    """Run a command as the ordinary user, and return what it printed; None takes any code."""
    words_of_program = program()
    assert words_of_program is not None
    done = subprocess.run(
        [*words_of_program, *words],
        user=user,
        group=pwd.getpwnam(user).pw_gid,
        extra_groups=[],
        cwd=folder.elsewhere,
        env={**folder.environment, "HOME": str(folder.home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert code in (done.returncode, None) and "Traceback" not in done.stderr, done
    return done.stdout + done.stderr


def test_an_ordinary_user_starts_runs_and_stops(theirs: DataFolder) -> None:
    as_user(theirs, *theirs.start_words("--daemon"))
    user = pwd.getpwnam(USER).pw_uid
    assert f"{user} {theirs.path}" in as_user(theirs, "execute", "who", "--wait")
    assert "scheduler night is running" in as_user(theirs, "status")
    assert "has ended" in as_user(theirs, "stop")
    assert not any(path.stat().st_uid == 0 for path in theirs.path.rglob("*"))


def test_an_ordinary_user_runs_the_sample(theirs: DataFolder) -> None:
    as_user(theirs, "start", "--mode", "test", "--daemon")
    assert "nothing to do" in as_user(theirs, "execute", "reset", "--wait", code=1)
    as_user(theirs, "stop")


def test_a_folder_that_may_not_be_written_is_named(theirs: DataFolder) -> None:
    shutil.chown(theirs.path, "root")
    theirs.path.chmod(0o555)
    told = as_user(theirs, *theirs.start_words("--daemon"), code=2)
    assert str(theirs.path) in told and "Permission denied" in told
    assert told.count("\n") == 1


def test_a_script_that_may_not_be_read_costs_its_own_routine_only(theirs: DataFolder) -> None:
    script = theirs.path / "who.py"
    shutil.chown(script, "root")
    script.chmod(0o600)
    as_user(theirs, *theirs.start_words("--daemon"))
    told = as_user(theirs, "execute", "who", "--wait", code=1)
    assert f"script {script} may not be read" in told


def test_a_config_that_may_not_be_read_is_named(theirs: DataFolder) -> None:
    shutil.chown(theirs.config, "root")
    theirs.config.chmod(0o600)
    for words in (theirs.start_words("--daemon"), ("check", "--config_file", str(theirs.config))):
        told = as_user(theirs, *words, code=2)
        assert "config.cfg" in told and "Permission denied" in told


def test_the_schedulers_of_others_are_not_seen(theirs: DataFolder) -> None:
    theirs.start()  # as root
    told = as_user(theirs, "status", code=2)
    assert "Permission denied" in told or "no scheduler" in told
