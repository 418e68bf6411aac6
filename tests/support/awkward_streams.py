"""Awkward scripts that read, write and close their streams in unusual ways."""

from tests.support.awkward import Awkward, Scripts

_STREAMS = """
import io, os, sys
for stream in (sys.stdin, sys.stdout, sys.stderr, sys.__stdin__, sys.__stdout__, sys.__stderr__):
    print(stream, type(stream), type(stream.buffer), getattr(stream.buffer, "raw", None))
    print(stream.encoding, stream.errors, stream.line_buffering, stream.write_through)
    print(stream.newlines, stream.isatty(), stream.fileno(), stream.mode, stream.name)
    print(stream.buffer.mode, stream.closed)
    print(stream.readable(), stream.writable(), stream.buffer.name, stream._CHUNK_SIZE)
print(sys.stdout is sys.__stdout__, sys.stderr is sys.__stderr__, sys.stdin is sys.__stdin__)
print(sys.stdin.seekable(), os.ctermid())
try:
    print(os.get_terminal_size())
except OSError as error:
    print(error)
import shutil
print(shutil.get_terminal_size())
try:
    print(os.ttyname(0))
except OSError as error:
    print(error)
"""

_MIXED = """
import os, subprocess, sys
sys.stdout.write("1 ")
sys.stderr.write("2 ")
os.write(1, b"3 ")
print("4", end=" ")
sys.stdout.buffer.write(b"5 ")
os.write(2, b"6 ")
subprocess.run(["printf", "7 "])
os.system("printf '8 '")
sys.__stdout__.write("9\\n")
import ctypes
libc = ctypes.CDLL(None)
libc.printf(b"ten, when C is done\\n")
print("eleven")
libc.fflush(None)
"""

_INPUT = """
import os, select, sys
print(repr(sys.stdin.read()), sys.stdin.readline() == "", list(sys.stdin), os.read(0, 10))
print(select.select([0], [], [], 0)[0], os.fstat(0).st_rdev == os.stat("/dev/null").st_rdev)
print(sys.stdin.buffer.read(), repr(sys.stdin.buffer), os.path.realpath("/dev/stdin"))
input("name? ")
"""

_REPLACED = """
import os, sys
log = os.dup(1)
file = os.open("left.txt", os.O_WRONLY | os.O_CREAT)
os.dup2(file, 1)
print("to the file")
os.system("echo from a child")
os.dup2(log, 1)
print("to the log")
print(os.fstat(1).st_ino == os.fstat(2).st_ino, file, log)
"""

_POSITION = """
import os, sys
print(sys.stdout.seekable(), os.lseek(1, 0, os.SEEK_CUR) == os.fstat(1).st_size)
try:
    print(sys.stdout.tell() == os.fstat(1).st_size)
except OSError as error:
    print(error)
os.ftruncate(1, 0)
print("begins anew")
os.lseek(1, 0, os.SEEK_SET)
print("appends")
"""

