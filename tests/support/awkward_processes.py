"""Awkward scripts that start processes and threads, and use what libraries do behind the scenes."""

from tests.support.awkward import Awkward, Scripts

_POOLS = """
import multiprocessing, os, sys
class Row:
    def __init__(self, n): self.n = n
def double(row): return Row(row.n * 2), type(row) is Row, sys.argv[1:3], __name__
if __name__ == "__main__":
    with multiprocessing.get_context({method!r}).Pool(2) as pool:
        for row, same, words, name in pool.map(double, map(Row, range(3))):
            print(row.n, type(row) is Row, same, words, name)
"""

_QUEUE = """
import multiprocessing
def work(inbox, outbox, lock):
    for n in iter(inbox.get, None):
        with lock: outbox.put(n * n)
    outbox.put((multiprocessing.current_process().name, multiprocessing.parent_process() is None))
if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    inbox, outbox, lock = context.Queue(), context.Queue(), context.Lock()
    child = context.Process(target=work, args=(inbox, outbox, lock))
    child.start()
    for n in (1, 2, 3, None): inbox.put(n)
    print(sorted(outbox.get() for _ in range(3)))
    print(outbox.get())
    child.join()
    print(child.exitcode, child.name, multiprocessing.active_children())
"""

_MAIN_PROCESS = """
import multiprocessing, os
me = multiprocessing.current_process()
print(me.name, me.daemon, me.pid == os.getpid(), type(me).__name__, len(me.authkey))
print(multiprocessing.parent_process(), multiprocessing.get_start_method(allow_none=True))
print(multiprocessing.active_children(), multiprocessing.get_start_method())
from multiprocessing import util, process
print(len(util._finalizer_registry), next(process._process_counter))
"""

_SHARED = """
from multiprocessing import shared_memory, Process, Value, Manager
def add(name, value, shared):
    memory = shared_memory.SharedMemory(name=name)
    memory.buf[0] += 1
    memory.close()
    with value.get_lock(): value.value += 1
    shared["x"] = 5
if __name__ == "__main__":
    memory, value = shared_memory.SharedMemory(create=True, size=8), Value("i", 3)
    memory.buf[0] = 1
    with Manager() as manager:
        shared = manager.dict()
        child = Process(target=add, args=(memory.name, value, shared))
        child.start(); child.join()
        print(memory.buf[0], value.value, dict(shared))
    memory.close(); memory.unlink()
"""

_ITSELF = """
import subprocess, sys
show = "import sys, os; print(sys.argv, sys.path[0], sys.stdout.write_through, __name__)"
print(subprocess.run([sys.executable, "-c", show, "a"], capture_output=True, text=True))
print(subprocess.run([sys.executable, __file__ + "x"], capture_output=True).returncode)
child = subprocess.Popen([sys.executable, "-c", "import sys; sys.exit(3)"])
print(child.wait(), subprocess._active)
sys.stdout.flush()
subprocess.run(["sh", "-c", "echo $PPID; kill -TERM $$"], stdout=subprocess.DEVNULL)
print(subprocess.run(["sh", "-c", "trap '' TERM; ulimit -n; umask"], capture_output=True).stdout)
subprocess.run(["sh", "-c", "ls /proc/self/fd | wc -l"], close_fds=False)
subprocess.run(["sh", "-c", "grep Sig.*: /proc/self/status | grep -v SigQ"])
"""

_ASYNC = """
import asyncio, os, signal, sys
async def main():
    loop = asyncio.get_running_loop()
    caught = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, caught.set)
    os.kill(os.getpid(), signal.SIGUSR1)
    await caught.wait()
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "print(input()); raise SystemExit(3)",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    print(await child.communicate(b"hello\\n"), child.returncode)
    print(await asyncio.to_thread(os.getpid) == os.getpid(), type(loop).__name__, loop.get_debug())
    print(await asyncio.gather(*(asyncio.sleep(0, n) for n in range(3))))
    server = await asyncio.start_server(lambda r, w: (w.write(b"hi"), w.close()), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    print(await reader.read())
    writer.close(); server.close()
asyncio.run(main())
try:
    asyncio.get_running_loop()
except RuntimeError as error:
    print(error)
async def interrupted():
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.sleep(5)
asyncio.run(interrupted())
"""

_CHILDREN = """
import os, signal
print(signal.getsignal(signal.SIGCHLD))
try:
    print(os.waitpid(-1, os.WNOHANG))
except ChildProcessError as error:
    print("no children:", error)
pids = [pid for pid in (os.fork() for _ in range(1)) if pid]
if not pids: os._exit(5)
print(os.waitstatus_to_exitcode(os.waitpid(pids[0], 0)[1]))
print(open("/proc/self/task/%d/children" % os.getpid()).read())
seen = []
signal.signal(signal.SIGCHLD, lambda *a: seen.append(a[0]))
if os.fork() == 0: os._exit(0)
os.wait()
print(seen)
"""

