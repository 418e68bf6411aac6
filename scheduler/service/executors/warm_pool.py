"""The warm interpreters of one scheduler: which there are, what they are asked, what they answer.

One for each interpreter, start-up environment and set of preloaded modules in use (ADR 23).  A
thread for each reads its answers.  Whatever one of them cannot do is started cold, so that this is
never a reason for which an attempt fails.
"""

import contextlib
import itertools
import logging
import marshal
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from scheduler.service.executors import warm_server
from scheduler.service.executors.protocol import Launch
from scheduler.service.executors.records import shut
from scheduler.service.executors.supervisor import DOOR

log = logging.getLogger(__name__)

#: How many are kept; the one that was used longest ago gives way.
MOST = 8
#: Deaths of one kind's interpreters, one after another, after which it is started cold for good.
_MOST_DEATHS = 3
#: What Python, the loader of libraries or a library reads as it starts, and never again.
_AT_START = re.compile(
    r"(PYTHON|LD_|LC_|DYLD_|MALLOC_|GLIBC_|OMP_|GOMP_|KMP_|MKL_|OPENBLAS_|BLIS_|NUMEXPR_|OPENSSL_)"
    r"|(LANG|LANGUAGE|TZ|TZDIR|HOME)$"
)

#: What differs from one attempt to the next.
_OF_ATTEMPT = frozenset(
    f"SCHEDULER_{word}"
    for word in ("TASK", "ROUTINE", "INSTANT", "PREVIOUS_INSTANT", "SINCE", "ATTEMPT")
)

Key = tuple[str, tuple[str, ...], tuple[tuple[str, str], ...]]


class Listener(Protocol):
    """Who is told what becomes of the attempts; from any thread."""

    def has_ended(self, launch: Launch, kind: str, code: int, peak: int, cpu: float) -> None:
        """Take the end of a fork: ``code`` is its exit code, or a signal if ``kind`` says so."""
        ...

    def is_refused(self, launch: Launch) -> None:
        """Start an attempt cold: it has not begun."""
        ...

    def is_to_begin_again(self, launch: Launch) -> None:
        """Start an attempt in whichever way: it has not begun."""
        ...

    def has_lost(self, launch: Launch, *, may_begin: bool) -> None:
        """Look after an attempt whose warm interpreter is gone; or start it, if it has not begun.

        ``may_begin``: its fork may still, for it could not be shut out.
        """
        ...


@dataclass(slots=True, eq=False)
class _Warm:
    """One warm interpreter."""

    key: Key
    environment: Mapping[str, str]  # it was started with
    process: "subprocess.Popen[bytes]"
    channel: socket.socket
    door: Path
    pending: dict[int, Launch] = field(default_factory=dict[int, Launch])
    is_ready: bool = False  # it has loaded what it is to have


