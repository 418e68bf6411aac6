"""What a script sees and shows when child.py runs it, against what it does under Python itself."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from scheduler.service.executors import as_python
from scheduler.service.executors.records import read_record
from scheduler.service.executors.supervisor import DOOR, NOT_RECORDED, SHUT_OUT

CHILD = str(Path(as_python.__file__).with_name("child.py"))

ARGUMENTS = ("--day", "2026-10-01", "two words", "ünïcode", "", "--script", "-m")

#: Scripts that show, or break on, something that differs if they are not run quite as Python does.
AWKWARD = {
    "its names": "print(sorted(n for n in globals() if n.startswith('__')), __name__, __file__)",
    "its spec and package": "print(__spec__, __package__, __doc__, type(__loader__).__name__)",
    "its doc": "'''What it does.'''\nprint(__doc__)",
    "its builtins": "import builtins; print(__builtins__ is builtins)",
    "its loader": "print(__loader__.name, __loader__.path, __loader__.get_source('__main__'))",
    "its annotations": "n: int = 1\nprint(__annotations__)",
    "its arguments": "import sys; print(sys.argv)",
    "its original arguments": "import sys; print(getattr(sys, 'orig_argv', None))",
    "its path": "import sys; print(sys.path)",
    "its flags": "import sys; print(sys.flags, sys.dont_write_bytecode)",
    "its modules": "import sys; print(sorted(sys.modules))",
    "its folder": "import os; print(os.getcwd())",
    "its streams": "import sys; print(sys.stdout, sys.stderr, sys.stdin, sys.stdout.write_through)",
    "a module beside it": "import beside; print(beside.__file__)",
    "a module of our names": "import sys; print([n for n in sys.modules if 'sched' in n])",
    "main by import": "import __main__; x = 3; print(__main__.x, __main__.__file__)",
    "stdin": "import sys; print(repr(sys.stdin.read())); input()",
    "exit by number": "import sys; sys.exit(7)",
    "exit with words": "import sys; sys.exit('nothing\\nto do')",
    "exit with nothing": "raise SystemExit",
    "exit with a flag": "raise SystemExit(True)",
    "exit with an object": "raise SystemExit(('a', 1))",
    "exit past everything": "import os; print('bye'); os._exit(5)",
    "a signal": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "an interrupt": "raise KeyboardInterrupt('stop')",
    "an exception": "def f(): raise ValueError('boom')\nf()",
    "a chain": "try: 1/0\nexcept Exception as e: raise RuntimeError('two\\nlines') from e",
    "a context": "try: 1/0\nexcept Exception: {}['x']",
    "an exception without words": "raise ValueError",
    "an exception that cannot be shown": (
        "class E(Exception):\n def __str__(self): raise OSError\nraise E"
    ),
    "a deep one": "def f(n): f(n + 1)\ntry: f(0)\nexcept RecursionError as e: print(e)",
    "a syntax error": "print('never')\nif True\n    pass",
    "a bad indent": "def f():\npass",
    "an unknown encoding": "# coding: klingon\nprint('never')",
    "a null byte": "print('before')\n\0",
    "a null byte and a hook": "import sys\nsys.excepthook = print\n\0",
    "code in an unknown encoding": "print('once')\ncompile(b'# coding: klingon', 'x', 'exec')",
    "a failing import": "import nothing_of_that_name",
    "a failing module beside it": "import failing",
    "its own hook": "import sys\nsys.excepthook = lambda *a: print(a[0], a[2].tb_lineno)\n1/0",
    "no hook": "import sys\ndel sys.excepthook\n1/0",
    "no hook and no stderr": "import sys\ndel sys.excepthook\nsys.stderr = None\n1/0",
    "a hook that is nothing": "import sys\nsys.excepthook = None\n1/0",
    "a hook that fails": (
        "import sys\ndef hook(*a):\n try: {}['x']\n except KeyError: raise OSError\n"
        "sys.excepthook = hook\ndef f(): 1/0\nf()"
    ),
    "a hook that takes itself away": (
        "import sys\ndef hook(*a):\n del sys.excepthook, sys.__excepthook__\n raise OSError\n"
        "sys.excepthook = hook\n1/0"
    ),
    "the last traceback": "import atexit, sys\n"
    "atexit.register(lambda: print(sys.last_traceback.tb_frame.f_code.co_name))\n1/0",
    "atexit": "import atexit; atexit.register(print, 'later'); print('first')",
    "a thread that goes on": (
        "import threading, time\n"
        "threading.Thread(target=lambda: (time.sleep(.1), print('thread'))).start()\nprint('main')"
    ),
    "a thread that fails": "import threading\nt = threading.Thread(target=lambda: 1/0, name='t')\n"
    "threading.excepthook = lambda a: print(a.exc_type); t.start(); t.join(); print('on')",
    "finalisation": "class C:\n def __del__(self): print('gone', __name__)\nc = C()",
    "a cycle at the end": "class C:\n def __del__(self): print('gone')\nc = C(); c.me = c",
    "pickling": (
        "import pickle\nclass C: pass\n"
        "print(type(pickle.loads(pickle.dumps(C()))) is C, C.__module__)"
    ),
    "its own source": "import inspect\ndef f():\n  return 1\nprint(inspect.getsource(f))",
    "its own lines": "import linecache; print(linecache.getline(__file__, 1))",
    "a data class": "import dataclasses\n@dataclasses.dataclass\nclass C:\n  n: 'int'\nprint(C(1))",
    "type hints": "import typing\nclass C:\n  n: 'C'\nprint(typing.get_type_hints(C))",
    "a doctest": "'''\n>>> 1 + 1\n2\n'''\nimport doctest; print(doctest.testmod())",
    "a unit test": (
        "import unittest, sys\nclass T(unittest.TestCase):\n"
        " def test(self): print('ran')\nunittest.main(argv=['x'], exit=False, "
        "testRunner=unittest.TextTestRunner(stream=open('/dev/null', 'w')))"
    ),
    "a warning": "import warnings; warnings.warn('old', DeprecationWarning)",
    "a warning from too far below": (
        "import warnings; warnings.warn('old', DeprecationWarning, stacklevel=2)"
    ),
    "a future": "from __future__ import annotations\ndef f(a: b): 1\nprint(f.__annotations__)",
    "no future": "def f(a: int): pass\nprint(f.__annotations__)",
    "latin text": "# -*- coding: latin-1 -*-\nprint('\xe9')",
    "unicode": "print('ünï', '\\U0001f600')",
    "bytes": "import sys; sys.stdout.buffer.write(b'\\xff\\xfe\\n')",
    "a closed stdout": "import sys; sys.stdout.close()",
    "no final line": "import sys; sys.stdout.write('no end')",
    "nothing": "",
    "a fork that fails": (
        "import os\npid = os.fork()\nif not pid: raise ValueError('child')\n"
        "os.waitpid(pid, 0); print('parent')"
    ),
    **{
        f"processes by {method}": (
            "import multiprocessing, sys\nclass C: pass\n"
            "def work(n): return n * 2, C(), sys.argv[1:3]\n"
            "if __name__ == '__main__':\n"
            f"  with multiprocessing.get_context({method!r}).Pool(1) as pool:\n"
            "    print([(n, type(c) is C, a) for n, c, a in pool.map(work, [1, 2])])\n"
        )
        for method in ("fork", "spawn", "forkserver")
    },
    "a pool of processes": (
        "from concurrent.futures import ProcessPoolExecutor\ndef work(n): return n + 1\n"
        "if __name__ == '__main__':\n"
        "  with ProcessPoolExecutor(1) as pool: print(list(pool.map(work, [1])))"
    ),
    "logging set up": (
        "import logging, sys\nlogging.basicConfig(stream=sys.stdout)\n"
        "logging.info('no'); logging.warning('yes'); logging.getLogger('x').info('no')"
    ),
    "logging set up with a level": (
        "import logging, sys\nlogging.basicConfig(stream=sys.stdout, level='INFO')\n"
        "logging.debug('no'); logging.getLogger('x').info('yes')"
    ),
    "logging by a handler": (
        "import logging, sys\nroot = logging.getLogger()\n"
        "root.addHandler(logging.StreamHandler(sys.stdout))\n"
        "logging.info('no'); logging.error('yes'); print(root.level, *vars(root))"
    ),
    "logging by a level and a handler": (
        "import logging, sys\nroot = logging.getLogger(); root.setLevel('INFO')\n"
        "root.addHandler(logging.StreamHandler(sys.stdout)); logging.info('yes')"
    ),
    "logging by a dictionary": (
        "import logging.config\nlogging.config.dictConfig({'version': 1, 'root': {'handlers': "
        "['h']}, 'handlers': {'h': {'class': 'logging.StreamHandler'}}})\nlogging.info('no')\n"
        "logging.error('yes'); own = logging.getLogger('x'); own.propagate = False\n"
        "own.error('bare')"
    ),
}


LOGS = "import logging\\nlogging.info('heard')\\nlogging.getLogger('mine').info('heard')\\n"


def run(
    words: list[str], directory: Path, python: str = sys.executable, **environment: str
) -> tuple[str, str, int]:
    """Run Python with these words and return what came of it."""
    done = subprocess.run(
        [python, "-u", *words],
        cwd=directory,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return (
        done.stdout.decode(errors="replace"),
        done.stderr.decode(errors="replace"),
        done.returncode if words[0] != CHILD else code_of(done.returncode, Path(words[1])),
    )


def code_of(code: int, file: Path) -> int:
    """Return an exit code as it is on record, which can tell a signal from it."""
    record = read_record(file)
    if record is None or record.ended is None:
        return code
    ended = record.ended.code if record.ended.signal is None else -record.ended.signal
    assert ended is not None and code in (ended, 128 - ended)
    return ended


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with what the awkward scripts import."""
    (tmp_path / "beside.py").write_text("")
    (tmp_path / "failing.py").write_text("def f(): 1/0\nf()\n")
    return tmp_path