STREAMS: Scripts = {
    "its streams": _STREAMS,
    "output of all kinds in turn": _MIXED,
    "input that is empty": _INPUT,
    "a question": "print('asks')\nanswer = input('yes? ')",
    "a password that is asked for": (
        "import getpass, warnings\nwarnings.simplefilter('ignore')\nprint(getpass.getpass('key: '))"
    ),
    "a breakpoint": "x = 1\nbreakpoint()\nprint('never')",
    "a debugger after the fact": (
        "import pdb, sys\ntry: 1 / 0\nexcept ZeroDivisionError: pdb.post_mortem()\nprint('on')"
    ),
    "a console": "import code\ncode.interact('hello', exitmsg='bye')\nprint('on')",
    "letters of all kinds": "print('ünï', '日本', '\\U0001f600', '\\0', '\\r', '\\x1b[31m')",
    "letters that are none": (
        "import sys\nsys.stderr.write('caf\\udce9 \\ud800\\n')\nprint('ok')\nprint('caf\\udce9')"
    ),
    "bytes": "import sys\nsys.stdout.buffer.write(b'\\xff\\xfe\\0caf\\xe9\\n')",
    "five megabytes": (
        "import sys\nfor n in range(5): sys.stdout.write(str(n) * 999_999 + '\\n')\n"
        "print('done', file=sys.stderr)"
    ),
    "many small lines": "for n in range(5000): print(n)",
    "no final line end": "print('no end', end='')",
    "replaced descriptors": _REPLACED,
    "a log that is cut by its script": _POSITION,
    "stdout closed at the end": "import sys\nprint('out')\nsys.stdout.close()",
    "both closed at the end": "import sys\nprint('out')\nsys.stdout.close()\nsys.stderr.close()",
    "printing after closing": "import sys\nsys.stdout.close()\nprint('x')",
    "an exception after closing": "import sys\nsys.stderr.close()\n1 / 0",
    "no stdout": "import sys\nsys.stdout = None\nprint('x')\nsys.stderr.write('on\\n')",
    "no streams at all": "import sys\ndel sys.stdout, sys.stderr, sys.stdin\nprint('x')",
    "a closed descriptor": "import os\nos.close(1)\nprint('x')",
    "a closed descriptor for errors": "import os\nos.close(2)\nprint('out')\n1 / 0",
    "all descriptors closed": "import os\nos.closerange(0, 256)\nos._exit(0)",
    "descriptors closed in good order": "import os\nos.closerange(3, 256)\nprint('on')",
    "a buffer that cannot be flushed at the end": (
        "import os, sys\nsys.stdout = open(1, 'w', closefd=False)\nprint('x')\nos.close(1)"
    ),
    "a pipe that breaks at the end": (
        "import os, sys\nread, write = os.pipe()\nos.close(read)\nos.dup2(write, 1)\n"
        "sys.stdout = open(1, 'w', closefd=False)\nprint('x')"
    ),
    "a pipe that breaks at once": (
        "import os\nread, write = os.pipe()\nos.close(read)\nos.dup2(write, 1)\nprint('x')"
    ),
    "a full device": ("import os\nos.dup2(os.open('/dev/full', os.O_WRONLY), 1)\nprint('x')"),
    "a full device at the end": (
        "import os, sys\nos.dup2(os.open('/dev/full', os.O_WRONLY), 1)\n"
        "sys.stdout = open(1, 'w', closefd=False)\nprint('x')\nsys.exit(7)"
    ),
    "streams with another encoding": (
        "import sys\nsys.stdout.reconfigure(encoding='utf-16', errors='replace')\nprint('é')\n"
        "sys.stderr.reconfigure(encoding='ascii')\nsys.stderr.write('é\\n')"
    ),
    "output that is redirected": (
        "import contextlib, io\nout = io.StringIO()\nwith contextlib.redirect_stdout(out):\n"
        "    print('inner')\nprint(repr(out.getvalue()))"
    ),
    "output left in a child": (
        "import os, sys\nsys.stdout = open(1, 'w', closefd=False)\nprint('before', end=' ')\n"
        "if os.fork() == 0:\n    print('child', end=' '); sys.stdout.flush(); os._exit(0)\n"
        "os.wait()\nprint('main')"
    ),
    "reading its own log": "print('x')\nprint(repr(open('/proc/self/fd/1').read()))",
    "a stream by number": (
        "f = open(1, 'w', closefd=False)\nprint('a', file=f)\nprint('b')\nf.flush()"
    ),
    "a device for output": "print('a', file=open('/dev/stdout', 'a'))\nprint('b')",
    "streams under another encoding": Awkward(
        body=_STREAMS + "print('é \\udce9')\nprint('é \\u2603')",
        environment={"PYTHONIOENCODING": "latin-1:backslashreplace"},
    ),
    "streams in the locale C": Awkward(
        body=_STREAMS + "print('é')\nprint('\\udce9')",
        environment={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ),
}