class WarmPool:
    """Has attempts started by fork, where that can't be told from a cold start."""

    def __init__(self, child: str, listener: Listener) -> None:
        self._child = child
        self._listener = listener
        self._lock = threading.Lock()
        self._warm: dict[Key, _Warm] = {}  # those that take requests; the one used last is last
        self._alive: set[_Warm] = set()
        self._numbers = itertools.count(1)
        self._cold_only: dict[Key, str] = {}
        self._deaths: dict[Key, int] = {}
        self._threads: set[threading.Thread] = set()
        #: How many attempts were forks.
        self.starts = 0

    def start(self, launch: Launch, record: Path, open_log: Callable[[], int]) -> bool:
        """Have a fork begin the attempt, and return True; or False if it is to be started cold.

        Raises:
            LaunchError: its log could not be opened.
        """
        if not is_fit(launch):
            return False
        key = key_of(launch)
        if key in self._cold_only:
            return False
        descriptor = open_log()
        try:
            return self._ask(key, launch, record, descriptor)
        finally:
            os.close(descriptor)

    def _ask(self, key: Key, launch: Launch, record: Path, log_descriptor: int) -> bool:
        with self._lock:
            warm = self._warm_of(key, launch, record)
            if warm is None:
                return False
            number = next(self._numbers)
            warm.pending[number] = launch
        packet = _request(number, launch, record, warm.environment)
        if len(packet) <= warm_server.LONGEST:
            try:
                socket.send_fds(warm.channel, [packet], [log_descriptor], socket.MSG_DONTWAIT)
                return True
            except OSError:
                pass  # it has ended just now, or is behind with its work
        with self._lock:
            # If its end was seen meanwhile, that has settled the matter.
            return warm.pending.pop(number, None) is None

    def kill(self, task: str, attempt: int) -> None:
        """Kill the process of an attempt that is not on record yet, or see to it that none comes.

        Of an interpreter that is not ready the others are started cold.
        """
        with self._lock:
            for warm in self._alive:
                for number, launch in warm.pending.items():
                    if (launch.task, launch.attempt) != (task, attempt):
                        continue
                    with contextlib.suppress(OSError):
                        if warm.is_ready:
                            packet = _packet(warm_server.KILL, number)
                            warm.channel.send(packet, socket.MSG_DONTWAIT)
                        else:
                            os.killpg(warm.process.pid, signal.SIGKILL)

    def retire(self) -> None:
        """Let each end once its last fork has: what comes next gets a new one."""
        with self._lock:
            for warm in self._warm.values():
                _retire(warm)
            self._warm.clear()

    def close(self, *, leaves_running: bool = False) -> None:
        """Let each end once its last fork has; wait for that unless ``leaves_running``."""
        self.retire()
        with self._lock:
            threads = list(self._threads)
        for thread in threads if not leaves_running else ():
            thread.join()

    # -- One interpreter -----------------------------------------------------------------------

    def _warm_of(self, key: Key, launch: Launch, record: Path) -> _Warm | None:
        warm = self._warm.pop(key, None)
        if warm is None:
            while len(self._warm) >= MOST:
                _retire(self._warm.pop(next(iter(self._warm))))
            try:
                warm = self._began(key, launch, record)
            except (OSError, RuntimeError) as error:  # RuntimeError: no thread to read its answers
                log.warning("no warm interpreter could be started: %s", error)
                return None
        self._warm[key] = warm
        return warm

    def _began(self, key: Key, launch: Launch, record: Path) -> _Warm:
        # Of its own: once it is gone, what it may have left cannot begin any more.
        door = record.with_name(f"{DOOR}.{next(self._numbers)}")
        environment = _environment_of(launch)
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with contextlib.ExitStack() as undo:
            undo.callback(ours.close)
            door.mkdir(mode=0o700)
            undo.callback(shutil.rmtree, door, ignore_errors=True)
            with its:
                process = _spawn(self._child, launch, its.fileno(), door.name, environment)
            warm = _Warm(key=key, environment=environment, process=process, channel=ours, door=door)
            thread = threading.Thread(target=self._listen, args=(warm,), daemon=True)
            self._threads.add(thread)
            self._alive.add(warm)
            try:
                thread.start()
            except RuntimeError:
                self._threads.discard(thread)
                self._alive.discard(warm)
                raise
            undo.pop_all()
        log.debug("warm interpreter started pid=%d python=%s", process.pid, launch.python)
        return warm

    def _listen(self, warm: _Warm) -> None:
        """Read what a warm interpreter answers, until it is gone."""
        while packet := received(warm.channel):
            what, number, *words = marshal.loads(packet)
            if what == warm_server.ENDED:
                self._see_end(warm, number, *words)
            elif what == warm_server.READY:
                warm.is_ready = True
            elif what == warm_server.REFUSED:
                self._refuse(warm, *words)
            else:
                self._see_refusal(warm, what, number, *words)
        self._see_death(warm)
        with self._lock:
            self._threads.discard(threading.current_thread())

    def _see_end(
        self, warm: _Warm, number: int, kind: str, code: int, peak: int, cpu: float
    ) -> None:
        with self._lock:
            launch = warm.pending.pop(number)
            self.starts += 1
            self._deaths.pop(warm.key, None)
        self._listener.has_ended(launch, kind, code, peak, cpu)

    def _refuse(self, warm: _Warm, why: str) -> None:
        """Take it that this kind of routine cannot be started warm."""
        with self._lock:
            self._cold_only[warm.key] = why
            _forget(self._warm, warm)
            launches = list(warm.pending.values())
            warm.pending.clear()
        names = " ".join(warm.key[1])
        log.warning("routines with preload=%r start cold: %s", names, why)
        for launch in launches:
            self._listener.is_refused(launch)

    def _see_refusal(self, warm: _Warm, what: str, number: int, why: str = "") -> None:
        with self._lock:
            launch = warm.pending.pop(number)
            if what == warm_server.STALE:
                _forget(self._warm, warm)
                _retire(warm)
        if what == warm_server.STALE:
            log.debug("warm interpreter replaced pid=%d", warm.process.pid)
            self._listener.is_to_begin_again(launch)
        else:
            log.info("started cold task=%s: %s", launch.task, why)
            self._listener.is_refused(launch)

    def _see_death(self, warm: _Warm) -> None:
        with self._lock:
            _forget(self._warm, warm)
            self._alive.discard(warm)
            warm.channel.close()
        code = warm.process.wait()
        # From here on none of its forks begins that has not.
        may_begin = False
        try:
            shut(warm.door)
        except OSError as error:
            may_begin = True
            log.error("the door of a warm interpreter cannot be shut: %s", error)
        with self._lock:
            launches = list(warm.pending.values())
            warm.pending.clear()
            if code != 0:
                deaths = self._deaths[warm.key] = self._deaths.get(warm.key, 0) + 1
                if deaths >= _MOST_DEATHS:
                    self._cold_only[warm.key] = f"its interpreter died {deaths} times"
        if code != 0:
            log.warning("warm interpreter died pid=%d code=%d", warm.process.pid, code)
        for launch in launches:
            self._listener.has_lost(launch, may_begin=may_begin)