def as_child(record: Path, *words: str) -> list[str]:
    """Return the words that run a script or module by child.py, as an attempt of its own."""
    (record.parent / DOOR).mkdir(exist_ok=True)
    record.unlink(missing_ok=True)
    return [CHILD, str(record), *words]


@pytest.mark.parametrize("body", AWKWARD.values(), ids=AWKWARD.keys())
def test_a_script_shows_what_it_shows_under_python_itself(folder: Path, body: str) -> None:
    script = folder / "script.py"
    script.write_text(body, encoding="latin-1" if "latin-1" in body else "utf-8")
    ours = run(as_child(folder / "record", "--script", str(script), *ARGUMENTS), folder)
    assert ours == run([str(script), *ARGUMENTS], folder)


def other_pythons() -> list[str]:
    """Return the other versions of Python at hand, each with its path."""
    found = [shutil.which(f"python3.{minor}") for minor in range(8, 15)]
    return [path for path in found if path and run(["-c", ""], Path("/"), path)[2] == 0]


def test_scripts_run_on_every_version_of_python_at_hand(folder: Path) -> None:
    script = folder / "script.py"
    names = (
        "its names",
        "its arguments",
        "its path",
        "a chain",
        "a syntax error",
        "exit with words",
        "no hook",
        "a hook that fails",
        "an unknown encoding",
        "a null byte",
    )
    for python in other_pythons():
        for body in [*(AWKWARD[name] for name in names), LOGS]:
            script.write_text(body)
            ours = run(as_child(folder / "record", "--script", str(script), "a"), folder, python)
            theirs = run([str(script), "a"], folder, python)
            assert ours[::2] == theirs[::2], python
            assert ours[1] == theirs[1] or body is LOGS, python
            assert "heard" in ours[1] or body is not LOGS, python


