"""The fork of a warm interpreter: what it has to know, and how it ends (ADR 23).

Runs in the routine's own interpreter, like warm_server.py, which hands over to it.
"""

import gc
import os
import sys

TYPE_CHECKING = False  # as typing has it, which would have to be imported
if TYPE_CHECKING:
    from types import CodeType, ModuleType


class Fork:
    """What a process has to know that is the fork of a warm interpreter."""

    def __init__(
        self, supervisor: "ModuleType", server: int, code: "CodeType | None", folder: str
    ) -> None:
        self.code = code  # of the script, if it has been compiled already
        self.folder = folder  # where the script is found then
        self._supervisor = supervisor
        self._server = server  # pid of the warm interpreter

    def see_off(self, record: str, exception: "BaseException | None") -> None:
        """End the process, or return where that is better left to the interpreter."""
        if os.getppid() != self._server:
            # The warm interpreter is gone: nobody else would write it down.
            self._supervisor.write_own_end(record)
        end_at_once(exception)
        # It is to collect what hangs on what was there before the fork, too.
        gc.unfreeze()


#: Variables that change nothing of how an interpreter ends; another may.
_HARMLESS = frozenset(
    "PYTHON" + name
    for name in (
        "BREAKPOINT CASEOK COERCECLOCALE DONTWRITEBYTECODE HASHSEED HOME INTMAXSTRDIGITS IOENCODING"
        " NODEBUGRANGES NOUSERSITE OPTIMIZE PATH PYCACHEPREFIX SAFEPATH STARTUP TZPATH UNBUFFERED"
        " USERBASE UTF8 WARNINGS"
    ).split()
)
#: Objects of a script up to which it is quicker to look at each than to let Python end.
_FEW = 20_000
#: Modules whose callbacks of weak references concern nobody outside.
_QUIET = ("weakref", "_weakrefset", "functools", "abc", "_py_abc", "enum", "typing")


def end_at_once(exception: "BaseException | None") -> None:
    """End the process, if the end of the interpreter would do nothing that anybody could see.

    That end takes apart all that is loaded, which a fork would copy first.
    """
    code = exception.code if isinstance(exception, SystemExit) else exception
    if code is not None and (type(code) is not int or abs(code) > 0x7FFFFFFF):
        return
    if __import__("_thread")._count() or sys.stdout is not sys.__stdout__:
        return
    if sys.stderr is not sys.__stderr__:
        return
    names = [name for name in os.environ if name.startswith("PYTHON") and name not in _HARMLESS]
    if names or getattr(sys.modules.get("threading"), "_threading_atexits", None):
        return
    if "atexit" in sys.modules and not run_quiet_exits(sys.modules["atexit"]):
        return
    if not is_quiet_end():
        return
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except Exception:  # the interpreter will say so
        return
    os._exit((code or 0) & 0xFF)


def run_quiet_exits(atexit: "ModuleType") -> bool:
    """Run what is to run at exit if that is logging's own; return whether that was all."""
    if atexit._ncallbacks() > ("logging" in sys.modules):
        return False
    atexit._run_exitfuncs()
    return True


def is_quiet_end() -> bool:
    """Tell whether no object of the script's does anything as it goes."""
    objects = gc.get_objects()
    if len(objects) > _FEW:
        return False
    quiet: "dict[type, bool]" = {}
    reference: "type[object]" = __import__("_weakref").ReferenceType
    for one in objects:
        kind: "type[object]" = one.__class__
        is_quiet = quiet.get(kind)
        if is_quiet is None:
            is_quiet = quiet[kind] = not hasattr(kind, "__del__")
        if not is_quiet:
            return False
        # One that can hold nothing is not among the objects; its class is.
        if isinstance(one, type) and "__del__" in vars(one):
            return False
        if issubclass(kind, reference) and not is_of_library(getattr(one, "__callback__", None)):
            return False
    return True


def is_of_library(callback: object) -> bool:
    """Tell whether a callback of a weak reference concerns nobody outside."""
    module = getattr(callback, "__module__", None)
    return module is None or module in _QUIET
