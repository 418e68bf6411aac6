"""Runs a routine's script as Python itself would; what child.py hands over to.

Runs in the routine's own interpreter, of any version from 3.8: the standard library only, nothing
from the package, no syntax newer than that, and as few imports as possible, for every task pays
for them.
"""

import os
import sys
from _frozen_importlib_external import SourceFileLoader, SourcelessFileLoader

TYPE_CHECKING = False  # as typing has it, which would have to be imported
if TYPE_CHECKING:
    import logging
    from collections.abc import Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import CodeType, FrameType, ModuleType, TracebackType

    from scheduler.service.executors.warm_fork import Fork

LONGEST_LINE = 500  # characters of a report
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
#: Shows an exception as Python does without any hook, whatever the script makes of ``sys``.
DISPLAY = sys.__excepthook__
#: What must not go while the interpreter uses it.
HELD: "list[object]" = []


def main(supervisor: "ModuleType", words: "Sequence[str]", fork: "Fork | None" = None) -> None:
    """Run a script or module: words are its record, what kind it is, its name and its arguments.

    ``fork`` is given in the fork of a warm interpreter.
    """
    record, kind, target = words[:3]
    arguments = list(words[3:])
    child = empty_main()
    set_arguments(kind, target, arguments)
    watch_for_logging()
    pid = os.getpid()
    try:
        if kind == "--module":
            run_module(target)
        else:
            if fork is not None and fork.code is not None:
                run_compiled(target, fork.code, fork.folder)
            else:
                run_script(target)
    except BaseException as exception:
        # A process that the script forked comes by here too when it fails; it is not the attempt.
        if os.getpid() == pid:
            supervisor.CODE[0] = code_of_end(exception)
            line = last_line(exception)
            if line:
                supervisor.add_error(record, line)
            if is_misread(exception):
                leave_to_python(target, arguments)
            if fork is not None:
                fork.see_off(record, exception)
        hide_own_frames({child, main.__code__.co_filename})
        # On to the interpreter, which knows best how to exit, or to die of an interrupt.
        raise
    if fork is not None and os.getpid() == pid:
        fork.see_off(record, None)


# -- What the script sees ------------------------------------------------------------------------


def empty_main() -> str:
    """Take all that is ours out of ``__main__``; return its file, child.py.

    The module itself stays: Python goes on using it once we are done.
    """
    module = sys.modules["__main__"]
    names = vars(module)
    for name in [name for name in names if not name.startswith("__")]:
        del names[name]
    file = str(names.pop("__file__"))
    names["__doc__"] = None
    return file


def set_arguments(kind: str, target: str, arguments: "list[str]") -> None:
    """Let the script see its own arguments."""
    sys.argv = ["-m" if kind == "--module" else target] + arguments
    if hasattr(sys, "orig_argv"):
        # What reloaders start again.
        words = ["-m", target] if kind == "--module" else [target]
        sys.orig_argv = sys.orig_argv[:1] + ["-u"] + words + arguments


def run_script(script: str) -> None:
    """Run a file, or a folder or zip archive that holds a ``__main__.py``."""
    if is_container(script):
        if not is_path_safe():
            del sys.path[0]
        sys.path.insert(0, script)
        run_as_main("__main__", alter_argv=False)
        return
    if not is_path_safe():
        sys.path[0] = os.path.dirname(os.path.realpath(script))
    module = sys.modules["__main__"]
    module.__file__ = script
    code = code_of(script, module)
    if code is not None:
        exec(code, vars(module))


def run_compiled(script: str, code: "CodeType", folder: str) -> None:
    """Run a file of Python in this folder that has been compiled before."""
    if not is_path_safe():
        sys.path[0] = folder
    module = sys.modules["__main__"]
    module.__file__ = script
    module.__loader__ = SourceFileLoader("__main__", script)
    exec(code, vars(module))


def run_module(name: str) -> None:
    """Run a module as ``python -m`` does."""
    if not is_path_safe():
        try:
            sys.path[0] = os.getcwd()
        except OSError:  # the folder is gone: nothing to import from it
            del sys.path[0]
    run_as_main(name, alter_argv=True)


