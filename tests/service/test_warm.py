"""No script can tell whether it was started warm or cold: each awkward one is run both ways.

A warm start is a fork of a warm interpreter, a cold one begins with a new interpreter.  What cannot
be made equal has to be started cold, whatever its launch allows.
"""

import logging
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from scheduler.service.executors import local, warm_pool
from scheduler.service.executors.local import LocalExecutor
from scheduler.service.executors.protocol import Exit, Launch, LaunchError
from scheduler.service.executors.records import RecordsFolder
from tests.support.awkward import Awkward
from tests.support.awkward_processes import PROCESSES
from tests.support.awkward_scripts import AWKWARD

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="warm starts are Linux's")

needs_warm_starts = pytest.mark.skipif(
    not hasattr(LocalExecutor, "warm_starts"), reason="there are no warm starts yet"
)

TASK = "load.2026-10-01T02:00:00"
#: Far more seconds than any script takes on a busy machine.
LONG = 30.0
LOG_LIMIT = 10_000_000

#: Much of the standard library, with all that it sets up when it is imported.
PRELOADED = "asyncio concurrent.futures decimal json logging.config multiprocessing random sqlite3"

#: What may differ from one run to another, with the word that stands for it.
_CHANCE = [
    (re.compile(pattern), word)
    for pattern, word in (
        (r"0x[0-9a-f]+", "ADDRESS"),
        (r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\b", "TIME"),
        (r"\b(started|stopped)( daemon)? \d+", r"\1\2 IDENT"),
        (r"\b(pid[= ])\d+", r"\1PID"),
        (r"(/tmp/\w*?)[a-z0-9_]{8}\b", r"\1CHANCE"),
        # How deep the script's own frames lie is nobody's business.
        (r"(Previous line repeated) \d+ (more times)", r"\1 N \2"),
        (r"\b(tests? in) \d+\.\d+s", r"\1 TIME"),
        (r"(object refcount) : \d+", r"\1 : N"),
    )
]


_EXECUTORS = re.escape(os.path.dirname(local.__file__))
#: A frame of ours in a traceback, with its source, or in what a fault handler dumps.
_OUR_FRAME = re.compile(
    rf'^ *File "{_EXECUTORS}/\w+\.py", line \d+,? in .*\n(?: {{4}}.*\n)*', re.MULTILINE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What can be seen of an attempt from outside."""

    exit: Exit | None  # without what it cost; None if it was refused
    refusal: str | None
    log: str  # without frames of ours
    shows_us: bool = False  # whether there were some
    left: Mapping[str, str]  # the files named left…, which it has written


class World:
    """An executor whose warm interpreters serve all scripts, one after the other."""

    def __init__(self, folder: Path) -> None:
        self.reports: queue.Queue[tuple[str, int, Exit]] = queue.Queue()
        self.executor = LocalExecutor(
            lambda task, attempt, exit_: self.reports.put((task, attempt, exit_)),
            RecordsFolder(folder / "attempts"),
            "1",
        )
        self._attempts = 0

    @property
    def warm_starts(self) -> int:
        """Return how many attempts were started by fork of a warm interpreter so far."""
        return getattr(self.executor, "warm_starts", 0)

    def run(self, awkward: Awkward, place: Path, *, warm: bool, preload: str = "") -> Outcome:
        """Run a script in a folder that holds nothing but what it needs."""
        folder = laid_out(awkward, place)
        self._attempts += 1
        log = place / "logs" / f"{self._attempts}.log"
        launch = replace(
            launch_of(awkward, folder),
            attempt=self._attempts,
            log=log,
            warm=warm,
            preload=tuple(preload.split()),
        )
        try:
            self.executor.start(launch)
        except LaunchError as error:
            return Outcome(exit=None, refusal=_plain(str(error), log, place), log="", left={})
        exit_ = self.reports.get(timeout=LONG)[2]
        self.executor.forget(TASK, self._attempts)
        if awkward.awaits is not None:
            _await(folder / awkward.awaits)
        exit_ = replace(exit_, peak_memory=None, cpu_time=None, ended_at=None)
        if exit_.error is not None:
            exit_ = replace(exit_, error=_plain(exit_.error, log, place))
        return outcome_of(exit_, log, place)


def outcome_of(exit_: Exit, log: Path, place: Path) -> Outcome:
    """Return what an attempt has left behind."""
    text = log.read_bytes().decode("utf-8", "backslashreplace")
    without_us = _OUR_FRAME.sub("", text)
    return Outcome(
        exit=exit_,
        refusal=None,
        log=_plain(without_us, log, place),
        shows_us=without_us != text,
        left={path.name: path.read_text() for path in (place / "work").glob("left*")},
    )


def laid_out(awkward: Awkward, place: Path) -> Path:
    """Return a folder that holds what the script needs, and nothing that one has left."""
    folder = place / "work"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files = dict(awkward.files)
    if awkward.body is not None:
        files[awkward.written] = awkward.body
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    awkward.prepare(folder)
    return folder


def launch_of(awkward: Awkward, folder: Path) -> Launch:
    own = {name: value.format(folder=folder) for name, value in awkward.environment.items()}
    inherited = {
        name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ
    }
    marks = {"SCHEDULER_NAME": folder.name, "SCHEDULER_TASK": TASK, "SCHEDULER_ATTEMPT": "1"}
    return Launch(
        task=TASK,
        attempt=1,
        python=sys.executable,
        script=None
        if awkward.module is not None
        else f"{folder}/{awkward.script or awkward.written}",
        module=awkward.module,
        arguments=awkward.arguments,
        directory=str(folder / awkward.directory),
        environment={**inherited, "HOME": str(folder), "LANG": "C.UTF-8", **marks, **own},
        log=None,
        log_limit=LOG_LIMIT,
        grace=LONG,
    )


def _await(path: Path) -> None:
    deadline = time.monotonic() + LONG
    while not path.exists():
        assert time.monotonic() < deadline, f"waited in vain for {path.name}"
        time.sleep(0.005)


def _plain(text: str, log: Path, place: Path) -> str:
    """Return a text without what changes from one run to another."""
    text = text.replace(str(log), "LOG").replace(str(place), "PLACE")
    for pattern, word in _CHANCE:
        text = pattern.sub(word, text)
    return text


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("warm"))
    yield world
    world.executor.close()
    assert world.reports.empty()


def by_python_itself(awkward: Awkward, place: Path) -> Outcome:
    """Run a script as ``python -u script`` would be run from a shell, in a session of its own."""
    launch = launch_of(awkward, laid_out(awkward, place))
    words = ["-m", str(launch.module)] if launch.script is None else [launch.script]
    log = place / "plain.log"
    with log.open("ab") as output:
        code = subprocess.run(
            [launch.python, "-u", *words, *launch.arguments],
            cwd=launch.directory,
            env=dict(launch.environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        ).returncode
    if awkward.awaits is not None:
        _await(place / "work" / awkward.awaits)
    exit_ = Exit(code=code) if code >= 0 else Exit(signal=signal.Signals(-code).name)
    return outcome_of(exit_, log, place)


#: What a start of ours does in a way of its own, on purpose.
OUR_WAY = {
    "its descriptors": "no link is followed in the folder of logs",
    "its hooks": "the import of logging is waited for",
    "the state of libraries": "logging speaks from INFO on",
    "a package": "frames of runpy are not shown",
    "a module of the standard library's name beside a module": "frames of runpy are not shown",
    **{name: "logging is heard" for name in AWKWARD if name.startswith("logging ")},
}

#: Dumps of the stack in C, from which nothing can be hidden.
DUMPS = ("traces and profiles", "a crash with a fault handler")


@pytest.mark.parametrize("name", AWKWARD)
def test_a_cold_start_is_no_other_than_that_of_python(
    world: World, name: str, tmp_path: Path
) -> None:
    cold = world.run(AWKWARD[name], tmp_path, warm=False)
    if cold.exit is None:
        return  # Python would say so in words of its own
    assert not cold.shows_us or name in DUMPS
    if name in OUR_WAY:
        return
    plain = by_python_itself(AWKWARD[name], tmp_path)
    assert (cold.log, cold.left) == (plain.log, plain.left)
    assert replace(cold.exit, error=None) == plain.exit


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("logging at the end", "in del\n"),
        ("logging without a last resort", "nobody listens\n"),
    ],
)
def test_what_is_logged_is_heard_in_the_end(
    world: World, name: str, text: str, tmp_path: Path
) -> None:
    assert text in world.run(AWKWARD[name], tmp_path, warm=False).log


@pytest.mark.parametrize("name", AWKWARD)
def test_a_script_runs_the_same_whether_warm_or_cold(
    world: World, name: str, tmp_path: Path
) -> None:
    cold = world.run(AWKWARD[name], tmp_path, warm=False)
    warm = world.run(AWKWARD[name], tmp_path, warm=True)
    assert warm == cold


@pytest.mark.parametrize("name", PROCESSES)
def test_a_script_runs_the_same_with_modules_that_are_loaded_already(
    world: World, name: str, tmp_path: Path
) -> None:
    cold = world.run(AWKWARD[name], tmp_path, warm=False)
    warm = world.run(AWKWARD[name], tmp_path, warm=True, preload=PRELOADED)
    assert warm == cold


@needs_warm_starts
@pytest.mark.parametrize("name", AWKWARD)
def test_a_script_is_started_warm_wherever_it_cannot_tell(
    world: World, name: str, tmp_path: Path
) -> None:
    before = world.warm_starts
    outcome = world.run(AWKWARD[name], tmp_path, warm=True)
    is_warm = AWKWARD[name].cold is None and outcome.refusal is None
    assert world.warm_starts - before == is_warm, AWKWARD[name].cold


@needs_warm_starts
@pytest.mark.parametrize("module", [None, "job"])
def test_what_is_preloaded_never_goes_before_a_file_beside_the_script(
    world: World, module: str | None, tmp_path: Path
) -> None:
    before = world.warm_starts
    shadowed = Awkward(body="import json; json.own()", module=module, files={"json.py": ""})
    body = "def own(): print('my own')"
    assert world.run(shadowed, tmp_path, warm=True, preload="json").log.count("Error") == 1
    own = replace(shadowed, files={"json.py": body})
    assert world.run(own, tmp_path, warm=True, preload="json").log == "my own\n"
    assert world.warm_starts == before


@needs_warm_starts
@pytest.mark.parametrize(
    ("body", "why"),
    [
        (
            "import threading\n"
            "threading.Thread(target=threading.Event().wait, daemon=True).start()",
            "restless leaves 1 threads running, and a fork has none of them",
        ),
        ("print('loading')", "its start-up or restless prints something"),
        ("1 / 0", "restless cannot be loaded: ZeroDivisionError: division by zero"),
    ],
    ids=["threads", "prints", "fails"],
)
def test_a_library_that_forks_would_lack_something_of_is_refused_with_the_reason(
    world: World,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    body: str,
    why: str,
) -> None:
    before = world.warm_starts
    # Not by way of its parents: another test may have set up the scheduler's own log.
    monkeypatch.setattr(logging.getLogger(warm_pool.__name__), "handlers", [caplog.handler])
    awkward = Awkward(
        body="print('cold')",
        files={"lib/restless.py": body},
        environment={"PYTHONPATH": "{folder}/lib"},
    )
    assert world.run(awkward, tmp_path, warm=True, preload="restless").log == "cold\n"
    assert world.warm_starts == before
    # The attempt may be started cold before it is told.
    deadline = time.monotonic() + LONG
    while why not in caplog.text:
        assert time.monotonic() < deadline, caplog.text
        time.sleep(0.01)


@needs_warm_starts
def test_what_an_interpreter_says_last_is_heard_though_it_ends_with_a_request_unread() -> None:
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    its.send(b"refused")
    ours.send(b"a request")
    its.close()
    with ours:
        assert [warm_pool.received(ours) for _ in range(2)] == [b"refused", b""]


@needs_warm_starts
def test_a_preloaded_file_that_changes_is_soon_loaded_anew(world: World, tmp_path: Path) -> None:
    for word in ("one", "three", "seven"):
        awkward = Awkward(
            body="import sys; is_loaded = 'helper' in sys.modules; import helper;"
            " print(helper.word, is_loaded)",
            files={"lib/helper.py": f"word = {word!r}"},
            environment={"PYTHONPATH": "{folder}/lib"},
        )
        # A look at all files is not taken at each start.
        for _ in range(1000):
            said = world.run(awkward, tmp_path, warm=True, preload="helper").log
            if said == f"{word} True\n":
                break
        assert said == f"{word} True\n"


@needs_warm_starts
def test_a_fork_does_not_show_what_only_another_routine_is_given(
    world: World, tmp_path: Path
) -> None:
    shows = "print('OTHERS' in open('/proc/self/environ').read())"
    others = Awkward(body=shows, environment={"OTHERS": "secret", "MALLOC_OWN": "1"})
    own = Awkward(body=shows, environment={"MALLOC_OWN": "1"})
    said = [world.run(one, tmp_path, warm=True).log for one in (others, own)]
    assert said == ["False\n"] * 2


@needs_warm_starts
def test_a_launch_that_does_not_allow_it_is_never_warm(world: World, tmp_path: Path) -> None:
    before = world.warm_starts
    world.run(Awkward(body="print('cold')"), tmp_path, warm=False)
    assert world.warm_starts == before


#: Each draws from another well: two that are forked alike must not draw the same.
WELLS = {
    "random": "import random; print(random.random())",
    "random, of a generator of its own": "import random; print(random.Random().random())",
    "secrets": "import secrets; print(secrets.token_hex())",
    "uuid4": "import uuid; print(uuid.uuid4())",
    "uuid1": "import uuid; print(uuid.uuid1())",
    "os.urandom": "import os; print(os.urandom(8))",
    "ssl": "import ssl; print(ssl.RAND_bytes(8))",
    "names of temporary files": "import tempfile; print(next(tempfile._get_candidate_names()))",
    "the key of multiprocessing": (
        "import multiprocessing; print(bytes(multiprocessing.current_process().authkey))"
    ),
    "SQLite": "import sqlite3; print(*sqlite3.connect('').execute('select random()'))",
}


@pytest.mark.parametrize(
    "preload", ["", "random secrets uuid ssl tempfile multiprocessing sqlite3"]
)
@pytest.mark.parametrize("well", WELLS)
def test_no_two_attempts_draw_the_same_by_chance(
    world: World, well: str, preload: str, tmp_path: Path
) -> None:
    awkward = Awkward(body=WELLS[well])
    drawn = {world.run(awkward, tmp_path, warm=True, preload=preload).log for _ in range(3)}
    assert len(drawn) == 3
    assert all(drawn), drawn


def test_a_module_beside_the_script_is_never_an_older_one(world: World, tmp_path: Path) -> None:
    said = [
        world.run(
            Awkward(body="import beside", files={"beside.py": f"print({word!r})"}),
            tmp_path,
            warm=True,
        ).log
        for word in ("one", "two", "six")
    ]
    assert said == ["one\n", "two\n", "six\n"]


def test_the_script_itself_is_never_an_older_one(world: World, tmp_path: Path) -> None:
    said = [
        world.run(Awkward(body=f"print({word!r})"), tmp_path, warm=True).log
        for word in ("one", "two", "six")
    ]
    assert said == ["one\n", "two\n", "six\n"]


#: Scripts that leave something changed: the next one must not find it so.
SPOILERS = {
    "a variable": (
        "import os; os.environ['SPOILT'] = '1'",
        "import os; print('SPOILT' in os.environ)",
    ),
    "a builtin": ("import builtins; builtins.spoilt = 1", "print('spoilt' in vars(__builtins__))"),
    "a module": ("import json; json.spoilt = 1", "import json; print(hasattr(json, 'spoilt'))"),
    "the search path": (
        "import sys; sys.path.insert(0, '/x')",
        "import sys; print('/x' in sys.path)",
    ),
    "the folder": ("import os; os.chdir('/')", "import os; print(os.getcwd() == '/')"),
    "the mask": ("import os; os.umask(0o777)", "import os; print(os.umask(0) == 0o777)"),
    "a limit": (
        "import resource as r; r.setrlimit(r.RLIMIT_NOFILE, (99, 99))",
        "import resource as r; print(r.getrlimit(r.RLIMIT_NOFILE) == (99, 99))",
    ),
    "the niceness": ("import os; os.nice(5)", "import os; print(os.nice(0) > 4)"),
    "its whole process group": (
        "import os, signal; os.killpg(0, signal.SIGKILL)",
        "print('here' == 'gone')",
    ),
    "its parent": (
        "import os, signal, time; os.kill(os.getppid(), signal.SIGTERM); time.sleep(0.1)",
        "print('here' == 'gone')",
    ),
    "all descriptors": ("import os; os.closerange(0, 999)", "print('here' == 'gone')"),
    "the place of its descriptors": (
        "import os; os.lseek(0, 0, 0); os.set_blocking(1, False); os.set_blocking(0, False)",
        "import os; print(not os.get_blocking(0))",
    ),
    "logging": (
        "import logging; logging.basicConfig(level='DEBUG'); logging.disable()",
        "import logging; print(bool(logging.root.handlers), logging.root.level == 10)",
    ),
    "the locale and the zone": (
        "import os, time; os.environ['TZ'] = 'Asia/Tokyo'; time.tzset()",
        "import time; print(time.tzname[0] == 'JST')",
    ),
}


@pytest.mark.parametrize("what", SPOILERS)
def test_what_one_script_changes_the_next_one_does_not_find(
    world: World, what: str, tmp_path: Path
) -> None:
    spoils, looks = SPOILERS[what]
    world.run(Awkward(body=spoils), tmp_path, warm=True)
    assert "True" not in (log := world.run(Awkward(body=looks), tmp_path, warm=True).log)
    assert "False" in log
