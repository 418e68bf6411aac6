"""The local executor, with real processes: what is reported, what is logged, what is left."""

import errno
import os
import queue
import re
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from scheduler.service.executors.local import LocalExecutor
from scheduler.service.executors.process_tree import Marker, end_unrecorded, tree_of
from scheduler.service.executors.processes import is_running
from scheduler.service.executors.protocol import Adoption, Exit, Found, Launch, LaunchError
from scheduler.service.executors.records import Record, RecordsFolder

TASK = "load.2026-10-01T02:00:00"
#: Far more than any step below takes on a busy machine.
LONG = 30.0

#: What only a supervisor of one attempt can do, or is done to it.
cold_only = pytest.mark.parametrize("world", ["cold"], indirect=True)
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="sessions and signals")


class World:
    """An executor, the folder its scripts and logs lie in, and what it has reported."""

    def __init__(self, folder: Path, *, warm: bool) -> None:
        self.folder = folder
        self.warm = warm
        # No other test, in whichever process, has scripts that bear the same marks.
        self.name = f"{folder.name}-{os.getpid()}"
        self.log = folder / "logs" / "load" / "2026-10-01T02-00-00.1.log"
        self.reports: queue.Queue[tuple[str, int, Exit]] = queue.Queue()
        self.records = RecordsFolder(folder / "attempts")
        self.generation = 1
        self._is_heard = True
        self.executor = LocalExecutor(self._report, self.records, "1")

    def _report(self, task: str, attempt: int, exit_: Exit) -> None:
        if self._is_heard:
            self.reports.put((task, attempt, exit_))

    def launch(
        self,
        body: str = "",
        *,
        attempt: int = 1,
        arguments: tuple[str, ...] = (),
        environment: dict[str, str] | None = None,
        log_limit: int = 1_000_000,
        grace: float = LONG,
    ) -> Launch:
        """Return the launch of a script with this body."""
        script = self.folder / "load.py"
        script.write_text(body, encoding="utf-8")
        marks = {
            "SCHEDULER_NAME": self.name,
            "SCHEDULER_TASK": TASK,
            "SCHEDULER_ATTEMPT": str(attempt),
        }
        return Launch(
            task=TASK,
            attempt=attempt,
            python=sys.executable,
            script=str(script),
            module=None,
            arguments=arguments,
            directory=str(self.folder),
            environment={**os.environ, **marks, **(environment or {})},
            log=self.log,
            log_limit=log_limit,
            grace=grace,
            warm=self.warm,
        )

    def start(self, body: str, **further: object) -> None:
        """Start a script with this body."""
        self.executor.start(self.launch(body, **further))  # type: ignore[arg-type]

    def begin(self, body: str, **further: object) -> Record:
        """Start a script with this body, and return its record once it has begun."""
        self.start(body, **further)
        until(lambda: list(self.records.found()))
        return list(self.records.found())[-1]

    def die(self) -> None:
        """Let the scheduler die, and the next one begin: it knows nothing but the records."""
        self.dead = self.executor
        self.generation += 1
        self.executor = LocalExecutor(self._report_again, self.records, str(self.generation))
        # The dead one goes on to watch, in this process; of what it sees nothing is heard.
        self._is_heard = False

    def _report_again(self, task: str, attempt: int, exit_: Exit) -> None:
        self.reports.put((task, attempt, exit_))

    def adoption(self, attempt: int = 1) -> Adoption:
        """Return what it takes to look after an attempt."""
        return Adoption(
            task=TASK,
            attempt=attempt,
            scheduler=self.name,
            database="",
            log=self.log,
            log_limit=1_000_000,
            grace=LONG,
        )

    def end(self) -> Exit:
        """Wait for the next report; what it cost is left out, as no two attempts cost the same."""
        return replace(self.end_with_cost(), peak_memory=None, cpu_time=None)

    def end_with_cost(self) -> Exit:
        """Wait for the next report."""
        return self.reports.get(timeout=LONG)[2]

    def run(self, body: str, **further: object) -> Exit:
        """Start a script and wait for its end."""
        self.start(body, **further)
        return self.end()

    def kill(self, *, hard: bool = False) -> None:
        self.executor.kill(TASK, 1, hard=hard)

    def logged(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def await_log(self, text: str) -> list[str]:
        """Wait until the log holds this text, and return its words."""
        until(lambda: text in self.logged())
        return self.logged().split()


def until(condition: Callable[[], object]) -> None:
    """Wait for a condition, with a deadline."""
    deadline = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


@pytest.fixture(params=["cold", "warm"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """Return a world whose attempts have all ended, and been reported once, when it goes."""
    world = World(tmp_path, warm=request.param == "warm")
    yield world
    world.executor.close()
    assert world.reports.empty()


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended, if not been reaped."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


# -- Ends ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "exit_"),
    [
        ("print('fine')", Exit(code=0)),
        ("import sys; sys.exit(99)", Exit(code=99)),
        ("import sys; sys.exit('no rows')", Exit(code=1, error="no rows")),
        ("import os; os._exit(3)", Exit(code=3)),
        ("raise ValueError('boom')", Exit(code=1, error="ValueError: boom")),
        ("if", Exit(code=1, error="SyntaxError: invalid syntax (load.py, line 1)")),
        ("import sys; sys.exit(0 if sys.stdin.read() == '' else 1)", Exit(code=0)),
        ("input()", Exit(code=1, error="EOFError: EOF when reading a line")),
    ],
)
def test_an_end_is_reported_with_its_code_and_its_last_words(
    world: World, body: str, exit_: Exit
) -> None:
    assert world.run(body) == exit_


@posix_only
@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", "SIGTERM"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGRTMIN + 1)", "signal 35"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
    ],
)
def test_a_signal_is_reported_by_its_name(world: World, body: str, name: str) -> None:
    assert world.run(body) == Exit(signal=name)