def run_as_main(name: str, alter_argv: bool) -> None:
    import runpy

    # What the interpreter itself calls.
    runpy._run_module_as_main(name, alter_argv)  # type: ignore[attr-defined] # not in typeshed


def is_path_safe() -> bool:
    """Tell whether Python was asked to leave the script's folder out of ``sys.path``."""
    return getattr(sys.flags, "safe_path", False)


def is_container(script: str) -> bool:
    """Tell whether modules can be imported from within this path: a folder or a zip archive."""
    for hook in sys.path_hooks:
        try:
            hook(script)
        except ImportError:
            continue
        return True
    return False


def code_of(script: str, module: "ModuleType") -> "CodeType | None":
    """Return the code of a file, and set the loader that Python would have set."""
    if script.endswith(".pyc"):
        loader = SourcelessFileLoader("__main__", script)
        module.__loader__ = loader
        return loader.get_code("__main__")
    module.__loader__ = SourceFileLoader("__main__", script)
    try:
        with open(script, "rb") as file:
            source = file.read()
    except OSError as error:
        sys.stderr.write(
            "%s: can't open file %r: [Errno %s] %s\n"
            % (sys.executable, script, error.errno, error.strerror)
        )
        sys.exit(2)
    return compile(source, script, "exec", dont_inherit=True)


# -- How it ended --------------------------------------------------------------------------------


def code_of_end(exception: BaseException) -> int:
    """Return the exit code with which an uncaught exception ends the interpreter."""
    if not isinstance(exception, SystemExit):
        return 1
    if exception.code is None:
        return 0
    return exception.code & 0xFFFFFFFF if isinstance(exception.code, int) else 1


def last_line(exception: BaseException) -> str:
    """Return ``ValueError: no rows``; nothing for an exit that carries no words."""
    if isinstance(exception, SystemExit):
        if exception.code is None or isinstance(exception.code, int):
            return ""
        return first_line(exception.code)
    kind = type(exception)
    name = kind.__qualname__
    if kind.__module__ not in ("builtins", "__main__"):
        name = "%s.%s" % (kind.__module__, name)
    message = first_line(exception)
    return ("%s: %s" % (name, message) if message else name)[:LONGEST_LINE]


def first_line(value: object) -> str:
    """Return the first line of a value's text that has any."""
    try:
        lines = str(value).strip().splitlines()
    except Exception:  # the script's own __str__
        return "<no text: str() of it failed>"
    return lines[0][:LONGEST_LINE] if lines else ""


def is_misread(exception: BaseException) -> bool:
    """Tell whether the compiler could not make text of the script."""
    if not isinstance(exception, (SyntaxError, ValueError)):
        return False
    trace = exception.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    # Nothing that has begun to run may be run again.
    if trace is None or trace.tb_frame.f_code is not code_of.__code__:
        return False
    return not getattr(exception, "lineno", None) or "'utf-8' codec" in str(exception)


def leave_to_python(script: str, arguments: "list[str]") -> None:
    """Become Python itself, which reads a file by lines and has other words for what is in there.

    Where there is no fork there is no becoming another either.
    """
    if hasattr(os, "fork"):
        try:
            os.execv(sys.executable, [sys.executable, "-u", script] + arguments)
        except OSError:
            pass  # then in the words of the compiler


def hide_own_frames(own_files: "set[str]") -> None:
    """Let whatever shows uncaught exceptions see the user's frames only."""
    is_missing = not hasattr(sys, "excepthook")
    hook = getattr(sys, "excepthook", DISPLAY)

    def show(
        kind: "type[BaseException]", value: BaseException, trace: "TracebackType | None"
    ) -> None:
        sys.excepthook = hook
        trace = users_part(trace, own_files)
        value.__traceback__ = sys.last_traceback = trace
        # What follows but for the call of the hook is what Python does, less frames of ours.
        if is_missing:
            del sys.excepthook
            say("sys.excepthook is missing\n")
            DISPLAY(kind, value, trace)
            return
        try:
            hook(kind, value, trace)
        except SystemExit:
            raise
        except BaseException as error:
            error.__traceback__ = users_part(error.__traceback__, own_files)
            say("Error in sys.excepthook:\n")
            DISPLAY(type(error), error, error.__traceback__)
            say("\nOriginal exception was:\n")
            DISPLAY(kind, value, trace)

    sys.excepthook = show
    # Python calls a hook without holding it, and this one takes itself out of its place.
    HELD.append(show)


