"""Awkward scripts that look at what they were given: names, path, process, signals, modules.

Each prints what it finds, of which nothing but numbers of processes may change from one run to
another.
"""

import compileall
import zipapp
from pathlib import Path

from tests.support.awkward import Awkward, Scripts

_FRESH = """
import sys
names = set(sys.modules)
path = list(sys.path)
import subprocess
fresh = subprocess.run([sys.executable, "-u", "-c", "import sys; print(*sorted(sys.modules))"],
    stdout=subprocess.PIPE, text=True).stdout.split()
print("more than a fresh interpreter:", sorted(names - set(fresh)))
print("less than a fresh interpreter:", sorted(set(fresh) - names))
"""

_PROCESS = """
import os, sys
print(os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid(), os.getppid() > 1)
print(os.getppid() != os.getpgid(os.getppid()) or os.getsid(os.getppid()) != os.getsid(0))
try:
    os.open("/dev/tty", os.O_RDWR)
except OSError as error:
    print("no terminal:", error.errno)
try:
    print(os.tcgetpgrp(0))
except OSError as error:
    print("no foreground:", error.errno)
try:
    os.setsid()
except PermissionError:
    print("leads its session")
"""

_DESCRIPTORS = """
import fcntl, os
for name in sorted(os.listdir("/proc/self/fd"), key=int):
    try:
        target = os.readlink("/proc/self/fd/" + name)
        flags = fcntl.fcntl(int(name), fcntl.F_GETFL)
        print(name, target, os.get_inheritable(int(name)), oct(flags), os.isatty(int(name)))
    except OSError:
        print(name, "is the listing itself")
first, second = os.pipe()
print(first, second, os.path.sameopenfile(1, 2))
"""

_SIGNALS = """
import signal
for one in sorted(signal.valid_signals()):
    print(one, signal.getsignal(one))
print(signal.pthread_sigmask(signal.SIG_BLOCK, []), signal.sigpending())
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
print(signal.set_wakeup_fd(-1), signal.alarm(0))
for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
    print(signal.getitimer(timer))
"""

_KERNEL = """
import ctypes, os
wanted = ("SigBlk", "SigIgn", "SigCgt", "SigPnd", "ShdPnd", "Threads", "NoNewPrivs", "Seccomp",
    "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "TracerPid", "Umask", "Name", "CoreDumping")
for line in open("/proc/self/status"):
    if line.split(":")[0] in wanted:
        print(line.strip())
print(open("/proc/self/oom_score_adj").read().strip(), os.readlink("/proc/self/exe"))
print(os.readlink("/proc/self/cwd"), os.readlink("/proc/self/root"))
libc = ctypes.CDLL(None)
death = ctypes.c_int(-1)
libc.prctl(2, ctypes.byref(death))
print("killed with its parent by:", death.value)
print("dumpable:", libc.prctl(3), "keeps capabilities:", libc.prctl(7))
reaps = ctypes.c_int(-1)
libc.prctl(37, ctypes.byref(reaps))
print("reaps:", reaps.value, "slack:", libc.prctl(30))
print(open("/proc/self/timerslack_ns").read().strip(), open("/proc/self/coredump_filter").read())
print(open("/proc/self/personality").read().strip())
"""

_LIMITS = """
import os, resource
for name in sorted(n for n in dir(resource) if n.startswith("RLIMIT_")):
    print(name, resource.getrlimit(getattr(resource, name)))
print(os.nice(0), os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0))
print(sorted(os.sched_getaffinity(0)), os.umask(0o22), os.getpriority(os.PRIO_PGRP, 0))
print(os.getresuid(), os.getresgid(), os.getgroups())
"""

_THREADS = """
import _thread, os, threading
main = threading.main_thread()
print(main.name, main.daemon, type(main).__name__, main is threading.current_thread())
print(main.ident == threading.get_ident(), main.native_id == os.getpid())
print(threading.enumerate() == [main], threading.active_count(), _thread._count())
print(threading.get_native_id() == os.getpid(), os.listdir("/proc/self/task") == [str(os.getpid())])
print(threading.stack_size(), threading.gettrace() if hasattr(threading, "gettrace") else None)
print(threading.excepthook is threading.__excepthook__, threading.TIMEOUT_MAX)
seen = []
one = threading.Thread(target=lambda: seen.append(threading.current_thread().name))
one.start(); one.join()
print(seen, threading.main_thread() is main)
"""