_THREAD_FORK = """
import os, threading
lock = threading.Lock()
go = threading.Event()
other = threading.Thread(target=go.wait)
other.start()
os.register_at_fork(before=lambda: print("before"), after_in_child=lambda: print("in the child"))
pid = os.fork()
if pid == 0:
    print(threading.active_count(), threading.main_thread() is threading.current_thread())
    os._exit(0)
os.waitpid(pid, 0)
print(threading.active_count())
go.set()
"""

_SIGNAL_AND_THREADS = """
import os, signal, threading, time
seen = []
signal.signal(signal.SIGUSR1, lambda *a: seen.append(threading.current_thread().name))
done = threading.Event()
other = threading.Thread(target=done.wait)
other.start()
signal.pthread_kill(other.ident, signal.SIGUSR1)
while not seen: time.sleep(0.01)
print(seen)
try:
    failed = []
    def sets():
        try: signal.signal(signal.SIGUSR2, print)
        except ValueError as error: failed.append(error)
    t = threading.Thread(target=sets); t.start(); t.join()
    print(failed)
finally:
    done.set()
"""

_RANDOM = """
import random, secrets, tempfile, uuid
drawn = [random.random(), secrets.token_hex(), uuid.uuid4(), uuid.uuid1(), tempfile.mktemp()]
print(len(set(map(str, drawn))))
random.seed(1)
print(random.random(), random.getrandbits(64), random.Random(5).choice("abcdef"))
state = random.getstate()
print(state[0], len(state[1]), state[2], random.SystemRandom().random() < 1)
"""

_LOGS = {
    "logging that was never set up": (
        "import logging\nlogging.debug('no')\nlogging.info('heard')\n"
        "logging.getLogger('mine').warning('heard')\ntry: 1 / 0\nexcept ZeroDivisionError:\n"
        "    logging.exception('failed')\nprint(logging.root.level, logging.root.handlers)"
    ),
    "logging by basicConfig": (
        "import logging\nlogging.basicConfig()\nlogging.info('no')\nlogging.warning('yes')\n"
        "print(logging.root.level, len(logging.root.handlers))"
    ),
    "logging with a level": (
        "import logging\nlogging.basicConfig(level='DEBUG', format='%(levelname)s %(message)s "
        "%(module)s %(funcName)s %(lineno)d %(processName)s %(threadName)s')\n"
        "logging.debug('yes')\nlogging.getLogger('x').info('yes')"
    ),
    "logging by a dictionary": (
        "import logging.config\nlogging.config.dictConfig({'version': 1, 'root': {'handlers': "
        "['h']}, 'handlers': {'h': {'class': 'logging.StreamHandler'}}})\nlogging.info('no')\n"
        "logging.error('yes')\nown = logging.getLogger('x'); own.propagate = False\n"
        "own.error('bare')"
    ),
    "logging without a last resort": (
        "import logging\nlogging.lastResort = None\nlogging.error('nobody listens')"
    ),
    "logging of its last resort": (
        "import logging\nprint(logging.lastResort, logging.lastResort.level)\n"
        "logging.getLogger('x').setLevel('ERROR')\nlogging.getLogger('x').warning('no')"
    ),
    "logging in a thread and a child": (
        "import logging, os, threading\n"
        "t = threading.Thread(target=logging.info, args=('thread',)); t.start(); t.join()\n"
        "if os.fork() == 0:\n    logging.info('child'); os._exit(0)\nos.wait()\n"
        "logging.info('main')"
    ),
    "logging captured warnings": (
        "import logging, warnings\nlogging.captureWarnings(True)\nwarnings.warn('old')\n"
        "logging.captureWarnings(False)\nwarnings.warn('old again')"
    ),
    "logging at the end": (
        "import atexit, logging\natexit.register(logging.info, 'at exit')\n"
        "class C:\n    def __del__(self): logging.warning('in del')\nc = C()"
    ),
    "logging to a buffer": (
        "import logging, logging.handlers\ntarget = logging.StreamHandler()\n"
        "logging.root.addHandler(logging.handlers.MemoryHandler(99, target=target))\n"
        "logging.warning('kept until the end')\nprint('main')"
    ),
}

_WARNINGS = """
import warnings
def old(): warnings.warn("old", DeprecationWarning, stacklevel=2)
old()
for _ in range(3): warnings.warn("once a line")
warnings.warn("slow", ResourceWarning)
warnings.warn("soon", PendingDeprecationWarning)
warnings.simplefilter("error")
warnings.warn("an error", FutureWarning)
"""

