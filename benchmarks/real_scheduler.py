"""A real scheduler over a folder, for the benchmarks that need one: its verbs, its process."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

NAME = "measured"
_MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A data folder, with the environment that its verbs run in."""

    path: Path

    @classmethod
    def made(cls, path: Path, registry: str) -> "Folder":
        """Make a data folder with this registry, of which each job runs ``s.py``."""
        path = path.resolve()
        path.mkdir(parents=True, exist_ok=True)
        (path / "registry.xml").write_text(registry)
        (path / "config.cfg").write_text("")
        (path / "s.py").touch()
        return cls(path=path)

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of its verbs."""
        return {**os.environ, "SCHEDULER_HOME": str(self.path)}

    def run(self, *words: str) -> str:
        """Run a verb, and return what it prints."""
        command = [sys.executable, "-m", "scheduler", *words]
        return subprocess.run(
            command, env=self.environment, check=True, stdout=subprocess.PIPE, text=True
        ).stdout

    def timed(self, *words: str) -> float:
        """Return how many seconds a verb takes: the whole command."""
        begun = time.perf_counter()
        self.run(*words)
        return time.perf_counter() - begun

    def forget(self) -> None:
        """Forget all that a scheduler has left here."""
        for found in self.path.glob("scheduler.db*"):
            shutil.rmtree(found) if found.is_dir() else found.unlink()
        for name in ("instance", "known", "logs"):
            shutil.rmtree(self.path / name, ignore_errors=True)

    @contextmanager
    def scheduler(self) -> Generator["Running", None, None]:
        """Have a scheduler run here."""
        config = str(self.path / "config.cfg")
        begun = time.perf_counter()
        told = self.run("start", "--scheduler_name", NAME, "--config_file", config, "--daemon")
        seconds = time.perf_counter() - begun
        found = re.search(r"pid (\d+)", told)
        assert found is not None, told
        try:
            yield Running(process=psutil.Process(int(found[1])), seconds=seconds)
        finally:
            self.run("stop", "--scheduler_name", NAME, "--now")


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A scheduler that serves."""

    process: psutil.Process
    seconds: float  # from the command to the first answer

    @property
    def resident(self) -> float:
        """Return how much memory it holds, in MiB."""
        return float(self.process.memory_info().rss) / _MIB

    def processor_over(self, seconds: float) -> float:
        """Return the seconds of processor time that it takes in a span of time."""
        before = self.processor
        time.sleep(seconds)
        return self.processor - before

    @property
    def processor(self) -> float:
        """Return the seconds of processor time that it has taken so far."""
        times = self.process.cpu_times()
        return float(times.user + times.system)