_HOOKS = """
import sys
print(sys.excepthook is sys.__excepthook__, sys.displayhook is sys.__displayhook__)
print(sys.unraisablehook is sys.__unraisablehook__, sys.breakpointhook is sys.__breakpointhook__)
print(sys.gettrace(), sys.getprofile(), sys.getswitchinterval(), sys.get_asyncgen_hooks())
print(sys.getrecursionlimit(), sys.get_coroutine_origin_tracking_depth(), sys.getdlopenflags())
print(sys.is_finalizing(), getattr(sys, "get_int_max_str_digits", int)(), sys.getrefcount(object()))
print(sorted(vars(sys)))
print(sys.exc_info(), sys.pycache_prefix, sys.platlibdir, sys.api_version)
print([type(one).__name__ for one in sys.meta_path], sys.path_hooks)
"""

_STATE = """
import atexit, codecs, copyreg, decimal, contextvars, functools, gc, linecache, logging, warnings
import locale, random, re, threading, weakref, faulthandler, tracemalloc, builtins, string, os
print("atexit", atexit._ncallbacks(), "linecache", list(linecache.cache))
print("finalizers", len(weakref.finalize._registry), "fork", threading._dangling is not None)
print("logging", list(logging._handlers), len(logging._handlerList), logging.raiseExceptions)
print(sorted(logging.root.manager.loggerDict), logging.root.handlers, logging.root.level)
print("decimal", decimal.getcontext(), decimal.DefaultContext)
print("context", list(contextvars.copy_context()))
print("filters", warnings.filters, warnings.onceregistry, warnings.defaultaction)
print("faulthandler", faulthandler.is_enabled(), "tracemalloc", tracemalloc.is_tracing())
print("locale", locale.setlocale(locale.LC_ALL), locale.localeconv())
print("builtins", sorted(vars(builtins)))
print("copyreg", sorted(one.__name__ for one in copyreg.dispatch_table))
print("environ", os.environ == dict(os.environ), os.get_exec_path())
"""

_COLLECTOR = """
import gc
print(gc.isenabled(), gc.get_threshold(), gc.get_debug(), gc.callbacks, gc.garbage)
class Node: pass
gone = []
class Watched:
    def __del__(self): gone.append(1)
one, other = Watched(), Watched()
one.other, other.other = other, one
del one, other
gc.collect()
print(gone, [type(o) for o in gc.get_objects() if isinstance(o, (Node, Watched))])
nodes = [Node() for _ in range(5000)]
print(sum(isinstance(o, Node) for o in gc.get_objects()), len(nodes))
"""

_USAGE = """
import os, resource, time
own = resource.getrusage(resource.RUSAGE_SELF)
children = resource.getrusage(resource.RUSAGE_CHILDREN)
print(own.ru_utime + own.ru_stime < 1, children.ru_utime + children.ru_stime, children.ru_maxrss)
print(time.process_time() < 1, time.thread_time() < 1, sum(os.times()[2:4]))
started = int(open("/proc/self/stat").read().rpartition(")")[2].split()[19])
age = float(open("/proc/uptime").read().split()[0]) - started / os.sysconf("SC_CLK_TCK")
print("young" if age < 5 else age)
"""

_FRAMES = """
import inspect, sys, traceback
frame = sys._getframe()
print(frame.f_code.co_filename, frame.f_code.co_name, frame.f_lineno, frame.f_code.co_flags)
import __main__
print(frame.f_globals is globals() is vars(__main__), frame.f_locals is globals())
def show():
    here = sys._getframe()
    print(here.f_code.co_filename, here.f_code.co_firstlineno, inspect.getsource(here.f_code))
    print(inspect.getsourcefile(show), inspect.getmodule(show), show.__module__, show.__qualname__)
show()
try:
    1 / 0
except ZeroDivisionError:
    print(traceback.format_exc())
class Local: pass
print(Local, Local.__module__, inspect.getsourcelines(Local))
"""

_VERBATIM = """
import os, subprocess, sys
for name in sorted(os.environ):
    print(name, "=", os.environ[name])
print(len(os.environb) == len(os.environ))
import ctypes
getenv = ctypes.CDLL(None).getenv
getenv.restype = ctypes.c_char_p
print(*(getenv(name) for name in (b"PATH", b"SCHEDULER_TASK", b"MODE", b"NOT_THERE")))
os.environ["ADDED"] = "1"
del os.environ["MODE"]
sys.stdout.flush()
subprocess.run("env | sort", shell=True)
"""