_IMPORTS = """
import importlib.util, sys
open("made.py", "w").write("n = 1")
importlib.invalidate_caches()
import made
open("made.py", "w").write("n = 12")
print(made.n, importlib.reload(made).n, made.__file__)
open("made_later.py", "w").write("m = 3")
importlib.invalidate_caches()
import made_later
print(made_later.m, sys.modules["made_later"] is made_later, importlib.util.find_spec("nope"))
import json
before = json.loads
importlib.reload(json)
print(json.loads is before, "json" in sys.modules)
"""

_RUNS = """
import runpy, sys
print(runpy.run_path("part.py")["__name__"], sys.argv)
print(runpy.run_path("part.py", run_name="__main__")["here"], __name__, __file__)
print(runpy.run_module("part", run_name="other", alter_sys=True)["__name__"])
exec(compile(open("part.py").read(), "part.py", "exec"))
import __main__
print(__main__.__file__, here)
"""

_PICKLES = """
import copy, dataclasses, enum, pickle, typing
@dataclasses.dataclass
class Row: n: "int" = 1
class Colour(enum.Enum): RED = 1
class Pair(typing.NamedTuple): a: int
def work(): pass
for one in (Row(5), Colour.RED, Pair(1), Row, work):
    data = pickle.dumps(one)
    print(data, pickle.loads(data) == one, copy.deepcopy(one) == one)
print(typing.get_type_hints(Row), Row.__module__, repr(Row), repr(Colour.RED))
print(pickle.loads(b"c__main__\\nwork\\n.") is work)
"""

_LIBRARIES = """
import ctypes, decimal, hashlib, locale, sqlite3, ssl, struct, zlib, datetime, time
print(ssl.OPENSSL_VERSION, ssl.create_default_context().verify_mode, len(ssl.RAND_bytes(4)))
print(sqlite3.connect(":memory:").execute("select 1 + 1, typeof(1.5)").fetchall())
print(ctypes.CDLL(None).getpid() > 0, ctypes.sizeof(ctypes.c_long), hashlib.md5(b"").hexdigest())
print(decimal.Decimal(1) / 3, datetime.datetime.fromtimestamp(0), time.tzname, locale.str(1.5))
decimal.getcontext().prec = 5
print(decimal.Decimal(1) / 3)
import socket
a, b = socket.socketpair(); a.send(b"x"); print(b.recv(1), socket.getdefaulttimeout())
import urllib.request, urllib.error
try: urllib.request.urlopen("file:///not/there")
except urllib.error.URLError as error: print(error)
import unittest, doctest, zoneinfo, email, xml.dom.minidom, csv
print(zoneinfo.ZoneInfo("UTC"), csv.list_dialects(), xml.dom.minidom.parseString("<a/>").toxml())
"""

_CONTEXT = """
import contextvars, decimal, threading
var = contextvars.ContextVar("var", default="none")
print(var.get(), list(contextvars.copy_context()))
var.set("set")
t = threading.Thread(target=lambda: print(var.get(), decimal.getcontext().prec))
t.start(); t.join()
print(contextvars.copy_context().run(var.get))
local = threading.local()
print(vars(local))
"""

_TRACES = """
import sys, threading
calls = []
def trace(frame, event, arg):
    calls.append((event, frame.f_code.co_name, frame.f_lineno)); return trace
def f():
    x = 1
    return x
sys.settrace(trace); f(); sys.settrace(None)
print(calls)
calls.clear()
sys.setprofile(lambda frame, event, arg: calls.append((event, frame.f_code.co_name)))
f()
sys.setprofile(None)
print(calls)
import cProfile, io, pstats
profile = cProfile.Profile(); profile.runcall(f)
print(sorted(name[2] for name in pstats.Stats(profile, stream=io.StringIO()).stats))
import tracemalloc, faulthandler, trace as tracing
tracemalloc.start(); print(tracemalloc.get_traced_memory()[0] >= 0); tracemalloc.stop()
faulthandler.dump_traceback()
"""