def test_a_script_reached_by_a_link_imports_from_the_folder_it_lies_in(folder: Path) -> None:
    script = folder / "script.py"
    script.write_text("import beside, sys\nprint(__file__, sys.path)")
    link = folder / "elsewhere" / "link.py"
    link.parent.mkdir()
    link.symlink_to(script)
    ours = run(as_child(folder / "record", "--script", str(link)), folder)
    assert ours == run([str(link)], folder)
    assert ours[2] == 0


@pytest.mark.parametrize("environment", [{"PYTHONSAFEPATH": "1"}, {"PYTHONPATH": "/nowhere"}])
def test_the_path_follows_the_environment(folder: Path, environment: dict[str, str]) -> None:
    script = folder / "script.py"
    script.write_text("import sys; print(sys.path)")
    record = folder / "record"
    ours = run(as_child(record, "--script", str(script)), folder, **environment)
    assert ours == run([str(script)], folder, **environment)
    (folder / "package").mkdir()
    (folder / "package" / "__main__.py").write_text("import sys; print(sys.path)")
    ours = run(as_child(record, "--script", str(folder / "package")), folder, **environment)
    assert ours == run([str(folder / "package")], folder, **environment)


@pytest.mark.parametrize("kind", ["folder", "archive", "compiled"])
def test_a_folder_an_archive_and_a_compiled_script_run(folder: Path, kind: str) -> None:
    body = "import sys, within\nprint(__file__, __spec__ and __spec__.name, sys.argv, sys.path[0])"
    target = folder / "app"
    target.mkdir()
    (target / "within.py").write_text("")
    (target / "__main__.py").write_text(body)
    if kind == "archive":
        with zipfile.ZipFile(folder / "app.zip", "w") as archive:
            for name in ("within.py", "__main__.py"):
                archive.write(target / name, name)
        target = folder / "app.zip"
    if kind == "compiled":
        subprocess.run([sys.executable, "-m", "compileall", "-q", "-b", str(target)], check=True)
        target = target / "__main__.pyc"
    ours = run(as_child(folder / "record", "--script", str(target), "a"), folder)
    assert ours == run([str(target), "a"], folder)
    assert ours[2] == 0, ours


