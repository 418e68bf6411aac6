"""A warm interpreter: one that is kept, and forks for each attempt it is asked for (ADR 23).

    python -u child.py --warm CHANNEL DOOR [MODULE ...]

CHANNEL is the descriptor of a socket that keeps packets apart; DOOR names the folder, beside the
records, behind which they are drafted; the modules are loaded beforehand.
An attempt is a fork, which goes on as the fresh interpreter of a cold start would: here `serve`
returns in it.  The warm interpreter itself stays in `serve`, as the supervisor of all its forks: it
sees them end, tells the scheduler, and writes that down for the case that there is none any more.

Runs in the routine's own interpreter, of any version from 3.8: the standard library only, nothing
from the package, no syntax newer than that.  It has one thread, and leaves nothing in
``sys.modules`` that a fresh interpreter would not have, but for what it was told to load.
"""

import _socket
import gc
import marshal
import os
import select
import sys
import time

TYPE_CHECKING = False  # as typing has it, which would have to be imported
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable
    from types import CodeType, FrameType, ModuleType
    from typing import Any

    from scheduler.service.executors.warm_fork import Fork

    Plain = str | int | float
    Handler = Callable[[int, FrameType | None], object] | int | None
else:
    import _signal

#: Of marshal, as every Python from 3.8 reads it.
FORMAT = 2
#: Bytes of the longest packet.
LONGEST = 100_000
#: Seconds without work after which it ends.
IDLE = 600.0
#: Forks after which it is replaced: what a library leaks with each does not grow for ever.
FORKS = 10_000
#: How many times as long as a look at its files takes none is taken again: no more than a twentieth
#: of its time goes into that, however many files there are.
LOOKS = 20
#: Seconds after its last change from which on a file can be told from any later version of it.
SETTLED = 2.0
#: Scripts whose compiled form is kept.
COMPILED = 256

#: What it answers, first in a packet; then the number of the request.
READY, REFUSED, ENDED, COLD, STALE = "ready", "refused", "ended", "cold", "stale"
#: What it is asked, first in a packet; then the number of the request.
START, KILL = "start", "kill"

#: Exit code of an attempt that could not enter its working directory.
NO_DIRECTORY = 72

_IGNORED = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
#: Folders whose change means that a package came, went or was replaced.
_PACKAGES = ("site-packages", "dist-packages")


def serve(
    supervisor: "ModuleType", forks: "ModuleType", at_start: "frozenset[str]"
) -> "tuple[tuple[str, ...], Fork]":
    """Fork as asked; return in each fork, and nowhere else: what it is to run, and what it is.

    ``supervisor`` and ``forks`` are the modules beside this file; ``at_start`` are the names of
    those that a fresh interpreter has loaded.
    """
    channel = _socket.socket(fileno=int(sys.argv[2]))
    os.set_inheritable(channel.fileno(), False)
    server = Server(channel, sys.argv[3], supervisor, forks)
    # Whoever imports one of them anew gets it anew.
    for name in set(sys.modules) - at_start:
        del sys.modules[name]
    problem = loaded(sys.argv[4:])
    if problem:
        server.tell(REFUSED, 0, problem)
        os._exit(0)
    server.get_ready(at_start)
    return server.run()


def loaded(names: "list[str]") -> str:
    """Load modules; return why that cannot serve, or nothing."""
    if sys.implementation.name != "cpython":
        return "%s is another Python than CPython" % sys.executable
    for name in names:
        try:
            __import__(name)
        except BaseException as exception:  # started cold, the routine says so itself
            return "%s cannot be loaded: %s: %s" % (name, type(exception).__name__, exception)
    if os.fstat(1).st_size:
        return "%s prints something" % (" or ".join(["its start-up", *names]))
    threads = len(os.listdir("/proc/self/task"))
    if threads > 1:
        culprit = " and ".join(names) or "its start-up"
        return "%s leaves %d threads running, and a fork has none of them" % (culprit, threads - 1)
    return ""