@posix_only
def test_an_interrupt_is_reported_as_one(world: World) -> None:
    assert world.run("raise KeyboardInterrupt") == Exit(signal="SIGINT", error="KeyboardInterrupt")


def test_a_failure_is_logged_with_the_users_frames_only(world: World) -> None:
    world.run("def f():\n    raise ValueError('boom')\nf()\n")
    frames = [line for line in world.logged().splitlines() if line.startswith("  File")]
    script = world.folder / "load.py"
    assert frames == [
        f'  File "{script}", line 3, in <module>',
        f'  File "{script}", line 2, in f',
    ]


def test_attempts_that_run_side_by_side_are_told_apart(world: World) -> None:
    launches = [
        world.launch("import sys; sys.exit(int(sys.argv[1]))", attempt=n, arguments=(str(n),))
        for n in range(1, 9)
    ]
    for launch in launches:
        world.executor.start(launch)
    reports = [world.reports.get(timeout=LONG) for _ in launches]
    assert sorted((n, exit_.code) for _, n, exit_ in reports) == [(n, n) for n in range(1, 9)]


def test_a_record_names_the_process_so_that_it_can_be_told_from_others(world: World) -> None:
    record = world.begin("import time; time.sleep(60)")
    script = psutil.Process(record.script.pid)
    assert script.ppid() == record.supervisor.pid
    assert is_running(record.script)
    assert not is_running(replace(record.script, start="1"))
    assert not is_running(replace(record.script, start="~1000000000.0"))
    world.kill()
    assert world.end().killed
    assert not is_running(record.script)


# -- What a script is given ----------------------------------------------------------------------


def test_arguments_environment_and_directory_arrive_as_they_are(world: World) -> None:
    words = ("--day", "two words", "ünï ↯", "", '"quoted"', "back\\slash")
    body = "import os, sys; print(ascii((sys.argv[1:], os.environ['MODE'], os.getcwd())))"
    world.run(body, arguments=words, environment={"MODE": "ä b"})
    assert world.logged().strip() == ascii((list(words), "ä b", str(world.folder)))