@pytest.mark.parametrize(
    "name", ["package", "package.inner", "nothing", "package.nothing", "json.tool"]
)
def test_a_module_runs_as_by_python_m(folder: Path, name: str) -> None:
    body = "import sys\nprint(__name__, __package__, __spec__.name, sys.argv, sys.path)"
    (folder / "package").mkdir()
    for file in ("__init__.py", "__main__.py", "inner.py"):
        (folder / "package" / file).write_text(body if file != "__init__.py" else "")
    ours = run(as_child(folder / "record", "--module", name, "a"), folder)
    assert ours == run(["-m", name, "a"], folder)


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("def f():\n  raise ValueError('no rows')\nf()", "ValueError: no rows"),
        ("raise ValueError('one\\ntwo')", "ValueError: one"),
        ("raise ValueError", "ValueError"),
        ("raise KeyError('x')", "KeyError: 'x'"),
        ("class E(Exception): pass\nraise E('mine')", "E: mine"),
        ("import json; json.loads('')", "json.decoder.JSONDecodeError: Expecting value: line 1 "),
        ("raise ValueError('\\udcff')", "ValueError: \\udcff"),
        ("raise ValueError('x' * 9999)", "ValueError: " + "x" * 488),
        ("if", "SyntaxError: invalid syntax (script.py, line 1)"),
        ("# coding: klingon", "SyntaxError: unknown encoding: klingon"),
        ("class E(Exception):\n def __str__(self): 1/0\nraise E", "E: <no text"),
        ("import sys; sys.exit('no rows today')", "no rows today"),
        ("import sys; sys.exit(3)", None),
        ("import sys; sys.exit()", None),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("import os\nif os.fork(): os.wait()\nelse: 1/0", None),
        ("import os; os.chdir('/'); 1/0", "ZeroDivisionError: division by zero"),
        ("print('fine')", None),
    ],
)
def test_the_last_line_of_an_uncaught_exception_is_reported(
    folder: Path, body: str, line: str | None
) -> None:
    script, file = folder / "script.py", folder / "record"
    script.write_text(body)
    run(as_child(file, "--script", str(script)), folder)
    record = read_record(file)
    assert record is not None and record.ended is not None
    assert (record.error is None) == (line is None)
    assert (record.error or "").startswith(line or "")
    assert len(record.error or "") <= as_python.LONGEST_LINE


@pytest.mark.parametrize("is_shut", [True, False])
def test_an_attempt_that_cannot_be_recorded_does_not_begin(folder: Path, is_shut: bool) -> None:
    script = folder / "script.py"
    script.write_text("print('begun')")
    words = as_child(folder / "record", "--script", str(script))
    if is_shut:
        (folder / DOOR).rmdir()
        told, expected = "", SHUT_OUT
    else:
        (folder / DOOR / "record").touch()
        told, expected = "this attempt could not begin: its record could not be", NOT_RECORDED
    shown, said, code = run(words, folder)
    assert (shown, code) == ("", expected)
    assert said[: len(told)] == told and bool(said) == bool(told)
    assert not (folder / "record").exists()


def test_a_record_that_is_taken_away_hides_no_failure(folder: Path) -> None:
    script = folder / "script.py"
    script.write_text("import os, sys; os.unlink(sys.argv[1]); 1/0")
    ours = run(as_child(folder / "record", "--script", str(script), "record"), folder)
    (folder / "record").touch()
    assert ours == run([str(script), "record"], folder)


