"""A data folder of its own for each test, and the real command over it.

What runs in it is found by SCHEDULER_HOME in its environment, which every process of a scheduler
inherits: at the end of a test nothing of it is left, however the test went.
"""

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from scheduler.errors import SchedulerError
from scheduler.service.client import Client
from scheduler.service.instance import Instance, find

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = (sys.executable, str(ROOT / "scheduler.py"))
DEADLINE = 60.0  # seconds: far beyond what anything takes, even on a loaded machine
ENDS = ("succeeded", "failed", "cancelled", "skipped")

#: A script that goes on until the test says so: `DataFolder.let_go`.
UNTIL_LET_GO = """\
import pathlib, time
print("begun", flush=True)
while not pathlib.Path("go").exists():
    time.sleep(0.01)
"""

# Makes the terminal on stdin the controlling one, so that its keys and its end are signals.
_ON_TERMINAL = (
    "import fcntl, os, sys, termios;"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a command did."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Return what it printed, as data."""
        return json.loads(self.out)

    def ok(self) -> "Result":
        """Return this, if the command succeeded and had nothing to complain about."""
        assert (self.code, self.err) == (0, ""), self
        return self

    def mistake(self) -> str:
        """Return the one line that says what the user got wrong."""
        assert self.code == 2, self
        assert self.err.count("\n") == 1 and self.err.endswith("\n"), self
        assert self.out == "" and "Traceback" not in self.err, self
        return self.err.removeprefix("scheduler: ").rstrip()


def wait_until(
    is_so: Callable[[], object], what: str = "the condition", *, seconds: float = DEADLINE
) -> None:
    """Return once something is so; fail if it does not come to be."""
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.02)


@contextlib.contextmanager
def a_folder(place: Path) -> Iterator["DataFolder"]:
    """Give a new data folder, in a path with a space in it; end all that runs in it."""
    path, home, elsewhere = (place / name for name in ("my data", "home", "elsewhere"))
    for made in (path, home, elsewhere):
        made.mkdir()
    folder = DataFolder(path=path, home=home, elsewhere=elsewhere)
    folder.write_config()
    try:
        yield folder
    finally:
        folder.close()