_SITE = """
import site, sys, sysconfig
print(site.ENABLE_USER_SITE, site.USER_SITE, site.USER_BASE, site.getsitepackages(), site.PREFIXES)
print(sys.executable, sys._base_executable, sys.prefix, sys.base_prefix, sys.exec_prefix)
print(sys.base_exec_prefix, sysconfig.get_paths(), sys.flags.no_user_site, sys._framework)
print(sys.version, sys.implementation.name, sys.implementation.cache_tag, sys.platform)
"""

_INTERPRETER = """
import sys, os, locale, time
print(sys.flags, sys.warnoptions, sys._xoptions, sys.dont_write_bytecode, sys.pycache_prefix)
print(sys.getfilesystemencoding(), sys.getfilesystemencodeerrors(), locale.getpreferredencoding())
print(sys.getdefaultencoding(), locale.setlocale(locale.LC_ALL), os.environ.get("LC_CTYPE"))
for stream in (sys.stdin, sys.stdout, sys.stderr):
    print(stream.encoding, stream.errors, stream.line_buffering, stream.write_through)
print(time.tzname, time.timezone, time.daylight, time.strftime("%H %Z", time.localtime(0)))
print(time.strftime("%A %B", time.gmtime(0)))
import faulthandler, tracemalloc, warnings, asyncio
print(faulthandler.is_enabled(), tracemalloc.is_tracing(), warnings.filters)
print(sys.path, hash("hash") == hash("ha" + "sh"), getattr(sys, "get_int_max_str_digits", int)())
assert sys.flags.optimize == 0, "an assertion"
import beside
print(beside.__cached__ and os.path.exists(beside.__cached__), breakpoint)
warnings.warn("a warning")
"""


def _under(**environment: str) -> Awkward:
    """Return a script that tells all that Python has made of its environment."""
    return Awkward(
        body=_INTERPRETER,
        files={"beside.py": "", "lib/only_here.py": "print('from lib')"},
        environment=environment,
    )


def _with_twin(folder: Path) -> None:
    (folder / "linked").mkdir()
    (folder / "linked/job.py").symlink_to(folder / "job.py")


def _with_archive(folder: Path) -> None:
    (folder / "app").mkdir()
    (folder / "app/__main__.py").write_text("import sys, part; print(part.__file__, sys.path[0])")
    (folder / "app/part.py").write_text("")
    zipapp.create_archive(folder / "app", folder / "app.pyz")


def _with_compiled(folder: Path) -> None:
    (folder / "source.py").write_text("print(__file__, __loader__.__class__.__name__)")
    compileall.compile_file(folder / "source.py", quiet=2, legacy=True)
    (folder / "source.pyc").rename(folder / "job.pyc")


_SEES_ITSELF = """
import os, sys
print(__file__, sys.argv, sys.path[0], __spec__ and __spec__.name, __package__, os.getcwd())
import beside
print(beside.__file__)
raise SystemExit(4)
"""