def say(words: str) -> None:
    """Write to stderr; where the script has none, to that of the process."""
    try:
        sys.stderr.write(words)
    except Exception:
        os.write(2, words.encode())


def users_part(trace: "TracebackType | None", own_files: "set[str]") -> "TracebackType | None":
    """Return a traceback without its first frames, which are ours and those of ``python -m``."""
    while trace is not None:
        frame = trace.tb_frame
        is_runpy = frame.f_globals.get("__name__") == "runpy"
        if not is_runpy and frame.f_code.co_filename not in own_files:
            break
        trace = trace.tb_next
    return trace


# -- Logging that is heard -----------------------------------------------------------------------


def watch_for_logging() -> None:
    """Have `make_heard` called when the script imports logging, if it ever does."""
    if "logging" in sys.modules:
        make_heard()
    else:
        sys.meta_path.insert(0, LoggingFinder())


class LoggingFinder:
    """Finds nothing itself: it waits for the import of logging, acts once and leaves."""

    def find_spec(
        self, name: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        """Let the other finders find logging, and nothing else."""
        if name != "logging":
            return None
        for finder in sys.meta_path:
            if not isinstance(finder, LoggingFinder):
                spec = finder.find_spec(name, path, target)
                if spec is not None:
                    self.act_after(spec.loader)
                    return spec
        return None

    def act_after(self, loader: "Loader | None") -> None:
        """Call `make_heard` once this loader has executed its module."""
        if loader is None or not hasattr(loader, "__dict__"):
            return  # an unusual one: better quiet than broken

        def exec_module(module: "ModuleType") -> None:
            vars(loader).pop("exec_module")
            sys.meta_path[:] = [one for one in sys.meta_path if one is not self]
            loader.exec_module(module)
            make_heard()

        vars(loader)["exec_module"] = exec_module


def make_heard() -> None:
    """Let the root logger speak from INFO on, until the script sets it up itself.

    No handler is added, for `basicConfig` does nothing if there is one: the printer of last
    resort, which serves while there is none, is given a format.  The script's first handler gets
    all as it is in a fresh interpreter, where the level is WARNING unless one has been set.
    """
    import logging

    printer = getattr(logging, "lastResort", None)
    if printer is None:
        return  # a logging.py of the script's own
    root = logging.root
    set_up = logging.basicConfig.__code__
    own_methods = vars(root)  # what stands here goes before the methods of the class

    def set_level(level: "int | str") -> None:
        del own_methods["setLevel"]
        root.setLevel(level)

    def add_handler(handler: "logging.Handler") -> None:
        # The first message may come so late that nothing can be imported any more.
        caller = sys._getframe().f_back  # pyright: ignore[reportPrivateUsage] # no public one
        does_print = getattr(logging, "lastResort", None) is printer
        if does_print and is_unasked(caller, set_up):
            return
        del own_methods["addHandler"]
        if own_methods.pop("setLevel", None):
            root.setLevel(logging.WARNING)
        printer.setLevel(logging.WARNING)
        printer.setFormatter(None)
        root.addHandler(handler)

    root.setLevel(logging.INFO)
    own_methods.update(setLevel=set_level, addHandler=add_handler)
    printer.setLevel(logging.NOTSET)
    printer.setFormatter(logging.Formatter(LOG_FORMAT))


def is_unasked(frame: "FrameType | None", set_up: "CodeType") -> bool:
    """Tell whether logging sets itself up: `logging.info` does, before it prints at WARNING."""
    if frame is None or frame.f_code is not set_up:
        return False
    return frame.f_back is not None and frame.f_back.f_globals.get("__name__") == "logging"