@posix_only
def test_an_attempt_has_a_session_of_its_own(world: World) -> None:
    record = world.begin("import os; print(os.getsid(0), os.getpgid(0))")
    world.end()
    assert world.logged().split() == [str(record.script.pid)] * 2


def test_a_module_runs_from_the_directory(world: World) -> None:
    (world.folder / "job.py").write_text("import sys; print(sys.argv[1:], __spec__.name)")
    launch = world.launch()
    world.executor.start(replace(launch, script=None, module="job", arguments=("a",)))
    assert world.end() == Exit(code=0)
    assert world.logged() == "['a'] job\n"


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_a_script_may_use_multiprocessing(world: World, method: str) -> None:
    exit_ = world.run(
        "import multiprocessing\n"
        "class Row: pass\n"
        "def work(n): return n * 2, Row()\n"
        "if __name__ == '__main__':\n"
        f"    with multiprocessing.get_context({method!r}).Pool(2) as pool:\n"
        "        print([(n, type(row) is Row) for n, row in pool.map(work, [1, 2])])\n"
    )
    assert (exit_, world.logged()) == (Exit(code=0), "[(2, True), (4, True)]\n")


# -- What cannot be started ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("script", "gone/load.py", "script {} does not exist"),
        ("python", "gone/python", "interpreter {} does not exist"),
        ("python", "plain.txt", "interpreter {} is not executable"),
        ("python", "broken", "{} could not be started: [Errno 8] Exec format error: '{}'"),
        ("directory", "gone", "directory {} does not exist"),
        ("directory", "plain.txt", "directory {} does not exist"),
        ("log", "plain.txt/1.log", "log {} could not be opened: "),
        ("log", "link.log", "log {} could not be opened: "),
    ],
)
@posix_only
def test_what_cannot_be_started_is_told_in_words(
    world: World, field: str, value: str, words: str
) -> None:
    (world.folder / "plain.txt").write_text("")
    (world.folder / "broken").write_text("nothing to run")
    (world.folder / "broken").chmod(0o755)
    (world.folder / "link.log").symlink_to(world.folder / "plain.txt")
    path = world.folder / value
    text = str(path)
    launch = world.launch()
    launch = {
        "script": replace(launch, script=text),
        "python": replace(launch, python=text),
        "directory": replace(launch, directory=text),
        "log": replace(launch, log=path),
    }[field]
    with pytest.raises(LaunchError) as raised:
        world.executor.start(launch)
    assert str(raised.value).startswith(words.format(path, path))


def test_words_that_no_system_takes_are_told_in_words(world: World) -> None:
    with pytest.raises(LaunchError, match="could not be started: embedded null byte"):
        world.start("", arguments=("a\0b",))


# -- Logs ----------------------------------------------------------------------------------------


def test_output_is_logged_as_it_comes(world: World) -> None:
    world.start("import sys, time\nprint('out', end=''); sys.stderr.write('err'); time.sleep(60)")
    world.await_log("outerr")
    world.kill()
    world.end()


def test_a_log_takes_any_bytes_and_lines_of_any_length(world: World) -> None:
    world.run(
        "import sys; sys.stdout.buffer.write(b'\\xff\\x00' + b'x' * 1_000_000)", log_limit=10**7
    )
    assert world.log.read_bytes() == b"\xff\x00" + b"x" * 1_000_000


def test_a_second_run_of_an_attempt_adds_to_its_log(world: World) -> None:
    world.run("print('one')")
    world.run("print('two')")
    assert world.logged() == "one\ntwo\n"


def test_a_log_beyond_its_limit_keeps_head_and_tail(world: World) -> None:
    world.run("for n in range(100_000): print(n)", log_limit=1000)
    text = world.logged()
    assert len(text) == 1000
    assert text.startswith("0\n1\n2\n") and text.endswith("99998\n99999\n")
    told = re.search(r"\n\[scheduler: ([\d,]+) bytes left out\]", text)
    # All but what stayed; or a little less, if it was cut while the script still wrote.
    assert told is not None and 500_000 < int(told[1].replace(",", "")) <= 587_954