STARTS: Scripts = {
    "what it was called with": "import sys\nprint(sys.argv, sys.orig_argv)",
    "its search path": (
        "import sys\nprint(sys.path, sys.path[0])\nimport os\nprint(os.path.isdir(sys.path[0]))"
    ),
    "its flags": "import sys\nprint(sys.flags, sys.warnoptions, sys._xoptions, sys.hash_info)",
    "the names of its module": (
        "print(sorted(globals()), dir())\n"
        "for name in ('__name__', '__file__', '__spec__', '__loader__', '__package__', '__doc__',\n"
        "        '__builtins__', '__cached__', '__annotations__'):\n"
        "    print(name, repr(globals().get(name, 'not there')))\n"
        "import __main__, builtins, sys\n"
        "print(vars(__main__) is globals(), __builtins__ is builtins, sys.modules['__main__'])\n"
        "print([name for name, one in sys.modules.items() if one is __main__], __main__)"
    ),
    "its doc and its annotations": (
        "'''What it does.'''\nn: int = 1\nprint(__doc__, __annotations__)\n"
        "del __annotations__\nm: str = 'x'\n"
    ),
    "its loader": (
        "print(__loader__.name, __loader__.path, __loader__.get_filename('__main__'))\n"
        "print(__loader__.get_source('__main__')[:20], __loader__.is_package('__main__'))\n"
        "print(__loader__.get_data(__file__)[:20], type(__loader__))"
    ),
    "its frames and its source": _FRAMES,
    "the modules that are loaded": _FRESH,
    "each module that is loaded": "import sys\nprint(sorted(sys.modules))",
    "its variables": Awkward(
        body=_VERBATIM,
        environment={"MODE": "ä b\nc", "EMPTY": "", "ODD-NAME": "=", "PYTHONNOUSERSITE": "1"},
    ),
    "its folder": Awkward(
        body="import os\nprint(os.getcwd(), os.environ.get('PWD'), os.listdir())",
        directory="elsewhere",
        files={"elsewhere/a.txt": ""},
    ),
    "its session": _PROCESS,
    "its descriptors": _DESCRIPTORS,
    "its signals": _SIGNALS,
    "what the kernel says of it": _KERNEL,
    "its limits": _LIMITS,
    "its threads": _THREADS,
    "its hooks": _HOOKS,
    "the state of libraries": _STATE,
    "its garbage collector": _COLLECTOR,
    "what it has used so far": _USAGE,
    "its installation": _SITE,
    "an audit hook": (
        "import sys\nseen = []\nsys.addaudithook(lambda event, args: seen.append(event))\n"
        "open(__file__).close()\ncompile('1', 'x', 'eval')\n"
        "print([one for one in seen if one in ('open', 'compile')])"
    ),
    # -- how it is named -----------------------------------------------------------------------
    "one that is a link": Awkward(
        body=_SEES_ITSELF, script="linked/job.py", prepare=_with_twin, files={"beside.py": ""}
    ),
    "a path with spaces and letters of all kinds": Awkward(
        body=_SEES_ITSELF,
        written='ein Ordner/日本 - it\'s "ours".py',
        files={"ein Ordner/beside.py": ""},
        arguments=("ünï", "'quoted'", "back\\slash", "-c", "--module"),
    ),
    "a script without a suffix": Awkward(
        body=_SEES_ITSELF, written="job", files={"beside.py": ""}, arguments=()
    ),
    "a path that is not straight": Awkward(
        body=_SEES_ITSELF, script="part/../job.py", files={"beside.py": "", "part/x": ""}
    ),
    "one that is deleted while it runs": (
        "import os, inspect\nos.unlink(__file__)\ndef f(): 1 / 0\n"
        "try:\n    print(inspect.getsource(f))\nexcept OSError as error:\n    print(error)\nf()"
    ),
    "one that changes while it runs": (
        "open(__file__, 'w').write('# all new\\n' * 9)\ndef f():\n    1 / 0  # as it was\nf()"
    ),
    "one that is not there": Awkward(),
    "one that nobody may read": Awkward(
        body="print('root may')", prepare=lambda folder: (folder / "job.py").chmod(0)
    ),
    "a folder that is not there": Awkward(body="", directory="gone"),
    "arguments that no locale knows": Awkward(
        body="import sys, os\nprint(ascii(sys.argv), [os.fsencode(one) for one in sys.argv[1:]])",
        arguments=("a\udcffb", "\u2603"),
    ),
    "a module": Awkward(module="job", body=_SEES_ITSELF, files={"beside.py": ""}),
    "a package": Awkward(
        module="pack",
        files={
            "pack/__init__.py": "print('package', __name__, __path__)",
            "pack/__main__.py": (
                "from . import part\nfrom .part import one\nimport sys\n"
                "print(one, __name__, __package__, __spec__.name, __spec__.origin, sys.argv)\n"
                "print(__file__, __cached__, sorted(n for n in globals() if n[0] == '_'))\n"
                "print(sys.orig_argv, sys.path[0])\n1 / 0"
            ),
            "pack/part.py": "one = __name__",
        },
    ),
    "a module in a package": Awkward(
        module="pack.job",
        files={
            "pack/__init__.py": "",
            "pack/job.py": (
                "from .part import one\nimport pickle, sys\nclass C: pass\n"
                "print(one, type(pickle.loads(pickle.dumps(C()))) is C, sys.argv, __name__)"
            ),
            "pack/part.py": "one = __name__",
        },
    ),
    "a module that is not there": Awkward(module="nothing.of_that_name"),
    "a package that cannot be run": Awkward(module="pack", files={"pack/__init__.py": ""}),
    "a module of the standard library": Awkward(
        module="json.tool", files={"in.json": "[1]"}, arguments=("in.json",)
    ),
    "a module that is loaded at every start": Awkward(module="site", arguments=("--user-base",)),
    "a module from a folder that is gone": Awkward(
        body="import os, sys\nos.mkdir('x'); os.chdir('x'); os.rmdir('../x')\n"
        "try:\n    os.getcwd()\nexcept OSError as error:\n    print(error)\nimport colorsys"
    ),
    # -- what Python reads at its start ----------------------------------------------------------
    "an ordinary environment": _under(),
    "the locale C": _under(LC_ALL="C"),
    "the language C": _under(LANG="C", LC_ALL=""),
    "no coercion of the locale": _under(LC_ALL="", LANG="C", PYTHONCOERCECLOCALE="0"),
    "no UTF-8 at all": _under(LC_ALL="POSIX", PYTHONUTF8="0"),
    "UTF-8 come what may": _under(LC_ALL="POSIX", PYTHONUTF8="1"),
    "streams in Latin letters": _under(PYTHONIOENCODING="latin-1:replace"),
    "streams in ASCII": _under(PYTHONIOENCODING="ascii"),
    "another time zone": _under(TZ="Asia/Tokyo"),
    "a time zone of its own": _under(TZ="XYZ-7:30"),
    "warnings that are errors": _under(PYTHONWARNINGS="error::UserWarning"),
    "warnings that are heard": _under(PYTHONWARNINGS="always"),
    "optimisation": _under(PYTHONOPTIMIZE="1"),
    "no compiled files": _under(PYTHONDONTWRITEBYTECODE="1"),
    "compiled files elsewhere": _under(PYTHONPYCACHEPREFIX="{folder}/compiled"),
    "a fault handler": _under(PYTHONFAULTHANDLER="1"),
    "traced memory": _under(PYTHONTRACEMALLOC="3"),
    "the mode for developers": _under(PYTHONDEVMODE="1"),
    "another allocator": _under(PYTHONMALLOC="malloc"),
    "a hash seed": Awkward(
        body="print(hash('a'), {'x', 'y', 'z', 'v'}, hash(b'1'))\nimport sys; print(sys.flags)",
        environment={"PYTHONHASHSEED": "7"},
    ),
    "hashes without a seed": Awkward(
        body="print(hash('a'), {'x', 'y', 'z', 'v', 'w'})\nimport sys; print(sys.flags)",
        environment={"PYTHONHASHSEED": "0"},
    ),
    "a search path of its own": Awkward(
        body="import only_here, sys\nprint(only_here.__file__, sys.path)",
        files={"lib/only_here.py": ""},
        environment={"PYTHONPATH": "{folder}/lib"},
    ),
    "a customized site": Awkward(
        body="import sys, sitecustomize\nprint(sitecustomize.__file__, sys.stdout)",
        files={"lib/sitecustomize.py": "import sys\nprint('customized', sys.path[-1:])"},
        environment={"PYTHONPATH": "{folder}/lib"},
        cold="the start of its interpreter prints something",
    ),
    "a safe path": Awkward(
        body="import sys\nprint(sys.path, sys.flags)\nimport beside",
        files={"beside.py": ""},
        environment={"PYTHONSAFEPATH": "1"},
    ),
    "no users' packages": _under(PYTHONNOUSERSITE="1"),
    "breakpoints that do nothing": Awkward(
        body="breakpoint(); print('on')", environment={"PYTHONBREAKPOINT": "0"}
    ),
    "a prompt at the end": Awkward(body="print('on')", environment={"PYTHONINSPECT": "1"}),
    "few digits": Awkward(
        body="print(len(str(10 ** 700)))", environment={"PYTHONINTMAXSTRDIGITS": "640"}
    ),
    # -- what cannot be equal --------------------------------------------------------------------
    "a folder as script": Awkward(
        script="app",
        files={"app/__main__.py": "import part\nprint(part.__name__)", "app/part.py": ""},
        cold="a folder",
    ),
    "an archive as script": Awkward(script="app.pyz", prepare=_with_archive, cold="an archive"),
    "a compiled script": Awkward(
        script="job.pyc", prepare=_with_compiled, cold="a compiled script"
    ),
    "a module of the standard library's name": Awkward(
        body="import re, enum\nprint(re.own, enum.__file__)",
        files={"re.py": "own = 'my own'"},
    ),
    "a package of the standard library's name": Awkward(
        body="import encodings, json\nprint(json.own, encodings.__file__)",
        files={"json/__init__.py": "own = 'my own'"},
    ),
    "a module of the standard library's name beside a module": Awkward(
        module="job",
        body="import os, types\nprint(os.__file__, types.own)",
        files={"types.py": "own = 'my own'"},
    ),
    "a search path from the working directory": Awkward(
        body="import only_here\nprint(only_here.__file__)",
        files={"lib/only_here.py": ""},
        environment={"PYTHONPATH": "lib"},
        cold="Python finds its modules from the working directory",
    ),
}