class Server:
    """Takes requests, forks, and sees the forks end."""

    def __init__(
        self,
        channel: "_socket.socket",
        door: str,
        supervisor: "ModuleType",
        forks: "ModuleType",
    ) -> None:
        self._channel = channel
        self._door = door
        self._supervisor = supervisor
        self._fork_kind = forks.Fork
        self._pid = os.getpid()
        self._start = str(supervisor.start_of(self._pid))
        self._children: "dict[int, tuple[int, str]]" = {}
        self._forks = 0
        self._handlers: "dict[int, Callable[[int, FrameType | None], object] | int | None]" = {}
        self._preloaded: "frozenset[str]" = frozenset()
        self._files: "dict[str, tuple[int, ...] | None]" = {}
        self._look_at = 0.0
        self._codes: "dict[str, tuple[tuple[int, ...], CodeType | None, str]]" = {}
        self._to_compile: "list[str]" = []
        self._folders: "dict[str, tuple[int, str]]" = {}
        self._is_open = True  # whether requests may come

    # -- Getting ready -------------------------------------------------------------------------

    def get_ready(self, at_start: "frozenset[str]") -> None:
        """Keep signals from ending it, and all that is loaded from moving."""
        for name in _IGNORED:
            self._handlers[getattr(_signal, name)] = _signal.SIG_IGN
        self._bell, self._ringer = os.pipe()
        os.set_blocking(self._bell, False)
        os.set_blocking(self._ringer, False)
        self._handlers[_signal.SIGCHLD] = lambda number, frame: None
        for number, handler in self._handlers.items():
            # What a fork gets back.
            self._handlers[number] = _signal.signal(number, handler)
        _signal.set_wakeup_fd(self._ringer)
        self._poll = select.poll()
        self._poll.register(self._channel.fileno(), select.POLLIN)
        self._poll.register(self._bell, select.POLLIN)
        self._preloaded = frozenset(name.partition(".")[0] for name in set(sys.modules) - at_start)
        for path in own_files():
            self._files[path] = state_of(path)
        # Of what is garbage now nothing is left in the forks, and what is not is never looked at
        # again by a collector, which would have each fork copy it.
        gc.collect()
        gc.disable()
        gc.freeze()
        self.tell(READY, 0)

    # -- The scheduler -------------------------------------------------------------------------

    def tell(self, *words: "Plain") -> bool:
        """Tell the scheduler; return whether it is still there."""
        try:
            self._channel.send(marshal.dumps(words, FORMAT))
        except OSError:
            return False
        return True

    def run(self) -> "tuple[tuple[str, ...], Fork]":
        """Serve; return in each fork."""
        while self._is_open or self._children:
            wait = None if self._children else IDLE * 1000
            events = self._poll.poll(0 if self._to_compile else wait)
            if not events:
                if not self._to_compile:
                    break  # idle for long
                self._compile(self._to_compile.pop())
            for descriptor, _ in events:
                if descriptor == self._bell:
                    self._see_ends()
                elif self._is_open:
                    request = self._take()
                    if request is not None:
                        return request
        self._see_ends()
        os._exit(0)

    def _take(self) -> "tuple[tuple[str, ...], Fork] | None":
        """Take one request; return it in the fork that is to carry it out."""
        try:
            data, ancillary, _, _ = self._channel.recvmsg(LONGEST, _socket.CMSG_SPACE(4))
        except OSError:
            data, ancillary = b"", []
        if not data:
            # No more will come: the scheduler is gone, or has done with this interpreter.
            self._is_open = False
            self._poll.unregister(self._channel.fileno())
            return None
        words: "tuple[Any, ...]" = marshal.loads(data)
        if words[0] == KILL:
            self._kill(words[1])
            return None
        log = int.from_bytes(ancillary[0][2][:4], sys.byteorder)
        try:
            return self._start_fork(words[1:], log)
        finally:
            os.close(log)

    def _start_fork(
        self, words: "tuple[Any, ...]", log: int
    ) -> "tuple[tuple[str, ...], Fork] | None":
        number, attempt, directory, changes, dropped = words
        why = self._objection(attempt, directory)
        if why:
            self.tell(COLD, number, why)
            return None
        if self._forks >= FORKS or self._has_changed():
            self.tell(STALE, number)
            return None
        code, folder = self._code_of(attempt)
        try:
            pid = os.fork()
        except OSError as error:
            self.tell(COLD, number, "the system has no process left: %s" % error)
            return None
        if pid:
            self._forks += 1
            self._children[pid] = (number, attempt[0])
            return None
        self._become(attempt[0], log, directory, changes, dropped)
        return attempt, self._fork_kind(self._supervisor, self._pid, code, folder)

    def _become(
        self,
        record: str,
        log: int,
        directory: str,
        changes: "dict[str, str]",
        dropped: "tuple[str, ...]",
    ) -> None:
        """Become what a fresh interpreter would be, and put the attempt on record."""
        _signal.set_wakeup_fd(-1)
        for number, handler in self._handlers.items():
            _signal.signal(number, handler)
        os.close(self._bell)
        os.close(self._ringer)
        self._channel.close()
        os.setsid()
        # Of its own, too: whether it blocks is a matter of what was opened, for all who have it.
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.close(null)
        os.dup2(log, 1)
        os.dup2(log, 2)
        for name in dropped:
            os.environ.pop(name, None)
        os.environ.update(changes)
        try:
            os.chdir(directory)
        except OSError as error:
            why = "its directory cannot be entered: %s" % error
            self._supervisor.not_begun(NO_DIRECTORY, why)
        self._supervisor.enter_fork(record, self._door, self._pid, self._start)
        draw_anew()
        gc.enable()

    # -- Ends ----------------------------------------------------------------------------------

    def _see_ends(self) -> None:
        try:
            while os.read(self._bell, 512):
                pass
        except BlockingIOError:
            pass
        while self._children:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid in self._children:
                self._see_end(pid, status, usage)

    def _see_end(self, pid: int, status: int, usage: "Any") -> None:
        number, record = self._children.pop(pid)
        at = time.time()
        if os.WIFSIGNALED(status):
            kind, code = "signal", os.WTERMSIG(status)
        else:
            kind, code = "code", os.WEXITSTATUS(status)
        peak = usage.ru_maxrss * 1024
        cpu = usage.ru_utime + usage.ru_stime
        is_heard = self.tell(ENDED, number, kind, code, peak, cpu)
        self._supervisor.add_end(record, at, kind, code, peak, cpu, is_durable=not is_heard)

    def _kill(self, number: int) -> None:
        """Kill a fork that has not begun, and what it may have started."""
        for pid, (of, _) in self._children.items():
            if of == number:
                for kill in (os.killpg, os.kill):
                    try:
                        kill(pid, _signal.SIGKILL)
                    except OSError:
                        pass

    # -- Whether it may serve ------------------------------------------------------------------

    def _objection(self, attempt: "tuple[str, ...]", directory: str) -> str:
        """Return why a fork could be told from a fresh interpreter, or nothing."""
        if not self._preloaded:
            return ""
        kind, target = attempt[1:3]
        folder = directory if kind == "--module" else os.path.dirname(os.path.realpath(target))
        try:
            changed = os.stat(folder).st_mtime_ns
            known = self._folders.get(folder)
            if known is not None and known[0] == changed:
                return known[1]
            names = set(name.partition(".")[0] for name in os.listdir(folder))
        except OSError:
            return ""
        shared = sorted(names & self._preloaded)
        why = shared[0] + ", beside the script, goes before what is preloaded" if shared else ""
        if time.time() - changed / 1e9 > SETTLED:
            self._folders[folder] = (changed, why)
        return why

    def _has_changed(self) -> bool:
        """Tell whether a file has changed of those that a fresh interpreter would read."""
        now = time.monotonic()
        if now < self._look_at:
            return False
        has_changed = any(state_of(path) != state for path, state in self._files.items())
        took = time.monotonic() - now
        self._look_at = now + took * (1 + LOOKS)
        return has_changed

    # -- Compiled scripts ----------------------------------------------------------------------

    def _code_of(self, attempt: "tuple[str, ...]") -> "tuple[CodeType | None, str]":
        """Return the code of a script, if it is at hand, and the folder that it is in."""
        kind, script = attempt[1:3]
        if kind != "--script":
            return None, ""
        known = self._codes.get(script)
        if known is not None and known[0] == state_of(script):
            return known[1:]
        if script not in self._to_compile:
            self._to_compile.append(script)
        return None, ""

    def _compile(self, script: str) -> None:
        """Compile a script for the next fork; not one of which the compiler says anything."""
        import _warnings

        # Named otherwise from Python 3.14 on.
        mutated: "Callable[[], object]" = (
            getattr(_warnings, "_filters_mutated", None)
            or getattr(_warnings, "_filters_mutated_lock_held")  # noqa: B009
        )
        self._codes.pop(script, None)
        state = state_of(script)
        if state is None or time.time() - state[2] / 1e9 < SETTLED:
            return
        strict: "Any" = ("error", None, Warning, None, 0)
        _warnings.filters.insert(0, strict)
        mutated()
        try:
            with open(script, "rb") as file:
                source = file.read()
            code = compile(source, script, "exec", dont_inherit=True)
        except Exception:  # each fork will tell
            code = None
        finally:
            _warnings.filters.remove(strict)
            mutated()
        while len(self._codes) >= COMPILED:
            del self._codes[next(iter(self._codes))]
        if state_of(script) == state:
            folder = os.path.dirname(os.path.realpath(script))
            self._codes[script] = (state, code, folder)


def draw_anew() -> None:
    """Let no two forks draw the same by chance; Python's own generator knows of forks itself."""
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        numpy.seed()
    processes = sys.modules.get("multiprocessing.process")
    if processes is not None:
        processes.current_process().authkey = os.urandom(32)


def state_of(path: str) -> "tuple[int, ...] | None":
    """Return what changes with a file or folder; None if it is not there."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    # Of the last: who may read it, too.
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def own_files() -> "set[str]":
    """Return the files and folders that make this interpreter what it is."""
    paths = set(path for path in sys.path if os.path.basename(path) in _PACKAGES)
    paths.update([sys.executable, os.path.realpath(sys.executable)])
    paths.add(os.path.join(sys.prefix, "pyvenv.cfg"))
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str):
            paths.add(path)
    return paths