PROCESSES: Scripts = {
    **{
        f"a pool of processes by {method}": _POOLS.format(method=method)
        for method in ("fork", "spawn", "forkserver")
    },
    **{
        f"a queue between processes by {method}": _QUEUE.format(method=method)
        for method in ("fork", "spawn", "forkserver")
    },
    "a pool of processes beside a module": Awkward(
        module="pack.job",
        files={
            "pack/__init__.py": "",
            "pack/job.py": _POOLS.format(method="spawn") + "    print(__spec__.name)",
        },
    ),
    "processes without a guard": (
        "import multiprocessing\n"
        "child = multiprocessing.get_context('spawn').Process(target=print)\n"
        "child.start(); child.join(); print(child.exitcode)"
    ),
    "what multiprocessing knows of it": _MAIN_PROCESS,
    "memory shared by processes": _SHARED,
    "a pool of futures": (
        "from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor\n"
        "def work(n): return n + 1\nif __name__ == '__main__':\n"
        "    with ProcessPoolExecutor(2) as pool: print(list(pool.map(work, range(4))))\n"
        "    with ThreadPoolExecutor(2) as pool: print(list(pool.map(work, range(4))))"
    ),
    "a child of multiprocessing that fails": (
        "import multiprocessing, sys\ndef fails(): raise ValueError('of the child')\n"
        "def leaves(): sys.exit(7)\nif __name__ == '__main__':\n    for one in (fails, leaves):\n"
        "        child = multiprocessing.get_context('fork').Process(target=one)\n"
        "        child.start(); child.join(); print(child.exitcode)"
    ),
    "a daemon of multiprocessing": (
        "import multiprocessing, time\nif __name__ == '__main__':\n"
        "    multiprocessing.get_context('fork').Process(target=time.sleep, args=(60,), "
        "daemon=True).start()\n    print('main')"
    ),
    "its own interpreter as a child": _ITSELF,
    "children of its own": _CHILDREN,
    "a fork with threads": _THREAD_FORK,
    "a loop with signals, children and sockets": _ASYNC,
    "numbers by chance": _RANDOM,
    "a signal while threads run": _SIGNAL_AND_THREADS,
    **_LOGS,
    "logging imported by a module beside it": Awkward(
        body="import beside\nbeside.log.info('heard')",
        files={"beside.py": "import logging\nlog = logging.getLogger(__name__)"},
    ),
    "a module beside it named logging": Awkward(
        body="import logging\nlogging.info('mine')",
        files={"logging.py": "def info(text): print('own', text)"},
    ),
    "warnings": _WARNINGS,
    "modules that are made and loaded anew": _IMPORTS,
    "scripts that run within it": Awkward(
        body=_RUNS, files={"part.py": "here = (__name__, __file__)"}
    ),
    "pickles of its own classes": _PICKLES,
    "libraries of the standard kind": _LIBRARIES,
    "context and thread-local values": _CONTEXT,
    "traces and profiles": _TRACES,
    "a doctest": "'''\n>>> 1 + 1\n3\n'''\nimport doctest, sys\nsys.exit(doctest.testmod()[0])",
    "a unit test": (
        "import unittest\nclass T(unittest.TestCase):\n    def test(self): self.assertEqual(1, 1)\n"
        "    def test_other(self): print('ran')\n"
        "if __name__ == '__main__': unittest.main(argv=['x', '-q'])"
    ),
    "arguments that are parsed": Awkward(
        body=(
            "import argparse\np = argparse.ArgumentParser()\np.add_argument('--day')\n"
            "print(p.prog, p.parse_args())"
        ),
        arguments=("--days", "x"),
    ),
    "modules within a folder beside it": Awkward(
        body="from pack.part import up\nprint(up, __package__)\nfrom . import beside",
        files={"pack/__init__.py": "", "pack/part.py": "up = __package__"},
    ),
    "itself by name": (
        "if __name__ == '__main__':\n    import job\n    print(job.x, job.__file__ == __file__)\n"
        "x = __name__\nprint(x)"
    ),
    "an attribute of the main module": (
        "import __main__\n__main__.added = 1\nprint(added)\n"
        "def __getattr__(name): return name.upper()\nprint(__main__.missing)"
    ),
    "a main module that is replaced": (
        "import sys, types\nsys.modules['__main__'] = types.ModuleType('__main__')\n"
        "print(__name__)\n"
        "x = 1\nimport __main__\nprint(hasattr(__main__, 'x'))"
    ),
    "modules that are taken away": (
        "import sys\nfor name in list(sys.modules):\n"
        "    if name not in ('builtins', 'sys', '__main__'): del sys.modules[name]\nprint('on')"
    ),
    "builtins that are changed": (
        "import builtins\nbuiltins.print = lambda *a: None\nprint('unheard')\n"
        "del builtins.print\nprint('unknown')"
    ),
    "a changed folder, mask and environment": (
        "import os, time\nos.chdir('/'); os.umask(0o77); os.environ['TZ'] = 'Asia/Tokyo'\n"
        "time.tzset(); print(time.tzname, os.getcwd(), oct(os.umask(0)))\nos.environ.clear()\n"
        "os.system('env | grep -c SCHEDULER')"
    ),
}
