"""A real data folder, and a real scheduler over it, as a user starts it."""

import contextlib
import os
import re
import struct
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from xml.sax.saxutils import quoteattr

from benchmarks.figures import OURS
from benchmarks.processes import Serving, serving

ROOT = Path(__file__).resolve().parents[1]
NAME = "benchmark"

#: The scheduler with every script in a new interpreter.
COLD = "scheduler, warm=no"

#: The value of `warm` by whose figures it makes.
WARM: Mapping[str, str] = {OURS: "auto", COLD: "no"}


class DataFolder:
    """A folder with a registry and a config, and the commands over it."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.zones = Zones(folder / "zones")
        self.environment = {
            **os.environ,
            **(environment or {}),
            "SCHEDULER_HOME": str(folder),
            # Beside the machine's own zones.
            "PYTHONTZPATH": os.pathsep.join([str(self.zones.folder), "/usr/share/zoneinfo"]),
        }

    @property
    def registry(self) -> Path:
        """Return the file of the registry."""
        return self.folder / "registry.xml"

    @property
    def config(self) -> Path:
        """Return the file of the config."""
        return self.folder / "config.cfg"

    @property
    def database(self) -> Path:
        """Return the file of the database, which the first start makes."""
        return self.folder / "scheduler.db"

    def write(
        self,
        jobs: Iterable[str],
        *,
        who: str = OURS,
        zone: str = "UTC",
        max_running: int | None = None,
        more: str = "",
    ) -> None:
        """Write registry and config, the latter with more sections.

        Jobs are elements as `job` makes them, or any others.
        """
        attributes = {"python": sys.executable, "warm": WARM[who]}
        defaults = element("defaults", attributes)
        body = "\n  ".join([defaults, *jobs])
        self.registry.write_text(f'<registry timezone="{zone}">\n  {body}\n</registry>')
        limit = "" if max_running is None else f"max_running = {max_running}\n"
        self.config.write_text(f"[scheduler]\ntimezone = {zone}\n{limit}{more}")

    def command(self, verb: str, *words: str) -> list[str]:
        """Return the command line of a verb."""
        # A registry by itself is of no scheduler.
        name = [] if "--registry" in words else ["--scheduler_name", NAME]
        return [sys.executable, str(ROOT / "scheduler.py"), verb, *name, *words]

    def run(self, verb: str, *words: str) -> str:
        """Run a verb to its end, and return what it printed.

        Raises:
            RuntimeError: it failed.
        """
        done = subprocess.run(
            self.command(verb, *words), env=self.environment, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise RuntimeError(f"scheduler {verb}: {done.stderr.strip()}")
        return done.stdout

    @contextlib.contextmanager
    def scheduler(self) -> Iterator[int]:
        """Have a scheduler run in the background; yield the pid of its process."""
        told = self.run("start", "--config_file", str(self.config), "--daemon")
        found = re.search(r"pid (\d+)", told)
        assert found is not None, told
        try:
            yield int(found[1])
        finally:
            with contextlib.suppress(RuntimeError):  # it has ended already
                self.run("stop", "--now")

    def serving(self) -> AbstractContextManager[Serving]:
        """Have a scheduler run in the foreground, once it serves: for one that runs nothing."""
        return serving(self.command("start", "--config_file", str(self.config)), self.environment)

    def seconds(self, verb: str, *words: str) -> float:
        """Return how many seconds a verb takes: the whole command."""
        begun = time.monotonic_ns()
        self.run(verb, *words)
        return (time.monotonic_ns() - begun) / 1e9


def element(tag: str, attributes: Mapping[str, str]) -> str:
    """Return an empty element."""
    return f"<{tag} {' '.join(f'{name}={quoteattr(text)}' for name, text in attributes.items())}/>"


def job(name: str, **attributes: str) -> str:
    """Return a job that runs the script of the stamps, with its own name as argument."""
    return element(
        "job", {"name": name, "script": "script.py", "arguments": "{routine}", **attributes}
    )


class Zones:
    """Time zones a few seconds off, so that minutely schedules trigger at any second.

    Schedules know whole minutes, and a benchmark has better things to do than to wait for one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def shifted_by(self, seconds: int) -> str:
        """Return a zone whose minutes begin so many seconds after those of UTC."""
        name = f"Benchmark/Plus{seconds % 60:02}"
        path = self.folder / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            header = b"TZif" + bytes(16) + struct.pack(">6l", 0, 0, 0, 0, 1, 4)
            path.write_bytes(header + struct.pack(">lBB", -(seconds % 60), 0, 0) + b"OFF\0")
        return name


def second_of_minute(ahead: float) -> int:
    """Return the second of the minute that comes so long from now."""
    return int(time.time_ns() / 1e9 + ahead + 1) % 60


def monotonic_from_utc() -> int:
    """Return what to subtract from nanoseconds since 1970 to have those of the monotonic clock."""
    return time.time_ns() - time.monotonic_ns()
