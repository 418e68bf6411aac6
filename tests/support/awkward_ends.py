"""Awkward scripts that end in ways of their own: exits, signals, exceptions, what is left to do.

Each leaves the same words, the same files and the same end behind, whenever it runs.
"""

from tests.support.awkward import Awkward, Scripts

_EXITS = {
    "nothing": "None",
    "nought": "0",
    "three": "3",
    "the largest number": "255",
    "two hundred and fifty-six": "256",
    "a number below nought": "-1",
    "a number beyond all others": "2 ** 70",
    "a flag": "True",
    "words": "'no rows'",
    "words in two lines": "'no rows\\nto day'",
    "no words": "''",
    "bytes": "b'no rows'",
    "an object": "object",
    "a pair": "(1, 2)",
    "words that cannot be encoded": "'caf\\udce9'",
}

_KILLS = ("SIGTERM", "SIGKILL", "SIGSEGV", "SIGABRT", "SIGALRM", "SIGHUP", "SIGUSR1", "SIGQUIT")
_HARMLESS = ("SIGPIPE", "SIGCHLD", "SIGWINCH", "SIGURG", "SIGXFSZ", "SIGCONT")

_LAST_WORDS = """
import atexit, sys, threading, weakref, tempfile, os, logging, time
class Said:
    def __init__(self, what): self.what = what
    def __del__(self): print("del", self.what, sys is not None and sys.is_finalizing(), flush=True)
kept = Said("a global")
_private = Said("a private one")
cycle = Said("a cycle"); cycle.me = cycle
weakref.finalize(kept, print, "finalize")
atexit.register(print, "registered first")
atexit.register(lambda: print("registered second", threading.active_count()))
folder = tempfile.TemporaryDirectory(dir=".")
def late():
    threading.main_thread().join()
    atexit.register(print, "registered by a thread")
    print("thread is last", len(os.listdir(folder.name)))
threading.Thread(target=late).start()
class Handler(logging.Handler):
    def emit(self, record): print("log", record.getMessage())
    def flush(self): print("flush")
    def close(self): print("close"); super().close()
logging.getLogger().addHandler(Handler())
logging.warning("heard")
print("main ends")
"""

_UNCLOSED = """
import io, sys
file = open("left.txt", "w")
file.write("written and never closed")
wrapped = io.TextIOWrapper(io.BufferedWriter(io.FileIO("left2.txt", "w")), write_through=False)
wrapped.write("the same")
"""

_ORPHAN = """
import os, time
read, write = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    os.close(write)
    os.read(read, 1)             # until the main process is gone
    with open("draft", "w") as file:
        file.write("the orphan goes on, its parent gone: %s" % (os.getppid() != 0))
    os.rename("draft", "left.txt")
    os._exit(0)
os.wait()
os.close(read)
print("main ends")
"""

_FORK_THAT_ENDS_LIKE_MAIN = """
import atexit, os, sys, threading
atexit.register(lambda: print("atexit", name, flush=True))
name = "child" if os.fork() == 0 else "main"
if name == "child":
    print(threading.main_thread() is threading.current_thread(), threading.active_count())
    sys.exit(9)
print(os.waitstatus_to_exitcode(os.wait()[1]))
raise LookupError("of main alone")
"""

_GROUP = """
def one(): raise ValueError("one")
def two(): raise TypeError("two")
found = []
for each in (one, two):
    try: each()
    except Exception as error:
        error.add_note("noted of " + each.__name__)
        found.append(error)
raise ExceptionGroup("both", found)
"""

_CHAIN = """
class Own(Exception):
    def __str__(self): return "own\\nwords in\\nlines"
def deep(n):
    if n: return deep(n - 1)
    {}["key"]
try:
    try: deep(3)
    except KeyError as error: raise Own from error
except Own:
    raise OSError(2, "not there", "some.txt")
"""

