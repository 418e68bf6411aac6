"""What a newcomer meets first: make, and the wheel."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HAS_MAKE = shutil.which("make") is not None


def run(*command: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command and return what it printed."""
    return subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **variables},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What make needs of the project, in a path with a space in it."""
    folder = tmp_path / "a clone"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / ".ci", folder / ".ci")
    return folder


@pytest.mark.skipif(not HAS_MAKE, reason="there is no make")
def test_make_alone_lists_its_targets(checkout: Path) -> None:
    printed = run("make", cwd=checkout).stdout
    assert all(f"make {target} " in printed for target in ("demo", "test", "lint", "setup"))


@pytest.mark.skipif(not HAS_MAKE, reason="there is no make")
def test_a_python_that_will_not_do_is_named_in_one_line(checkout: Path) -> None:
    done = run("make", "demo", "PYTHON=no-such-python", cwd=checkout)
    assert done.returncode == 2
    assert "Python 3.11 or newer is needed" in done.stderr.splitlines()[0]
    assert not (checkout / ".venv").exists()


def test_the_wheel_carries_the_sample_and_the_command(tmp_path: Path) -> None:
    build = ["pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path)]
    done = run(sys.executable, "-m", *build, str(ROOT), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("scheduler-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        entry_points = archive.read(
            next(name for name in names if name.endswith("entry_points.txt"))
        )
    sample = {path for path in (ROOT / "statics").rglob("*.*") if path.suffix != ".pyc"}
    assert {
        f"scheduler/statics/{path.relative_to(ROOT / 'statics').as_posix()}" for path in sample
    } <= names
    assert "scheduler/py.typed" in names
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/"))]
    assert b"scheduler = scheduler.cli.main:main" in entry_points