@posix_only
def test_a_log_is_kept_short_while_its_attempt_still_writes(world: World) -> None:
    world.start(
        "import os, time\nprint('head')\n"
        "while not os.path.exists('stop'): print('x' * 999, flush=True); time.sleep(0.0001)\n"
        "print('tail')",
        log_limit=200_000,
    )
    until(lambda: "bytes left out" in world.logged())
    (world.folder / "stop").touch()
    assert world.end() == Exit(code=0)
    text = world.logged()
    assert text.startswith("head\nxxx") and text.endswith("xxx\ntail\n")
    assert len(text) == 200_000 and "\0" not in text and text.count("bytes left out") == 1


def test_without_a_log_the_terminal_is_written_to(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    launch = world.launch("print('hello')")
    world.executor.start(replace(launch, log=None))
    world.end()
    assert capfd.readouterr().out == "hello\n"


# -- Kills ---------------------------------------------------------------------------------------

#: A main process with a child, a child that has a session of its own and no marker, and a
#: grandchild that has a session of its own and has lost its parent.
FAMILY = """
import os, signal, subprocess, sys, time
SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
ORPHAN = '''
import subprocess, sys
child = subprocess.Popen(
    [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
)
print(child.pid, flush=True)
'''
print(os.getpid(), subprocess.Popen(SLEEP).pid)
print(subprocess.Popen(SLEEP, start_new_session=True, env={}).pid)
subprocess.run([sys.executable, "-c", ORPHAN])
print("ready", flush=True)
time.sleep(600)
"""

STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"


def family(world: World, prefix: str = "", **further: object) -> list[int]:
    """Start a family of processes and return their pids."""
    world.start(prefix + FAMILY, **further)
    pids = [int(word) for word in world.await_log("ready") if word.isdigit()]
    assert len(pids) == 4 and not any(is_gone(pid) for pid in pids)
    return pids


@posix_only
def test_a_polite_kill_leaves_nothing_of_the_tree(world: World) -> None:
    pids = family(world)
    world.kill()
    assert world.end() == Exit(signal="SIGTERM", killed=True)
    assert all(is_gone(pid) for pid in pids)


@posix_only
def test_a_tree_that_ignores_the_polite_kill_gets_the_hard_one_after_the_grace(
    world: World,
) -> None:
    pids = family(world, STUBBORN, grace=0.2)
    began = time.monotonic()
    world.kill()
    assert world.end() == Exit(signal="SIGKILL", killed=True)
    assert time.monotonic() - began >= 0.2
    assert all(is_gone(pid) for pid in pids)


@posix_only
def test_a_second_kill_turns_a_polite_one_hard(world: World) -> None:
    pids = family(world, STUBBORN)
    world.kill()
    world.kill()
    assert not is_gone(pids[0])
    world.kill(hard=True)
    assert world.end() == Exit(signal="SIGKILL", killed=True)
    assert all(is_gone(pid) for pid in pids)


@posix_only
def test_a_hard_kill_asks_nobody(world: World) -> None:
    world.start(
        "import signal, time\nsignal.signal(15, lambda *a: print('asked'))\nprint('ready')\n"
        "time.sleep(600)"
    )
    world.await_log("ready")
    world.kill(hard=True)
    assert world.end() == Exit(signal="SIGKILL", killed=True)
    assert world.logged() == "ready\n"


@posix_only
def test_a_script_is_asked_once_and_may_end_in_order(world: World) -> None:
    world.start(
        "import signal, sys, time\n"
        "def stop(*_):\n    print('asked'); time.sleep(0.3); sys.exit(4)\n"
        "signal.signal(signal.SIGTERM, stop)\nprint('ready')\ntime.sleep(600)"
    )
    world.await_log("ready")
    world.kill()
    world.kill()
    assert world.end() == Exit(code=4, killed=True)
    assert world.logged().split() == ["ready", "asked"]


@posix_only
def test_a_main_process_that_ends_first_does_not_save_its_children(world: World) -> None:
    world.start(
        "import subprocess, sys, time\n"
        "code = 'from signal import *; signal(15, SIG_IGN); print(1); sigwait([SIGUSR1])'\n"
        "child = subprocess.Popen([sys.executable, '-uc', code], stdout=subprocess.PIPE)\n"
        "child.stdout.readline(); print(child.pid, 'ready', flush=True); time.sleep(600)",
        grace=0.2,
    )
    pid = int(world.await_log("ready")[0])
    world.kill()
    assert world.end() == Exit(signal="SIGTERM", killed=True)
    assert is_gone(pid)


@posix_only
def test_a_process_that_keeps_moving_to_a_new_pid_is_caught(world: World) -> None:
    world.start(
        "import os, time\nprint('ready', flush=True)\nif os.fork(): time.sleep(600)\n"
        "end = time.monotonic() + 60\n"
        "while time.monotonic() < end:\n"
        "    if os.fork(): os._exit(0)\n"
        "    os.setsid()\n"
        "    time.sleep(0.02)\n"
    )
    world.await_log("ready")
    world.kill(hard=True)
    assert world.end() == Exit(signal="SIGKILL", killed=True)
    assert not tree_of(None, Marker(scheduler=world.name, task=TASK, attempt=1))


@posix_only
def test_what_a_script_leaves_in_the_background_goes_on(world: World) -> None:
    exit_ = world.run(
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(child.pid)"
    )
    child = psutil.Process(int(world.logged()))
    assert exit_ == Exit(code=0) and not is_gone(child.pid)
    child.kill()


def test_a_kill_of_what_has_ended_or_never_was_does_nothing(world: World) -> None:
    world.kill()
    assert world.run("") == Exit(code=0)
    world.kill(hard=True)


def lack_a_thread(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let threads whose target is a function of this name not start any more."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if getattr(thread, "_target").__name__ == name:  # noqa: B009
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)


def test_an_attempt_whose_log_nobody_can_look_at_runs_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    lack_a_thread(monkeypatch, "_look")
    assert world.run("for n in range(100_000): print(n)", log_limit=1000) == Exit(code=0)
    assert len(world.logged()) == 1000


@posix_only
def test_a_kill_with_no_thread_left_for_it_is_a_hard_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = family(world, STUBBORN)
    lack_a_thread(monkeypatch, "_end")
    world.kill()
    assert world.end() == Exit(signal="SIGKILL", killed=True)
    assert all(is_gone(pid) for pid in pids)


# -- What it cost --------------------------------------------------------------------------------

BURN = "import time\nwhile time.process_time() < 0.2: pass\n"
BY_A_CHILD = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', {body!r}])"


@posix_only
@pytest.mark.parametrize("body", [BURN, BY_A_CHILD.format(body=BURN)], ids=["itself", "a child"])
def test_processor_time_is_that_of_the_script_and_what_it_waited_for(
    world: World, body: str
) -> None:
    world.start(body)
    cpu_time = world.end_with_cost().cpu_time
    assert cpu_time is not None and 0.2 <= cpu_time < LONG


@posix_only
@pytest.mark.parametrize("body", ["{fill}", BY_A_CHILD.format(body="{fill}")])
def test_peak_memory_is_that_of_the_largest_process(world: World, body: str) -> None:
    size = 100_000_000
    world.start(body.format(fill=f'x = b"x" * {size}'))
    peak = world.end_with_cost().peak_memory
    assert peak is not None and size <= peak < 2 * size


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a child does not inherit the peak")
@pytest.mark.parametrize(
    "body",
    [
        "print('small')",
        "1 / 0",
        "import os; os._exit(0)",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    ],
)
def test_the_peak_of_the_scheduler_is_not_taken_for_that_of_a_small_script(
    world: World, body: str
) -> None:
    ballast = bytearray(b"x" * 100_000_000)
    world.start(body)
    end = world.end_with_cost()
    assert end.cpu_time is not None
    assert end.peak_memory is not None
    assert 2_000_000 < end.peak_memory < 60_000_000 < len(ballast)


# -- What a scheduler that died has left ---------------------------------------------------------


def _no_such_call(pid: int) -> int:
    raise OSError(errno.ENOSYS, "as a kernel before 5.3 says")


@pytest.fixture(params=["pidfd", "a kernel without", "a Python without"])
def either_wait(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the end of a process waited for with and without pidfd."""
    if request.param == "a kernel without":
        monkeypatch.setattr(os, "pidfd_open", _no_such_call, raising=False)
    elif request.param == "a Python without":
        monkeypatch.delattr(os, "pidfd_open", raising=False)


SLEEP = "print('ready', flush=True); import time; time.sleep(600)"


@posix_only
@pytest.mark.usefixtures("either_wait")
def test_a_script_that_still_runs_is_looked_after_by_the_next_scheduler(world: World) -> None:
    record = world.begin(SLEEP)
    world.die()
    assert world.executor.find(TASK, 1) == Found(is_running=True)
    world.executor.adopt(world.adoption())
    os.kill(record.script.pid, signal.SIGTERM)
    assert world.end() == Exit(signal="SIGTERM")


@posix_only
@pytest.mark.usefixtures("either_wait")
def test_a_script_that_was_adopted_is_killed_with_its_tree(world: World) -> None:
    pids = family(world)
    world.die()
    assert world.executor.find(TASK, 1) == Found(is_running=True)
    world.executor.adopt(world.adoption())
    world.kill()
    assert world.end() == Exit(signal="SIGTERM", killed=True)
    assert all(is_gone(pid) for pid in pids)


@posix_only
@pytest.mark.parametrize(
    ("body", "exit_"),
    [
        ("", Exit(code=0)),
        ("import os; os._exit(7)", Exit(code=7)),
        ("raise ValueError('boom')", Exit(code=1, error="ValueError: boom")),
        ("import os; os.kill(os.getpid(), 9)", Exit(signal="SIGKILL")),
    ],
)
def test_an_end_that_no_scheduler_saw_is_on_record(world: World, body: str, exit_: Exit) -> None:
    world.start(body)
    assert world.end() == exit_  # the dead one in this process sees it too: it forgets nothing
    until(lambda: all(record.ended for record in world.records.found()))
    world.die()
    found = world.executor.find(TASK, 1)
    assert found is not None and found.exit is not None
    assert found.exit.ended_at is not None and found.exit.cpu_time is not None
    seen = replace(found.exit, ended_at=None, cpu_time=None, peak_memory=None)
    assert (found.is_running, seen) == (False, exit_)
    world.executor.forget(TASK, 1)
    assert list(world.records.found()) == []


@posix_only
@pytest.mark.usefixtures("either_wait")
def test_an_end_that_nobody_saw_is_lost(world: World) -> None:
    record = world.begin(SLEEP)
    os.kill(record.supervisor.pid, signal.SIGKILL)
    os.kill(record.script.pid, signal.SIGKILL)
    assert world.end() == Exit(is_lost=True)
    world.die()
    assert world.executor.find(TASK, 1) == Found(is_running=False, exit=Exit(is_lost=True))


@posix_only
@pytest.mark.usefixtures("either_wait")
def test_a_script_whose_supervisor_was_killed_is_still_awaited(world: World) -> None:
    record = world.begin(SLEEP)
    os.kill(record.supervisor.pid, signal.SIGKILL)
    until(lambda: not is_running(record.supervisor))
    assert world.reports.empty() and is_running(record.script)
    os.kill(record.script.pid, signal.SIGTERM)
    assert world.end() == Exit(is_lost=True)


@posix_only
def test_without_descriptors_nothing_is_concluded_of_an_attempt(world: World) -> None:
    record = world.begin(SLEEP)
    with no_descriptor_left():
        os.kill(record.supervisor.pid, signal.SIGKILL)
        until(lambda: has_been_reaped(record.supervisor.pid))
        with pytest.raises(queue.Empty):
            world.reports.get(timeout=1)
    assert is_running(record.script)
    os.kill(record.script.pid, signal.SIGTERM)
    assert world.end() == Exit(is_lost=True)


def has_been_reaped(pid: int) -> bool:
    """Return whether a process is gone; it takes no descriptor to find out."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    """Let this process open nothing."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@posix_only
def test_a_late_child_of_a_dead_scheduler_does_not_begin(world: World) -> None:
    slow = world.folder / "slow_python"
    slow.write_text(
        f"#!/bin/sh\nwhile [ ! -e {world.folder}/go ]; do sleep 0.01; done\n"
        f'exec {sys.executable} "$@"\n'
    )
    slow.chmod(0o755)
    launch = replace(world.launch("open('ran', 'w')"), python=str(slow))
    world.executor.start(launch)
    world.die()
    assert world.executor.find(TASK, 1) is None, "it has not begun, and never will"
    (world.folder / "go").touch()
    world.dead.close()
    assert not (world.folder / "ran").exists()
    assert list(world.records.found()) == []
    assert world.run("open('ran', 'w')") == Exit(code=0), "the next scheduler begins it, once"
    assert (world.folder / "ran").exists()


@posix_only
def test_a_kill_before_the_beginning_lets_nothing_begin(world: World) -> None:
    never = world.folder / "never_python"
    never.write_text("#!/bin/sh\nsleep 600\n")
    never.chmod(0o755)
    world.executor.start(replace(world.launch("open('ran', 'w')"), python=str(never)))
    world.kill(hard=True)
    assert world.end() == Exit(signal="SIGKILL", killed=True)
    assert not (world.folder / "ran").exists()


@posix_only
@cold_only
def test_a_kill_before_the_beginning_reaches_what_the_interpreter_has_started(world: World) -> None:
    wrapper = world.folder / "wrapper"
    wrapper.write_text("#!/bin/sh\necho $$\nsleep 600 &\necho $!\nwait\n")
    wrapper.chmod(0o755)
    world.executor.start(replace(world.launch(), python=str(wrapper)))
    until(lambda: len(world.logged().split()) == 2)
    world.kill(hard=True)
    assert world.end().killed
    until(lambda: all(is_gone(int(pid)) for pid in world.logged().split()))


# Has the supervisor be killed right after it has forked, and its other half go on later.
KILLED_AT_THE_FORK = """\
import os, signal, time
fork = os.fork
def fork_and_die():
    pid = fork()
    if pid:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.2)
    open("forked", "w").close()
    return pid
os.fork = fork_and_die
"""


@posix_only
@cold_only
def test_what_its_supervisor_did_not_put_on_record_does_not_begin(world: World) -> None:
    (world.folder / "sitecustomize.py").write_text(KILLED_AT_THE_FORK)
    world.start("open('ran', 'w')", environment={"PYTHONPATH": str(world.folder)})
    assert world.end() == Exit(signal="SIGKILL")
    until((world.folder / "forked").exists)
    until(lambda: not [one for one in psutil.process_iter() if str(world.folder) in _words(one)])
    assert not (world.folder / "ran").exists()
    assert list(world.records.found()) == []


def _words(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


NO_FORK = """\
import errno, os
def fork():
    raise OSError(errno.EAGAIN, "no process left")
os.fork = fork
"""


@posix_only
@cold_only
def test_where_no_process_is_left_for_a_script_that_is_said(world: World) -> None:
    (world.folder / "sitecustomize.py").write_text(NO_FORK)
    end = world.run("open('ran', 'w')", environment={"PYTHONPATH": str(world.folder)})
    assert end.refused is not None and "no process left" in end.refused, end
    assert "no process left" in world.logged() and "Traceback" not in world.logged()
    assert not (world.folder / "ran").exists()


@posix_only
def test_an_attempt_whose_records_folder_was_deleted_still_ends_as_it_does(world: World) -> None:
    world.begin("import sys; sys.stdin.read(); import time; time.sleep(0.2); sys.exit(3)")
    shutil.rmtree(world.folder / "attempts")
    assert world.end() == Exit(code=3)
    assert world.run("", attempt=2) == Exit(code=0)


@posix_only
@cold_only
def test_what_runs_though_its_record_was_deleted_is_found_again(world: World) -> None:
    record = world.begin(
        "print('ready', flush=True); import time; time.sleep(1); raise SystemExit(3)"
    )
    shutil.rmtree(world.records.folder)
    world.die()
    assert world.executor.find(TASK, 1) == Found(is_running=True)
    assert list(world.records.found()) == [record]
    world.executor.adopt(world.adoption())
    assert world.end() == Exit(code=3), "its supervisor has it on record again"


@posix_only
def test_without_any_record_what_does_not_run_may_have_run(world: World) -> None:
    world.run("")
    shutil.rmtree(world.records.folder)
    world.die()
    assert world.executor.find(TASK, 1) == Found(is_running=False, exit=Exit(is_lost=True))


@posix_only
@cold_only
def test_a_folder_of_records_that_is_made_anew_has_those_of_what_runs(world: World) -> None:
    record = world.begin(SLEEP)
    shutil.rmtree(world.records.folder)
    world.start("", attempt=2)
    assert world.end() == Exit(code=0)
    until(lambda: record in list(world.records.found()))
    world.die()
    assert world.executor.find(TASK, 1) == Found(is_running=True)
    assert world.executor.find(TASK, 3) is None, "it had not begun"
    world.executor.adopt(world.adoption())
    world.kill()
    assert world.end() == Exit(signal="SIGTERM", killed=True)


@posix_only
@cold_only
def test_a_script_without_record_and_supervisor_is_awaited_and_can_be_killed(world: World) -> None:
    record = world.begin(SLEEP)
    os.kill(record.supervisor.pid, signal.SIGKILL)
    until(lambda: not is_running(record.supervisor))
    shutil.rmtree(world.records.folder)
    world.die()
    assert world.executor.find(TASK, 1) == Found(is_running=True)
    world.executor.adopt(world.adoption())
    world.kill()
    assert world.end() == Exit(is_lost=True, killed=True)
    assert not is_running(record.script)


@posix_only
def test_what_runs_and_is_no_task_is_told_of(world: World) -> None:
    record = world.begin(SLEEP)
    world.die()
    (line,) = world.executor.strays()
    assert line.startswith("attempt load.2026-10-01T02-00-00.1 of an earlier run")
    assert line.endswith(f"still runs: pid {record.script.pid}")
    os.kill(record.script.pid, signal.SIGKILL)
    ends = record.script if record.is_warm else record.supervisor
    until(lambda: not is_running(ends))
    assert world.executor.strays() == ()
    assert list(world.records.found()) == []


@posix_only
@cold_only
def test_what_an_older_version_left_is_ended_by_its_marker(world: World) -> None:
    pids = family(world)
    end_unrecorded(replace(world.adoption(), scheduler="another"))
    end_unrecorded(world.adoption(attempt=2))
    assert not is_gone(pids[0])
    end_unrecorded(world.adoption())
    assert world.end().killed is False
    assert all(is_gone(pid) for pid in (pids[0], pids[1], pids[3]))


def test_nothing_is_left_of_the_records_when_all_has_ended(world: World) -> None:
    world.run("")
    world.executor.forget(TASK, 1)
    world.executor.close()
    assert not (world.folder / "attempts").exists()