@dataclass
class DataFolder:
    """One data folder, and what is done with it."""

    path: Path
    home: Path
    elsewhere: Path  # the working directory of the commands
    name: str = "night"
    windows: list["Window"] = field(default_factory=list["Window"])

    # -- its files -------------------------------------------------------------------------

    @property
    def config(self) -> Path:
        """Return the path of its config file."""
        return self.path / "config.cfg"

    @property
    def database(self) -> Path:
        """Return the path of its database."""
        return self.path / "scheduler.db"

    def write_config(self, text: str = "", *, head: str = "") -> None:
        """Write its config file; ``head`` goes below [DEFAULT], ``text`` after its zone."""
        self.config.write_text(f"[DEFAULT]\n{head}\n[scheduler]\ntimezone = UTC\n{text}\n")

    def write_jobs(self, jobs: str) -> None:
        """Write its registry."""
        (self.path / "registry.xml").write_text(f"<registry>\n{jobs}\n</registry>\n")

    def write_script(self, name: str, text: str) -> Path:
        """Write a script."""
        script = self.path / name
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(text)
        return script

    def let_go(self) -> None:
        """Let scripts end that go on until they are told."""
        (self.path / "go").touch()

    def has(self, name: str) -> Callable[[], bool]:
        """Return what tells whether a script has written this file."""
        return (self.path / name).exists

    def log_of(self, task: str, attempt: int = 1) -> bytes:
        """Return what an attempt wrote."""
        routine, _, instant = task.rpartition(".")
        file = f"{instant.replace(':', '-')}.{attempt}.log"
        return (self.path / "logs" / routine / file).read_bytes()

    # -- the command -----------------------------------------------------------------------

    @property
    def environment(self) -> Mapping[str, str]:
        """Return the environment of its commands."""
        plain = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "TERM")}
        own = {"SCHEDULER_HOME": str(self.home), "TMPDIR": str(self.elsewhere), "TZ": "UTC"}
        return {**plain, **own}

    def run(
        self,
        *words: str,
        program: tuple[str, ...] = PROGRAM,
        cwd: Path | None = None,
        **variables: str,
    ) -> Result:
        """Run a command to its end."""
        done = subprocess.run(
            [*program, *words],
            cwd=cwd or self.elsewhere,
            env={**self.environment, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=DEADLINE,
            check=False,
        )
        return Result(
            words=words,
            code=done.returncode,
            out=done.stdout.decode(errors="backslashreplace"),
            err=done.stderr.decode(errors="backslashreplace"),
        )

    def start_words(self, *options: str, name: str | None = None) -> tuple[str, ...]:
        """Return the words that start its scheduler."""
        named = ("--scheduler_name", name or self.name, "--config_file", str(self.config))
        return ("start", *named, *options)

    def start(self, *options: str) -> str:
        """Start its scheduler as a daemon, and return what that printed."""
        return self.run(*self.start_words("--daemon", *options)).ok().out

    def open_window(self, *options: str) -> "Window":
        """Start its scheduler in a window: the foreground of a terminal."""
        window = Window(self.start_words(*options), self.environment, self.elsewhere)
        self.windows.append(window)
        return window

    def stop(self, *options: str) -> str:
        """Stop its scheduler, and return what that printed."""
        return self.run("stop", *options).ok().out

    # -- what became of it -----------------------------------------------------------------

    def ask(self, verb: str, **parameters: str) -> Any:
        """Return an answer of its live scheduler, without the cost of a command."""
        return Client(self.live()).get(verb, **parameters)

    def fate(self, task: str) -> Any:
        """Return the record of a task; None if there is none."""
        try:
            return self.ask("history", task=task)["fates"][0]
        except SchedulerError:
            return None

    def state(self, task: str) -> str:
        """Return the state of a task."""
        fate = self.fate(task)
        return "none" if fate is None else str(fate["state"])

    def wait_for(self, task: str, *states: str) -> Any:
        """Return the record of a task once it is in one of these states: by default ended."""
        wanted = states or ENDS

        def is_so() -> bool:
            state = self.state(task)
            assert state in wanted or state not in ENDS, self.fate(task)
            return state in wanted

        wait_until(is_so, f"{task} to be {' or '.join(wanted)}")
        return self.fate(task)

    def execute(self, routine: str, *options: str) -> str:
        """Have a routine run now, and return its task."""
        return str(self.run("execute", routine, *options, "--json").ok().json["tasks"][0])

    def executed(self, routine: str, *options: str) -> Any:
        """Have a routine run now, and return the record of its task once that has ended."""
        return self.wait_for(self.execute(routine, *options))

    # -- its processes ---------------------------------------------------------------------

    @contextlib.contextmanager
    def at_home(self) -> Iterator[None]:
        """Have this very process look for schedulers where the folder's are."""
        before = os.environ["SCHEDULER_HOME"]
        os.environ["SCHEDULER_HOME"] = str(self.home)
        try:
            yield
        finally:
            os.environ["SCHEDULER_HOME"] = before

    def live(self) -> Instance:
        """Return its live scheduler."""
        with self.at_home():
            return find(self.name)

    def pid(self) -> int:
        """Return the pid of its live scheduler."""
        return self.live().pid

    def processes(self) -> list[psutil.Process]:
        """Return all that runs in it: schedulers, commands, scripts, and what those started."""
        found: list[psutil.Process] = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get("SCHEDULER_HOME") == str(self.home):
                    found.append(process)
        return [one for one in found if one.pid != os.getpid() and is_alive(one)]

    def working(self) -> list[psutil.Process]:
        """Return all that runs in it, but for the warm interpreters that its scheduler keeps."""
        kept: list[psutil.Process] = []
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                is_warm = "--warm" in process.cmdline() and process.ppid() == self.pid()
                if not is_warm:
                    kept.append(process)
        return kept

    def kill_scheduler(self) -> None:
        """Kill its scheduler, and nothing else, at once."""
        process = psutil.Process(self.pid())
        process.kill()
        wait_until(lambda: not is_alive(process), "the scheduler to be gone")

    def is_quiet(self) -> bool:
        """Return whether nothing runs in it."""
        return not self.processes()

    def close(self) -> None:
        """End all that runs in it."""
        while left := self.processes():
            for process in left:
                with contextlib.suppress(psutil.Error):
                    process.kill()
        for window in self.windows:
            window.close()


class Window:
    """A scheduler in the foreground of a terminal."""

    def __init__(self, words: tuple[str, ...], environment: Mapping[str, str], cwd: Path) -> None:
        self._terminal, its_side = pty.openpty()
        fcntl.ioctl(its_side, termios.TIOCSWINSZ, b"\x32\x00\xc8\x00\x00\x00\x00\x00")  # 50 x 200
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _ON_TERMINAL, *PROGRAM, *words],
                cwd=cwd,
                env={**environment, "TERM": "xterm"},
                stdin=its_side,
                stdout=its_side,
                stderr=its_side,
                start_new_session=True,
            )
        finally:
            os.close(its_side)
        self._is_open = True
        self.text = ""

    def read_until(self, words: str) -> str:
        """Return all that it has shown, once that holds these words."""
        until = time.monotonic() + DEADLINE
        while words not in self.text:
            assert time.monotonic() < until, f"waited in vain for {words!r} in {self.text!r}"
            assert self._read(0.1), f"it ended without {words!r}: {self.text!r}"
        return self.text

    def press_ctrl_c(self) -> None:
        """Press Ctrl-C in it."""
        self.type("\x03")

    def type(self, keys: str) -> None:
        """Press these keys in it."""
        os.write(self._terminal, keys.encode())

    def signal(self, number: signal.Signals) -> None:
        """Send its process a signal."""
        self.process.send_signal(number)

    def end(self) -> int:
        """Return the exit code once its process has ended; what it showed is in ``text``."""
        until = time.monotonic() + DEADLINE
        while self._read(0.1):
            assert time.monotonic() < until, f"it does not end: {self.text!r}"
        return self.process.wait(DEADLINE)

    def hang_up(self) -> None:
        """Close the terminal, as closing its window does."""
        if self._is_open:
            self._is_open = False
            os.close(self._terminal)

    def close(self) -> None:
        """Close it, and end what runs in it."""
        self.process.kill()
        self.process.wait()
        self.hang_up()

    def _read(self, seconds: float) -> bool:
        """Read what it shows now; return False if it never will show more."""
        if not self._is_open or not select.select([self._terminal], [], [], seconds)[0]:
            return self.process.poll() is None
        try:
            data = os.read(self._terminal, 65536)
        except OSError:  # nobody has the other side open any more
            return False
        self.text += data.decode(errors="replace").replace("\r\n", "\n")
        return True


def is_alive(process: psutil.Process) -> bool:
    """Tell whether a process runs; one that only waits to be reaped does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