@pytest.mark.parametrize(
    ("body", "code", "error"),
    [
        ("print('fine')", 0, None),
        ("import sys; sys.exit(3)", 3, None),
        ("import sys; sys.exit('no rows')", 1, "no rows"),
        ("1/0", 1, "ZeroDivisionError: division by zero"),
        ("# coding: klingon", 1, "SyntaxError: unknown encoding: klingon (script.py, line 0)"),
        ("import atexit, time; atexit.register(time.sleep, 0.1)", 0, None),
        ("import os; os._exit(0)", None, None),
    ],
)
def test_without_fork_the_scripts_own_process_records_its_end(
    folder: Path, body: str, code: int | None, error: str | None
) -> None:
    for name in ("supervisor.py", "as_python.py", "child.py"):
        text = Path(as_python.__file__).with_name(name).read_text(encoding="utf-8")
        if name == "child.py":  # as on Windows
            text = text.replace("\nimport sys\n", "\nimport sys\ndel os.fork\n")
        (folder / name).write_text(text, encoding="utf-8")
    script, file = folder / "script.py", folder / "record"
    script.write_text(body)
    words = as_child(file, "--script", str(script))
    run([str(folder / "child.py"), *words[1:]], folder)
    record = read_record(file)
    assert record is not None and record.script == record.supervisor
    assert (record.ended and record.ended.code, record.error) == (code, error)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_what_is_on_record_leads_a_session_however_slow_the_machine_is(folder: Path) -> None:
    body = (
        "import os, sys, time\n"
        "from scheduler.service.executors import supervisor\n"
        "lead, enter = os.setsid, supervisor.enter\n"
        "os.setsid = lambda: (time.sleep(0.2), lead())\n"
        "def entered(record, script, own):\n"
        "    print(os.getsid(script) == script)\n"
        "    enter(record, script, own)\n"
        "supervisor.enter = entered\n"
        "supervisor.begin(sys.argv[1])\n"
    )
    (folder / DOOR).mkdir(exist_ok=True)
    shown, problems, code = run(["-c", body, str(folder / "record")], folder)
    assert (shown, problems, code) == ("True\n", "", 0)


def test_a_module_that_fails_shows_the_users_frames_only(folder: Path) -> None:
    (folder / "mod.py").write_text("def f():\n    1/0\nf()\n")
    _, shown, code = run(as_child(folder / "record", "--module", "mod"), folder)
    assert [line.split(", ")[0] for line in shown.splitlines() if "File" in line] == [
        f'  File "{folder / "mod.py"}"'
    ] * 2
    assert code == 1


HEARD = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} "


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("import logging; logging.info('hi %d', 1)", HEARD + "INFO root hi 1\n"),
        ("import logging; logging.getLogger('a.b').warning('hi')", HEARD + "WARNING a.b hi\n"),
        (
            "from logging import getLogger\ngetLogger(__name__).info('x')",
            HEARD + "INFO __main__ x\n",
        ),
        ("import logging; logging.debug('hi')", ""),
        (
            "import logging; logging.root.setLevel('DEBUG'); logging.debug('x')",
            HEARD + "DEBUG root x\n",
        ),
        ("import logging.handlers; logging.info('x')", HEARD + "INFO root x\n"),
        (
            "import logging; logging.info('x')\nlogging.basicConfig(level=10); logging.debug('y')",
            HEARD + "INFO root x\nDEBUG:root:y\n",
        ),
        (
            "import importlib.util as u; u.find_spec('logging'); import logging; logging.info('x')",
            HEARD + "INFO root x\n",
        ),
    ],
)
def test_a_script_that_never_set_logging_up_is_heard(folder: Path, body: str, shown: str) -> None:
    script = folder / "script.py"
    script.write_text(body)
    ours = run(as_child(folder / "record", "--script", str(script)), folder)
    assert re.fullmatch(shown, ours[1]) and ours[2] == 0, ours


def test_a_logging_module_of_the_scripts_own_is_left_alone(folder: Path) -> None:
    (folder / "logging.py").write_text("name = 'mine'")
    script = folder / "script.py"
    script.write_text("import logging; print(logging.name)")
    assert run(as_child(folder / "record", "--script", str(script)), folder) == ("mine\n", "", 0)


def test_a_script_that_vanished_ends_as_under_python(folder: Path) -> None:
    words = ["--script", str(folder / "gone.py")]
    assert run(as_child(folder / "record", *words), folder) == run(words[1:], folder)