def is_fit(launch: Launch) -> bool:
    """Tell whether a fork could begin this attempt, as far as can be seen from here."""
    if sys.platform != "linux" or not launch.warm or launch.log is None:
        return False
    if not hasattr(socket, "send_fds") or not hasattr(os, "memfd_create"):
        return False
    # Folders and archives, and what is compiled already, go ways of their own.
    if launch.script is not None and not _is_source(launch.script):
        return False
    if any("\0" in word for word in (*launch.arguments, *launch.environment.values())):
        return False  # which no system takes: that is said where it is started cold
    # What is relative there Python resolves as it starts.
    paths = launch.environment.get("PYTHONPATH", "").split(os.pathsep)
    return all(os.path.isabs(path) for path in paths if path)


def _is_source(script: str) -> bool:
    return not script.endswith((".pyc", ".pyo", ".zip", ".pyz", ".egg")) and os.path.isfile(script)


def key_of(launch: Launch) -> Key:
    """Return what launches have in common that one warm interpreter can serve."""
    variables = (item for item in launch.environment.items() if _matters(item[0], launch))
    return (launch.python, launch.preload, tuple(sorted(variables)))


def _matters(name: str, launch: Launch) -> bool:
    """Tell whether a warm interpreter serves only launches with the same value of a variable."""
    # What a library reads as it is loaded nobody knows.
    return name not in _OF_ATTEMPT and (bool(launch.preload) or _is_read_at_start(name))


@lru_cache(maxsize=1000)
def _is_read_at_start(name: str) -> bool:
    return _AT_START.match(name) is not None


def _environment_of(launch: Launch) -> dict[str, str]:
    """Return the environment in which a warm interpreter is started.

    No attempt's mark is in it; nor, without a preload, what is one routine's own and may be secret:
    the forks of others would show it.
    """
    return {
        name: value
        for name, value in launch.environment.items()
        if _matters(name, launch) or (name not in _OF_ATTEMPT and os.environ.get(name) == value)
    }


def _spawn(
    child: str, launch: Launch, channel: int, door: str, environment: Mapping[str, str]
) -> "subprocess.Popen[bytes]":
    # As a log is: a file, in which nothing stands yet.
    output = os.memfd_create("output")
    try:
        return subprocess.Popen(
            [launch.python, "-u", child, "--warm", str(channel), door, *launch.preload],
            cwd="/",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=(channel,),
        )
    finally:
        os.close(output)


def _request(number: int, launch: Launch, record: Path, base: Mapping[str, str]) -> bytes:
    target = ("--module", launch.module) if launch.script is None else ("--script", launch.script)
    own = launch.environment
    changes = {name: value for name, value in own.items() if base.get(name) != value}
    dropped = tuple(name for name in base if name not in own)
    words = (str(record), *target, *launch.arguments)
    return _packet(warm_server.START, number, words, launch.directory, changes, dropped)


def _packet(*words: Any) -> bytes:
    return marshal.dumps(words, warm_server.FORMAT)


def received(channel: socket.socket) -> bytes:
    """Return the next packet that a warm interpreter has sent, or nothing once there is none."""
    # One that ends with a request unread resets the channel: that is told once, and before what it
    # has said last.
    for _ in range(2):
        with contextlib.suppress(OSError):
            return channel.recv(warm_server.LONGEST)
    return b""


def _retire(warm: _Warm) -> None:
    """Let it end once its last fork has."""
    with contextlib.suppress(OSError):
        warm.channel.shutdown(socket.SHUT_WR)


def _forget(known: dict[Key, _Warm], warm: _Warm) -> None:
    if known.get(warm.key) is warm:
        del known[warm.key]