ENDS: Scripts = {
    **{f"sys.exit with {what}": f"import sys\nsys.exit({value})" for what, value in _EXITS.items()},
    **{
        f"a {name} of its own": (
            "import os, signal\nprint('before', end='')\n"
            f"os.kill(os.getpid(), signal.{name})\nimport time; time.sleep(0.5); print('after')"
        )
        for name in _KILLS
    },
    **{
        f"a {name} that does no harm": (
            f"import os, signal\nos.kill(os.getpid(), signal.{name})\nprint('after')"
        )
        for name in _HARMLESS
    },
    "a SIGINT of its own": (
        "import os, signal\ntry:\n    os.kill(os.getpid(), signal.SIGINT); signal.pause()\n"
        "except KeyboardInterrupt as error:\n    print('interrupted', repr(error))\n"
        "os.kill(os.getpid(), signal.SIGINT)\nsignal.pause()"
    ),
    "KeyboardInterrupt with words": "raise KeyboardInterrupt('enough')",
    "KeyboardInterrupt of a kind of its own": "class K(KeyboardInterrupt): pass\nraise K",
    "an interrupt by a thread": (
        "import _thread, time\n_thread.start_new_thread(_thread.interrupt_main, ())\n"
        "for _ in range(200): time.sleep(0.01)\nprint('not interrupted')"
    ),
    "SIGPIPE that kills": (
        "import os, signal\nsignal.signal(signal.SIGPIPE, signal.SIG_DFL)\n"
        "read, write = os.pipe(); os.close(read)\nprint('writes')\nos.write(write, b'x')"
    ),
    "a pipe that nobody reads": (
        "import os\nread, write = os.pipe(); os.close(read)\nos.write(write, b'x')"
    ),
    "an alarm": "import signal\nsignal.setitimer(signal.ITIMER_REAL, 0.05)\nsignal.pause()",
    "an alarm that is caught": (
        "import signal\nsignal.signal(signal.SIGALRM, lambda *a: print('rings', a[0]))\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.05)\nsignal.pause()\n"
        "def wrong(*a): raise TimeoutError('too long')\nsignal.signal(signal.SIGALRM, wrong)\n"
        "signal.alarm(1)\nsignal.pause()"
    ),
    "SIGTERM with a handler": (
        "import os, signal, sys\nsignal.signal(signal.SIGTERM, lambda *a: sys.exit(12))\n"
        "os.kill(os.getpid(), signal.SIGTERM)\nsignal.pause()"
    ),
    "a blocked signal": (
        "import os, signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n"
        "os.kill(os.getpid(), signal.SIGTERM)\nprint(signal.sigpending())\n"
        "signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])\nprint('after')"
    ),
    "signals that are waited for": (
        "import os, signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])\n"
        "os.kill(os.getpid(), signal.SIGUSR2)\nprint(signal.sigwait([signal.SIGUSR2]))\n"
        "read, write = os.pipe(); os.set_blocking(write, False)\n"
        "signal.set_wakeup_fd(write)\nsignal.signal(signal.SIGUSR1, lambda *a: None)\n"
        "os.kill(os.getpid(), signal.SIGUSR1)\nprint(os.read(read, 10))"
    ),
    "a file beyond its limit": (
        "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\n"
        "with open('small.txt', 'wb', buffering=0) as file:\n"
        "    print(file.write(b'x' * 20))\n    file.write(b'x')"
    ),
    "a crash of the interpreter": "import ctypes\nprint('falls')\nctypes.string_at(0)",
    "a crash with a fault handler": Awkward(
        body="import ctypes\ndef falls(): ctypes.string_at(0)\nfalls()",
        environment={"PYTHONFAULTHANDLER": "1"},
    ),
    "os.abort": "import os\nprint('falls')\nos.abort()",
    "os._exit": "import os, sys, atexit\natexit.register(print, 'no')\nprint('out')\nos._exit(7)",
    "os._exit by a thread": (
        "import os, threading, time\nthreading.Thread(target=os._exit, args=(8,)).start()\n"
        "time.sleep(2)\nprint('not ended')"
    ),
    "os._exit beyond a byte": "import os\nos._exit(257)",
    "an uncaught exception": "def f():\n    raise ValueError('boom')\n\n\nf()",
    "a chain of exceptions": _CHAIN,
    "a group of exceptions": _GROUP,
    "an exception without words": "raise ValueError",
    "an exception that cannot be shown": (
        "class Mute(Exception):\n    def __str__(self): raise OSError\nraise Mute('x')"
    ),
    "an exception with a note": "e = ValueError('x')\ne.add_note('a note\\nof two lines')\nraise e",
    "an exception beyond all bounds": "raise ValueError('x' * 100_000)",
    "an exception that cannot be encoded": "raise ValueError('caf\\udce9 \\u2603')",
    "an exception from a module beside it": Awkward(
        body="import beside\nbeside.f()", files={"beside.py": "def f():\n    return g()\n"}
    ),
    "a module beside it that does not compile": Awkward(
        body="import beside", files={"beside.py": "def f(:\n"}
    ),
    "an exception that is no error": "class Stop(BaseException): pass\nraise Stop('now')",
    "a generator's exit": "raise GeneratorExit('why')",
    "an exception raised anew": (
        "def f(): 1 / 0\ntry: f()\nexcept ZeroDivisionError as e:\n"
        "    raise e.with_traceback(None) from None"
    ),
    "an error of recursion": (
        "import sys\nsys.setrecursionlimit(200)\ndef f(n): return f(n + 1) + 1\nf(0)"
    ),
    "a depth near the limit": (
        "def f(n):\n    try: return f(n + 1)\n    except RecursionError: return n\n"
        "print(900 < f(0) < 1000)"
    ),
    "an error of memory": "x = bytearray(2 ** 62)",
    "its own hook for exceptions": (
        "import sys\ndef hook(kind, value, trace):\n"
        "    print('hook', kind, value, trace.tb_lineno, trace.tb_next)\n"
        "sys.excepthook = hook\n1 / 0"
    ),
    "its own hook for sys.exit": (
        "import sys\nsys.excepthook = lambda *a: print('not called')\nsys.exit('words')"
    ),
    "a hook that fails": (
        "import sys\ndef hook(*a): raise OSError('hook')\nsys.excepthook = hook\n1 / 0"
    ),
    "a hook that exits": ("import sys\ndef hook(*a): sys.exit(21)\nsys.excepthook = hook\n1 / 0"),
    "no hook at all": "import sys\ndel sys.excepthook\n1 / 0",
    "a hook that is nothing": "import sys\nsys.excepthook = None\n1 / 0",
    "no stderr": "import sys\nsys.stderr = None\n1 / 0",
    "a stderr of its own": (
        "import sys\nclass Out:\n    def write(self, text): sys.stdout.write(text.upper())\n"
        "    def flush(self): pass\nsys.stderr = Out()\n1 / 0"
    ),
    "what is left of the last exception": (
        "import atexit, sys\n"
        "atexit.register(lambda: print(sys.last_type, sys.last_value, "
        "sys.last_traceback.tb_lineno))\n\n1 / 0"
    ),
    "exceptions at exit": (
        "import atexit, sys\natexit.register(print, 'still')\n"
        "def fails(): raise ValueError('at exit')\natexit.register(fails)\nprint('main')"
    ),
    "sys.exit at exit": (
        "import atexit, sys\natexit.register(print, 'still')\natexit.register(sys.exit, 5)"
    ),
    "an interrupt at exit": (
        "import atexit\ndef fails(): raise KeyboardInterrupt\natexit.register(fails)"
    ),
    "os._exit at exit": (
        "import atexit, os\natexit.register(os._exit, 6)\nraise ValueError('first')"
    ),
    "last words of all kinds": _LAST_WORDS,
    "destructors of what is global": (
        "import sys\nclass Said:\n    def __init__(self, what): self.what = what\n"
        "    def __del__(self): print(self.what, sys is not None and sys.is_finalizing())\n"
        "kept = Said('a global')\n_private = Said('a private one')\n"
        "cycle = Said('a cycle')\ncycle.me = cycle\nsys.kept = Said('kept by sys')\nprint('main')"
    ),
    "files that are never closed": _UNCLOSED,
    "a destructor that fails": "class C:\n    def __del__(self): 1 / 0\nc = C()",
    "a destructor that is not heard": (
        "import sys\nsys.unraisablehook = lambda a: print('hook', a.exc_type, a.err_msg)\n"
        "class C:\n    def __del__(self): 1 / 0\nc = C()\ndel c"
    ),
    "an import at the end": (
        "class C:\n    def __del__(self):\n"
        "        import colorsys; print(colorsys.__name__)\nc = C()"
    ),
    "a thread that outlives the main one": (
        "import threading\ndef late():\n    threading.main_thread().join(); print('late')\n"
        "threading.Thread(target=late).start()\nprint('main')\nraise SystemExit(3)"
    ),
    "a thread that begins another": (
        "import threading\ndef begin(n):\n    threading.main_thread().join()\n    print(n)\n"
        "    if n: threading.Thread(target=begin, args=(n - 1,)).start()\n"
        "threading.Thread(target=begin, args=(2,)).start()"
    ),
    "a thread that does not hold it": (
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()"
    ),
    "a thread that fails": (
        "import threading\nt = threading.Thread(target=lambda: 1 / 0, name='t')\n"
        "t.start(); t.join()\n"
        "print('main')"
    ),
    "a thread that exits": (
        "import sys, threading\nt = threading.Thread(target=sys.exit, args=(5,))\n"
        "t.start(); t.join()\n"
        "print('main')"
    ),
    "a hook for threads": (
        "import threading\n"
        "threading.excepthook = lambda a: print('hook', a.exc_type, a.thread.name)\n"
        "t = threading.Thread(target=lambda: 1 / 0, name='t')\nt.start(); t.join()"
    ),
    "an executor that is not shut down": (
        "import concurrent.futures, time\npool = concurrent.futures.ThreadPoolExecutor(1)\n"
        "pool.submit(lambda: (time.sleep(0.05), print('done')))\nprint('main')"
    ),
    "a loop that is left running": (
        "import asyncio\nasync def main():\n    asyncio.get_running_loop().call_later(60, print)\n"
        "    asyncio.create_task(asyncio.sleep(60))\n    raise SystemExit(4)\nasyncio.run(main())"
    ),
    "a timer that fires": (
        "import threading\nthreading.Timer(0.05, print, ['rings']).start()\nprint('main')"
    ),
    "an orphan that outlives it": Awkward(body=_ORPHAN, awaits="left.txt"),
    "a child that ends as it would itself": _FORK_THAT_ENDS_LIKE_MAIN,
    "a child that fails": (
        "import os\nif os.fork() == 0: raise ValueError('of the child')\n"
        "print(os.waitstatus_to_exitcode(os.wait()[1]))"
    ),
    "a child that nobody waits for": "import os\nif os.fork() == 0: os._exit(3)\nprint('main')",
    "another program in its place": (
        "import os, sys\nos.write(1, b'first\\n')\n"
        "os.execv(sys.executable, [sys.executable, '-c', 'print(2); raise SystemExit(3)'])"
    ),
    "another program that is not there": "import os\nos.execv('/not/there', ['x'])",
    "itself once more": (
        "import os, sys\nif 'again' in sys.argv:\n"
        "    print(sys.argv, __name__); raise SystemExit(5)\n"
        "os.execv(sys.executable, [*sys.orig_argv, 'again'])"
    ),
    "no text": "",
    "a comment": "# nothing",
    "a syntax error": "print('never')\nif True\n    pass",
    "a bad indent": "def f():\npass",
    "a bracket that is not closed": "print('a'\n",
    "a warning of its syntax": "assert (1, 'always true')\nx = 1 is 1\nprint('\\d')",
    "a warning of its syntax that is an error": Awkward(
        body="print('never')\nassert (1, 'always true')",
        environment={"PYTHONWARNINGS": "error"},
    ),
    "a null byte": Awkward(body=b"print('a')\n\0print('b')"),
    "bytes that are no text in any way": Awkward(body=b"print('caf\xe9')"),
    "Latin letters": Awkward(
        body="# -*- coding: latin-1 -*-\nprint('é')\n1/0 # é".encode("latin-1")
    ),
    "an unknown encoding": Awkward(body=b"# -*- coding: klingon -*-\nprint('a')"),
    "a byte-order mark": Awkward(body="\ufeffprint('ü')\n1 / 0".encode()),
    "line ends of Windows": Awkward(body=b"print('''a\r\nb''')\r\nif 1:\r\n\t1 / 0\r\n"),
    "line ends of old": Awkward(body=b"print('a')\rprint('b')\r1 / 0\r"),
    "a first line for the shell": "#!/usr/bin/env python\nprint(__file__)",
    "a script without a final line end": "if 1:\n    print('x')\n    # done",
    "deep brackets": "x = " + "(" * 300 + ")" * 300,
    "a future": "from __future__ import annotations\ndef f(a: b): 1\nprint(f.__annotations__)",
    "no future": "def f(a: int): pass\nprint(f.__annotations__)\nprint(b'' == '', 7 / 2)",
}
